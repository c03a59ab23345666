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
from typing import get_args

from coalm_it.configs.validation import name_nearest
from coalm_it.dataset.export import atif, axolotl, llama_factory, ms_swift, openai, oumi, traces, trl, verl
from coalm_it.dataset.export.cutting import cut_conversation
from coalm_it.dataset.export.format import CannotHoldError, ExportError, Format, Losses, Record, Written
from coalm_it.dataset.export.rows import BATCH, RowChoice, read_conversations
from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.lock import hold_folder
from coalm_it.dataset.tables import Config, Split
from coalm_it.files import write_whole
from coalm_it.listener import Listener, Silent
from coalm_it.tokens import TokenCounter, find_tokenizer, load_counter

__all__ = ["EXPORTS", "REPORT", "ExportError", "Exported", "export"]

EXPORTS: dict[str, Format] = {
    "trl": trl.FORMAT,
    "openai": openai.FORMAT,
    "llama-factory": llama_factory.FORMAT,
    "axolotl": axolotl.FORMAT,
    "ms-swift": ms_swift.FORMAT,
    "oumi": oumi.FORMAT,
    "verl": verl.FORMAT,
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
    command: str
    """How to train with it, where DIR is the folder and capitals are to be filled in."""


def export(
    folder: Path | str,
    to: str,
    *,
    out: Path | str,
    config: str | None = None,
    split: str | None = None,
    parts: Sequence[str] = (),
    limit: int | None = None,
    max_tokens: int | None = None,
    tokenizer: str | None = None,
    replace: bool = False,
    listener: Listener | None = None,
) -> Exported:
    """Writes the rows of a finished build into the folder `out` in the format `to`, a name of EXPORTS.

    `config` is one of those of the format, by default its first; `split` and `parts` choose rows, by default all;
    `limit` is the most rows of a split. Samples longer than `max_tokens` lose their earliest turns; `tokenizer`, a
    folder or a name on the Hub, counts the tokens, which are estimated without it. `replace` puts the export in the
    place of an earlier one.
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
    if max_tokens is not None and chosen != "samples":
        raise ExportError(f"only samples can be cut to a number of tokens, not the config {chosen}")
    counter = load_counter(find_tokenizer(tokenizer)) if tokenizer else TokenCounter(None)
    with hold_folder(folder, f"an export to {to}"), hold_folder(out, f"an export to {to}"):
        build = open_build(folder)
        splits = _choose_splits(build, chosen, split)
        _check_parts(build, parts)
        _check_place(out, replace)
        job = _Job(build, to, chosen, RowChoice(frozenset(parts), limit, max_tokens), counter, listener or Silent())
        with write_whole(out) as part:
            part.mkdir()
            exported = job.write(part, splits)
            (part / REPORT).write_text(json.dumps(asdict(exported), indent=2) + "\n", encoding="utf-8", newline="\n")
            if out.exists():
                shutil.rmtree(out)
        return exported


class _Job:
    """Writes the rows of a build that are asked for, and counts."""

    def __init__(
        self,
        build: FinishedBuild,
        to: str,
        config: Config,
        choice: RowChoice,
        counter: TokenCounter,
        listener: Listener,
    ) -> None:
        self._build, self._to, self._config, self._choice = build, to, config, choice
        self._counter, self._listener = counter, listener
        self._form = EXPORTS[to]
        self._losses = Losses()
        self._left_out = Counter[str]()
        self._rows = Counter[Split]()
        self._has_tools = False

    def write(self, folder: Path, splits: Sequence[Split]) -> Exported:
        self._check_files(splits)
        files = {split: self._form.write(folder, split, self._convert(split)) for split in splits}
        rows = {split: self._rows[split] for split in splits}
        if not any(rows.values()):
            reasons = ", ".join(f"{reason} ({count:,})" for reason, count in self._left_out.items())
            raise ExportError(f"{self._to} can hold no row of {self._build.folder}: {reasons or 'no row is asked for'}")
        sizes = {split: sum((folder / name).stat().st_size for name in names) for split, names in files.items()}
        name = self._build.manifest.name
        written = Written(name, self._config, files, rows, sizes, self._has_tools)
        beside = self._form.describe(written)
        for file, text in beside.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
        return Exported(
            format=self._to,
            config=self._config,
            build=self._build.manifest.build,
            rows={str(split): count for split, count in rows.items()},
            losses=dict(self._losses.rows),
            left_out=dict(self._left_out),
            files=[*(file for names in files.values() for file in names), *beside],
            command=self._form.write_command(written),
        )

    def _check_files(self, splits: Sequence[Split]) -> None:
        configs: list[Config] = ["coalm_it", "samples"] if self._config == "coalm_it" else [self._config]
        self._build.check_files(
            file for config in configs for split in splits for file in self._build.list_files(config, split)
        )

    def _convert(self, split: Split) -> Iterator[Record]:
        """The records of a split, in order."""
        files = self._build.list_files(self._config, split)
        total = sum(self._build.manifest.files[file].rows or 0 for file in files)
        for done, conversation in enumerate(read_conversations(self._build, self._config, split, self._choice)):
            if done % BATCH == 0:
                self._listener.advance(f"export {split}", done, min(total, self._choice.limit or total))
            try:
                if self._choice.max_tokens is not None:
                    conversation = cut_conversation(conversation, self._counter, self._choice.max_tokens, self._losses)
                record = self._form.convert(conversation, self._losses)
            except CannotHoldError as error:
                self._losses.end_row(kept=False)
                self._left_out[str(error)] += 1
                continue
            self._losses.end_row(kept=True)
            self._has_tools |= bool(conversation.tools)
            self._rows[split] += 1
            yield record


def _choose_config(to: str, form: Format, wanted: str | None) -> Config:
    if wanted is None:
        return form.configs[0]
    for config in form.configs:
        if config == wanted:
            return config
    raise ExportError(f"{to} takes no config {wanted!r}; {name_nearest(wanted, form.configs)}")


def _choose_splits(build: FinishedBuild, config: Config, wanted: str | None) -> list[Split]:
    there: list[Split] = [split for split in get_args(Split) if build.list_files(config, split)]
    if not there:
        why = ": its rows are single requests" if config == "dialogues" else ""
        raise ExportError(f"{build.folder} has no rows of the config {config}{why}")
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
