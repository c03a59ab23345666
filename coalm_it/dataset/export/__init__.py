"""Exports: a finished build in the form that another tool reads, in a folder of its own.

Each format is a module with a FORMAT, named in EXPORTS. An export is written whole or not at all: its folder gets its
name when everything in it is there. `export.json` in it says what it is, what its rows do not show, and which rows the
format could not hold.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from coalm_it.configs.validation import name_nearest
from coalm_it.dataset.export import atif, traces, trl
from coalm_it.dataset.export.format import CannotHoldError, Conversation, ExportError, Format, Losses, Written
from coalm_it.dataset.export.rows import read_conversations
from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.lock import hold_folder
from coalm_it.dataset.tables import Config, Split
from coalm_it.files import write_whole
from coalm_it.listener import Listener, Silent

__all__ = ["EXPORTS", "REPORT", "ExportError", "Exported", "export"]

EXPORTS: dict[str, Format] = {
    "trl": trl.FORMAT,
    "atif": atif.FORMAT,
    "traces": traces.FORMAT,
}
"""Name -> format."""

REPORT = "export.json"
"""In every export: an `Exported`, by which a folder is known as one of ours."""


@dataclass(frozen=True)
class Exported:
    """Result of an export."""

    format: str
    config: Config
    build: str
    """Identifies the build, as its manifest does."""
    rows: dict[str, int]
    """Split -> rows written."""
    losses: dict[str, int]
    """What rows do not show -> the rows that it concerns."""
    left_out: dict[str, int]
    """Why rows were left out, since the format cannot hold them -> how many."""
    files: list[str]
    """Names, but that of the report."""


def export(
    folder: Path | str,
    to: str,
    *,
    out: Path | str,
    config: str | None = None,
    split: str | None = None,
    parts: Sequence[str] = (),
    limit: int | None = None,
    replace: bool = False,
    listener: Listener | None = None,
) -> Exported:
    """Writes the rows of a finished build into the folder `out` in the format `to`, a name of EXPORTS.

    `config` is one of those of the format, by default its first; `split` and `parts` choose rows, by default all;
    `limit` is the most rows of a split. `replace` puts the export in the place of an earlier one.
    Raises FolderError: no finished build, a missing or changed file; ExportError: an unknown format, config, split or
    part, a folder that holds something else, no row that the format can hold; FolderInUseError; OutputError.
    """
    folder, out = Path(folder), Path(out)
    form = EXPORTS.get(to)
    if form is None:
        raise ExportError(f"there is no format {to!r}; {name_nearest(to, list(EXPORTS))}")
    chosen = _choose_config(to, form, config)
    if limit is not None and limit < 1:
        raise ExportError(f"limit is {limit}: it should be at least 1")
    with hold_folder(folder, f"an export to {to}"), hold_folder(out, f"an export to {to}"):
        build = open_build(folder)
        splits = _choose_splits(build, chosen, split)
        _check_parts(build, parts)
        _check_place(out, replace)
        job = _Job(build, to, form, chosen, parts, limit, listener or Silent())
        with write_whole(out) as part:
            part.mkdir()
            exported = job.write(part, splits)
            (part / REPORT).write_text(json.dumps(asdict(exported), indent=2) + "\n", encoding="utf-8", newline="\n")
            if out.exists():
                shutil.rmtree(out)
        return exported


@dataclass
class _Job:
    build: FinishedBuild
    to: str
    form: Format
    config: Config
    parts: Sequence[str]
    limit: int | None
    listener: Listener

    def write(self, folder: Path, splits: Sequence[Split]) -> Exported:
        needed: set[Config] = {self.config, "samples"} if self.config == "coalm_it" else {self.config}
        self.build.check_files(name for one in needed for split in splits for name in self.build.list_files(one, split))
        self._losses, self._left_out, self._tools, rows = Losses(), Counter[str](), 0, Counter[str]()
        files: dict[Split, list[str]] = {}
        for split in splits:
            self._written = 0
            files[split] = self.form.write(folder, split, self._convert(split))
            rows[split] = self._written
        if not rows.total():
            reasons = ", ".join(f"{reason} ({count:,})" for reason, count in self._left_out.items())
            raise ExportError(f"{self.to} can hold no row of {self.build.folder}: {reasons or 'there are none'}")
        written = Written(self.build.manifest.name, self.config, files, self._tools > 0)
        beside = self.form.describe(written)
        for name, text in beside.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        names = [*(name for split in splits for name in files[split]), *beside]
        losses, left_out = dict(self._losses.rows), dict(self._left_out)
        return Exported(self.to, self.config, self.build.manifest.build, dict(rows), losses, left_out, names)

    def _convert(self, split: Split) -> Iterator[Any]:
        """The records of a split, in order; counts them."""
        total = sum(self.build.manifest.files[name].rows or 0 for name in self.build.list_files(self.config, split))
        rows = read_conversations(self.build, self.config, split, self.parts, self.limit)
        for done, conversation in enumerate(rows):
            if done % 1000 == 0:
                self.listener.advance(f"export {split}", done, min(total, self.limit or total))
            record = self._convert_one(conversation)
            if record is not None:
                self._written += 1
                yield record

    def _convert_one(self, conversation: Conversation) -> Any:
        try:
            record = self.form.convert(conversation, self._losses)
        except CannotHoldError as error:
            self._losses.end_row(kept=False)
            self._left_out[str(error)] += 1
            return None
        self._losses.end_row(kept=True)
        self._tools += bool(conversation.tools)
        return record


def _choose_config(to: str, form: Format, wanted: str | None) -> Config:
    if wanted is None:
        return form.configs[0]
    for config in form.configs:
        if config == wanted:
            return config
    raise ExportError(f"{to} takes no config {wanted!r}; {name_nearest(wanted, form.configs)}")


def _choose_splits(build: FinishedBuild, config: Config, wanted: str | None) -> list[Split]:
    there: list[Split] = [split for split in get_args(Split) if build.list_files(config, split)]
    if wanted is None:
        return there
    chosen = [split for split in there if split == wanted]
    if not chosen:
        raise ExportError(f"{build.folder} has no split {wanted!r} of {config}; {name_nearest(wanted, there)}")
    return chosen


def _check_parts(build: FinishedBuild, parts: Sequence[str]) -> None:
    for part in parts:
        if part not in build.manifest.parts:
            raise ExportError(f"{build.folder} has no part {part!r}; {name_nearest(part, list(build.manifest.parts))}")


def _check_place(out: Path, replace: bool) -> None:
    """Raises ExportError if the folder is there and may not be replaced."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ExportError(f"{out} is a file: name a folder")
    entries = {entry.name for entry in out.iterdir()}
    if entries and REPORT not in entries:
        raise ExportError(f"{out} holds something else (no {REPORT} in it): name an empty or a new folder")
    if entries and not replace:
        raise ExportError(f"{out} holds an export: --replace puts this one in its place, or name another folder")
