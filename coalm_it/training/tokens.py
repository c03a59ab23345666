"""Tokenized rows: an Arrow file of input_ids and labels for TRL, and counts of the rows used and left out.

The labels of the prompt are -100: only the tokens of the target have loss (see rendering/chat.py). TRL truncates rows
longer than max_length at the end, where the target is, so such rows are refused or left out here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from coalm_it.errors import ShortfallError
from coalm_it.files import write_text, write_whole
from coalm_it.listener import Listener
from coalm_it.rendering.chat import ChatError, Example, tokenize_examples, write_example
from coalm_it.training.rows import Row

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

NO_LOSS = -100
"""The label of a token without loss, in torch and TRL."""

_SCHEMA = pa.schema([(name, pa.list_(pa.int32())) for name in ("input_ids", "labels")])
_BATCH_ROWS = 256


class RowsError(ShortfallError):
    """Rows that do not fit max_length or the chat template, or no rows left; one line."""


@dataclass
class SplitCounts:
    """Counts of the rows of a split, used and left out."""

    rows: int = 0
    tokens: int = 0
    target_tokens: int = 0
    longest: int = 0
    """Tokens of the longest row, used or not."""
    longest_id: str = ""
    too_long: int = 0
    unfit: int = 0
    """Rows that the chat template does not render completely."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Reason -> number of unfit rows."""


def write_tokens(
    path: Path,
    rows: Iterable[Row],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None,
    listener: Listener,
    *,
    drop_long: bool = False,
    drop_unfit: bool = False,
) -> SplitCounts:
    """Tokenizes the rows into `path`, and writes the counts beside it; returns at once if both files exist.

    Raises RowsError if rows are too long or unfit and are not to be dropped, or if no row is left.
    """
    counts_path = path.with_suffix(".json")
    if path.is_file() and counts_path.is_file():
        return SplitCounts(**json.loads(counts_path.read_bytes()))
    counts = SplitCounts()
    with write_whole(path) as part, pa.OSFile(str(part), "wb") as file, pa.ipc.new_stream(file, _SCHEMA) as stream:
        examples = _write_examples(rows, tokenizer, counts)
        while batch := list(islice(examples, _BATCH_ROWS)):
            stream.write_batch(_tokenize_batch(batch, tokenizer, max_length, counts))
        _report(path.stem, counts, max_length, listener, drop_long=drop_long, drop_unfit=drop_unfit)
    write_text(counts_path, json.dumps(asdict(counts)) + "\n")
    return counts


def _write_examples(
    rows: Iterable[Row], tokenizer: PreTrainedTokenizerBase, counts: SplitCounts
) -> Iterator[tuple[str, Example]]:
    for row in rows:
        try:
            yield row.id, write_example(row.conversation, tokenizer)
        except ChatError as error:
            counts.unfit += 1
            counts.reasons[str(error)] = counts.reasons.get(str(error), 0) + 1


def _tokenize_batch(
    batch: list[tuple[str, Example]], tokenizer: PreTrainedTokenizerBase, max_length: int | None, counts: SplitCounts
) -> pa.RecordBatch:
    ids, labels = [], []
    tokenized = tokenize_examples([example for _, example in batch], tokenizer)
    for (name, _), tokens in zip(batch, tokenized, strict=True):
        size = len(tokens.ids)
        if size > counts.longest:
            counts.longest, counts.longest_id = size, name
        if max_length is not None and size > max_length:
            counts.too_long += 1
            continue
        ids.append(tokens.ids)
        labels.append([NO_LOSS] * tokens.start + tokens.ids[tokens.start :])
        counts.rows += 1
        counts.tokens += size
        counts.target_tokens += size - tokens.start
    return pa.record_batch([pa.array(column, _SCHEMA.field(0).type) for column in (ids, labels)], schema=_SCHEMA)


def _report(
    split: str, counts: SplitCounts, max_length: int | None, listener: Listener, *, drop_long: bool, drop_unfit: bool
) -> None:
    read = counts.rows + counts.too_long + counts.unfit
    if counts.unfit:
        reason, number = max(counts.reasons.items(), key=itemgetter(1))
        line = f"{split}: {counts.unfit:,} of {read:,} rows are not rendered completely ({number:,}: {reason})"
        if not drop_unfit:
            raise RowsError(f"{line}; use another form or template, or leave them out: --drop-unfit")
        listener.say(f"{line}; left out")
    if counts.too_long:
        line = (
            f"{split}: {counts.too_long:,} of {read:,} rows are longer than max_length {max_length:,}"
            f" (longest: {counts.longest:,} tokens, {counts.longest_id})"
        )
        if not drop_long:
            raise RowsError(f"{line}; raise sft.max_length, or leave them out: --drop-long")
        listener.say(f"{line}; left out")
    if not counts.rows:
        raise RowsError(f"{split}: no row is left of {read:,}")


def open_tokens(path: Path) -> Dataset:
    """The tokenized rows as a data set, memory-mapped."""
    from datasets import Dataset

    return Dataset.from_file(str(path))


class MarkedToken(NamedTuple):
    """A token as text (or several that form one character), and whether it has loss."""

    text: str
    has_loss: bool


def mark_tokens(row: dict[str, list[int]], tokenizer: PreTrainedTokenizerBase) -> list[MarkedToken]:
    """The tokens of a row of `open_tokens`; tokens that form one character together are joined."""
    marked: list[MarkedToken] = []
    pending: list[int] = []
    labels = row["labels"]
    for index, (token, label) in enumerate(zip(row["input_ids"], labels, strict=True)):
        pending.append(token)
        text = str(tokenizer.decode(pending))
        is_last = index + 1 == len(labels) or (labels[index + 1] == NO_LOSS) != (label == NO_LOSS)
        if is_last or not text.endswith("\N{REPLACEMENT CHARACTER}"):
            marked.append(MarkedToken(text, label != NO_LOSS))
            pending = []
    return marked
