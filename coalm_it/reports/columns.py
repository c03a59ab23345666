"""The rows of a finished build as hashes: small enough to hold all rows of two builds in memory, and to join them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from coalm_it.dataset.finished import FinishedBuild
from coalm_it.dataset.tables import Config, Split

BATCH_ROWS = 5_000
_THOUGHT = re.compile(rb'"reasoning_content": "((?:[^"\\]|\\.)*)"')
"""The thought in the JSON text of a message; quotes inside other texts have a backslash."""


class RowHashes(NamedTuple):
    """What a row is compared by, each as a hash of this process."""

    split: Split
    """Split of the build."""
    part: str
    text: int
    """Messages without thoughts."""
    thought: int
    """All thoughts of the row."""
    tools: int
    provenance: int
    licence: int
    columns: int
    """Instruction, input, output."""


def read_batches(
    build: FinishedBuild, config: Config, split: Split, columns: list[str], rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Some columns of a config, in the order of the build."""
    for name in build.list_files(config, split):
        yield from pq.ParquetFile(build.folder / name).iter_batches(rows, columns=columns)


def hash_rows(build: FinishedBuild) -> dict[str, RowHashes]:
    """Id -> hashes of each row, in the order of the build."""
    wide = ["id", "part", "prompt", "completion", "tools", "thought", "provenance", "licence"]
    hashed: dict[str, RowHashes] = {}
    for split in get_args(Split):
        texts = read_batches(build, "coalm_it", split, ["instruction", "input", "output"])
        for samples, three in zip(read_batches(build, "samples", split, wide), texts, strict=True):
            ids, parts, thoughts, provenances, licences = (
                samples[name].to_pylist() for name in ("id", "part", "thought", "provenance", "licence")
            )
            messages = [_split_thoughts(*texts) for texts in zip(*map(_join, _lists(samples)), strict=True)]
            tools = map(hash, _join(samples["tools"]))
            columns = map(hash, zip(*(column.cast(pa.binary()).to_pylist() for column in three.columns), strict=True))
            for row_id, part, (text, inside), one, provenance, licence, shown, written in zip(
                ids, parts, messages, thoughts, provenances, licences, tools, columns, strict=True
            ):
                hashed[row_id] = RowHashes(
                    split, part, text, hash((inside, one)), shown, hash(provenance), hash(licence), written
                )
    return hashed


def _lists(samples: pa.RecordBatch) -> list[pa.ListArray]:
    return [samples["prompt"], samples["completion"]]


def _join(lists: Any) -> list[bytes]:
    """The bytes of all texts of each list, without a copy of each text; nothing for a list that is null."""
    values = lists.values
    if len(values) == 0:
        return [b""] * len(lists)
    _, offsets, data = values.buffers()
    starts = memoryview(offsets).cast("i")
    whole, first = memoryview(data), values.offset
    ends = lists.offsets.to_pylist()
    return [bytes(whole[starts[first + begin] : starts[first + end]]) for begin, end in pairwise(ends)]


def _split_thoughts(prompt: bytes, completion: bytes) -> tuple[int, int]:
    """Hashes of the messages without their thoughts, and of the thoughts."""
    whole = prompt + b"\n" + completion
    if b'"reasoning_content"' not in whole:
        return hash(whole), 0
    return hash(_THOUGHT.sub(b"", whole)), hash(tuple(_THOUGHT.findall(whole)))
