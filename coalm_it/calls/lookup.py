"""The tool that a call means."""

from __future__ import annotations

from collections.abc import Sequence

from coalm_it.schema import Call, Tool


def find_tool(call: Call, tools: Sequence[Tool]) -> Tool | None:
    """The first tool with the name of the call, and with its service if the call has one; None if there is none."""
    for tool in tools:
        if tool.name == call.name and (not call.service or tool.service == call.service):
            return tool
    return None
