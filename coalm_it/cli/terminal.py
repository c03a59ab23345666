"""What a person sees: progress, tables, and samples as text. Corpus text is printed as it is, never as markup."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from coalm_it.dataset.folder import FolderError
from coalm_it.dataset.manifest import MANIFEST
from coalm_it.listener import Listener
from coalm_it.schema import Place, parse_dialogue_id, parse_dialogue_name
from coalm_it.thoughts.transcript import read_thoughts

if TYPE_CHECKING:
    from coalm_it.pipeline.preview import Previewed
    from coalm_it.thoughts.writers import DialogueWithThoughts

STYLES = {
    "user": "bold cyan",
    "thought": "italic yellow",
    "call": "green",
    "result": "dim",
    "assistant": "bold",
    "failed": "red",
}


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def make_visible(text: str) -> str:
    """Control characters as their escapes: text of a corpus must not steer the terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


class _Live:
    """Bars that move, on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def say(self, line: str) -> None:
        self._progress.console.print(Text(make_visible(line)))

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, note="")
        self._progress.update(self._tasks[stage], completed=done, total=total, note=note)


class _Plain:
    """A line every few seconds, elsewhere."""

    def __init__(self, every: float = 5.0) -> None:
        self._every = every
        self._last = time.monotonic()

    def say(self, line: str) -> None:
        print(make_visible(line), file=sys.stderr, flush=True)

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        if done == total or time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self.say(f"{stage}: {done} of {total}{note and f' ({note})'}")


@contextmanager
def listen() -> Iterator[Listener]:
    """A live display where stderr is a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Plain()
        return
    note = TextColumn("{task.fields[note]}", style="dim")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), note)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _Live(progress)


def print_table(rows: Sequence[dict[str, object]]) -> None:
    """Rows of equal keys as a table on stdout."""
    if not rows:
        print("nothing")
        return
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, justify="right" if all(str(row[name])[:1].isdigit() for row in rows) else "left")
    for row in rows:
        table.add_row(*(Text(make_visible(str(value))) for value in row.values()))
    Console().print(table)


def show_sample(folder: Path, name: str) -> None:
    """Prints the row with that id, or the longest row of that dialogue, kept or rejected. Raises FolderError."""
    if not (folder / MANIFEST).is_file():
        raise FolderError(f"{folder} is no finished build: there is no {MANIFEST} in it")
    row = _find_row(folder, name)
    console = Console(soft_wrap=True)
    console.print(Text(make_visible(f"{row['id']}  (part {row['part']}, {row['licence']})"), style="bold"))
    for message in row["messages"]:
        for label, style, text in _message_lines(message):
            _print_line(console, label, style, text)
    for finding in row.get("findings") or ():
        reason = f"rejected by {finding['check']} ({finding['where']}): {finding['message']}"
        console.print(Text(make_visible(reason), style="bold red"))


def show_tokens(sample: Sequence[tuple[str, bool]]) -> None:
    """Prints a training sample on stderr; each token that bears loss is marked, by brackets where there is no style.

    Of the prompt, whose tokens bear none, the end will do.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    prompt = make_visible("".join(text for text, learnt in sample if not learnt))
    shown = Text(f"... {prompt[-600:]}" if len(prompt) > 600 else prompt, style="dim")
    learnt = [make_visible(text) for text, learnt in sample if learnt]
    for place, text in enumerate(learnt):
        if console.is_terminal:
            shown.append(text, style="bold black on green" if place % 2 else "bold black on cyan")
        else:
            shown.append(f"[{text}]")
    console.print(Text(f"The first row; its {len(learnt)} last tokens, marked, bear loss:", style="bold"))
    console.print(shown)


def _find_row(folder: Path, name: str) -> dict[str, Any]:
    import pyarrow.dataset as ds  # half a second that only this command needs

    wanted = (ds.field("id") == name) | (ds.field("dialogue_id") == parse_dialogue_id(name))
    best: dict[str, Any] | None = None
    for place in ("data/samples", "rejects"):
        if not (folder / place).is_dir():
            continue
        rows = ds.dataset(folder / place, format="parquet").to_table(filter=wanted).to_pylist()
        for row in rows:
            mine = row["id"] == name or parse_dialogue_name(row["id"]) == name or row["dialogue_id"] == name
            if mine and (best is None or len(row["messages"]) > len(best["messages"])):
                best = row
    if best is None:
        raise FolderError(f"no row and no dialogue {name!r} in {folder}")
    return best


def _message_lines(message: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
    if message["reasoning_content"] is not None:
        yield "thought", "thought", message["reasoning_content"]
    for call in json.loads(message["tool_calls"] or "[]"):
        function = call["function"]
        yield "call", "call", f"{function['name']}({json.dumps(function['arguments'], ensure_ascii=False)})"
    if message["content"] is not None:
        style = {"tool": "result", "user": "user", "system": "result"}.get(str(message["role"]), "assistant")
        yield str(message["role"]), style, message["content"]


def show_preview(previewed: Previewed) -> None:
    """Prints a dialogue with what the model thought and, beside it, what the annotation gives."""
    console, reasoned = Console(soft_wrap=True), previewed.reasoned
    dialogue = reasoned.dialogue
    title = f"{dialogue.full_name}  (part {previewed.part})"
    console.print(Text(make_visible(title), style="bold"))
    grounded = read_thoughts(previewed.grounded.dialogue, previewed.grounded.origins)
    for number, turn in enumerate(dialogue.turns):
        _print_line(console, "user", "user", turn.user)
        for place, step in enumerate(turn.steps):
            _print_thought(console, reasoned, Place(number, place), step.thought, grounded)
            for call in step.calls:
                _print_line(console, "call", "call", f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})")
            for observation in step.observations:
                _print_line(console, "tool", "result", json.dumps(observation, ensure_ascii=False))
        _print_thought(console, reasoned, Place(number, None), turn.thought, grounded)
        _print_line(console, "assistant", "assistant", turn.reply or "")
    console.print()


def _print_thought(
    console: Console,
    reasoned: DialogueWithThoughts,
    place: Place,
    thought: str | None,
    grounded: dict[Place, str | None],
) -> None:
    """The model's thought, or why there is none; under it the grounded one."""
    replaced = reasoned.origins[place].get("instead_of")
    if thought is not None and replaced is None:
        tries = reasoned.origins[place]["attempts"]
        _print_line(console, "thought", "thought", thought + (f"  ({tries} attempts)" if tries > 1 else ""))
    else:
        why = "; ".join(replaced["because"]) if replaced else reasoned.missing.get(place, "")
        _print_line(console, "failed", "failed", why)
    if grounded.get(place):
        _print_line(console, "grounded", "result", str(grounded[place]))


def _print_line(console: Console, label: str, style: str, text: str) -> None:
    console.print(Text(f"{label:>9}  ", style="dim") + Text(make_visible(text), style=STYLES[style]))
