"""The records of a raw file, parsed once per process, and their conversion to dialogues or faults."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import PurePosixPath
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

import orjson

from coalm_it.calls import CallSyntaxError, parse_calls
from coalm_it.corpora.corpus import Corpus, RawFile, Shard
from coalm_it.corpora.sources import SourceError
from coalm_it.schema import Dialogue, Fault, Tool, Turn

T = TypeVar("T")
R = TypeVar("R", covariant=True)

_KINDS: dict[type, str] = {str: "a string", dict: "an object", list: "a list"}


class BadRecord(ValueError):
    """A record that lacks something or contradicts itself; the message says what, in one line."""


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line of a JSON lines file that is not JSON."""

    reason: str


# --- a file -> its records ---


def read_records(file: RawFile) -> Sequence[Any]:
    """Every record of a JSON list, a JSON lines file or a Parquet table. Raises SourceError.

    A Parquet table has every key of a struct in every row, so a null there means that the key is absent, and it
    is left out. The last file stays in memory, since a large file is read in several shards.
    """
    return _parse_file(file, file.version)


@lru_cache(maxsize=1)
def _parse_file(file: RawFile, version: tuple[int, int]) -> Sequence[Any]:
    suffix = PurePosixPath(file.name).suffix.lower()
    if suffix == ".parquet":
        return _parse_table(file)
    content = file.read_bytes().lstrip()
    if suffix == ".jsonl" or content.startswith(b"{"):
        return _parse_lines(file, content)
    return read_list(file, "records")


def read_list(file: RawFile, items: str) -> list[Any]:
    """The content of a file that holds one JSON list; `items` names what is in it. Raises SourceError."""
    records = file.read_json()
    if not isinstance(records, list):
        raise SourceError(f"{file.name}: a list of {items} was expected at the top")
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

    content = file.read_bytes()
    try:
        rows = parquet.read_table(pa.BufferReader(content)).to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # the last two: texts, dates
        reason = " ".join(str(error).split())
        raise SourceError(f"{file.name}: not Parquet, or cut off: {reason:.300}") from None
    return [_drop_nulls(row) for row in rows]


def _drop_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_nulls(item) for key, item in value.items() if item is not None}
    return [_drop_nulls(item) for item in value] if isinstance(value, list) else value


# --- records -> dialogues and faults ---


class ReadDialogues(Protocol[R]):
    """The signature of `read_dialogues` in every module of readers/."""

    def __call__(self, corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[R | Fault]: ...


def report_unreadable_file(read: ReadDialogues[R]) -> ReadDialogues[R]:
    """Decorates a reader that raises SourceError for a file that cannot be read: it yields one Fault instead.

    A file has one Fault, however many shards it is cut into.
    """

    @wraps(read)
    def read_or_report(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[R | Fault]:
        try:
            yield from read(corpus, split, shard, licence=licence)
        except SourceError as error:
            if shard.index == 0:
                name = shard.file.name
                yield Fault(file=name, reason=str(error).removeprefix(f"{name}: "))

    return read_or_report


class DialogueContent(NamedTuple):
    """What a reader makes of one record; where it comes from is added by `convert_dialogues`."""

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    clock: datetime.date | None = None


def convert_dialogues(
    corpus: Corpus,
    split: str,
    shard: Shard,
    licence: str,
    *,
    records: Sequence[Any],
    convert: Callable[[Any], DialogueContent | None],
    name: Callable[[Any, int], str],
) -> Iterator[Dialogue | Fault]:
    """A dialogue for each record of the shard, or a Fault; a record is left out where `convert` returns None.

    `records` are all records of the file; `name` gives a record its id, from its content and its index in the file.
    `convert` raises BadRecord.
    """

    def make_dialogue(record: Any, index: int) -> Dialogue | None:
        content = convert(record)
        if content is None:
            return None
        return Dialogue(
            id=name(record, index),
            source=corpus.source,
            split=split,
            licence=licence,
            clock=content.clock,
            tools=content.tools,
            turns=content.turns,
            file=shard.file.name,
            record=index,
        )

    return convert_records(shard, records, make_dialogue, name)


def convert_records(
    shard: Shard, records: Sequence[Any], convert: Callable[[Any, int], T | None], name: Callable[[Any, int], str]
) -> Iterator[T | Fault]:
    """Each record of the shard, converted, or a Fault where `convert` raises BadRecord; None is left out.

    `records` are all records of the file; `convert` and `name` take a record and its index in the file.
    """
    first, taken = shard.take(records)
    for index, record in enumerate(taken, first):
        converted: T | Fault | None
        try:
            if isinstance(record, BrokenLine):
                raise BadRecord(record.reason)
            converted = convert(record, index)
        except BadRecord as error:
            converted = Fault(file=shard.file.name, record=name(record, index), reason=str(error))
        if converted is not None:
            yield converted


def number_record(file: RawFile, index: int) -> str:
    """A name for a record that has none: its file and its index in the file."""
    return f"{PurePosixPath(file.name).with_suffix('').as_posix().replace('/', '_')}_{index}"


def get_field(record: Any, key: str, *kinds: type) -> Any:
    """The value of `key` in a record, which must exist and have one of the types. Raises BadRecord."""
    if not isinstance(record, dict):
        raise BadRecord(f"an object with {key!r} was expected, found {record!r:.60}")
    if key not in record:
        raise BadRecord(f"field {key!r} is missing; there is {', '.join(map(repr, record)) or 'none'}")
    value = record[key]
    if not isinstance(value, kinds):
        expected = " or ".join(_KINDS[kind] for kind in kinds)
        raise BadRecord(f"{key!r} should be {expected}, found {value!r:.60}")
    return value


# --- JSON inside JSON ---


def parse_json(text: str, what: str) -> Any:
    """The value of a JSON text; integers of any length stay exact. Raises BadRecord; `what` names the text there."""
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
    """For the `parse_constant` of a decoder: NaN and infinity are not JSON."""
    raise ValueError(f"{name} is no JSON value")


def decode_result(text: str) -> Any:
    """The result of a tool: an object or a list if the text is one, in JSON or Python notation; otherwise the text."""
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
