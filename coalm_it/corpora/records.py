"""The records of a raw file, parsed once a process, and how each is converted or becomes a fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, NoReturn, TypeVar

import orjson

from coalm_it.calls import CallSyntaxError, parse_calls
from coalm_it.corpora.corpus import RawFile, Shard
from coalm_it.corpora.sources import SourceError
from coalm_it.schema import Fault

T = TypeVar("T")

_KINDS: dict[type, str] = {str: "a string", dict: "an object", list: "a list"}


class BadRecord(ValueError):
    """A record that lacks something or contradicts itself; one line that says what."""


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line of a JSON lines file that is not JSON."""

    reason: str


# --- a file -> its records ---


def read_records(file: RawFile) -> Sequence[Any]:
    """Every record of a file: of a JSON list, of JSON lines, of a Parquet table. Raises SourceError.

    A Parquet table has every key of a struct in every row, so a null there says that the key is absent, and it
    is left out. The file read last stays in memory, since a large one is read in several shards.
    """
    try:
        changed = file.path.stat().st_mtime_ns
    except OSError as error:
        raise SourceError(f"{file.name}: cannot be read: {error.strerror}") from None
    return _parse_file(file, file.size, changed)


@lru_cache(maxsize=1)
def _parse_file(file: RawFile, size: int, changed: int) -> Sequence[Any]:
    suffix = PurePosixPath(file.name).suffix.lower()
    if suffix == ".parquet":
        return _parse_table(file)
    content = file.read_bytes().lstrip()
    if suffix == ".jsonl" or content.startswith(b"{"):
        return _parse_lines(file, content)
    records = file.read_json()
    if not isinstance(records, list):
        raise SourceError(f"{file.name}: a list of records was expected at the top")
    return records


def _parse_lines(file: RawFile, content: bytes) -> list[Any]:
    records: list[Any] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            try:
                records.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                records.append(BrokenLine(f"line {number} is not JSON, or cut off: {error}"))
    if not records:
        raise SourceError(f"{file.name}: the file is empty")
    if all(isinstance(record, BrokenLine) for record in records):
        raise SourceError(f"{file.name}: neither a list of records nor one record a line")
    return records


def _parse_table(file: RawFile) -> list[Any]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        rows = parquet.read_table(pa.BufferReader(file.read_bytes())).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{file.name}: not Parquet, or cut off: {error}") from None
    return [_drop_nulls(row) for row in rows]


def _drop_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_nulls(item) for key, item in value.items() if item is not None}
    return [_drop_nulls(item) for item in value] if isinstance(value, list) else value


# --- a record -> what a reader makes of it ---


def convert_records(
    shard: Shard, convert: Callable[[Any, int], T], name: Callable[[Any, int], str]
) -> Iterator[T | Fault]:
    """Each record of the shard, converted, or a Fault where `convert` raises BadRecord; both get its number.

    A file that cannot be read is one Fault, however many shards it was cut into.
    """
    file = shard.file
    try:
        first, records = shard.take(read_records(file))
    except SourceError as error:
        if shard.index == 0:
            yield Fault(file=file.name, reason=str(error).removeprefix(f"{file.name}: "))
        return
    for number, record in enumerate(records, first):
        converted: T | Fault
        try:
            if isinstance(record, BrokenLine):
                raise BadRecord(record.reason)
            converted = convert(record, number)
        except BadRecord as error:
            converted = Fault(file=file.name, record=name(record, number), reason=str(error))
        yield converted


def number_record(file: RawFile, number: int) -> str:
    """A name for a record that has none of its own: its file and its place in it."""
    return f"{PurePosixPath(file.name).with_suffix('').as_posix().replace('/', '_')}_{number}"


def get_field(record: Any, key: str, *kinds: type) -> Any:
    """The record's value under `key`, which must be there and of one of the kinds. Raises BadRecord."""
    if not isinstance(record, dict):
        raise BadRecord(f"an object with {key!r} was expected, found {record!r:.60}")
    if key not in record:
        raise BadRecord(f"field {key!r} is missing; there is {', '.join(map(repr, record)) or 'none'}")
    value = record[key]
    if not isinstance(value, kinds):
        expected = " or ".join(_KINDS[kind] for kind in kinds)
        raise BadRecord(f"{key!r} should be {expected}, found {value!r:.60}")
    return value


# --- JSON inside of JSON ---


def parse_json(text: str, what: str) -> Any:
    """The value of a JSON text, integers of any length exact. Raises BadRecord; `what` names the text in it."""
    try:
        value = json.loads(text, parse_constant=refuse_constant)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRecord(f"{what}: half a surrogate pair in {text!r:.60}") from None
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{what}: not JSON: {error}, in {text!r:.60}") from None
    return value


def refuse_constant(name: str) -> NoReturn:
    """For a decoder's `parse_constant`: NaN and infinity are not JSON."""
    raise ValueError(f"{name} is no JSON value")


def decode_result(text: str) -> Any:
    """What a tool answered: an object or a list where the text is one, as JSON or Python spells it, and else text."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return parse_json(text, "result")
    except BadRecord:
        pass
    try:
        (call,) = parse_calls(f"result(value={text})", "python")
    except (CallSyntaxError, ValueError):
        return text
    return call.arguments["value"] if call.arguments.keys() == {"value"} else text
