"""Reads JSON objects from the answers of models: strictly if possible, otherwise repaired with json-repair."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

from coalm_it.extras import require_extra

_FENCE = re.compile(r"\A\s*(?:<think>.*?</think>\s*)?```[\w+-]*\s*\n?(.*?)(?:```\s*)?\Z", re.DOTALL)
_THINK = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_NUMBER = re.compile(r"\A\D{0,3}(\d+)\D{0,3}\Z")


class ParsedObject(NamedTuple):
    """A JSON object, and whether its text had to be mended to be valid JSON."""

    value: dict[str, Any]
    mended: bool


def read_object(text: str) -> ParsedObject | None:
    """The JSON object of a text, with or without a code fence or a think block around it; None if it has none.

    Raises RequestError if the text is not valid JSON and json-repair is not installed.
    """
    plain = _THINK.sub("", text)
    fenced = _FENCE.match(plain)
    plain = fenced[1] if fenced else plain
    try:
        value = json.loads(plain)
    except (ValueError, RecursionError):
        return _mend(plain)
    return ParsedObject(value, mended=False) if isinstance(value, dict) else None


def _mend(text: str) -> ParsedObject | None:
    require_extra("llm", "reading the JSON of a model", ("json_repair",))
    import json_repair

    start = text.find("{")
    if start < 0:
        return None
    try:
        value = json_repair.loads(text[start:])
    except (ValueError, RecursionError):
        return None
    return ParsedObject(value, mended=True) if isinstance(value, dict) and value else None


def read_numbered(value: dict[str, Any]) -> dict[int, Any]:
    """The members whose keys are numbers ("3", "<3>"), by number; others are ignored."""
    return {int(found[1]): member for key, member in value.items() if (found := _NUMBER.match(key))}


@lru_cache(maxsize=256)
def build_numbered_schema(numbers: tuple[int, ...], kind: str) -> dict[str, Any]:
    """The JSON schema of an object with a value of type `kind` (`string`, `integer`) for each number."""
    keys = [str(number) for number in numbers]
    return {
        "type": "object",
        "properties": {key: {"type": kind} for key in keys},
        "required": keys,
        "additionalProperties": False,
    }
