"""What a model wrote, read: a JSON object, strictly where it is one, else as json-repair makes sense of it."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

from coalm_it.errors import RequestError

_FENCE = re.compile(r"\A\s*(?:<think>.*?</think>\s*)?```[\w+-]*\s*\n?(.*?)(?:```\s*)?\Z", re.DOTALL)
_THINK = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_NUMBER = re.compile(r"\A\D{0,3}(\d+)\D{0,3}\Z")


class Read(NamedTuple):
    """An object, and whether it had to be mended to be one."""

    value: dict[str, Any]
    mended: bool


def read_object(text: str) -> Read | None:
    """The JSON object that a text is, in a code fence or not, after a think block or not; None where it is none.

    Raises RequestError where the text needs mending and json-repair is not installed.
    """
    plain = _THINK.sub("", text)
    fenced = _FENCE.match(plain)
    plain = fenced[1] if fenced else plain
    try:
        value = json.loads(plain)
    except (ValueError, RecursionError):
        return _mend(plain)
    return Read(value, mended=False) if isinstance(value, dict) else None


def _mend(text: str) -> Read | None:
    try:
        import json_repair
    except ImportError:
        raise RequestError("to read what a model wrote, coalm-it needs: pip install 'coalm-it[llm]'") from None
    start = text.find("{")
    if start < 0:
        return None
    try:
        value = json_repair.loads(text[start:])
    except (ValueError, RecursionError):
        return None
    return Read(value, mended=True) if isinstance(value, dict) and value else None


def read_numbered(value: dict[str, Any]) -> dict[int, Any]:
    """Its members by the number that their keys are: "3", "<3>"; others are left out."""
    return {int(found[1]): member for key, member in value.items() if (found := _NUMBER.match(key))}


@lru_cache(maxsize=256)
def numbered_schema(places: tuple[int, ...], kind: str) -> dict[str, Any]:
    """The JSON schema of an object with a value of that type (`string`, `integer`) for each place."""
    keys = [str(place) for place in places]
    return {
        "type": "object",
        "properties": {key: {"type": kind} for key in keys},
        "required": keys,
        "additionalProperties": False,
    }
