"""Calls and values as text, in each of the call syntaxes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from coalm_it.calls.grammar import is_argument_name, is_function_name, is_python_name
from coalm_it.calls.limits import MAX_DEPTH, Syntax, check_value
from coalm_it.schema import Call


def format_calls(calls: Sequence[Call], syntax: Syntax) -> str:
    """Writes calls; `bracket` puts texts in double quotes, as ToolACE does, `python` as `repr` does.

    In python a name that is no Python name is quoted: `functions['Get Joke'](n=1, **{'sort-by': 'day'})`.

    Raises ValueError for what could not be read back: in bracket a name that the grammar would cut elsewhere; in
    python an empty name; everywhere an argument that `format_value` refuses; in python no calls, which that
    syntax cannot express.
    """
    if syntax in ("json", "openai"):
        for call in calls:
            check_value(call.arguments, MAX_DEPTH + 1)
        objects = [{"name": call.name, "arguments": call.arguments} for call in calls]
        if syntax == "json":
            return json.dumps(objects, ensure_ascii=False)
        tool_calls = [{"type": "function", "function": function} for function in objects]
        return json.dumps({"tool_calls": tool_calls}, ensure_ascii=False)
    if syntax == "bracket":
        return f"[{', '.join(map(_format_bracket, calls))}]"
    if not calls:
        raise ValueError("python syntax cannot say that there is no call; bracket and json can, by []")
    return "\n".join(map(_format_python, calls))


def format_value(value: Any) -> str:
    """Writes a JSON value as a Python literal on one line: an argument, or a whole observation.

    Raises ValueError for NaN, infinity, half a surrogate pair, and nesting deeper than MAX_DEPTH.
    """
    try:
        text = repr(value)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    # check_value takes several times as long as repr, so it sees only values whose text may contain such a fault.
    if "nan" in text or "inf" in text or "\\ud" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        check_value(value, MAX_DEPTH)
    return text


def _format_python(call: Call) -> str:
    """A call that Python can parse: names that are no Python names are quoted."""
    if not call.name or "" in call.arguments:
        raise ValueError(f"python cannot hold an empty name in a call of {call.name!r}")
    function = call.name if is_python_name(call.name, dotted=True) else f"functions[{format_value(call.name)}]"
    written = []
    for is_plain, group in groupby(call.arguments.items(), key=lambda item: is_python_name(item[0])):
        if is_plain:
            written += [f"{key}={format_value(value)}" for key, value in group]
        else:
            written.append(f"**{{{', '.join(f'{format_value(key)}: {format_value(value)}' for key, value in group)}}}")
    return f"{function}({', '.join(written)})"


def _format_bracket(call: Call) -> str:
    if not is_function_name(call.name):
        raise ValueError(f"only json and python can hold the function name {call.name!r}")
    for key in call.arguments:
        if not is_argument_name(key):
            raise ValueError(f"only json and python can hold the argument name {key!r} of {call.name}")
    return f"{call.name}({', '.join(f'{key}={_format_double_quoted(value)}' for key, value in call.arguments.items())})"


def _format_double_quoted(value: Any) -> str:
    """As `format_value`, but every text in double quotes."""
    check_value(value, MAX_DEPTH)

    def write(value: Any) -> str:
        if isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(write, value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{write(key)}: {write(item)}' for key, item in value.items())}}}"
        return repr(value)

    return write(value)
