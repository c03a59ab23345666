"""What several formats do with messages: calls with arguments as text, thoughts within tags, calls without results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from coalm_it.dataset.export.format import Conversation, Message


def dump_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def write_arguments(calls: Sequence[Message]) -> list[dict[str, Any]]:
    """The calls with their arguments as JSON texts."""
    return [
        {**call, "function": {**call["function"], "arguments": dump_json(call["function"]["arguments"])}}
        for call in calls
    ]


def list_functions(conversation: Conversation) -> list[dict[str, Any]]:
    """Name, description and parameters of each tool, without what is around them."""
    return [tool["function"] for tool in conversation.tools]


def write_thought(message: Message) -> str:
    """The thought of a message as Qwen 3, DeepSeek R1 and others write it; "" if there is none."""
    thought = message.get("reasoning_content")
    return "" if thought is None else f"<think>\n{thought}\n</think>\n\n"


def has_unanswered_call(conversation: Conversation) -> bool:
    """Whether a call that is not the last message has no result."""
    open_calls: set[str] = set()
    for message in conversation.messages:
        if message["role"] == "tool":
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            return True
        else:
            open_calls = {call["id"] for call in message.get("tool_calls", ())}
    return bool(open_calls) and conversation.messages[-1]["role"] == "tool"


def group_results(messages: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The messages one by one, but the results of the calls of one message together."""
    group: list[dict[str, Any]] = []
    for message in messages:
        if group and not (message["role"] == group[-1]["role"] == "tool"):
            yield group
            group = []
        group.append(message)
    if group:
        yield group
