"""What is whole in a SQLite file that is damaged or cut off: its rows, read page by page.

SQLite reads a table down a tree of pages; where one page of the tree is bad, all that hangs on it is out of reach. But
each leaf of the tree says by itself which rows lie in it. So every page of the file is looked at, and those that are
leaves are read as https://www.sqlite.org/fileformat2.html has it. What is no row by accident fails its digest.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

MAGIC = b"SQLite format 3\0"
LEAF = 0x0D
"""The first byte of a page that holds rows of a table."""
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Code of a whole number -> its bytes."""
Row = tuple[Any, ...]


def is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_damaged(
    path: Path, tables: Mapping[str, Sequence[str]], digest_row: Callable[[Row], str]
) -> Iterator[tuple[str, Row]]:
    """Table and row for each row that is whole: its last column is the digest of the others.

    `tables`: name -> columns, without the row's number, which the first column of each table is.
    """
    widths = {len(columns): table for table, columns in tables.items()}
    with tempfile.TemporaryDirectory(prefix=".coalm-it-", dir=path.parent) as folder:
        copy = Path(folder) / "copy"
        for suffix in ("", "-wal"):
            if Path(f"{path}{suffix}").exists():
                shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        # What lies only in the write-ahead log comes into its pages, as far as the log is whole.
        with suppress(sqlite3.Error), closing(sqlite3.connect(copy)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = copy.read_bytes()
    size = int.from_bytes(content[16:18], "big")
    size = 65536 if size == 1 else size
    for start in range(0, len(content), max(size, 512)):
        for row in _read_leaf(content, start, size):
            if len(row) in widths and row[-1] == digest_row(row[:-1]):
                yield widths[len(row)], row


def set_aside(path: Path) -> Path:
    """Gives the damaged file another name, and its write-ahead log, which belongs to no other. Returns the name."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    return aside


def _read_leaf(content: bytes, start: int, size: int) -> Iterator[Row]:
    """The rows of one page, if it is a leaf; those that cannot be read are passed over."""
    page = content[start : start + size]
    head = 100 if start == 0 else 0  # the first page begins with the head of the file
    if len(page) < size or page[head] != LEAF:
        return
    cells = int.from_bytes(page[head + 3 : head + 5], "big")
    for number in range(cells):
        place = head + 8 + 2 * number
        with suppress(IndexError, ValueError, struct.error):
            yield _read_row(_read_payload(content, page, int.from_bytes(page[place : place + 2], "big"), size))


def _read_payload(content: bytes, page: bytes, place: int, size: int) -> bytes:
    """The bytes of a row; what does not fit on its page goes on in a chain of others."""
    length, place = _read_varint(page, place)
    _, place = _read_varint(page, place)
    usable = size - content[20]
    local, least = length, (usable - 12) * 32 // 255 - 23
    if length > usable - 35:
        local = least + (length - least) % (usable - 4)
        local = local if local <= usable - 35 else least
    payload = page[place : place + local]
    following = int.from_bytes(page[place + local : place + local + 4], "big") if local < length else 0
    while following and len(payload) < length:
        start = (following - 1) * size
        payload += content[start + 4 : start + usable]
        following = int.from_bytes(content[start : start + 4], "big")
    if len(payload) < length:
        raise ValueError("cut off")
    return payload[:length]


def _read_row(payload: bytes) -> Row:
    """The values behind the first, which is the row's number and is not stored here."""
    end, place = _read_varint(payload, 0)
    codes = []
    while place < end:
        code, place = _read_varint(payload, place)
        codes.append(code)
    values = []
    for code in codes:
        length = _value_length(code)
        values.append(_read_value(code, payload[place : place + length]))
        place += length
    return tuple(values[1:])


def _value_length(code: int) -> int:
    if code >= 12:
        return (code - 12) // 2
    return 8 if code == 7 else INTEGERS.get(code, 0)


def _read_value(code: int, raw: bytes) -> Any:
    if code >= 12:
        return raw.decode() if code % 2 else raw
    if code == 7:
        return struct.unpack(">d", raw)[0]
    if code in INTEGERS:
        return int.from_bytes(raw, "big", signed=True)
    return {8: 0, 9: 1}.get(code)


def _read_varint(raw: bytes, place: int) -> tuple[int, int]:
    """A number of up to nine bytes of seven bits each, and the place behind it."""
    value = 0
    for count in range(9):
        byte = raw[place + count]
        if count == 8:
            return value << 8 | byte, place + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, place + count + 1
