"""ATIF 1.7, the trajectories of Harbor: a JSON document for each dialogue, in a file of its own.

Of a sample, the messages before its target are steps with `is_copied_context`, which ATIF keeps out of training.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from coalm_it import __version__
from coalm_it.dataset.export.format import Conversation, Format, Losses, Written
from coalm_it.dataset.export.single_files import write_single_files
from coalm_it.dataset.tables import Split

_SOURCES = {"system": "system", "user": "user", "assistant": "agent"}


def convert(conversation: Conversation, _: Losses) -> dict[str, Any]:
    tools = {"tool_definitions": conversation.tools} if conversation.tools else {}
    return {
        "schema_version": "ATIF-v1.7",
        "session_id": conversation.id,
        "trajectory_id": conversation.id,
        "agent": {"name": "coalm-it", "version": __version__, **tools},
        "steps": [{"step_id": number, **step} for number, step in enumerate(_list_steps(conversation), 1)],
        "extra": {"part": conversation.part, "source": conversation.source, "licence": conversation.licence},
    }


def _list_steps(conversation: Conversation) -> Iterator[dict[str, Any]]:
    """A step for each message; the results of calls are the observation of their step."""
    step: dict[str, Any] | None = None
    for index, message in enumerate(conversation.messages):
        if message["role"] == "tool" and step is not None:
            result = {"source_call_id": message["tool_call_id"], "content": message["content"]}
            step.setdefault("observation", {"results": []})["results"].append(result)
            continue
        if step is not None:
            yield step
        step = _make_step(message)
        if index < conversation.learnt_from:
            step["is_copied_context"] = True
    if step is not None:
        yield step


def _make_step(message: dict[str, Any]) -> dict[str, Any]:
    step = {"source": _SOURCES[message["role"]], "message": message["content"]}
    if "reasoning_content" in message:
        step["reasoning_content"] = message["reasoning_content"]
    if "tool_calls" in message:
        step["tool_calls"] = [
            {
                "tool_call_id": call["id"],
                "function_name": call["function"]["name"],
                "arguments": call["function"]["arguments"],
            }
            for call in message["tool_calls"]
        ]
    return step


def write(folder: Path, split: Split, records: Iterable[Any]) -> list[str]:
    return write_single_files(
        folder, split, records, "json", lambda record: json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    )


def write_command(written: Written) -> str:
    first = next(name for names in written.files.values() for name in names)
    return f"python -m harbor.utils.trajectory_validator DIR/{first}"


FORMAT = Format("Harbor, and others that read ATIF 1.7", ("dialogues", "samples"), convert, write_command, write)
