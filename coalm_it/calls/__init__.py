"""The call syntaxes: read and written, never evaluated.

    python     FindBus(from_location='Paris', n=2)                       one call per line
               functions['Get Joke'](n=1, **{'sort-by': 'day'})          names that are no Python names
    bracket    [Market Trends API(trend_type="GAINERS"), Get Joke()]     as in ToolACE and BFCL
    json       [{"name": "FindBus", "arguments": {"from_location": "Paris"}}]
    openai     {"tool_calls": [{"type": "function", "function": {"name": "FindBus", "arguments": {...}}}]}

`grammar` reads the first two, `json_forms` the last two, `writing` writes all four, and `markup` reads the output of a
model, in which calls may stand in tags, in a code fence or behind a label. Written calls are read back with the same
names and arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

from coalm_it.calls.grammar import is_python_name, read_bracket, read_python
from coalm_it.calls.json_forms import decode_calls, read_json
from coalm_it.calls.limits import MAX_DEPTH, SURROGATE, CallSyntaxError, Syntax, locate_error
from coalm_it.calls.lookup import find_tool
from coalm_it.calls.writing import format_calls, format_value
from coalm_it.schema import Call, Tool

__all__ = [
    "MAX_DEPTH",
    "CallSyntaxError",
    "Syntax",
    "decode_calls",
    "find_tool",
    "format_calls",
    "format_value",
    "is_python_name",
    "parse_calls",
]


def parse_calls(text: str, syntax: Syntax, tools: Sequence[Tool] = ()) -> tuple[Call, ...]:
    """Reads a text that consists of calls and nothing else; `[]` means no call.

    `tools` name the arguments that are given by position (of several tools with the same name, the first does);
    without the tool such an argument is an error. JSON is a list, an object, or several of them in a row, and may stand
    in a code fence. Raises CallSyntaxError.
    """
    if half := SURROGATE.search(text):
        raise locate_error("half a surrogate pair", text, half.start())
    if syntax in ("json", "openai"):
        return tuple(read_json(text))
    return tuple(read_bracket(text, tools) if syntax == "bracket" else read_python(text, tools))
