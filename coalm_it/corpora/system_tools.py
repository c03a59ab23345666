"""The functions that a system text lists -> Tools.

ToolACE and smoltalk have a JSON list of functions in the text; Hermes and Qwen one in <tools>, or one object a line
there; Glaive has objects one after another, ToolLLaMA a list in Python notation, ToolRL three lines a function. An
example of a call is no function, though it has a name and parameters as well.
"""

from __future__ import annotations

import json
import re
from typing import Any

from coalm_it.corpora.decoding import refuse_constant
from coalm_it.corpora.parameter_types import read_type
from coalm_it.corpora.records import BadRecord, decode_literal
from coalm_it.corpora.system_places import HEAD_IN_LINES
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.schema import Tool

_LIST = re.compile(r"\[\s*+[{\]]")
_OBJECT = re.compile(r"\{\s*+\"")
_PYTHON_LIST = re.compile(r"\[\s*+\{\s*+'")
_TAG = re.compile(r"<tools>\s*+(?=[\[{])")
_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def read_system(text: str) -> tuple[Tool, ...]:
    """The functions in the first JSON list of objects in a system text; none if there is no such list.

    Raises BadRecord: the list is broken, or see `read_tools`.
    """
    broken = None
    for match in _LIST.finditer(text):
        try:
            value, _ = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError) as error:
            broken = broken or error
            continue
        if isinstance(value, list) and value and all(map(_is_function, value)):
            return read_tools(value)
    if broken:
        raise BadRecord(f"the list of functions in the system text is not JSON: {broken}")
    return ()


def read_system_tools(text: str) -> tuple[Tool, ...]:
    """The functions that a system text lists in any form; none if there are none. Raises BadRecord."""
    if described := _read_lines(text):
        return described
    tagged = _TAG.search(text)
    listed = text[tagged.end() :].partition("</tools>")[0] if tagged else text
    objects = _read_objects(listed)
    if objects and not _LIST.match(listed.lstrip()):
        return read_tools(objects)
    try:
        tools = read_system(listed)
    except BadRecord:
        if in_python := _read_python_list(listed):
            return in_python
        if tagged:
            raise
        return ()
    if tagged and not tools and listed.strip("[] \n"):
        raise BadRecord(f"the functions in <tools> of the system text cannot be read: {listed!r:.60}")
    return tools


def _read_lines(text: str) -> tuple[Tool, ...]:
    """The functions that have lines for name, description and parameters. Raises BadRecord."""
    functions = []
    for found in HEAD_IN_LINES.finditer(text):
        name, described = found["name"].strip(" \t*`"), (found["description"] or "").strip()
        try:
            parameters, _ = _DECODER.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            parameters = decode_literal(text[found.end() :].partition("\n")[0].strip())
        if not isinstance(parameters, dict):
            raise BadRecord(f"the parameters of {name!r} in the system text cannot be read: {found[0]!r:.60}")
        if not _has_values(parameters):
            functions.append({"name": name, "description": described, "parameters": parameters})
    return read_tools(functions)


def _read_python_list(text: str) -> tuple[Tool, ...]:
    """The functions in a list in Python notation, which ends with the last bracket of the text; else none."""
    found = _PYTHON_LIST.search(text)
    value = decode_literal(text[found.start() : text.rfind("]") + 1]) if found else None
    return read_tools(value) if isinstance(value, list) and all(map(_is_function, value)) else ()


def _read_objects(text: str) -> list[Any]:
    """The functions that stand in a text as JSON objects, outside of each other."""
    functions = []
    position = 0
    while match := _OBJECT.search(text, position):
        try:
            value, position = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            position = match.end()
            continue
        if _is_function(value) and (value.get("type") == "function" or "parameters" in value):
            functions.append(value)
    return functions


def _is_function(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return ("name" in value and not _is_call(value)) or isinstance(value.get("function"), dict)


def _is_call(value: dict[str, Any]) -> bool:
    """Whether an object is an example of a call: it has nothing but a name and values, which are no types."""
    given = value.get("parameters", value.get("arguments"))
    return len(value) == 2 and isinstance(given, dict) and _has_values(given)


def _has_values(parameters: dict[str, Any]) -> bool:
    """Whether an object has the values of parameters, and not what these are."""
    return bool(parameters) and not any(isinstance(one, dict) or _is_type(one) for one in parameters.values())


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and "type" in read_type(value).schema
