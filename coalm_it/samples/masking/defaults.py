"""Draws new values for the defaults that the calls of the target state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from coalm_it.samples.masking.names import NameGenerator, list_calls
from coalm_it.samples.masking.renaming import find_entries, is_same
from coalm_it.schema import Sample, Tool
from coalm_it.values import mentions, read_value

TEXT_LENGTH = 5
_SAID_NUMBER = re.compile(
    r"\b(?:half|quarters?|couple|few|several|pairs?|both|dozens?|minutes?|hours?|hourly|days?|daily|weeks?|weekly"
    r"|weekend|fortnight|months?|monthly|years?|yearly|annual|decades?|century|percent|all|every|each)\b|%"
)
"""Words that may stand for a number: an hour for 60, a day for 24, a dozen for 12."""
_WORD = re.compile(r"[a-z]{3,}")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAME = re.compile(r"(?=.*[a-z])[A-Za-z]{4,}(?:[ _-][A-Za-z]+)*")


def draw_defaults(
    sample: Sample, parameters: Mapping[str, Mapping[str, str]], generator: NameGenerator
) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Function -> parameter -> (default, new default), for the defaults that are safe to change.

    `parameters` has the new names, by function and name; a parameter that keeps its name keeps its default.
    """
    drawn: dict[str, dict[str, tuple[Any, Any]]] = {}
    tools = {tool.name: tool for tool in sample.tools}
    for call in sample.calls:
        if call.name not in tools:
            continue
        tool = tools[call.name]
        for name, value in call.arguments.items():
            entry = tool.properties.get(name, {})
            if "default" not in entry or not is_same(entry["default"], value) or name in drawn.get(call.name, {}):
                continue
            if parameters[call.name][name] == name or not _is_only_default(sample, tool, name):
                continue
            new = _draw_other_default(value, name, entry, _join_all_texts(sample, generator.said), generator)
            given = [other.arguments.get(name) for other in list_calls(sample) if other.name == call.name]
            if new is not None and not any(is_same(new, other) for other in (value, *given)):
                drawn.setdefault(call.name, {})[name] = (value, new)
    return drawn


def _draw_other_default(value: Any, name: str, entry: Mapping[str, Any], said: str, generator: NameGenerator) -> Any:
    """Another value of the same type, or None if the default must stay.

    It stays if the conversation may express it in other words: short words and codes (`en`: English), numbers below 3
    (a, first, both) or that a unit may express, booleans, and values with a form of their own (dates, addresses). It
    also stays if a word of the name or description of the parameter is said, or if the description mentions the default
    or numbers. One of several listed values is replaced by another one.
    """
    described = str(entry.get("description", "")).lower()
    said_words = _WORD.findall(said)
    topics = {word[:5] for word in _WORD.findall(_HUMP.sub(" ", name).lower())}
    topics |= {word[:5] for word in _WORD.findall(described) if len(word) > 4}
    if isinstance(value, bool) or "default" in described or not topics.isdisjoint(word[:5] for word in said_words):
        return None
    if mentions(said, value):
        return None
    if choices := entry.get("enum"):
        others = [item for item in choices if type(item) is type(value) and item != value and not mentions(said, item)]
        return others[generator.draw_below(len(others))] if others else None
    if isinstance(value, str):
        known = {word[:3] for word in (*said_words, *_WORD.findall(described))}
        is_known = not known.isdisjoint(word[:3] for word in _WORD.findall(value.lower()))
        return None if is_known or read_value(value) or not _NAME.fullmatch(value) else generator.draw_text(TEXT_LENGTH)
    if not isinstance(value, int | float) or abs(value) < 3:
        return None
    if _SAID_NUMBER.search(said) or re.search(r"\d", described):
        return None
    if isinstance(value, int):
        return value + 1 + generator.draw_below(4)
    return round(value + (1 + generator.draw_below(9)) / 10, 6)


def _is_only_default(sample: Sample, tool: Tool, name: str) -> bool:
    """Whether the description in the corpus has the same default, and no other tool has the same name."""
    function = tool.spec or {}
    if isinstance(function.get("function"), dict):
        function = function["function"]
    schema = function.get("parameters", tool.parameters)
    entry = find_entries(schema, tool).get(name, {})
    unique = [other.name for other in sample.tools].count(tool.name) == 1
    return unique and is_same(entry.get("default"), tool.properties[name]["default"])


def _join_all_texts(sample: Sample, said: str) -> str:
    """The conversation and its observations as one text, in lower case."""
    observations = [observation for turn in sample.turns for step in turn.steps for observation in step.observations]
    return f"{said}\n{observations}".lower()
