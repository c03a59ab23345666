"""Finds the places of a system text that list functions or show how calls are written: JSON, tags, examples."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

PLACE = "\ue000"
"""Stands for a list of functions or an example of a call; no text of a corpus has this character."""
_DECODER = json.JSONDecoder()
_LIMIT = 500
"""Brackets at which JSON is looked for: more are no list of functions, and each costs time."""
_CALL_TAGS = "tool_calls?|TOOLCALL|functioncall|function_calls?|tool_response|tool_result|think|thinking|reasoning"
_LIST_TAGS = "tools|functions|function|available_tools|available_functions|tool_list|function_list"
_INSIDE = r"(?:(?!\n[^\S\n]*\n)(?!</?(?:{tags})>).){{0,4000}}?"
_TAGGED = re.compile(
    rf"<(?P<call>{_CALL_TAGS})>{_INSIDE.format(tags=_CALL_TAGS)}</(?P=call)>"
    rf"|<(?P<list>{_LIST_TAGS})>\s*{PLACE}?\s*(?:(?:\.\.\.|…)\s*)?</(?P=list)>"
    rf"|<function=[^>\n]*>{_INSIDE.format(tags='function')}</function>"
    rf"|\[AVAILABLE_TOOLS\]\s*{PLACE}\s*\[/AVAILABLE_TOOLS\]"
    rf"|</?(?:{_CALL_TAGS})>|</?(?:tools|available_tools)>|\[/?TOOL_CALLS\]|<\|python_tag\|>|<\|/?tool_calls?\|>",
    re.DOTALL,
)
_DECLARED = re.compile(r"namespace functions \{.*?\} // namespace functions", re.DOTALL)
"""The functions in the notation of OpenAI's prompts."""
_ARGUMENT = r"\s*+[\w ]+?\s*+=\s*+[^()\[\]\n]*"
_BRACKET_CALLS = re.compile(rf"\[\s*+[\w.]+\({_ARGUMENT}\)(?:\s*+,\s*+(?:[\w.]+\([^()\[\]\n]*\)|\.\.\.|…))*\s*+\]")
"""Calls in brackets: [func1(name=value), func2(...)]."""
# As in calls/markup, the blanks before a place are taken from their first one only.
_JOINED = re.compile(rf"(?:\[\s*+|(?<!\s)\s++)?{PLACE}(?:[\s,]|\.\.\.|\bor\b)*(?:{PLACE}(?:[\s,]|\.\.\.)*)+\]?")
_LISTED = re.compile(rf"\[\s*{PLACE}[\s,.]*+(?:\([^()\[\]\n]*+\)\s*+)?\]")
"""A list of one example, and of more "as needed"."""
_FENCED = re.compile(rf"```(?:(?!```)[^{PLACE}])*{PLACE}(?:(?!```).)*```", re.DOTALL)
_DESCRIBED = re.compile(
    r"^[^\S\n]*(?:\d+[.)]|[-*•])?[\s*]*(?:(?:tool|function|api)(?: name)?|name)\W*:[^\n]*\n"
    r"(?:\W*description\W*:[^\n]*\n)?\W*(?:parameters|arguments)\W*:\s*\Z",
    re.IGNORECASE | re.MULTILINE,
)
"""What stands before the parameters of a function that is described in lines: Name, Description, Parameters."""
_MARGIN = r"[^\S\n]*(?:[-*•][^\S\n])?\**"
HEAD_IN_LINES = re.compile(
    r"^[^\S\n]*(?:\d+[.)]|[-*•])?[^\S\n]*\**(?:Function |Tool |API )?Name\**:\**[^\S\n]*(?P<name>\S[^\n]*)\n"
    rf"(?:{_MARGIN}Description\**:\**(?P<description>[^\n]*)\n)?"
    rf"{_MARGIN}(?:Parameters|Arguments)\**:\**[^\S\n]*(?=\{{)",
    re.IGNORECASE | re.MULTILINE,
)
"""What stands before the parameters of a function that has lines for its name, its description and its parameters."""
_IN_LINES = re.compile(rf"{HEAD_IN_LINES.pattern}\{{[^\n]*\}}[^\S\n]*$", re.IGNORECASE | re.MULTILINE)
"""Such a function with its parameters in one line, in JSON or Python notation."""
_OPENING = re.compile(r"[{\[]")
_QUOTED_KEYS = re.compile(r"[\"'](?P<key>name|arguments|parameters|args|tool_calls)[\"']\s*:")


