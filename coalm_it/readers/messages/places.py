"""Where a record has its messages and functions, as the YAML of its source says (see `Columns`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from coalm_it.corpora.corpus import Corpus, RawFile
from coalm_it.corpora.decoding import BrokenRecord
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.records import BadRecord, get_field, parse_json
from coalm_it.corpora.sources import Columns, SourceError
from coalm_it.corpora.system_tools import read_system_tools
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.readers.messages.parts import read_content
from coalm_it.schema import Tool

_MESSAGES = ("messages", "conversations", "contents")
_TOOLS = ("tools", "functions")
_SYSTEM = ("system", "developer")
_ROLES = {"call": "function_call"}
_IN_NAME = re.compile(r"\{([^{}]+)\}")


# --- places ---


def find_values(value: Any, place: str) -> Iterator[Any]:
    """The values at a place: keys with dots between them, which may be numbers in a list, or `*` for all items."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        value = parse_json(value, place)
    if isinstance(value, dict) and place in value:
        yield value[place]
        return
    key, dots, rest = place.partition(".")
    if key == "*":
        items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    elif isinstance(value, list) and key.lstrip("-").isdecimal():
        items = value[int(key) :][:1]
    else:
        items = [value[key]] if isinstance(value, dict) and key in value else []
    for item in items:
        if dots:
            yield from find_values(item, rest)
        else:
            yield item


def get_value(record: Any, place: str, *kinds: type) -> Any:
    """The value at a place of a record, which must exist; in a column it has one of the types. Raises BadRecord."""
    if "." not in place:
        return get_field(record, place, *(kinds or (object,)))
    for value in find_values(record, place):
        return value
    raise BadRecord(f"there is nothing at {place!r}")


# --- a file -> records ---


def list_records(file: RawFile, columns: Columns) -> Sequence[Any]:
    """The records of a file, wherever it has them. Raises SourceError."""
    records = read_records(file)
    if columns.records is None:
        return records
    found: list[Any] = []
    try:
        for value in (value for record in records for value in _find_records(record, columns.records)):
            found += value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else [value]
    except BadRecord as error:
        raise SourceError(f"{file.name}: {error}") from None
    if not found:
        raise SourceError(f"{file.name}: there are no records at {columns.records!r}")
    return found


def _find_records(record: Any, place: str) -> Iterator[Any]:
    return iter([[record]]) if isinstance(record, BrokenRecord) else find_values(record, place)


# --- a record -> messages ---


def find_messages(record: Any, columns: Columns) -> list[dict[str, Any]]:
    """The messages of a record, with the usual roles and keys, the answer last. Raises BadRecord."""
    if columns.query is not None:
        raw: list[Any] = [{"role": "user", "content": get_value(record, columns.query)}]
    else:
        raw = [message for place in _list_places(record, columns) for message in _read_list(record, place)]
    messages = [_rename(message, columns) for message in _parse_messages(raw)]
    if columns.roles:
        messages = [message for message in messages if message.get("role") != "skip"]
    if columns.answer is not None:
        messages.append(_read_answer(get_value(record, columns.answer)))
    return messages


def _list_places(record: Any, columns: Columns) -> tuple[str, ...]:
    if isinstance(columns.messages, tuple):
        return columns.messages
    there = [key for key in _MESSAGES if isinstance(record, dict) and key in record]
    return (columns.messages or (there[0] if there else "messages"),)


def _read_list(record: Any, place: str) -> list[Any]:
    value = get_value(record, place, list, str)
    if isinstance(value, str):
        value = parse_json(value, place)
    if not isinstance(value, list):
        raise BadRecord(f"{place!r} should be a list, found {value!r:.60}")
    return value


def _parse_messages(raw: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for number, message in enumerate(raw):
        value = parse_json(message, f"message {number}") if isinstance(message, str) else message
        if not isinstance(value, dict):
            raise BadRecord(f"message {number}: an object with 'role' was expected, found {value!r:.60}")
        yield value


def _rename(message: dict[str, Any], columns: Columns) -> dict[str, Any]:
    if columns.keys:
        message = _rename_keys(message, columns.keys)
    role = message.get("role", message.get("from"))
    if isinstance(role, str) and role in columns.roles:
        meant: str = columns.roles[role]
        message = {**message, "role": _ROLES.get(meant, meant)}
        message.pop("from", None)
    return message


def _rename_keys(message: dict[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """The message with other keys, and so its calls, but not the arguments of these."""
    renamed = {keys.get(key, key): value for key, value in message.items()}
    for key in ("tool_calls", "function_call", "function"):
        inner = renamed.get(key)
        if isinstance(inner, dict):
            renamed[key] = _rename_keys(inner, keys)
        elif isinstance(inner, list):
            renamed[key] = [_rename_keys(one, keys) if isinstance(one, dict) else one for one in inner]
    return renamed


def _read_answer(value: Any) -> dict[str, Any]:
    """The answer as a message: it is one, or calls, or a text. No calls are the decision to make none."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        value = parse_json(value, "answer")
    if isinstance(value, dict) and ("role" in value or "content" in value):
        return {"role": "assistant", **value}
    if isinstance(value, str):
        return {"role": "assistant", "content": value}
    return {"role": "function_call", "content": value}


# --- a record -> functions ---


def find_tools(
    record: Any, corpus: Corpus, messages: Sequence[dict[str, Any]], texts: Sequence[str] = ()
) -> tuple[Tool, ...]:
    """The functions of a record: its column, a file of the corpus, or what the system lists. Raises BadRecord.

    `texts` are what the system says beside the messages.
    """
    columns = corpus.columns
    if columns.tools_file is not None:
        return _read_shared(record, corpus, columns.tools_file)
    if columns.tools is not None:
        given = next(find_values(record, columns.tools), None)
    else:
        given = next((record[key] for key in _TOOLS if record.get(key)), None)
    if given and (tools := read_tools(given)):
        return tools
    said = [message for message in messages if str(message.get("role", message.get("from"))) in _SYSTEM]
    for message in said:
        if listed := next((message[key] for key in _TOOLS if message.get(key)), None):
            return read_tools(listed)
    for text in (*texts, *(read_content(message.get("content", message.get("value"))).text for message in said)):
        if tools := read_system_tools(text):
            return tools
    return ()


def _read_shared(record: Any, corpus: Corpus, name: str) -> tuple[Tool, ...]:
    """The functions of a file for all records, or those of them that the record names."""
    name = _IN_NAME.sub(lambda found: str(get_value(record, found[1])), name)
    file = next(
        (file for path, file in sorted(corpus.files.items()) if path == name or path.endswith(f"/{name}")), None
    )
    if file is None:
        raise BadRecord(f"there is no file {name}; the layout should list it under also")
    tools = _read_tools_file(file, file.version)
    if corpus.columns.tools_used is None:
        return tools
    named: set[str] = set()
    for value in find_values(record, corpus.columns.tools_used):
        named |= set(map(str, value)) if isinstance(value, list) else {str(value)}
    return tuple(tool for tool in tools if tool.name in named)


@lru_cache(maxsize=256)
def _read_tools_file(file: RawFile, version: tuple[int, int]) -> tuple[Tool, ...]:
    is_lines = file.plain_name.suffix.lower() in (".jsonl", ".ndjson")
    try:
        return read_tools(list(read_records(file)) if is_lines else file.read_json())
    except SourceError as error:
        raise BadRecord(str(error)) from None
