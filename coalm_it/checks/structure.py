"""Checks that every part of a sample is present and in place, and that no text looks like another line of the row."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coalm_it.schema import Finding, Sample, Step

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LABEL = re.compile(r"^\s*(?:User|Thought|Action|Observation|System)\s*:", re.IGNORECASE | re.MULTILINE)
_MARKER = re.compile(r"\[(?:BEGIN|END) OF [A-Z ]+\]")


def check_structure(sample: Sample) -> list[Finding]:
    """Finds empty, missing, duplicate or misplaced parts of the target and of the current turn."""
    return [Finding(check="structure", where=where, message=message) for where, message in _find_faults(sample)]


def _find_faults(sample: Sample) -> Iterator[tuple[str, str]]:
    current, react = sample.current, sample.task in ("react_action", "react_response")
    # Texts of corpora without annotation may be code or a list and keep their line breaks; their earlier steps may
    # have no thoughts. The published lines of ReAct rows allow neither.
    in_lines = react and sample.layout != "varied"
    control = _CONTROL if in_lines or sample.task == "state_tracking" else _CONTROL_BUT_LINES
    yield from _check_text("user", current.user, control)
    for index, step in enumerate(sample.steps):
        yield from _check_step(index, step)
        if in_lines or (react and step.thought is not None):
            yield from ((f"step {index}", message) for _, message in _check_text("thought", step.thought, control))
    if react:
        yield from _check_text("thought", sample.thought, control)
    if sample.step is not None:
        if react and not sample.calls:
            yield "target", "the target of an action has no call"
    elif sample.task == "state_tracking":
        if not current.state:
            yield "state", "the state to be tracked is empty"
    else:
        yield from _check_text("reply", current.reply, control)
    yield from _check_ids(sample)


def _check_text(where: str, text: str | None, control: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    if text is None:
        yield where, f"the {where} is missing"
    elif not text or text.isspace():
        yield where, f"the {where} is empty"
    elif not text.isprintable() and (found := control.search(text)):
        yield where, f"the {where} holds the control character {found[0]!r}, which would break its line"
    elif (":" in text[:16] or "\n" in text) and (label := _LABEL.search(text)):
        yield where, f"the {where} has a line that begins like another one of the row: {label[0].strip()!r}"
    elif "[" in text and (marker := _MARKER.search(text)):
        yield where, f"the {where} holds the block marker {marker[0]}"


def _check_step(index: int, step: Step) -> Iterator[tuple[str, str]]:
    where = f"step {index}"
    if not step.calls:
        yield where, "a step that is over has no call"
    if len(step.calls) != len(step.observations):
        yield where, f"{len(step.calls)} calls have {len(step.observations)} observations; each call needs its own"


def _check_ids(sample: Sample) -> Iterator[tuple[str, str]]:
    calls = [call for step in sample.steps for call in step.calls] + list(sample.calls)
    if not calls:
        return
    earlier = {call.id for turn in sample.history for step in turn.steps for call in step.calls}
    for call in calls:
        if not call.id:
            yield "call", f"the call of {call.name} has no id"
        elif call.id in earlier:
            yield "call", f"the id {call.id} of {call.name} is already another call's"
        earlier.add(call.id)
