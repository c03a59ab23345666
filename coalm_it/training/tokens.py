"""Rows as tokens: an Arrow file of input_ids and labels, as TRL takes them, and what was left out on the way.

The labels of the prompt are -100: exactly the target's tokens bear loss (see rendering/chat.py). TRL cuts what is
longer than max_length at its end, where the target is, so no such row gets that far.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from coalm_it.errors import ShortfallError
from coalm_it.files import write_text, write_whole
from coalm_it.listener import Listener
from coalm_it.rendering.chat import ChatError, Example, tokenize_examples, write_example
from coalm_it.training.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NO_LOSS = -100
"""The label of a token that bears no loss, for torch and TRL alike."""

_SCHEMA = pa.schema([(name, pa.list_(pa.int32())) for name in ("input_ids", "labels")])
_ROWS_AT_ONCE = 256


class RowsError(ShortfallError):
    """Rows that cannot be learnt whole, or none left; the message is one line."""


@dataclass
class Count:
    """What became of the rows of a split."""

    rows: int = 0
    tokens: int = 0
    target_tokens: int = 0
    longest: int = 0
    """Tokens of the longest row that was read, used or not."""
    longest_id: str = ""
    too_long: int = 0
    unfit: int = 0
    """Rows that the chat template does not show whole."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why they are unfit, and how many of them."""


def write_tokens(
    path: Path,
    rows: Iterable[Row],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None,
    listener: Listener,
    *,
    drop_long: bool = False,
    drop_unfit: bool = False,
) -> Count:
    """Writes the rows that can be learnt whole to `path`, and their count beside it; does nothing where both are there.

    Raises RowsError for rows that are too long or unfit and not to be dropped, and where none is left.
    """
    counted = path.with_suffix(".json")
    if path.is_file() and counted.is_file():
        return Count(**json.loads(counted.read_bytes()))
    count = Count()
    with write_whole(path) as part, pa.OSFile(str(part), "wb") as file, pa.ipc.new_stream(file, _SCHEMA) as stream:
        examples = _write_examples(rows, tokenizer, count)
        while batch := list(islice(examples, _ROWS_AT_ONCE)):
            stream.write_batch(_tokenize_batch(batch, tokenizer, max_length, count))
        _report(path.stem, count, max_length, listener, drop_long=drop_long, drop_unfit=drop_unfit)
    write_text(counted, json.dumps(asdict(count)) + "\n")
    return count


def _write_examples(
    rows: Iterable[Row], tokenizer: PreTrainedTokenizerBase, count: Count
) -> Iterator[tuple[str, Example]]:
    for row in rows:
        try:
            yield row.id, write_example(row.conversation, tokenizer)
        except ChatError as error:
            count.unfit += 1
            count.reasons[str(error)] = count.reasons.get(str(error), 0) + 1


def _tokenize_batch(
    batch: list[tuple[str, Example]], tokenizer: PreTrainedTokenizerBase, max_length: int | None, count: Count
) -> pa.RecordBatch:
    ids, labels = [], []
    tokenized = tokenize_examples([example for _, example in batch], tokenizer)
    for (name, _), tokens in zip(batch, tokenized, strict=True):
        size = len(tokens.ids)
        if size > count.longest:
            count.longest, count.longest_id = size, name
        if max_length is not None and size > max_length:
            count.too_long += 1
            continue
        ids.append(tokens.ids)
        labels.append([NO_LOSS] * tokens.start + tokens.ids[tokens.start :])
        count.rows += 1
        count.tokens += size
        count.target_tokens += size - tokens.start
    return pa.record_batch([pa.array(column, _SCHEMA.field(0).type) for column in (ids, labels)], schema=_SCHEMA)


def _report(
    split: str, count: Count, max_length: int | None, listener: Listener, *, drop_long: bool, drop_unfit: bool
) -> None:
    read = count.rows + count.too_long + count.unfit
    if count.unfit:
        reason, number = max(count.reasons.items(), key=itemgetter(1))
        line = f"{split}: {count.unfit:,} of {read:,} rows are not shown whole ({number:,}: {reason})"
        if not drop_unfit:
            raise RowsError(f"{line}; take another form or template, or leave them out: --drop-unfit")
        listener.say(f"{line}; left out")
    if count.too_long:
        line = (
            f"{split}: the targets of {count.too_long:,} of {read:,} rows would be cut at max_length {max_length:,}"
            f" (longest: {count.longest:,} tokens, {count.longest_id})"
        )
        if not drop_long:
            raise RowsError(f"{line}; raise sft.max_length, or leave them out: --drop-long")
        listener.say(f"{line}; left out")
    if not count.rows:
        raise RowsError(f"{split}: no row is left of {read:,}")
