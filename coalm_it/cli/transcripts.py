"""Rows and dialogues as text on a terminal. Text of a corpus is printed as it is, never as markup."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from coalm_it.cli.visible import make_visible
from coalm_it.schema import Place
from coalm_it.thoughts.transcript import read_thoughts

if TYPE_CHECKING:
    from coalm_it.pipeline.preview import PreviewedDialogue
    from coalm_it.thoughts.writers import DialogueWithThoughts

STYLES = {
    "user": "bold cyan",
    "thought": "italic yellow",
    "call": "green",
    "tool": "dim",
    "system": "dim",
    "assistant": "bold",
    "failed": "red",
    "grounded": "dim",
}
"""Label of a line -> its style."""

PROMPT_SHOWN = 600
"""Characters of a prompt's end that `print_tokens` shows."""


def print_row(row: Mapping[str, Any]) -> None:
    """Prints a row of samples or rejects: its messages, and why it was rejected."""
    console = Console(soft_wrap=True)
    console.print(Text(make_visible(f"{row['id']}  (part {row['part']}, {row['licence']})"), style="bold"))
    for message in row["messages"]:
        for label, text in _list_lines(message):
            _print_line(console, label, text)
    for finding in row.get("findings") or ():
        reason = f"rejected by {finding['check']} ({finding['where']}): {finding['message']}"
        console.print(Text(make_visible(reason), style="bold red"))


def _list_lines(message: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """The lines of a message, each as label and text."""
    if message["reasoning_content"] is not None:
        yield "thought", message["reasoning_content"]
    for call in json.loads(message["tool_calls"] or "[]"):
        yield "call", _format_call(call["function"]["name"], call["function"]["arguments"])
    if message["content"] is not None:
        yield str(message["role"]), message["content"]


def print_preview(previewed: PreviewedDialogue) -> None:
    """Prints a dialogue with the model's thoughts and, below each, the one written from the annotation."""
    console, written = Console(soft_wrap=True), previewed.written
    dialogue = written.dialogue
    title = f"{dialogue.full_name}  (part {previewed.part})"
    console.print(Text(make_visible(title), style="bold"))
    grounded = read_thoughts(previewed.grounded.dialogue, previewed.grounded.provenance)
    if dialogue.system:
        _print_line(console, "system", dialogue.system)
    for turn_index, turn in enumerate(dialogue.turns):
        if turn.system:
            _print_line(console, "system", turn.system)
        _print_line(console, "user", turn.user)
        for step_index, step in enumerate(turn.steps):
            _print_thought(console, written, Place(turn_index, step_index), step.thought, grounded)
            for call in step.calls:
                _print_line(console, "call", _format_call(call.name, call.arguments))
            for observation in step.observations:
                _print_line(console, "tool", json.dumps(observation, ensure_ascii=False))
        _print_thought(console, written, Place(turn_index, None), turn.thought, grounded)
        _print_line(console, "assistant", turn.reply or "")
    console.print()


def _print_thought(
    console: Console,
    written: DialogueWithThoughts,
    place: Place,
    thought: str | None,
    grounded: Mapping[Place, str | None],
) -> None:
    """The model's thought, or why there is none; below it the grounded one."""
    replaced = written.provenance[place].get("instead_of")
    if thought is not None and replaced is None:
        attempts = written.provenance[place]["attempts"]
        _print_line(console, "thought", thought + (f"  ({attempts} attempts)" if attempts > 1 else ""))
    else:
        reasons = "; ".join(replaced["because"]) if replaced else written.missing.get(place, "")
        _print_line(console, "failed", reasons)
    if grounded.get(place):
        _print_line(console, "grounded", str(grounded[place]))


def print_tokens(sample: Sequence[tuple[str, bool]]) -> None:
    """Prints a training sample on stderr and marks each token that bears loss; of the prompt, only the end.

    `sample`: text of each token, and whether it bears loss. Marks are colours on a terminal, brackets elsewhere.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    prompt = make_visible("".join(text for text, bears_loss in sample if not bears_loss))
    shown = Text(f"... {prompt[-PROMPT_SHOWN:]}" if len(prompt) > PROMPT_SHOWN else prompt, style="dim")
    targets = [make_visible(text) for text, bears_loss in sample if bears_loss]
    for index, text in enumerate(targets):
        if console.is_terminal:
            shown.append(text, style="bold black on green" if index % 2 else "bold black on cyan")
        else:
            shown.append(f"[{text}]")
    console.print(Text(f"The first row; its last {len(targets)} tokens, marked, bear loss:", style="bold"))
    console.print(shown)


def _format_call(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{name}({json.dumps(arguments, ensure_ascii=False)})"


def _print_line(console: Console, label: str, text: str) -> None:
    console.print(Text(f"{label:>9}  ", style="dim") + Text(make_visible(text), style=STYLES[label]))
