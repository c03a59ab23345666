"""What every call syntax shares: its names, its error, and the values that none of them accepts."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

Syntax = Literal["python", "bracket", "json", "openai"]

MAX_DEPTH = 64
"""Maximum nesting of lists and dicts in one argument; the corpora need at most 3."""
SURROGATE = re.compile("[\ud800-\udfff]")


class CallSyntaxError(ValueError):
    """The text is not calls in this syntax; `position` is the offset of the error in characters, from 0."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message, position)
        self.position = position

    def __str__(self) -> str:
        return str(self.args[0])


def locate_error(complaint: str, text: str, position: int) -> CallSyntaxError:
    """The error with its position, and what follows there, in its message."""
    rest = text[position : position + 30]
    place = f"before {rest!r}" if rest else "at the end"
    return CallSyntaxError(f"{complaint}, at character {position}, {place}", position)


def check_value(value: Any, depth: int) -> None:
    """Raises ValueError for NaN, infinity, half a surrogate pair, and nesting deeper than `depth`."""
    if isinstance(value, str):
        if not value.isascii() and (half := SURROGATE.search(value)):
            raise ValueError(f"half a surrogate pair, {half[0]!r}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no JSON value")
    elif isinstance(value, list | tuple | dict):
        if not depth:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        for item in value:
            check_value(item, depth - 1)
        for item in value.values() if isinstance(value, dict) else ():
            check_value(item, depth - 1)


def match_end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where the match that begins at `position` ends; `position` itself if there is none."""
    match = pattern.match(text, position)
    return match.end() if match else position
