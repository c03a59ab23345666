"""Output on a terminal or into a pipe: progress and tables."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from coalm_it.cli.visible import make_visible
from coalm_it.listener import Listener

INTERVAL = 30.0
"""Seconds between two lines of progress where stderr is no terminal."""
_GAP = "  "


# --- progress ---


class _TimeLeftColumn(ProgressColumn):
    """The time that a stage still takes, if it goes on as fast as so far."""

    def render(self, task: Task) -> Text:
        return Text(_describe_time_left(task), style="cyan")


class _ProgressBars:
    """Moving bars, for a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def say(self, line: str) -> None:
        self._progress.console.print(Text(make_visible(line)))

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        self.update(stage, done, total, note)

    def update(self, stage: str, done: int, total: int, note: str) -> Task:
        """Moves the bar of the stage, which begins with the first call and anew with a smaller number."""
        known = self._tasks.get(stage)
        if known is None:
            known = self._tasks[stage] = self._progress.add_task(stage, note="", first=done)
        elif done < self._progress.tasks[known].completed:
            self._progress.reset(known, first=done, note=note)
        self._progress.update(known, completed=done, total=total, note=note)
        return self._progress.tasks[known]


class PlainLines:
    """A line every half a minute, and one at the end of a stage, where stderr is no terminal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._last = clock, clock()
        self._bars = _ProgressBars(Progress(disable=True, get_time=clock))

    def say(self, line: str) -> None:
        print(make_visible(line), file=sys.stderr, flush=True)

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        task = self._bars.update(stage, done, total, note)
        if done == total or self._clock() - self._last >= INTERVAL:
            self._last = self._clock()
            more = ", ".join(filter(None, (note, _describe_time_left(task))))
            self.say(f"{stage}: {done:,} of {total:,}{more and f' ({more})'}")


def _describe_time_left(task: Task) -> str:
    """ "1:05 left"; empty at the beginning and at the end of a stage."""
    made = task.completed - task.fields["first"]
    if made <= 0 or task.total is None or task.completed >= task.total:
        return ""
    left = (task.elapsed or 0) * (task.total - task.completed) / made
    return f"{timedelta(seconds=round(left))} left"


@contextmanager
def show_progress() -> Iterator[Listener]:
    """A listener that shows progress on stderr: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    note = TextColumn("{task.fields[note]}", style="dim")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, _TimeLeftColumn(), note, console=Console(stderr=True)) as progress:
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
