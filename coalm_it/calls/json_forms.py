"""Calls as JSON, in the forms of xLAM, Glaive, ToolRL, Seal-Tools and OpenAI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from coalm_it.calls.limits import MAX_DEPTH, CallSyntaxError, check_value, locate_error, match_end
from coalm_it.schema import Call

_BLANKS = re.compile(r"\s*+")
_FENCE = re.compile(r"\s*+```[\w+-]*+")
_DECODER = json.JSONDecoder()


def decode_calls(value: Any) -> tuple[Call, ...]:
    """The calls of decoded JSON: one object or a list of them.

    An object is {name, arguments} (xLAM, Glaive), {name, parameters} (ToolRL), {tool, parameters}
    (Seal-Tools) or {id, function: {name, arguments}} (OpenAI); the arguments are a dict or its JSON text. A whole
    message, {tool_calls: [...]}, gives its calls. Raises CallSyntaxError.
    """
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    return tuple(_decode_call(item) for item in (value if isinstance(value, list) else [value]))


def read_json(text: str) -> Iterator[Call]:
    """The calls of a JSON text, which may stand in a code fence. Raises CallSyntaxError."""
    start, end = 0, len(text.rstrip())
    if fence := _FENCE.match(text):
        start, end = fence.end(), end - 3
        if not text.startswith("```", end):
            raise locate_error("expected ``` after the calls, as before them", text, len(text))
    body = text[:end].rstrip()
    while True:
        start = match_end(_BLANKS, body, start)
        try:
            value, end = _DECODER.raw_decode(body, start)
            yield from decode_calls(value)
        except json.JSONDecodeError as error:
            raise locate_error(f"no JSON: {error.msg}", text, error.pos) from None
        except (ValueError, RecursionError) as error:
            raise locate_error(str(error), text, start) from None
        if end == len(body):
            return
        start = end


def _decode_call(item: Any) -> Call:
    function = item.get("function", item) if isinstance(item, dict) else None
    if not isinstance(function, dict):
        raise CallSyntaxError("expected an object with a name and arguments")
    name = function.get("name", function.get("tool"))
    if not isinstance(name, str):
        raise CallSyntaxError("expected an object with the name of a function")
    arguments = function.get("arguments", function.get("parameters"))
    try:
        if isinstance(arguments, str):
            arguments = json.loads(arguments)
        check_value([name, arguments], MAX_DEPTH + 2)
    except (ValueError, RecursionError) as error:
        raise CallSyntaxError(f"in the arguments of {name!r}: {error}") from None
    if not isinstance(arguments, dict):
        raise CallSyntaxError(f"expected an object of arguments for {name!r}")
    id = item.get("id")
    named = isinstance(id, str | int) and not isinstance(id, bool)
    return Call(id=str(id) if named else "", name=name, arguments=arguments)
