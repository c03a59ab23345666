"""What a format is: how a conversation of a build becomes a record, and how records become files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coalm_it.dataset.tables import Config, Split
from coalm_it.errors import RequestError

Message = Mapping[str, Any]
Record = Any
"""What a format makes of a conversation; mostly an object that can be written as JSON."""


class CannotHoldError(ValueError):
    """The format has no place for this conversation, which is left out and counted; the message says why."""


class ExportError(RequestError):
    """The export cannot be made as asked; one line for the user."""


@dataclass(frozen=True)
class Conversation:
    """A row of the config `samples` or `dialogues`. Messages and tools may be shared with others: not to be changed."""

    id: str
    part: str
    source: str
    licence: str
    messages: list[dict[str, Any]]
    """As data_set.md says; the last one of a sample is its target. Of a row of the config `coalm_it`, its instruction,
    input and output, as the contents of a message of the system, of the user and of the assistant."""
    tools: list[dict[str, Any]]
    """Empty where the task has none."""
    learnt_from: int
    """Index of the first message to learn: that of the target, or 0 in a dialogue, of which every message of the
    assistant is learnt."""
    config: Config


@dataclass
class Losses:
    """What records do not show of their conversations: a sentence about it -> the rows it is true of."""

    rows: Counter[str] = field(default_factory=Counter)
    _of_row: set[str] = field(default_factory=set)

    def note(self, what: str) -> None:
        """Notes a loss of the current row, which counts once however often it is noted: "thoughts are left out"."""
        self._of_row.add(what)

    def end_row(self, kept: bool) -> None:
        self.rows.update(self._of_row if kept else ())
        self._of_row.clear()


@dataclass(frozen=True)
class Written:
    """What `describe` may tell of an export, to write files that stand beside the data."""

    name: str
    """Name of the recipe."""
    config: Config
    files: Mapping[Split, list[str]]
    """Split -> names of its data files, in the folder of the export."""
    rows: Mapping[Split, int]
    bytes: Mapping[Split, int]
    has_tools: bool
    """Whether some rows have tools."""


def write_jsonl(folder: Path, split: Split, records: Iterable[Record]) -> list[str]:
    """Writes SPLIT.jsonl, an object a line."""
    name = f"{split}.jsonl"
    with (folder / name).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
    return [name]


def describe_nothing(_: Written) -> dict[str, str]:
    """For formats whose data need no further files."""
    return {}


@dataclass(frozen=True)
class Format:
    """One format; its module has it as FORMAT."""

    about: str
    """Who reads it, in a few words."""
    configs: tuple[Config, ...]
    """Configs that can be exported; the first is the default."""
    convert: Callable[[Conversation, Losses], Record]
    """The record of a conversation. What it leaves out, it notes. Raises CannotHoldError."""
    write_command: Callable[[Written], str]
    """The command with which its reader trains, checks or shows it, where DIR is the folder and capitals are for the
    user to fill in."""
    write: Callable[[Path, Split, Iterable[Record]], list[str]] = write_jsonl
    """Writes the records of a split into a folder as they come, and returns the names of the files."""
    describe: Callable[[Written], dict[str, str]] = describe_nothing
    """Name -> text of the files that the reader needs beside the data."""
