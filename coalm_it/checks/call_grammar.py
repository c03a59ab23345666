"""Checks that a call names an available tool, has the required arguments in the right types, and can be parsed back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.calls import CallSyntaxError, Syntax, find_tool, format_calls, parse_calls
from coalm_it.checks.arguments import find_argument_faults
from coalm_it.schema import Call, Finding, Layout, Sample, Tool

_SYNTAX: dict[Layout, Syntax] = {"react_action": "python", "toolace": "bracket", "hammer": "json", "varied": "json"}


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
    yield from find_argument_faults(call, tool)


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
