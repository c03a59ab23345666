"""Which records and messages of a corpus are read: by a value at a place (`keep`, `drop`, `skip`), and of records that
begin alike the longest (`prefixes`)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from coalm_it.corpora.columns import Columns, Value
from coalm_it.corpora.records import BadRecord, UnwantedRecord
from coalm_it.readers.messages.lookup import find_values


def refuse_unwanted(record: Any, columns: Columns) -> None:
    """Raises UnwantedRecord for a record that `keep` or `drop` leaves out; BadRecord, where `keep` finds nothing."""
    for place, wanted in columns.keep.items():
        if not _has_value(record, place, wanted):
            found = list(find_values(record, place))
            if not found:
                raise BadRecord(f"keep: there is nothing at {place!r}")
            raise UnwantedRecord(f"left out by keep: {place!r} is {found[0]!r:.60}")
    for place, unwanted in columns.drop.items():
        if _has_value(record, place, unwanted):
            raise UnwantedRecord(f"left out by drop: {_write_values(unwanted)} at {place!r}")


def is_skipped(message: Any, skip: Mapping[str, Collection[Value]]) -> bool:
    """Whether a message has one of the values of `skip`."""
    return any(_has_value(message, place, values) for place, values in skip.items())


def _write_values(values: Collection[Value]) -> str:
    return " or ".join(json.dumps(value, ensure_ascii=False) for value in values)


def _has_value(record: Any, place: str, wanted: Collection[Value]) -> bool:
    """Whether one of the values is at a place, or below it; what is absent is null."""
    found = list(find_values(record, place))
    if not found:
        return None in wanted
    return any(_equals(value, one) for value in _list_leaves(found) for one in wanted)


def _list_leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _list_leaves(item)
    else:
        yield value


def _equals(value: Any, wanted: Value) -> bool:
    if isinstance(value, str) and isinstance(wanted, str) and "*" in wanted:
        return _compile(wanted).fullmatch(value) is not None
    return bool(value == wanted)


@lru_cache
def _compile(wanted: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, wanted.split("*"))), re.DOTALL)


# --- records that begin alike ---


def refuse_beginning(messages: Sequence[Any], beginnings: Collection[bytes]) -> None:
    """Raises UnwantedRecord where a record's messages are the beginning of another one's (see `hash_beginnings`)."""
    if beginnings and messages and hash_beginnings(messages)[-1] in beginnings:
        raise UnwantedRecord("left out by prefixes: another record begins with all messages of this one")


def hash_beginnings(messages: Sequence[Any]) -> list[bytes]:
    """A hash of the first message, of the first two, and so on to all."""
    hashed = hashlib.blake2b(digest_size=16)
    hashes = []
    for message in messages:
        hashed.update(json.dumps(message, sort_keys=True).encode())
        hashes.append(hashed.digest())
    return hashes
