"""Output on a terminal or into a pipe: progress and tables."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from coalm_it.cli.visible import make_visible
from coalm_it.listener import Listener

_GAP = "  "


# --- progress ---


class _ProgressBars:
    """Moving bars, for a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def say(self, line: str) -> None:
        self._progress.console.print(Text(make_visible(line)))

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, note="")
        self._progress.update(self._tasks[stage], completed=done, total=total, note=note)


class _PlainLines:
    """A line every few seconds, where stderr is no terminal."""

    def __init__(self, interval: float = 5.0) -> None:
        self._interval = interval
        self._last = time.monotonic()

    def say(self, line: str) -> None:
        print(make_visible(line), file=sys.stderr, flush=True)

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        if done == total or time.monotonic() - self._last >= self._interval:
            self._last = time.monotonic()
            self.say(f"{stage}: {done} of {total}{note and f' ({note})'}")


@contextmanager
def show_progress() -> Iterator[Listener]:
    """A listener that shows progress on stderr: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _PlainLines()
        return
    note = TextColumn("{task.fields[note]}", style="dim")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), note)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _ProgressBars(progress)


# --- tables ---


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Prints rows of equal keys on stdout.

    One line a row; on a terminal that is too narrow for that, one block a row with a line for each value. Nothing is
    wrapped or cut, so that a table in a pipe or a file is whole.
    """
    if not rows:
        print("nothing")
        return
    texts = [{name: make_visible(str(value)) for name, value in row.items()} for row in rows]
    lines = _align_rows(texts)
    if sys.stdout.isatty() and max(map(cell_len, lines)) > shutil.get_terminal_size().columns:
        lines = [line for row in texts for line in (*_list_values(row), "")][:-1]
    print("\n".join(lines))


def _align_rows(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """A header and a line a row, in columns; a column of numbers is aligned to the right."""
    columns = []
    for name in rows[0]:
        cells = [name, *(row[name] for row in rows)]
        width = max(map(cell_len, cells))
        to_right = all(cell[:1].isdigit() for cell in cells[1:])
        padded = [(" " * (width - cell_len(cell)), cell) for cell in cells]
        columns.append([space + cell if to_right else cell + space for space, cell in padded])
    return [_GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]


def _list_values(row: Mapping[str, str]) -> list[str]:
    width = max(map(cell_len, row))
    return [f"{name}{' ' * (width - cell_len(name))}{_GAP}{value}".rstrip() for name, value in row.items()]
