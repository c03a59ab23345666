"""OpenAI fine-tuning: JSON lines with `messages` and `tools`; arguments are text, and `weight` says what is learnt.

It has no place for thoughts, and takes only names of functions of 1 to 64 letters, digits, "_" and "-".
"""

from __future__ import annotations

import re
from typing import Any

from coalm_it.dataset.export.format import CannotHoldError, Conversation, Format, Losses, Written
from coalm_it.dataset.export.messages import find_unanswered, write_arguments

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_TOOLS = 128


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    if not all(_NAME.fullmatch(tool["function"]["name"]) for tool in conversation.tools):
        raise CannotHoldError("a function's name is not 1 to 64 letters, digits, _ and -")
    if len(conversation.tools) > MAX_TOOLS:
        raise CannotHoldError(f"it has more than {MAX_TOOLS} functions")
    if find_unanswered(conversation):
        raise CannotHoldError("an earlier call has no result")
    messages = [_convert_message(message, losses) for message in conversation.messages]
    for message in messages[: conversation.learnt_from]:
        if message["role"] == "assistant":
            message["weight"] = 0
    return {"messages": messages, **({"tools": conversation.tools} if conversation.tools else {})}


def _convert_message(message: dict[str, Any], losses: Losses) -> dict[str, Any]:
    if "reasoning_content" in message:
        losses.note("thoughts are left out")
    match message["role"]:
        case "tool":
            return {"role": "tool", "tool_call_id": message["tool_call_id"], "content": message["content"]}
        case "assistant" if "tool_calls" in message:
            return {"role": "assistant", "tool_calls": write_arguments(message["tool_calls"])}
        case role:
            return {"role": role, "content": message["content"]}


def write_command(_: Written) -> str:
    return 'client.files.create(file=open("DIR/train.jsonl", "rb"), purpose="fine-tune")'


FORMAT = Format(
    "OpenAI's fine-tuning, and services that take its form", ("samples", "dialogues"), convert, write_command
)
