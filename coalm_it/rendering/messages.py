"""Writes messages and tools: the content of a row in the form for chat templates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from coalm_it.rendering.columns import CorpusText, format_clock, format_state
from coalm_it.schema import Sample, Step, Tool, Turn
from coalm_it.templates import render_macro

MESSAGE_KEYS = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name")

Message = dict[str, str | None]
"""All of MESSAGE_KEYS, None for those that are not set; `tool_calls` is JSON text."""

QualifiedNames = Mapping[tuple[str, str], str]
"""(service, name) -> the name in the messages, for functions that share their name with another one."""


def describe_task(sample: Sample, corpus: CorpusText, services: str) -> str:
    """The text of the system message: the corpus's own, if it has one, else the task.

    `services` are the services of the dialogue with their slots, as text: state tracking is not what the corpus tells
    its agent to do, so there the task stands.
    """
    if sample.task == "state_tracking":
        return render_macro("rows/system", "state_tracking", services) if sample.tools else corpus.slots
    if sample.system:
        return render_macro("rows/system", "corpus", format_clock(sample), sample.system)
    macro = "function_call" if sample.task == "function_call" else "react"
    return render_macro("rows/system", macro, format_clock(sample))


@lru_cache(64)
def system_message(text: str) -> Message:
    return _plain_message("system", text)


def speech_messages(turn: Turn) -> list[Message]:
    """The utterances of a complete turn, without thoughts and calls, for state tracking."""
    said = [_plain_message("user", turn.user)]
    return said if turn.reply is None else [*said, _assistant_message(None, content=turn.reply)]


def turn_messages(turn: Turn, names: QualifiedNames) -> list[Message]:
    """The messages of a complete turn."""
    messages = [_plain_message("user", turn.user)]
    for step in turn.steps:
        messages += _step_messages(step, names)
    if turn.reply is not None:
        messages.append(_assistant_message(turn.thought, content=turn.reply))
    return messages


def target_messages(sample: Sample, write_turn: Callable[[Turn], list[Message]]) -> list[Message]:
    """The messages of the current turn up to and including the target."""
    if sample.task == "state_tracking":
        state = _assistant_message(None, content=format_state(sample))
        return [_plain_message("user", sample.current.user), state]
    messages = write_turn(sample.current)
    if sample.step is None:
        return messages
    return messages[: 2 + sum(1 + len(step.calls) for step in sample.steps)]


def _plain_message(role: str, content: str) -> Message:
    return {**dict.fromkeys(MESSAGE_KEYS), "role": role, "content": content}


def _assistant_message(thought: str | None, *, content: str | None = None, tool_calls: str | None = None) -> Message:
    message: Message = {**dict.fromkeys(MESSAGE_KEYS), "role": "assistant", "reasoning_content": thought}
    return {**message, "content": content, "tool_calls": tool_calls}


def _step_messages(step: Step, names: QualifiedNames) -> list[Message]:
    if not step.calls:
        return [_assistant_message(step.thought, content=render_macro("rows/no_call", "text"))]
    named = [names.get((call.service, call.name), call.name) for call in step.calls]
    calls = [
        {"id": call.id, "type": "function", "function": {"name": name, "arguments": call.arguments}}
        for call, name in zip(step.calls, named, strict=True)
    ]
    messages = [_assistant_message(step.thought, tool_calls=dump_json(calls))]
    for (call, observation), name in zip(step.exchanges, named, strict=False):
        result = _plain_message("tool", dump_json(observation))
        messages.append({**result, "tool_call_id": call.id, "name": name})
    return messages


def qualify_names(tools: Sequence[Tool]) -> dict[tuple[str, str], str]:
    """(service, name) -> SERVICE_NAME, for names that several tools share."""
    count = Counter(tool.name for tool in tools)
    return {(t.service, t.name): f"{t.service}_{t.name}" for t in tools if count[t.name] > 1}


def format_tools(tools: Sequence[Tool], names: QualifiedNames) -> str:
    """The tools as JSON text, with the names used in the messages."""
    listed = []
    for tool in tools:
        name = dump_json(names.get((tool.service, tool.name), tool.name))
        listed.append(f'{{"type": "function", "function": {{"name": {name}, {tool.signature_json}}}}}')
    return f"[{', '.join(listed)}]"


def dump_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def decode_messages(row: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The messages and tools of a row of `samples` as Python objects, in the form for chat templates.

    Keys that are not set are left out, so that `is defined` works in templates.
    """
    messages = [{key: value for key, value in message.items() if value is not None} for message in row["messages"]]
    for message in messages:
        if "tool_calls" in message:
            message["tool_calls"] = json.loads(message["tool_calls"])
    return messages, json.loads(row["tools"] or "[]")
