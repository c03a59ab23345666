"""Moves of the assistant that a corpus writes in another way: calls with their results inside, functions by which it
speaks or thinks, and calls that nobody answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from coalm_it.corpora.columns import Columns
from coalm_it.corpora.conversations import RawMessage
from coalm_it.corpora.pairing import Result
from coalm_it.corpora.records import BadRecord
from coalm_it.schema import Call, Tool

_TEXTS = ("content", "value", "parts")


def split_results(messages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The messages whose calls have their `result` inside, as messages of one call, of its result, and of the text.

    A call may depend on the results of those before it, so that each is a step of its own.
    """
    for message in messages:
        calls = message.get("tool_calls")
        if not isinstance(calls, list) or not any(isinstance(call, dict) and "result" in call for call in calls):
            yield message
            continue
        plain = {key: value for key, value in message.items() if key not in (*_TEXTS, "tool_calls")}
        for call in calls:
            yield {**plain, "tool_calls": [call]}
            plain = {key: value for key, value in plain.items() if key in ("role", "from")}  # a thought is said once
            if isinstance(call, dict) and "result" in call:
                yield {"role": "tool", "content": call["result"]}
        if any(message.get(key) for key in _TEXTS):
            yield {**plain, **{key: message[key] for key in _TEXTS if key in message}}


# --- functions that are speech or thought ---


def hide_speech(tools: Sequence[Tool], columns: Columns) -> tuple[Tool, ...]:
    """The functions without those by which the assistant speaks or thinks."""
    return tuple(tool for tool in tools if tool.name not in columns.replies and tool.name not in columns.thoughts)


def take_speech(messages: Sequence[RawMessage], columns: Columns) -> Iterator[RawMessage]:
    """The messages with the calls of functions in `replies` as replies, and of those in `thoughts` as thoughts of what
    follows; the results of such calls are left out. A text before a call is a thought, as before any other call.

    Raises BadRecord.
    """
    speech: list[Call] = []  # of the last calls, those that are speech or thought
    others: list[Call] = []
    is_answered = False
    thought: str | None = None
    for message, following in zip(messages, [*messages[1:], None], strict=True):
        if message.role == "tool":
            is_answered = True
            if results := _leave_results(message.results, speech, others):
                yield replace(message, results=results)
            continue
        if is_answered or not message.calls:
            speech, others, is_answered = [], [], False
        if message.role != "assistant":
            thought = None
            yield message
            continue
        move = _read_move(message, columns)
        speech += move.speech
        others += move.calls
        thought = _join(thought, message.thought, *move.thoughts)
        is_thought = message.calls is None and following is not None and _speaks(following, columns)
        if is_thought or (move.speech and not move.calls):
            thought = _join(thought, message.text)
        else:
            yield replace(message, thought=thought, calls=move.calls if move.speech else message.calls)
            thought = None
        if move.replies:
            yield RawMessage("assistant", "\n".join(move.replies), thought, learn=message.learn)
            thought = None


class _Move(NamedTuple):
    """The calls of a message by what they are."""

    calls: tuple[Call, ...]
    speech: tuple[Call, ...]
    replies: list[str]
    thoughts: list[str]


def _read_move(message: RawMessage, columns: Columns) -> _Move:
    made = message.calls or ()
    speech = tuple(call for call in made if call.name in columns.replies or call.name in columns.thoughts)
    replies = [_get_text(call, columns.replies[call.name]) for call in speech if call.name in columns.replies]
    thoughts = [_get_text(call, columns.thoughts[call.name]) for call in speech if call.name not in columns.replies]
    return _Move(tuple(call for call in made if call not in speech), speech, replies, thoughts)


def _speaks(message: RawMessage, columns: Columns) -> bool:
    return any(call.name in columns.replies for call in message.calls or ())


def _get_text(call: Call, argument: str) -> str:
    text = call.arguments.get(argument)
    if not isinstance(text, str):
        raise BadRecord(f"a call of {call.name!r} should have a text as {argument!r}, found {call.arguments!r:.60}")
    return text.strip()


def _leave_results(results: tuple[Result, ...], speech: Sequence[Call], others: Sequence[Call]) -> tuple[Result, ...]:
    """The results of the calls that are no speech."""
    if not speech or not others:
        return () if speech else results
    ids, names = {call.id for call in speech}, {call.name for call in speech}
    if unclear := next((one for one in results if not one.id and not one.name), None):
        raise BadRecord(f"a result that may be of {speech[0].name!r} or of another call: {unclear.value!r:.60}")
    return tuple(one for one in results if (one.id not in ids if one.id else one.name not in names))


def _join(*texts: str | None) -> str | None:
    return "\n".join(text for text in texts if text) or None


# --- calls that nobody answers ---


def drop_unanswered(messages: Sequence[RawMessage]) -> list[RawMessage]:
    """The messages without the calls that have no results, but for the last ones of the conversation.

    What the assistant says in such a turn after the calls may be their result, so that it is context and no target.
    Raises BadRecord where it says nothing.
    """
    spoken = [message for message in messages if message.role != "system"]
    kept = [message for message in messages if message.role == "system"]
    has_dropped = False
    for index, message in enumerate(spoken):
        if message.role == "user":
            if has_dropped and kept[-1].role == "user":
                raise BadRecord("the only answer to a message of the user is calls without results")
            has_dropped = False
        following = next((one.role for one in spoken[index + 1 :] if not one.calls), None)
        if message.calls and following not in ("tool", None):
            has_dropped = True
            message = replace(message, calls=None)
            if not message.text:
                continue
        kept.append(replace(message, learn=False) if has_dropped else message)
    return kept
