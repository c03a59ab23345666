"""The records of a raw file -> dialogues or faults.

No record can end a build: what it lacks or contradicts is a fault, and so is an error of our own.
"""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol, TypeVar

from coalm_it.calls import CallSyntaxError, parse_calls
from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.corpora.decoding import BrokenRecord, NumberTooLarge, UnusableValue, decode_strictly
from coalm_it.corpora.record_ids import name_records
from coalm_it.corpora.sources import SourceError
from coalm_it.errors import OutsideError
from coalm_it.schema import Dialogue, Fault, LeftOut, Mended, Place, Tool, Turn

T = TypeVar("T")
R = TypeVar("R", covariant=True)

_KINDS: dict[type, str] = {str: "a string", dict: "an object", list: "a list"}


class BadRecord(ValueError):
    """A record that lacks something or contradicts itself; the message says what, in one line."""


class UnwantedRecord(BadRecord):
    """A record that the YAML of its source leaves out; the message says why."""


# --- records -> dialogues and faults ---


class ReadDialogues(Protocol[R]):
    """The signature of `read_dialogues` in every module of readers/."""

    def __call__(self, corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[R | Fault]: ...


def report_unreadable_file(read: ReadDialogues[R]) -> ReadDialogues[R]:
    """Decorates a reader that raises SourceError for a file that cannot be read: it yields one Fault instead.

    So does any other exception, which is an error of ours. A file has one Fault, however many shards it is cut into.
    """

    @wraps(read)
    def read_or_report(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[R | Fault]:
        try:
            yield from read(corpus, split, shard, licence=licence)
        except SourceError as error:
            if shard.index == 0:
                name = shard.file.name
                yield Fault(file=name, reason=str(error).removeprefix(f"{name}: "))
        except OutsideError:
            raise
        except Exception as error:
            yield Fault(file=shard.file.name, reason=describe_own_error(error))

    return read_or_report


class DialogueContent(NamedTuple):
    """What a reader makes of one record; where it comes from is added by `convert_dialogues`."""

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    clock: datetime.date | None = None
    system: str = ""
    context_only: tuple[Place, ...] = ()
    mended: tuple[Mended, ...] = ()


def convert_dialogues(
    corpus: Corpus,
    split: str,
    shard: Shard,
    licence: str,
    *,
    records: Sequence[Any],
    convert: Callable[[Any], DialogueContent | None],
    name: Callable[[Any, int], str],
    earlier: Sequence[Sequence[str]] = (),
) -> Iterator[Dialogue | Fault]:
    """A dialogue for each record of the shard, or a Fault; a record is left out where `convert` returns None.

    `records` are all records of the file; `name` gives a record its id, from its content and its index in the file;
    `earlier` has the ids
    of the files before (see `name_records`). `convert` raises BadRecord.
    """

    ids = name_records(shard.file, records, name, earlier)

    def make_dialogue(record: Any, index: int) -> Dialogue | None:
        content = convert(record)
        if content is None:
            return None
        return Dialogue(
            id=ids[index],
            source=corpus.source,
            split=split,
            licence=licence,
            clock=content.clock,
            system=content.system,
            tools=content.tools,
            turns=content.turns,
            context_only=content.context_only,
            mended=content.mended,
            file=shard.file.name,
            record=index,
        )

    return convert_records(shard, records, make_dialogue, lambda record, index: ids[index])


def convert_records(
    shard: Shard, records: Sequence[Any], convert: Callable[[Any, int], T | None], name: Callable[[Any, int], str]
) -> Iterator[T | Fault]:
    """Each record of the shard, converted, or a Fault where `convert` raises an exception; None is left out.

    `records` are all records of the file; `convert` and `name` take a record and its index in the file. BadRecord says
    what is wrong with a record; UnwantedRecord, why the YAML of the source leaves it out (it becomes a LeftOut); any
    other exception is an error of ours.
    """
    first, taken = shard.take(records)
    for index, record in enumerate(taken, first):
        converted: T | Fault | None
        try:
            if isinstance(record, BrokenRecord):
                raise BadRecord(record.reason)
            converted = convert(record, index)
        except UnwantedRecord as error:
            converted = LeftOut(file=shard.file.name, record=name(record, index), reason=str(error))
        except BadRecord as error:
            converted = Fault(file=shard.file.name, record=name(record, index), reason=str(error))
        except OutsideError:
            raise
        except Exception as error:
            converted = Fault(file=shard.file.name, record=name(record, index), reason=describe_own_error(error))
        if converted is not None:
            yield converted


def describe_own_error(error: Exception) -> str:
    """The reason of a fault for an exception that nobody foresaw."""
    *_, frame = traceback.extract_tb(error.__traceback__)
    place = f"{PurePath(frame.filename).name}, line {frame.lineno}"
    message = " ".join(str(error).split())
    return f"an error of coalm-it, please report it: {type(error).__name__}: {message:.160} ({place})"


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
        return decode_strictly(text)
    except UnusableValue as error:
        raise BadRecord(f"{what}: {error}, in {text!r:.60}") from None
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{what}: not JSON: {error}, in {text!r:.60}") from None


def decode_result(text: str) -> Any:
    """The result of a tool: an object or a list if the text is one, in JSON or Python notation; otherwise the text.

    Raises BadRecord for a number that is too large.
    """
    if not text.startswith(("{", "[")):
        return text
    try:
        return decode_strictly(text)
    except NumberTooLarge as error:
        raise BadRecord(f"result: {error}") from None
    except (ValueError, RecursionError):
        return decode_literal(text)


def decode_literal(text: str) -> Any:
    """The value of a text in Python notation; the text itself if it is none."""
    try:
        (call,) = parse_calls(f"result(value={text})", "python")
    except (CallSyntaxError, ValueError):
        return text
    return call.arguments["value"] if call.arguments.keys() == {"value"} else text
