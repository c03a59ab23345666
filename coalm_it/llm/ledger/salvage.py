"""Recovers the intact rows of a damaged or truncated SQLite file, page by page.

SQLite reads a table through a tree of pages; below a damaged page of the tree, no row can be reached. But each leaf
page describes its own rows. So every page of the file is examined, and leaf pages are read as described in
https://www.sqlite.org/fileformat2.html. The digest of a row reveals damage, and bytes that only look like a row.
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
"""Serial type of an integer -> its size in bytes."""
Row = tuple[Any, ...]


def is_database(path: Path) -> bool:
    """Whether the file starts like an SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_damaged(
    path: Path, tables: Mapping[str, Sequence[str]], digest_row: Callable[[Row], str]
) -> Iterator[tuple[str, Row]]:
    """Table and values of each intact row; its last value is the digest of the others.

    `tables`: name -> columns, without the first column of each table, its integer primary key.
    """
    widths = {len(columns): table for table, columns in tables.items()}
    with tempfile.TemporaryDirectory(prefix=".coalm-it-", dir=path.parent) as folder:
        copy = Path(folder) / "copy"
        for suffix in ("", "-wal"):
            if Path(f"{path}{suffix}").exists():
                shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        # Moves rows that are only in the write-ahead log to their pages, as far as the log is intact.
        with suppress(sqlite3.Error), closing(sqlite3.connect(copy)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = copy.read_bytes()
    size = int.from_bytes(content[16:18], "big")
    size = 65536 if size == 1 else size
    for start in range(0, len(content), max(size, 512)):
        for row in _read_leaf(content, start, size):
            if len(row) in widths and row[-1] == digest_row(row[:-1]):
                yield widths[len(row)], row


def move_aside(path: Path) -> Path:
    """Renames the damaged file, and its write-ahead log with it. Returns the new path."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    return aside


def _read_leaf(content: bytes, start: int, size: int) -> Iterator[Row]:
    """The rows of one page, if it is a leaf; rows that cannot be read are skipped."""
    page = content[start : start + size]
    header = 100 if start == 0 else 0  # the first page begins with the header of the file
    if len(page) < size or page[header] != LEAF:
        return
    cells = int.from_bytes(page[header + 3 : header + 5], "big")
    for index in range(cells):
        pointer = header + 8 + 2 * index
        with suppress(IndexError, ValueError, struct.error):
            yield _read_row(_read_payload(content, page, int.from_bytes(page[pointer : pointer + 2], "big"), size))


def _read_payload(content: bytes, page: bytes, offset: int, size: int) -> bytes:
    """The bytes of a row; those that do not fit on its page are in a chain of overflow pages."""
    length, offset = _read_varint(page, offset)
    _, offset = _read_varint(page, offset)
    usable = size - content[20]
    local, least = length, (usable - 12) * 32 // 255 - 23
    if length > usable - 35:
        local = least + (length - least) % (usable - 4)
        local = local if local <= usable - 35 else least
    payload = page[offset : offset + local]
    following = int.from_bytes(page[offset + local : offset + local + 4], "big") if local < length else 0
    while following and len(payload) < length:
        start = (following - 1) * size
        payload += content[start + 4 : start + usable]
        following = int.from_bytes(content[start : start + 4], "big")
    if len(payload) < length:
        raise ValueError("truncated")
    return payload[:length]


def _read_row(payload: bytes) -> Row:
    """The values without the first, the integer primary key, which is not stored in the payload."""
    end, offset = _read_varint(payload, 0)
    types = []
    while offset < end:
        serial_type, offset = _read_varint(payload, offset)
        types.append(serial_type)
    values = []
    for serial_type in types:
        length = _value_length(serial_type)
        values.append(_read_value(serial_type, payload[offset : offset + length]))
        offset += length
    return tuple(values[1:])


def _value_length(serial_type: int) -> int:
    if serial_type >= 12:
        return (serial_type - 12) // 2
    return 8 if serial_type == 7 else INTEGERS.get(serial_type, 0)


def _read_value(serial_type: int, raw: bytes) -> Any:
    if serial_type >= 12:
        return raw.decode() if serial_type % 2 else raw
    if serial_type == 7:
        return struct.unpack(">d", raw)[0]
    if serial_type in INTEGERS:
        return int.from_bytes(raw, "big", signed=True)
    return {8: 0, 9: 1}.get(serial_type)


def _read_varint(raw: bytes, offset: int) -> tuple[int, int]:
    """A variable-length integer (up to nine bytes, seven bits each), and the offset of the byte after it."""
    value = 0
    for count in range(9):
        byte = raw[offset + count]
        if count == 8:
            return value << 8 | byte, offset + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, offset + count + 1
