"""Writes messages and tools: the content of a row in the form for chat templates, each as a JSON text.

A key without a value is absent, since templates ask whether a key is there; content is always a text, empty beside
calls; arguments are objects.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from coalm_it.rendering.columns import CorpusText, format_clock, format_state
from coalm_it.schema import Sample, Step, Tool, Turn
from coalm_it.templates import render_macro

Message = str
"""JSON text of {role, content}, and of reasoning_content, tool_calls, tool_call_id and name where they have a value."""

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
    macro = "talk" if not sample.tools else "function_call" if sample.task == "function_call" else "react"
    return render_macro("rows/system", macro, format_clock(sample))


@lru_cache(64)
def system_message(text: str) -> Message:
    return _plain_message("system", text)


def speech_messages(turn: Turn) -> list[Message]:
    """The utterances of a complete turn, without thoughts and calls, for state tracking."""
    said = [_plain_message("user", turn.user)]
    return said if turn.reply is None else [*said, _assistant_message(None, turn.reply)]


def turn_messages(turn: Turn, names: QualifiedNames) -> list[Message]:
    """The messages of a complete turn."""
    messages = [_plain_message("user", turn.user)]
    for step in turn.steps:
        messages += _step_messages(step, names)
    if turn.reply is not None:
        messages.append(_assistant_message(turn.thought, turn.reply))
    return messages


def target_messages(sample: Sample, write_turn: Callable[[Turn], list[Message]]) -> list[Message]:
    """The messages of the current turn up to and including the target."""
    if sample.task == "state_tracking":
        state = _assistant_message(None, format_state(sample))
        return [_plain_message("user", sample.current.user), state]
    messages = write_turn(sample.current)
    if sample.step is None:
        return messages
    return messages[: 2 + sum(1 + len(step.calls) for step in sample.steps)]


def _plain_message(role: str, content: str) -> Message:
    return dump_json({"role": role, "content": content})


def _assistant_message(thought: str | None, content: str, **more: Any) -> Message:
    reasoning = {} if thought is None else {"reasoning_content": thought}
    return dump_json({"role": "assistant", "content": content, **reasoning, **more})


def _step_messages(step: Step, names: QualifiedNames) -> list[Message]:
    if not step.calls:
        return [_assistant_message(step.thought, render_macro("rows/no_call", "text"))]
    named = [names.get((call.service, call.name), call.name) for call in step.calls]
    calls = [
        {"id": call.id, "type": "function", "function": {"name": name, "arguments": call.arguments}}
        for call, name in zip(step.calls, named, strict=True)
    ]
    results = [
        {"role": "tool", "content": _write_result(observation), "tool_call_id": call.id, "name": name}
        for (call, observation), name in zip(step.exchanges, named, strict=False)
    ]
    return [_assistant_message(step.thought, "", tool_calls=calls), *map(dump_json, results)]


def _write_result(observation: Any) -> str:
    """A text as it is, as a model in use gets it; any other value as JSON."""
    return observation if isinstance(observation, str) else dump_json(observation)


def qualify_names(tools: Sequence[Tool]) -> dict[tuple[str, str], str]:
    """(service, name) -> SERVICE_NAME, for names that several tools share."""
    count = Counter(tool.name for tool in tools)
    return {(t.service, t.name): f"{t.service}_{t.name}" for t in tools if count[t.name] > 1}


def format_tools(tools: Sequence[Tool], names: QualifiedNames) -> list[str]:
    """The tools as JSON texts, with the names used in the messages."""
    listed = []
    for tool in tools:
        name = dump_json(names.get((tool.service, tool.name), tool.name))
        listed.append(f'{{"type": "function", "function": {{"name": {name}, {tool.signature_json}}}}}')
    return listed


def dump_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def parse_texts(texts: Iterable[str | Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Messages or tools of a row, as a Parquet file has them (JSON texts) or `load_dataset` (objects), as objects."""
    return [json.loads(one) if isinstance(one, str) else dict(one) for one in texts or ()]
