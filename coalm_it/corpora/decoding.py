"""The content of a raw file -> JSON values: exact for integers of any length, and strict record by record.

A value that JSON does not have (NaN, infinity, 1e400, half a surrogate pair) costs the record that holds it, which
becomes a BrokenRecord. A file that is cut off, or is no JSON, is an error as a whole: no part of it is used.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from coalm_it.calls.limits import check_value

_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS = b"0" * 19
"""An integer of more than 64 bits has at least as many digits; orjson would round it to a float."""
_DEPTH = 200
_BLANKS = re.compile(r"\s*+")


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A record that cannot be decoded, and why."""

    reason: str


class UnusableValue(ValueError):
    """A value that stands in correct JSON, but that no row can hold."""


class NumberTooLarge(UnusableValue):
    """A number with an exponent that no float can hold."""


# --- one value ---


def decode_strictly(text: str) -> Any:
    """The value of a JSON text; integers of any length stay exact. Raises ValueError or RecursionError."""
    value = json.loads(text, parse_constant=refuse_constant, parse_float=_parse_float)
    if "\\ud" in text.lower():
        try:
            check_value(value, _DEPTH)
        except ValueError as error:
            raise UnusableValue(str(error)) from None
    return value


def refuse_constant(name: str) -> NoReturn:
    """For the `parse_constant` of a decoder: NaN and infinity are not JSON."""
    raise ValueError(f"{name} is no JSON value")


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NumberTooLarge(f"the number {text:.40} is too large")
    return number


def _decode_bytes(content: bytes) -> Any:
    """Raises ValueError or RecursionError."""
    if _MANY_DIGITS in content.translate(_DIGITS):
        return decode_strictly(content.decode())
    return orjson.loads(content)


# --- a file ---


def decode_document(content: bytes, text: str | None = None) -> Any:
    """The value of a whole file; `text` is its content where it is not UTF-8. Raises ValueError or RecursionError.

    Where it holds values that JSON does not have, the items of a list at the top, and the values of an object there or
    their items, are checked one by one, and those that cannot be used are BrokenRecords.
    """
    try:
        return _decode_bytes(content) if text is None else orjson.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            value = json.loads(content.decode() if text is None else text)
        except (ValueError, RecursionError):
            raise error from None  # its message names line and column
    if isinstance(value, list):
        return [_check_record(item) for item in value]
    if isinstance(value, dict):
        return {
            key: [_check_record(one) for one in item] if isinstance(item, list) else _check_record(item)
            for key, item in value.items()
        }
    return _check_record(value)


def decode_lines(content: bytes) -> list[Any]:
    """The records of JSON lines, or of JSON objects one after another, each over several lines.

    Raises ValueError, which says where the first object ends early, if no line is an object.
    """
    records: list[Any] = []
    is_json = False
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            records.append(_decode_bytes(line))
            # In an object over several lines that is cut off, some lines are values.
            is_json = is_json or (bool(records[-1]) and isinstance(records[-1], dict))
        except (ValueError, RecursionError) as error:
            almost = _find_unusable(line)
            if not records and almost is None and (objects := _decode_objects(content)):
                return objects
            is_json = is_json or almost is not None
            records.append(BrokenRecord(f"line {number}: {almost.reason}" if almost else _describe(error, number)))
    if not is_json and any(isinstance(record, BrokenRecord) for record in records):
        raise ValueError(_describe_first_error(content))
    return records


def _find_unusable(line: bytes) -> BrokenRecord | None:
    """The fault of a line that is an object but for values that JSON does not have; None if it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    checked = _check_record(value)
    return checked if isinstance(value, dict) and isinstance(checked, BrokenRecord) else None


def _describe(error: Exception, number: int) -> str:
    where = f", at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return f"line {number} is not JSON, or cut off: {reason}{where}"


def _describe_first_error(content: bytes) -> str:
    """Why a content is not one object after another."""
    try:
        for _ in _split_objects(content.decode()):
            pass
    except json.JSONDecodeError as error:
        return f"{error.msg} at line {error.lineno}, character {error.colno}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return "no object"


def _decode_objects(content: bytes) -> list[Any]:
    """The objects of a file in which these stand one after another, each over several lines; empty if it is none."""
    try:
        return [_check_record(value) for value in _split_objects(content.decode())]
    except (ValueError, RecursionError):
        return []


def _split_objects(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    position = 0
    while True:
        blanks = _BLANKS.match(text, position)
        position = blanks.end() if blanks else position
        if position == len(text):
            return
        value, position = decoder.raw_decode(text, position)
        if not isinstance(value, dict):
            raise ValueError("no object")
        yield value


def _check_record(value: Any) -> Any:
    try:
        check_value(value, _DEPTH)
    except ValueError as error:
        return BrokenRecord(str(error))
    return value


# --- a table ---


def convert_row(row: dict[str, Any]) -> dict[str, Any] | BrokenRecord:
    """A row of an Arrow table as JSON has it: dates as ISO 8601, decimals as numbers, bytes as text.

    A table has every key of a struct in every row, so a null there means that the key is absent, and it is left out,
    like a NaN in a column of numbers.
    """
    try:
        return {key: _convert(value) for key, value in row.items() if value is not None and value == value}
    except ValueError as error:
        return BrokenRecord(str(error))


def drop_nulls(value: Any) -> Any:
    """The value without the keys that are null, as a table pads its objects."""
    if isinstance(value, dict):
        return {key: drop_nulls(item) for key, item in value.items() if item is not None}
    return [drop_nulls(item) for item in value] if isinstance(value, list) else value


def _convert(value: Any) -> Any:
    """Raises ValueError."""
    if isinstance(value, str | int) or value is None:
        return value
    if isinstance(value, dict):
        return {key: _convert(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_convert(item) for item in value]
    if isinstance(value, float):
        check_value(value, 0)
        return value
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return _convert_decimal(value)
    if isinstance(value, bytes):
        return _convert_bytes(value)
    if isinstance(value, uuid.UUID | datetime.timedelta):
        return str(value)
    raise ValueError(f"a value of the type {type(value).__name__}, which JSON does not have")


def _convert_decimal(value: decimal.Decimal) -> int | float | str:
    """A number that is as exact as the decimal, else its digits as text."""
    if not value.is_finite():
        raise ValueError(f"{value} is no JSON value")
    if value == value.to_integral_value() and value.as_tuple().exponent == 0:
        return int(value)
    number = float(value)
    return number if decimal.Decimal(repr(number)) == value else str(value)


def _convert_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError(f"bytes that are no text: {value!r:.60}") from None
