"""The session traces that the Hub shows (Session Trace Simple Format): a file of JSON lines for each dialogue.

The first line is the header of the session; its key `tools` is ours, which the Hub ignores.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from coalm_it.dataset.export.format import Conversation, Format, Losses, Written
from coalm_it.dataset.export.single_files import write_single_files
from coalm_it.dataset.tables import Split

_NAME_LENGTH = 80


def convert(conversation: Conversation, losses: Losses) -> list[dict[str, Any]]:
    header: dict[str, Any] = {
        "type": "session",
        "harness": "coalm-it",
        "id": conversation.id,
        "name": _name(conversation),
    }
    header |= {"part": conversation.part, "source": conversation.source, "licence": conversation.licence}
    if conversation.tools:
        header["tools"] = conversation.tools
        losses.note("the functions are in the header, as `tools`, which the Hub's viewer does not show")
    lines = [{"type": "message", "message": _convert_message(message)} for message in conversation.messages]
    return [header, *lines]


def _name(conversation: Conversation) -> str:
    """What the user says first, as the title of the session."""
    said = next((message["content"] for message in conversation.messages if message["role"] == "user"), "")
    words = " ".join(said.split())
    return words if len(words) <= _NAME_LENGTH else words[: _NAME_LENGTH - 3].rstrip() + "..."


def _convert_message(message: dict[str, Any]) -> dict[str, Any]:
    converted = {"role": message["role"], "content": message["content"]}
    if "reasoning_content" in message:
        converted["reasoningContent"] = message["reasoning_content"]
    if "tool_calls" in message:
        converted["toolCalls"] = [_convert_call(call) for call in message["tool_calls"]]
    if "tool_call_id" in message:
        converted["toolCallId"] = message["tool_call_id"]
    return converted


def _convert_call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = json.dumps(function["arguments"], ensure_ascii=False)
    return {"id": call["id"], "function": {"name": function["name"], "arguments": arguments}}


def write(folder: Path, split: Split, records: Iterable[Any]) -> list[str]:
    return write_single_files(folder, split, records, "jsonl", _dump_lines)


def _dump_lines(lines: Iterable[Any]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def write_command(_: Written) -> str:
    return "hf upload USER/NAME DIR --repo-type dataset"


FORMAT = Format("The Hub's viewer of agent traces", ("dialogues",), convert, write_command, write)
