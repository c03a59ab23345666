"""Rows of a finished build as conversations, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import pyarrow.parquet as pq

from coalm_it.dataset.export.format import Conversation
from coalm_it.dataset.finished import FinishedBuild
from coalm_it.dataset.tables import Config, Split

BATCH = 500
"""Rows that are in memory at a time."""
_NAMES = ["id", "part", "source", "licence"]
_CONTENT: dict[Config, list[str]] = {
    "samples": ["prompt", "completion", "tools"],
    "dialogues": ["messages", "tools"],
    "coalm_it": ["instruction", "input", "output"],
}
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class RowChoice:
    """Which rows of a split."""

    parts: frozenset[str] = frozenset()
    """Empty for all."""
    limit: int | None = None
    max_tokens: int | None = None
    """Longer samples are cut."""


def read_conversations(build: FinishedBuild, config: Config, split: Split, choice: RowChoice) -> Iterator[Conversation]:
    """The chosen rows of a split, in their order."""
    batches = _read_batches(build, config, split)
    rows = (row for batch in batches for row in batch if not choice.parts or row["part"] in choice.parts)
    return (_make_conversation(config, row) for row in islice(rows, choice.limit))


def _read_batches(build: FinishedBuild, config: Config, split: Split) -> Iterator[list[dict[str, Any]]]:
    if config != "coalm_it":
        yield from _read_columns(build, config, split, [*_NAMES, *_CONTENT[config]])
        return
    # The three columns stand alone; their ids and parts are in `samples`, which has the same rows in the same order.
    texts = _read_columns(build, config, split, _CONTENT[config])
    named = _read_columns(build, "samples", split, _NAMES)
    for batch, names in zip(texts, named, strict=True):
        yield [{**name, **row} for name, row in zip(names, batch, strict=True)]


def _read_columns(
    build: FinishedBuild, config: Config, split: Split, columns: list[str]
) -> Iterator[list[dict[str, Any]]]:
    for name in build.list_files(config, split):
        with pq.ParquetFile(build.folder / name) as file:
            for batch in file.iter_batches(BATCH, columns=columns):
                yield batch.to_pylist()


def _make_conversation(config: Config, row: dict[str, Any]) -> Conversation:
    if config == "coalm_it":
        contents = [row[name] for name in _CONTENT[config]]
        messages = [{"role": role, "content": text} for role, text in zip(_ROLES, contents, strict=True)]
    else:
        messages = [json.loads(text) for name in _CONTENT[config][:-1] for text in row[name]]
    return Conversation(
        **{name: row[name] for name in _NAMES},
        messages=messages,
        tools=[_parse_tool(text) for text in row.get("tools") or ()],
        learnt_from=0 if config == "dialogues" else len(messages) - 1,
        config=config,
    )


@lru_cache(10_000)
def _parse_tool(text: str) -> dict[str, Any]:
    tool: dict[str, Any] = json.loads(text)
    return tool
