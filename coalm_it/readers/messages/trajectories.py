"""Trajectories of agents -> messages: the steps of ATIF, and the session files of the Hub's trace viewer.

A step of ATIF (the trajectories of Harbor and others) is a message and, of the agent, the calls with their results:

    {"step_id": 2, "source": "agent", "message": "", "reasoning_content": "Oban it is.",
     "tool_calls": [{"tool_call_id": "c1", "function_name": "get_tide", "arguments": {"harbour": "Oban"}}],
     "observation": {"results": [{"source_call_id": "c1", "content": "06:10"}]}}

A session file (Session Trace Simple Format) has a header, and a message in each of the other lines:

    {"type": "session", "harness": "my-agent", "id": "a1"}
    {"type": "message", "message": {"role": "user", "content": "When is high water in Oban?"}}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from coalm_it.corpora.decoding import BrokenRecord
from coalm_it.corpora.records import BadRecord, get_field

_ROLES = {"system": "system", "user": "user", "agent": "assistant"}
_KEYS = {"reasoningContent": "reasoning_content", "toolCalls": "tool_calls", "toolCallId": "tool_call_id"}


# --- ATIF ---


def is_trajectory(record: Any) -> bool:
    return isinstance(record, dict) and str(record.get("schema_version")).startswith("ATIF") and "steps" in record


def list_definitions(record: Any) -> Any:
    """The functions of a trajectory, where it has them; None otherwise."""
    agent = record.get("agent") if is_trajectory(record) else None
    return agent.get("tool_definitions") if isinstance(agent, dict) else None


def expand_steps(messages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The messages, and in place of each step of ATIF its own. Raises BadRecord, with the number of the step."""
    for number, message in enumerate(messages, 1):
        if "source" not in message or "message" not in message or not message.keys().isdisjoint(("role", "from")):
            yield message
            continue
        try:
            yield from _read_step(message)
        except BadRecord as error:
            raise BadRecord(f"step {message.get('step_id', number)}: {error}") from None


def _read_step(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The message of a step, and its results. What was copied, or done without a model, is context and no target."""
    source = get_field(step, "source", str)
    if source not in _ROLES:
        raise BadRecord(f"source {source!r} is none of {', '.join(_ROLES)}")
    calls = [_read_call(call) for call in _list_objects(step, "tool_calls")]
    results = [_read_result(result) for result in _list_objects(step.get("observation") or {}, "results")]
    if results and not calls:
        raise BadRecord("an observation, but no call of a function whose result it is")
    is_context = step.get("is_copied_context") or step.get("llm_call_count") == 0
    yield {
        "role": _ROLES[source],
        "content": step["message"],
        **({"reasoning_content": step["reasoning_content"]} if step.get("reasoning_content") else {}),
        **({"tool_calls": calls} if calls else {}),
        **({"weight": 0} if is_context else {}),
    }
    yield from results


def _list_objects(value: Any, key: str) -> list[dict[str, Any]]:
    items = get_field(value, key, list) if isinstance(value, dict) and value.get(key) is not None else []
    if not all(isinstance(item, dict) for item in items):
        raise BadRecord(f"{key!r} should be a list of objects, found {items!r:.60}")
    return list(items)


def _read_call(call: dict[str, Any]) -> dict[str, Any]:
    function = {"name": get_field(call, "function_name", str), "arguments": call.get("arguments")}
    return {"id": call.get("tool_call_id"), "function": function}


def _read_result(result: dict[str, Any]) -> dict[str, Any]:
    return {"role": "tool", "content": result.get("content"), "tool_call_id": result.get("source_call_id")}


# --- session files ---


def join_sessions(records: Sequence[Any]) -> Sequence[Any]:
    """The records of a file; where these are the lines of sessions, each session as one record with `messages`.

    A session with a line that cannot be read is a BrokenRecord, since what follows may depend on it.
    """
    first = next((record for record in records if not isinstance(record, BrokenRecord)), None)
    if not _is_header(first) and not _is_message(first):
        return records
    groups: list[list[Any]] = []
    for record in records:
        if _is_header(record) or not groups:
            groups.append([])
        groups[-1].append(record)
    return [_join_session(group) for group in groups]


def _is_header(record: Any) -> bool:
    return isinstance(record, dict) and record.get("type") == "session" and "messages" not in record


def _is_message(record: Any) -> bool:
    return isinstance(record, dict) and record.get("type") == "message" and isinstance(record.get("message"), dict)


def _join_session(lines: Sequence[Any]) -> dict[str, Any] | BrokenRecord:
    if broken := next((line for line in lines if isinstance(line, BrokenRecord)), None):
        return broken
    header, *others = lines
    if not _is_header(header):
        return BrokenRecord("a session begins with a line of the type 'session', which is missing")
    if odd := next((line for line in others if not _is_message(line)), None):
        return BrokenRecord(f"a line of a session that is no message: {odd!r:.60}")
    return {**header, "messages": [_rename(line["message"]) for line in others]}


def _rename(message: dict[str, Any]) -> dict[str, Any]:
    return {_KEYS.get(key, key): value for key, value in message.items()}
