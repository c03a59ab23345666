"""A place in a record, as the YAML of a source writes it (see `Columns`) -> the values there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.corpora.records import BadRecord, get_field, parse_json


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
