"""Traces the arguments of a dialogue without annotation to the texts before the call, leaf by leaf.

Evidence is what was said, what the system tells the agent, earlier calls and results with the keys of these, and what
the function itself lists: a default, a possible value, a word of its description. A value counts in every form of it
that `text_facts` reads, and a code also where its word was said (see values/codes.py). Free text (see `free_text`) is
not traced, nor are booleans, null and "", which no text holds. A number computed from others has no origin.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from coalm_it.calls import find_tool
from coalm_it.checks.evidence import ValueOrigin, read_leaves
from coalm_it.checks.free_text import creates_something, is_free_text
from coalm_it.checks.text_facts import TextFacts, read_facts
from coalm_it.checks.value_in_text import is_composed, names, stands_in
from coalm_it.schema import Call, Sample, Turn


class Leaf(NamedTuple):
    """A value of an argument at its path, `passengers[0].name`, with the name and the schema that it has there."""

    path: str
    slot: str
    value: Any
    schema: Mapping[str, Any]


class Evidence(NamedTuple):
    """What is known before a call, newest first."""

    texts: tuple[tuple[ValueOrigin, TextFacts], ...]
    public: TextFacts
    """The function's own description."""
    creates: bool
    """Whether the function makes something, to which the agent gives a title."""
    clock: datetime.date | None


def is_annotated_dialogue(sample: Sample) -> bool:
    """Whether the corpus annotates states or acts, from which arguments can be traced."""
    return any(turn.state or turn.labels.user_acts or turn.labels.system_acts for turn in sample.turns)


def find_untraced(sample: Sample, call: Call, slot: str, step: int) -> list[Leaf]:
    """The leaves of an argument that have no origin."""
    return [leaf for leaf, origin in trace_leaves(sample, call, slot, step) if origin is None]


def trace_leaves(sample: Sample, call: Call, slot: str, step: int) -> list[tuple[Leaf, ValueOrigin | None]]:
    """Each leaf of an argument of a call in the current turn's step of index `step`, with its origin."""
    tool = find_tool(call, sample.tools)
    schema = tool.properties.get(slot, {}) if tool else {}
    evidence = read_evidence(sample, call, step)
    meant = _read_masked(sample, "parameters").get(slot, slot)
    leaves = list_leaves(Leaf(slot, meant, call.arguments[slot], schema))
    return [(leaf, _trace(leaf, evidence)) for leaf in leaves]


def list_leaves(leaf: Leaf) -> Iterator[Leaf]:
    """The leaf itself, or those below it; keys of objects that the schema does not list are leaves of their own."""
    value, schema = leaf.value, leaf.schema
    if isinstance(value, dict):
        listed = schema.get("properties")
        properties = listed if isinstance(listed, dict) else {}
        for key, item in value.items():
            yield from list_leaves(Leaf(f"{leaf.path}.{key}", key, item, _as_schema(properties.get(key))))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from list_leaves(Leaf(f"{leaf.path}[{index}]", leaf.slot, item, _as_schema(schema.get("items"))))
    else:
        yield leaf


def _as_schema(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


# --- evidence ---


def read_evidence(sample: Sample, call: Call, step: int) -> Evidence:
    """What is known before the current turn's step of index `step`."""
    clock = sample.clock
    texts = tuple((origin, read_facts(text, clock)) for origin, text in list_texts(sample, step) if text)
    tool = find_tool(call, sample.tools)
    name = _read_masked(sample, "functions").get(call.name, call.name)
    described = _describe(tool.description, tool.parameters) if tool else ""
    return Evidence(texts, read_facts(_EXAMPLE.sub(" ", described)), creates_something(name), clock)


def _read_masked(sample: Sample, what: str) -> Mapping[str, str]:
    """New name -> original name of the functions or the parameters of a masked sample."""
    names: Mapping[str, str] = sample.provenance.get("mask", {}).get(what, {})
    return names


def list_texts(sample: Sample, step: int) -> Iterator[tuple[ValueOrigin, str]]:
    """All that was said and exchanged before the current turn's step of index `step`, newest first."""
    current = sample.current
    yield "said_now", current.user
    yield from _list_exchanged(current, step)
    for turn in reversed(sample.history):
        yield "offered", turn.reply or ""
        yield "carried_over", turn.user
        yield from _list_exchanged(turn, len(turn.steps))
    yield "told", sample.system


def _list_exchanged(turn: Turn, steps: int) -> Iterator[tuple[ValueOrigin, str]]:
    for step in turn.steps[:steps]:
        for value in (*step.observations, *(call.arguments for call in step.calls)):
            yield "observed", "\n".join(chain(read_leaves([value]), _list_keys(value)))


def _list_keys(value: Any) -> Iterator[str]:
    """Every key of a result, at any depth: in {"HAT136": {"price": 52}} it is the number of a flight."""
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _list_keys(item)


_EXAMPLE = re.compile(
    r"(?:\be\.?g\.?|\bfor example|\bsuch as|\blike|例如|比如)[^\n;)]*",
    re.IGNORECASE,
)
"""Examples: nobody meant what stands there, be it an id or a city."""


def _describe(description: str, schema: Any) -> str:
    """All that a function says of itself: descriptions, possible values, names of parameters."""
    texts = [description]
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("description", "title") and isinstance(value, str):
                texts.append(value)
            elif key == "enum" and isinstance(value, list):
                texts += map(str, value)
            elif isinstance(value, dict):
                texts += [*value, _describe("", value)] if key == "properties" else [_describe("", value)]
    return "\n".join(text for text in texts if text)


# --- one leaf ---


def _trace(leaf: Leaf, evidence: Evidence) -> ValueOrigin | None:
    value, schema = leaf.value, leaf.schema
    if "default" in schema and schema["default"] == value:
        return "default"
    if value is None or isinstance(value, bool) or value in schema.get("enum", ()):
        return "chosen"
    if isinstance(value, str) and (value.lower() in _ANSWERS or not any(map(str.isalnum, value))):
        return "chosen"  # as a boolean; or "", or a sign such as "$$"
    if schema.get("const") == value or is_free_text(leaf.slot, schema, value, evidence.creates):
        return "chosen"
    for origin, facts in evidence.texts:
        if stands_in(leaf.slot, value, facts, evidence.clock):
            return origin
    if _is_first(leaf):
        return "chosen"
    if isinstance(value, str) and is_composed(value, [facts for _, facts in evidence.texts], evidence.clock):
        return "carried_over"
    return "chosen" if isinstance(value, str) and names(value, evidence.public) else None


_ANSWERS = ("true", "false", "yes", "no", "none", "null")
_STARTS = frozenset("page skip offset start index min minimum from first quantity count copies".split())


def _is_first(leaf: Leaf) -> bool:
    """Whether a number is where counting begins: page 1, offset 0, a quantity of 1."""
    return leaf.value in (0, 1) and not _STARTS.isdisjoint(re.sub(r"[\W_]+", " ", leaf.slot.lower()).split())
