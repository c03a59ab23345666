"""Where a record has its messages and functions, as the YAML of its source says (see `Columns`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import Any

from coalm_it.corpora.columns import Columns
from coalm_it.corpora.corpus import Corpus, RawFile
from coalm_it.corpora.decoding import BrokenRecord
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.records import BadRecord, parse_json
from coalm_it.corpora.sources import SourceError
from coalm_it.corpora.system_tools import read_system_tools
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.readers.messages.lookup import find_values, get_value
from coalm_it.readers.messages.moves import split_results
from coalm_it.readers.messages.own_rows import has_completion, refuse_plain_text
from coalm_it.readers.messages.parts import read_content
from coalm_it.readers.messages.selection import hash_beginnings, is_skipped, refuse_unwanted
from coalm_it.readers.messages.texts import cut_texts, split_transcript
from coalm_it.readers.messages.trajectories import expand_steps, is_trajectory, join_sessions, list_definitions
from coalm_it.schema import Tool

_MESSAGES = ("messages", "conversations", "contents")
_WITH_COMPLETION = ("prompt", "completion")
_TOOLS = ("tools", "functions")
_SYSTEM = ("system", "developer")
_ROLES = {"call": "function_call"}
_IN_NAME = re.compile(r"\{([^{}]+)\}")


# --- a file -> records ---


@lru_cache
def read_records_at(place: str | None) -> Callable[[RawFile], Sequence[Any]]:
    """The function that lists the records of a file, wherever it has them; the same one for the same place."""
    return _list_whole_records if place is None else partial(_list_records, place)


def _list_whole_records(file: RawFile) -> Sequence[Any]:
    return join_sessions(read_records(file))


def _list_records(place: str, file: RawFile) -> Sequence[Any]:
    """The records at a place of a file. Raises SourceError."""
    found: list[Any] = []
    try:
        for value in (value for record in read_records(file) for value in _find_records(record, place)):
            found += value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else [value]
    except BadRecord as error:
        raise SourceError(f"{file.name}: {error}") from None
    if not found:
        raise SourceError(f"{file.name}: there are no records at {place!r}")
    return found


def _find_records(record: Any, place: str) -> Iterator[Any]:
    return iter([[record]]) if isinstance(record, BrokenRecord) else find_values(record, place)


# --- a record -> messages ---


def find_messages(record: Any, columns: Columns) -> list[dict[str, Any]]:
    """The messages of a record, with the usual roles and keys, without the answer. Raises BadRecord."""
    raw: list[Any]
    learnt_from = 0
    if columns.query is not None:
        asked = get_value(record, columns.query)
        raw = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
    elif columns.speakers:
        raw = split_transcript(get_value(record, str(columns.messages), str), columns.speakers)
    else:
        places = _list_places(record, columns)
        lists = [_read_list(record, place) for place in places]
        raw = [message for one in lists for message in one]
        if columns.messages is None and places == _WITH_COMPLETION:
            learnt_from = len(lists[0])
    parsed: Iterable[dict[str, Any]] = _parse_messages(raw, learnt_from)
    if columns.skip:
        parsed = (message for message in parsed if not is_skipped(message, columns.skip))
    parsed = expand_steps(parsed)
    roles = {**columns.roles, **columns.speakers}
    if columns.keys or roles:
        parsed = (_rename(message, columns.keys, roles) for message in parsed)
    messages = [message for message in parsed if message.get("role") != "skip"] if roles else list(parsed)
    if columns.cut:
        messages = list(cut_texts(messages, columns.cut))
    return list(split_results(messages)) if "result" in columns.keys.values() else messages


def _list_places(record: Any, columns: Columns) -> tuple[str, ...]:
    if isinstance(columns.messages, tuple):
        return columns.messages
    if columns.messages is not None:
        return (columns.messages,)
    if there := [key for key in _MESSAGES if isinstance(record, dict) and key in record]:
        return (there[0],)
    if has_completion(record):
        return _WITH_COMPLETION[: 1 if columns.answer else 2]
    return ("steps",) if is_trajectory(record) else ("messages",)


def _read_list(record: Any, place: str) -> list[Any]:
    """The messages at a place: a list, or with `*` all messages and lists of messages that are found."""
    if "*" in place:
        found = list(find_values(record, place))
        return [one for value in found for one in (value if isinstance(value, list) else [value])]
    value = get_value(record, place, list, str)
    if place == "prompt":
        refuse_plain_text(place, value)
    if isinstance(value, str):
        value = parse_json(value, place)
    if not isinstance(value, list):
        raise BadRecord(f"{place!r} should be a list, found {value!r:.60}")
    return value


def _parse_messages(raw: Sequence[Any], learnt_from: int = 0) -> Iterator[dict[str, Any]]:
    """The messages as objects; those before `learnt_from` are context."""
    for number, message in enumerate(raw):
        value = parse_json(message, f"message {number}") if isinstance(message, str) else message
        if not isinstance(value, dict):
            raise BadRecord(f"message {number}: an object with 'role' was expected, found {value!r:.60}")
        yield {**value, "weight": 0} if number < learnt_from else value


def _rename(message: dict[str, Any], keys: Mapping[str, str], roles: Mapping[str, str]) -> dict[str, Any]:
    if keys:
        message = _rename_keys(message, keys)
    role = message.get("role", message.get("from"))
    if isinstance(role, str) and role in roles:
        meant = roles[role]
        message = {**message, "role": _ROLES.get(meant, meant)}
        message.pop("from", None)
    return message


def _rename_keys(message: dict[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """The message with other keys, and so its calls, but not the arguments of these."""
    renamed: dict[str, Any] = {}
    for key, value in message.items():
        name = keys.get(key, key)
        if value is not None or name not in renamed:  # several keys may be one, where all but one are null
            renamed[name] = value
    for key in ("tool_calls", "function_call", "function"):
        inner = renamed.get(key)
        if isinstance(inner, dict):
            renamed[key] = _rename_keys(inner, keys)
        elif isinstance(inner, list):
            renamed[key] = [_rename_keys(one, keys) if isinstance(one, dict) else one for one in inner]
    return renamed


def list_beginnings(file: RawFile, columns: Columns) -> frozenset[bytes]:
    """The hash of every beginning of a record's messages that is shorter than the record, in a whole file.

    Records that cannot be read or that `keep` and `drop` leave out have none. Raises SourceError.
    """
    return _list_beginnings(file, file.version, columns.model_dump_json())


@lru_cache(maxsize=1)
def _list_beginnings(file: RawFile, version: tuple[int, int], settings: str) -> frozenset[bytes]:
    columns = Columns.model_validate_json(settings)
    hashes: set[bytes] = set()
    for record in read_records_at(columns.records)(file):
        try:
            value = parse_json(record, "record") if isinstance(record, str) else record
            refuse_unwanted(value, columns)
            hashes.update(hash_beginnings(find_messages(value, columns))[:-1])
        except BadRecord:
            continue
    return frozenset(hashes)


# --- a record -> functions ---


def find_tools(
    record: Any, corpus: Corpus, file: RawFile, messages: Sequence[dict[str, Any]], texts: Sequence[str] = ()
) -> tuple[Tool, ...]:
    """The functions of a record: its column, a file of the corpus, or what the system lists. Raises BadRecord.

    `texts` are what the system says beside the messages.
    """
    columns = corpus.columns
    if columns.tools_file is not None:
        return _read_shared(record, corpus, fill_name(columns.tools_file, record, file))
    if columns.tools is not None:
        given = next(find_values(record, columns.tools), None)
        if isinstance(given, str):
            return _read_text(given)
    else:
        given = next((record[key] for key in _TOOLS if record.get(key)), None) or list_definitions(record)
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


def _read_text(text: str) -> tuple[Tool, ...]:
    """The functions of a text: JSON, or prose that lists them, or that has none. Raises BadRecord."""
    try:
        return read_tools(text)
    except BadRecord:
        listed = read_system_tools(text)
        if not listed and text.lstrip().startswith(("{", "[")):
            raise
        return listed


def fill_name(name: str, record: Any, file: RawFile) -> str:
    """The name of a file of the corpus, with `{file}` and the `{place}`s of the record filled in. Raises BadRecord."""

    def fill(found: re.Match[str]) -> str:
        return PurePosixPath(file.name).name if found[1] == "file" else str(get_value(record, found[1]))

    return _IN_NAME.sub(fill, name)


def find_file(corpus: Corpus, name: str) -> RawFile:
    """The file of a corpus whose path ends in `name`. Raises BadRecord."""
    for path, file in sorted(corpus.files.items()):
        if path == name or path.endswith(f"/{name}"):
            return file
    raise BadRecord(f"there is no file {name}; the layout should list it under also")


def _read_shared(record: Any, corpus: Corpus, name: str) -> tuple[Tool, ...]:
    """The functions of a file for all records, or those of them that the record names."""
    file = find_file(corpus, name)
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
