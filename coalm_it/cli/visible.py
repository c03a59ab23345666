"""Text of others, made safe to print: it cannot steer the terminal, nor change the order in which it is read."""

from __future__ import annotations

import re

_STEERING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for tab and line feed, escape sequences among them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they turn the direction of the text around them
    "\u2028\u2029"  # further line ends
    "\ud800-\udfff"  # half a character, which no terminal takes
    "]"
)


def make_visible(text: str) -> str:
    """The text with each such character as its escape, in Python's spelling: "\\x1b", "\\u202e"."""
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def show_escapes(json_text: str) -> str:
    """The same for JSON, in JSON's spelling, so that the value stays the same."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)
