"""The messages of a record, as OpenAI, ShareGPT, Anthropic, Gemini and the Responses API have them -> RawMessages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from coalm_it.calls import CallSyntaxError
from coalm_it.corpora.conversations import RawMessage, Role
from coalm_it.corpora.pairing import Result
from coalm_it.corpora.records import BadRecord, get_field
from coalm_it.readers.messages.markup import read_marked_text
from coalm_it.readers.messages.parts import Content, read_calls, read_content, read_id, read_results, read_thought
from coalm_it.readers.messages.texts import cut_thought
from coalm_it.schema import Call, Tool

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
    "tool_response": "tool",
    "function_response": "tool",
}
_OF_CALLS = ("function_call", "tool_call")
"""Roles whose messages are calls and nothing else."""
_ITEMS = ("function_call", "function_call_output", "reasoning")
"""The types of the Responses API that are no messages."""
_NOT_LEARNT: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("weight", "loss", "train", "training"), (False, 0, "false", "0")),
    **dict.fromkeys(("mask", "masked"), (True, 1, "true", "1")),
}
"""Key of a message -> the values that mark it as context."""


def read_messages(messages: Sequence[dict[str, Any]], tools: Sequence[Tool]) -> Iterator[RawMessage]:
    """The messages of a conversation. Raises BadRecord, with the index of the message."""
    functions = {tool.name: tool for tool in tools}
    called: set[str] = set()
    waiting: RawMessage | None = None  # a message of calls, whose reasoning may follow it
    thoughts: list[str] = []
    for number, message in enumerate(messages):
        try:
            if message.get("type") == "reasoning" and "role" not in message:
                thoughts += _read_reasoning(message)
                continue
            for read in _read_message(message, functions, called):
                if waiting:
                    yield _add_thoughts(waiting, thoughts if read.role == "tool" else [])
                    thoughts = [] if read.role == "tool" else thoughts
                    waiting = None
                if read.calls:
                    called = {call.name for call in read.calls}
                    waiting = replace(read, calls=tuple(_drop_padding(call, functions) for call in read.calls))
                    if thoughts:
                        waiting, thoughts = _add_thoughts(waiting, thoughts), []
                elif read.role == "assistant" and thoughts:
                    yield _add_thoughts(read, thoughts)
                    thoughts = []
                else:
                    yield read
        except (BadRecord, CallSyntaxError) as error:
            raise BadRecord(f"message {number}: {error}") from None
    if waiting:
        yield _add_thoughts(waiting, thoughts)


def _read_reasoning(item: dict[str, Any]) -> list[str]:
    content = read_content(item.get("summary") or item.get("content"))
    return [text for text in (*content.texts, *content.thoughts) if text]


def _add_thoughts(message: RawMessage, thoughts: Sequence[str]) -> RawMessage:
    return replace(message, thought="\n".join([*([message.thought] if message.thought else []), *thoughts]) or None)


def _drop_padding(call: Call, functions: dict[str, Tool]) -> Call:
    """The call without the arguments that are null and unknown to the function: the padding of a table."""
    tool = functions.get(call.name)
    if tool is None or None not in call.arguments.values():
        return call
    kept = {name: value for name, value in call.arguments.items() if value is not None or name in tool.properties}
    return call.model_copy(update={"arguments": kept})


def _read_message(message: dict[str, Any], functions: Collection[str], called: set[str]) -> Iterator[RawMessage]:
    """`called`: the functions of the last calls. A user message of Anthropic's may hold results and a text."""
    if message.get("type") in _ITEMS and "role" not in message:
        yield _read_item(message, called)
        return
    said, role = _read_role(message)
    value = next((message[key] for key in ("content", "value", "parts") if message.get(key) is not None), None)
    if role == "tool" and not _has_responses(value):
        yield RawMessage("tool", results=tuple(read_results(value, message, called)))
    elif said in _OF_CALLS:
        text = value.strip() if isinstance(value, str) else value
        yield RawMessage("assistant", calls=read_calls(text, "calls"), learn=is_learnt(message))
    elif role == "assistant":
        yield _read_assistant(message, read_content(value), functions)
    else:
        yield from _read_other(role, read_content(value), message, called)


def _read_role(message: dict[str, Any]) -> tuple[str, Role]:
    given = get_field(message, "from" if "from" in message else "role", str)
    said = given.strip().lower().replace(" ", "_").replace("-", "_")
    if said not in ROLES:
        raise BadRecord(f"role {given!r} is none of {', '.join(ROLES)}")
    return said, ROLES[said]


def _has_responses(value: Any) -> bool:
    """Whether a content is the parts of Gemini, which name the functions themselves."""
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and ("functionResponse" in first or "function_response" in first)


def _read_item(item: dict[str, Any], called: set[str]) -> RawMessage:
    if item["type"] == "function_call":
        call = {"name": item.get("name"), "arguments": item.get("arguments"), "id": read_id(item, ("call_id", "id"))}
        return RawMessage("assistant", calls=read_calls(call, "calls"))
    return RawMessage("tool", results=tuple(read_results(item.get("output"), item, called)))


def _read_other(role: Role, content: Content, message: dict[str, Any], called: set[str]) -> Iterator[RawMessage]:
    """A message of the user or the system, or results in parts."""
    if content.results:
        yield RawMessage("tool", results=tuple(content.results))
        if content.text:
            yield RawMessage("user", content.text)
        return
    text = content.text
    if role == "user" and text.startswith("<tool_response>"):
        results: tuple[Result, ...] = tuple(read_results(text, message, called))
        yield RawMessage("tool", results=results)
    else:
        yield RawMessage(role, cut_thought(text) if role == "user" else text)


def _read_assistant(message: dict[str, Any], content: Content, functions: Collection[str]) -> RawMessage:
    marked = read_marked_text(content.text, functions)
    calls = [*content.calls]
    for key in ("tool_calls", "function_call"):
        if message.get(key) and not calls:
            calls += read_calls(message[key], key)
    if calls and marked.calls and [_strip(call) for call in calls] != [_strip(call) for call in marked.calls]:
        raise BadRecord("calls in the text, and others beside it")
    thoughts = (read_thought(message), content.thought, marked.thought)
    thought = "\n".join(dict.fromkeys(text for text in thoughts if text))
    made = tuple(calls) or marked.calls
    return RawMessage("assistant", marked.text, thought or None, made, learn=is_learnt(message))


def _strip(call: Call) -> tuple[str, dict[str, Any]]:
    return call.name, call.arguments


def is_learnt(message: dict[str, Any]) -> bool:
    """False where the message is marked as context: weight 0, loss or train false, mask true."""
    for key, marks in _NOT_LEARNT.items():
        value = message.get(key)
        if (
            isinstance(value, bool | int | float | str)
            and (value.lower() if isinstance(value, str) else value) in marks
        ):
            return False
    return True
