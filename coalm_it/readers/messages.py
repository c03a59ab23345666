r"""Conversations with tools in the format of OpenAI or ShareGPT: any such corpus needs only a YAML file.

A JSON list, JSON lines, or Parquet (as `load_dataset` opens it). The columns are called `messages` (or
`conversations`) and `tools`, unless `columns` in the YAML of the source says otherwise. A shortened record:

    {"messages": [{"role": "user", "content": "How warm is it in Oban?"},
       {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
          "function": {"name": "get_weather", "arguments": "{\"city\": \"Oban\"}"}}]},
       {"role": "tool", "tool_call_id": "c1", "content": "{\"celsius\": 11}"},
       {"role": "assistant", "content": "11 degrees."}],
     "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {...}}}]}

- Role and text: role and content, or from and value (human, gpt, function_call, observation). Content is a
  text, or a list of parts {type, text} or {type, value} of the types text, reasoning and tool_call.
- Calls: `tool_calls` or `function_call` of a message, with arguments as an object or its JSON text; a message of the
  role function_call, in JSON; parts of the type tool_call, in JSON. Columns and calls may be JSON texts.
- Results are paired with calls by tool_call_id, else by name, else in order. One message may contain several, as a
  list of {name, content} (or results), or as a list with one value per call.
- Reasoning (`reasoning_content`, or parts) is the thought of a step or a reply; see corpora/conversations.py.

A record without tools is accepted if it has no calls. Lost in conversion: system messages (a row has the system text of
its layout) and all other columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.calls import CallSyntaxError, decode_calls
from coalm_it.corpora.conversations import RawMessage, Role, build_content
from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.corpora.pairing import Result
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.record_ids import list_earlier_ids, number_record, read_id
from coalm_it.corpora.records import (
    BadRecord,
    DialogueContent,
    convert_dialogues,
    decode_result,
    get_field,
    parse_json,
    report_unreadable_file,
)
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.schema import Call, Dialogue, Fault, Inventory

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Empty: a row shows the functions of its own record."""
    return Inventory()


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The conversations of one shard; an invalid record is a Fault, and the others are still read."""
    columns = corpus.columns

    def convert(record: Any) -> DialogueContent:
        shared = isinstance(record, dict) and "conversations" in record
        column = columns.messages or ("conversations" if shared else "messages")
        raw = get_field(record, column, list, str)
        given = record.get(columns.tools or "tools")
        tools = read_tools(given) if given else ()
        messages = parse_json(raw, column) if isinstance(raw, str) else raw
        return build_content(list(_read_messages(messages)), tools)

    def name(record: Any, index: int) -> str:
        return read_id(record, columns.id, shard.file, index) if columns.id else number_record(shard.file, index)

    earlier = list_earlier_ids(corpus, split, shard.file, columns.id) if columns.id else ()
    records = read_records(shard.file)
    return convert_dialogues(
        corpus, split, shard, licence, records=records, convert=convert, name=name, earlier=earlier
    )


def _read_messages(raw: list[Any]) -> Iterator[RawMessage]:
    called: set[str] = set()
    for number, message in enumerate(raw):
        try:
            read = _read_message(message, called)
        except (BadRecord, CallSyntaxError) as error:
            raise BadRecord(f"message {number}: {error}") from None
        if read.calls:
            called = {call.name for call in read.calls}
        yield read


def _read_message(message: Any, called: set[str]) -> RawMessage:
    """`called`: the functions of the last calls."""
    shared = isinstance(message, dict) and "from" in message
    said = get_field(message, "from" if shared else "role", str)
    if said not in ROLES:
        raise BadRecord(f"role {said!r} is none of {', '.join(ROLES)}")
    role = ROLES[said]
    parts = _read_parts(message.get("content", message.get("value")))
    text = "\n".join(parts["text"]).strip()
    if role == "tool":
        return RawMessage("tool", results=_read_results(text, message, called))
    if said == "function_call":
        return RawMessage("assistant", calls=decode_calls(parse_json(text, "calls")))
    if role != "assistant":
        return RawMessage(role, text)
    thought = message.get("reasoning_content") or "\n".join(parts["reasoning"]).strip()
    calls = _read_calls(message, parts["tool_call"])
    return RawMessage("assistant", text, thought or None, calls or None)


def _read_parts(content: Any) -> dict[str, list[str]]:
    """Type -> the texts of the parts of that type."""
    parts: dict[str, list[str]] = {"text": [], "reasoning": [], "tool_call": []}
    if content is None or isinstance(content, str):
        parts["text"].append(content or "")
        return parts
    if not isinstance(content, list):
        raise BadRecord(f"the content should be a text or a list of parts, found {content!r:.60}")
    for part in content:
        kind = get_field(part, "type", str)
        if kind not in parts:
            raise BadRecord(f"a part of the type {kind!r}, which is none of {', '.join(parts)}")
        parts[kind].append(get_field(part, "text" if "text" in part else "value", str))
    return parts


def _read_calls(message: dict[str, Any], parts: list[str]) -> tuple[Call, ...]:
    given = message.get("tool_calls") or message.get("function_call") or []
    calls = decode_calls(parse_json(given, "tool_calls") if isinstance(given, str) else given)
    return calls + tuple(call for part in parts for call in decode_calls(parse_json(part, "tool_call")))


def _read_results(text: str, message: dict[str, Any], called: set[str]) -> tuple[Result, ...]:
    value = decode_result(text)
    if isinstance(value, list) and value and all(_is_wrapped(item, called) for item in value):
        return tuple(_unwrap(item) for item in value)
    name, call = message.get("name"), message.get("tool_call_id")
    return (Result(value, str(name or ""), str(call or "")),)


def _is_wrapped(item: Any, called: set[str]) -> bool:
    """Whether an object consists of a result, the name of its function, and perhaps an id."""
    keys = item.keys() if isinstance(item, dict) else set()
    return keys - {"tool_call_id"} in ({"name", "content"}, {"name", "results"}) and item["name"] in called


def _unwrap(item: dict[str, Any]) -> Result:
    value = item["content"] if "content" in item else item["results"]
    value = decode_result(value) if isinstance(value, str) else value
    return Result(value, item["name"], str(item.get("tool_call_id", "")))
