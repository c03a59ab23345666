"""OpenAI fine-tuning: JSON lines with `messages` and `tools`; arguments are text, and `weight` says what is learnt.

It has no place for thoughts. Names of functions are 1 to 64 letters, digits, "_" and "-": other signs become "_".
"""

from __future__ import annotations

import re
from typing import Any

from coalm_it.dataset.export.format import CannotHoldError, Conversation, Format, Losses, Written
from coalm_it.dataset.export.messages import has_unanswered_call, write_arguments

_OTHER_SIGN = re.compile(r"[^A-Za-z0-9_-]")
MAX_NAME = 64
MAX_TOOLS = 128


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    if len(conversation.tools) > MAX_TOOLS:
        raise CannotHoldError(f"it has more than {MAX_TOOLS} functions")
    if has_unanswered_call(conversation):
        raise CannotHoldError("an earlier call has no result")
    names = _rename_functions(conversation, losses)
    messages = [_convert_message(message, names, losses) for message in conversation.messages]
    for message in messages[: conversation.learnt_from]:
        if message["role"] == "assistant":
            message["weight"] = 0
    tools = [
        {**tool, "function": {**tool["function"], "name": names[tool["function"]["name"]]}}
        for tool in conversation.tools
    ]
    return {"messages": messages, **({"tools": tools} if tools else {})}


def _rename_functions(conversation: Conversation, losses: Losses) -> dict[str, str]:
    """Name of each function that is shown or called -> its name here."""
    shown = [tool["function"]["name"] for tool in conversation.tools]
    called = [call["function"]["name"] for one in conversation.messages for call in one.get("tool_calls", ())]
    names = {name: _OTHER_SIGN.sub("_", name)[:MAX_NAME] for name in [*shown, *called]}
    if len(set(names.values())) < len(names):
        raise CannotHoldError(
            "two of its functions would have the same name, as signs other than letters, digits, _ and - become _"
        )
    if any(name != new for name, new in names.items()):
        losses.note(f"functions are renamed: a name has only letters, digits, _ and -, at most {MAX_NAME}")
    return names


def _convert_message(message: dict[str, Any], names: dict[str, str], losses: Losses) -> dict[str, Any]:
    if "reasoning_content" in message:
        losses.note("thoughts are left out")
    match message["role"]:
        case "tool":
            return {"role": "tool", "tool_call_id": message["tool_call_id"], "content": message["content"]}
        case "assistant" if "tool_calls" in message:
            calls = write_arguments(message["tool_calls"])
            for call in calls:
                call["function"]["name"] = names[call["function"]["name"]]
            return {"role": "assistant", "tool_calls": calls}
        case role:
            return {"role": role, "content": message["content"]}


def write_command(_: Written) -> str:
    return 'client.files.create(file=open("DIR/train.jsonl", "rb"), purpose="fine-tune")'


FORMAT = Format(
    "OpenAI's fine-tuning, and services that take its form", ("samples", "dialogues"), convert, write_command
)
