"""Thoughts of dialogues without annotation: they say what the calls and replies show, and claim nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coalm_it.schema import Call, Dialogue, Step, Turn
from coalm_it.thoughts.grounded.phrasing import PhraseWriter
from coalm_it.values import mentions

_NAMED = 3
"""How many values a thought names."""
_LONGEST = 40
"""Characters of a value that a thought repeats."""


def write_plain_thoughts(dialogue: Dialogue, seed: int) -> Dialogue:
    """The dialogue with a thought in every step and before every reply, from its words and calls alone."""
    writer = PhraseWriter(seed, dialogue.id)
    turns = []
    for index, turn in enumerate(dialogue.turns):
        steps: list[Step] = []
        for number, step in enumerate(turn.steps):
            writer.begin_thought(index, f"step{number}")
            thought = _think_before_calls(writer, step.calls, is_first=not number) if step.calls else _reply(writer)
            steps.append(step.model_copy(update={"thought": thought}))
        writer.begin_thought(index, "reply")
        thought = _think_before_reply(writer, turn, dialogue)
        turns.append(turn.model_copy(update={"steps": tuple(steps), "thought": thought}))
    return dialogue.model_copy(update={"turns": tuple(turns)})


def _think_before_calls(writer: PhraseWriter, calls: Sequence[Call], *, is_first: bool) -> str:
    if len(calls) > 1:
        return writer.write("plain/several", {"calls": _join([_describe(call) for call in calls])})
    values = _name_arguments(calls[0])
    situation = f"plain/{'call' if is_first else 'next'}{'' if values else '_bare'}"
    return writer.write(situation, {"function": calls[0].name, "values": values})


def _think_before_reply(writer: PhraseWriter, turn: Turn, dialogue: Dialogue) -> str:
    calls = [call for step in turn.steps for call in step.calls]
    reply = turn.reply or ""
    if not calls:
        return writer.write("plain/ask", {}) if reply.rstrip().endswith(("?", "？")) else _reply(writer)
    observations = [observation for step in turn.steps for observation in step.observations]
    told = dict.fromkeys(
        _describe_value(key, value)
        for key, value in _list_facts(observations)
        if _is_short(value) and mentions(reply, value, dialogue.clock)
    )
    if told:
        return writer.write("plain/told", {"facts": _join(list(told)[:_NAMED])})
    return writer.write("plain/told_bare", {"function": calls[-1].name})


def _reply(writer: PhraseWriter) -> str:
    return writer.write("plain/reply", {})


def _describe(call: Call) -> str:
    values = _name_arguments(call)
    return f"{call.name} with {values}" if values else call.name


def _name_arguments(call: Call) -> str:
    """`port Mallaig and cars 2`: the first arguments that a sentence can hold."""
    named = []
    for key, value in call.arguments.items():
        listed = value if isinstance(value, list) else [value]
        if listed and all(map(_is_short, listed)):
            named.append(_describe_value(key, _join([str(one) for one in listed[:_NAMED]])))
    return _join(named[:_NAMED])


def _describe_value(key: str, value: Any) -> str:
    """`port Mallaig`; what has blanks in it is quoted."""
    text = str(value)
    return f"{key.replace('_', ' ')} {json.dumps(text, ensure_ascii=False) if ' ' in text else text}".strip()


def _list_facts(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every text and number in a result, with its key."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _list_facts(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _list_facts(inner, key)
    else:
        yield key, value


def _is_short(value: Any) -> bool:
    """Whether a sentence can hold a value."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    text = str(value)
    return 0 < len(text) <= _LONGEST and "\n" not in text and not text.isspace()


def _join(parts: Sequence[str]) -> str:
    *first, last = parts or ("",)
    return f"{', '.join(first)} and {last}" if first else last