def mark_places(text: str, functions: Collection[str]) -> str:
    """The text with PLACE for each list of functions, each example of a call, and each tag of calls."""
    marked = _IN_LINES.sub(PLACE, _DECLARED.sub(PLACE, text.replace(PLACE, "")))
    marked = _BRACKET_CALLS.sub(PLACE, _mark_json(marked, functions))
    for pattern in (_TAGGED, _JOINED, _LISTED, _FENCED):
        marked = pattern.sub(lambda match: PLACE + _trailing_blanks(match[0]), marked)
    return marked


def _trailing_blanks(text: str) -> str:
    return text[len(text.rstrip()) :]


def _mark_json(text: str, functions: Collection[str]) -> str:
    pieces, end = [], 0
    for start, stop in _find_json(text, functions):
        pieces.append(text[end:start])
        end = stop
    return PLACE.join([*pieces, text[end:]])


def _find_json(text: str, functions: Collection[str]) -> Iterator[tuple[int, int]]:
    """The stretches that describe functions or calls, in JSON or nearly so ({'name': <function-name>, ...})."""
    position = 0
    for _ in range(_LIMIT):
        match = _OPENING.search(text, position)
        if not match:
            return
        start = match.start()
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = _find_end(text, start) if text[start] == "{" else start + 1
            if text[start] == "{" and _seems_call(text[start:end]):
                yield start, end
                position = end
            else:
                position = start + 1
            continue
        if _is_of_functions(value, functions):
            yield start, end
        elif isinstance(value, dict) and (described := _find_description(text, position, start)) is not None:
            yield described, end
        position = end


def _find_description(text: str, position: int, start: int) -> int | None:
    """Where the lines begin that describe a function whose parameters begin at `start`."""
    begin = max(position, start - 2000)
    found = None
    for line in re.finditer(r"^", text[begin:start], re.MULTILINE):
        if match := _DESCRIBED.match(text, begin + line.start(), start):
            found = match.start()
    return found


def _find_end(text: str, start: int) -> int:
    """The end of an object in braces that is not JSON; the next character if it does not end within a paragraph."""
    depth = 0
    for position in range(start, min(start + 4000, len(text))):
        character = text[position]
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return position + 1
        if text.startswith("\n\n", position):
            break
    return start + 1


def _seems_call(text: str) -> bool:
    keys = {match["key"] for match in _QUOTED_KEYS.finditer(text)}
    return "tool_calls" in keys or ("name" in keys and len(keys) > 1)


def _is_of_functions(value: Any, functions: Collection[str]) -> bool:
    """Whether a value is a function, a call, a list of these, or an object that has such a list."""
    if isinstance(value, list):
        return bool(value) and all(_is_of_functions(item, functions) for item in value)
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("function"), dict):
        return _is_of_functions(value["function"], functions)
    if isinstance(value.get("name"), str):
        keys = ("parameters", "arguments", "input_schema", "inputSchema", "params", "args")
        return value["name"].strip() in functions or any(key in value for key in keys)
    properties = value.get("properties")
    if (
        isinstance(properties, dict)
        and "name" in properties
        and not properties.keys().isdisjoint(("arguments", "parameters"))
    ):
        return True  # the schema of a call
    lists = [value[key] for key in ("tools", "functions", "tool_calls", "functionDeclarations") if key in value]
    return any(isinstance(one, list) and _is_of_functions(one, functions) for one in lists)
