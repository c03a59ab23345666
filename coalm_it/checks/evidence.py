"""The evidence for values: what the system and the speakers said, and the calls and results of services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from coalm_it.schema import Act, Sample, Tool, Turn
from coalm_it.values import Value, find_values, mentions, read_value, value_text

ValueOrigin = Literal[
    "said_now", "carried_over", "offered", "other_service", "state", "default", "dontcare", "observed", "chosen", "told"
]
"""Where a value comes from; `grounding.trace_argument` says what each means."""


def find_facts(sample: Sample, text: str) -> list[Value]:
    """The values in a text that can be traced without context.

    These are dates, times, money, phone numbers, and numbers that have decimals or are at least 100. Smaller whole
    numbers occur in too many texts for other reasons.
    """
    return [
        value
        for value in find_values(text, sample.clock)
        if value.kind != "number" or any("." in form or len(form) > 2 for form in value.forms)
    ]


def read_leaves(value: Any) -> list[str]:
    """Every string and number in a JSON list or object, as text. True, False and null are left out: no evidence."""
    leaves: list[str] = []
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is str:
            leaves.append(item)
        elif kind is dict or kind is list or kind is tuple:
            leaves += read_leaves(item)
        elif kind is not bool and item is not None:
            leaves.append(value_text(item))
    return leaves


def read_exchanged_values(*turns: Turn) -> list[str]:
    """Every string and number in the arguments and observations of these turns."""
    steps = [step for turn in turns for step in turn.steps]
    return read_leaves([[step.observations, [call.arguments for call in step.calls]] for step in steps])


def read_leaves_of(value: Any, key: str) -> list[str]:
    """The leaves below a key, at any depth."""
    if isinstance(value, dict):
        own = read_leaves([value[key]]) if key in value else []
        return own + [leaf for name, item in value.items() if name != key for leaf in read_leaves_of(item, key)]
    return [leaf for item in value for leaf in read_leaves_of(item, key)] if isinstance(value, list | tuple) else []


def read_acts(sample: Sample) -> Iterator[tuple[ValueOrigin, Act]]:
    """The acts before the agent acts, newest first, each with the origin of its values."""
    for act in sample.current.labels.user_acts:
        yield "said_now", act
    for turn in reversed(sample.history):
        for act in turn.labels.system_acts:
            yield "offered", act
        for act in turn.labels.user_acts:
            yield "carried_over", act


def find_speaker(sample: Sample, value: str) -> ValueOrigin | None:
    """Who said the value before the agent acts; None if nobody did."""
    clock = sample.clock
    if mentions(sample.current.user, value, clock):
        return "said_now"
    for turn in reversed(sample.history):
        if turn.reply is not None and mentions(turn.reply, value, clock):
            return "offered"
        if mentions(turn.user, value, clock):
            return "carried_over"
    return "told" if sample.system and mentions(sample.system, value, clock) else None


def is_observed(sample: Sample, value: str, *, steps: int, under: str | None = None) -> bool:
    """Whether the value is in a result or call of earlier turns or of the first `steps` steps of the current turn.

    With `under`, only values of that key count.
    """
    forms = read_value(value, sample.clock)
    for item in _read_exchanges(sample, steps):
        for leaf in read_leaves([item]) if under is None else read_leaves_of(item, under):
            if leaf == value or not forms.isdisjoint(read_value(leaf, sample.clock)):
                return True
            if len(leaf) > len(value) and mentions(leaf, value, sample.clock):
                return True
    return False


def _read_exchanges(sample: Sample, steps: int) -> Iterator[Any]:
    for done in (sample.current.steps[:steps], *(turn.steps for turn in reversed(sample.history))):
        for step in done:
            yield from step.observations
            for call in step.calls:
                yield call.arguments


def is_annotated(sample: Sample, value: str) -> bool:
    """Whether the annotated state or acts have the value, whatever words were said ("Chi-town")."""
    wanted = (spoken for slots in sample.current.state.values() for spoken in slots.values())
    return any(value in spoken for spoken in wanted) or any(value in act.canonical for _, act in read_acts(sample))


def is_public(tools: tuple[Tool, ...], value: str) -> bool:
    """Whether the tools list the value: as a possible value of a parameter or as its default."""
    return any(
        value == value_text(named)
        for tool in tools
        for schema in tool.properties.values()
        for named in (*schema.get("enum", ()), schema.get("default"))
    )
