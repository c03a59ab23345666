"""Checks that a call names an available tool, has the required arguments in the right types, and can be parsed back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.calls import CallSyntaxError, Syntax, find_tool, format_calls, parse_calls
from coalm_it.schema import DONT_CARE, Call, Finding, Layout, Sample, Tool

_SYNTAX: dict[Layout, Syntax] = {"react_action": "python", "toolace": "bracket", "hammer": "json", "varied": "json"}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}


def check_call_grammar(sample: Sample) -> list[Finding]:
    """Finds calls of the current turn that the tools do not allow, and target calls that do not parse back unchanged.

    Published reply rows show no tools, so the calls before those replies are not checked. State tracking has no calls.
    """
    if sample.step is None and (not sample.tools or sample.task == "state_tracking"):
        return []
    findings = [
        Finding(check="call_grammar", where=f"step {index}", message=message)
        for index, step in enumerate(sample.current.steps[: None if sample.step is None else sample.step + 1])
        for call in step.calls
        for message in _check_call(call, sample.tools)
    ]
    if sample.calls and not _reads_back(sample):
        message = f"the call of {sample.calls[0].name} is not read back as it was written"
        findings.append(Finding(check="call_grammar", where="target", message=message))
    return findings


def _check_call(call: Call, tools: tuple[Tool, ...]) -> Iterator[str]:
    tool = find_tool(call, tools)
    if tool is None:
        of = f" of {call.service}" if call.service else ""
        yield f"{call.name}{of} is not among the {len(tools)} tools shown"
        return
    yield from _check_object(call.name, call.arguments, tool.parameters)


def _check_object(path: str, value: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    properties: dict[str, Any] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path} needs {name}, which is missing"
    for name, item in value.items():
        if name in properties:
            yield from _check_value(f"{path}.{name}", item, properties[name])
        elif "properties" in schema and not schema.get("additionalProperties"):
            yield f"{path} has no parameter {name}"


def _check_value(path: str, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    kinds = schema.get("type", ())
    names = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if value == DONT_CARE:
        return
    if names and not any(_has_type(value, name) for name in names):
        yield f"{path} must be {' or '.join(names)}, not {value!r}"
    elif "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(map(str, schema["enum"]))
        yield f"{path} is {value!r}, which is none of {allowed}"
    elif isinstance(value, dict):
        yield from _check_object(path, value, schema)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _check_value(f"{path}[{index}]", item, schema["items"])


def _has_type(value: Any, name: str) -> bool:
    known = _TYPES.get(name)
    if known is None:
        return True
    return isinstance(value, known) and (name == "boolean" or not isinstance(value, bool))


def _reads_back(sample: Sample) -> bool:
    if all(_is_plain(call) for call in sample.calls):
        return True
    syntax = _SYNTAX[sample.layout]
    try:
        parsed = parse_calls(format_calls(sample.calls, syntax), syntax)
    except (CallSyntaxError, ValueError):
        return False
    return [(call.name, call.arguments) for call in parsed] == [(c.name, c.arguments) for c in sample.calls]


def _is_plain(call: Call) -> bool:
    """Whether a call consists of identifiers, numbers and strings without quotes and escapes.

    Every syntax parses these back. Parsing them all would double the time of the checks.
    """
    return call.name.isidentifier() and all(
        name.isidentifier() and (isinstance(value, bool | int) or _is_plain_text(value))
        for name, value in call.arguments.items()
    )


def _is_plain_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and not any(mark in value for mark in "'\"\\")
