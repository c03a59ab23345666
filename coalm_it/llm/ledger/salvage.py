"""Recovers the intact rows of a damaged or truncated SQLite file, page by page.

SQLite reads a table through a tree of pages; below a damaged page of the tree, no row can be reached, and without the
header of the file, none at all. But each leaf page describes its own rows. So every page of the file and of its
write-ahead log is examined, and leaf pages are read as described in https://www.sqlite.org/fileformat2.html. The digest
of a row reveals damage, and bytes that only look like a row.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from coalm_it.llm.ledger.rows import TABLES, read_row
from coalm_it.llm.request import Outcome

MAGIC = b"SQLite format 3\0"
HEADER = 100
"""Size of the header of the file, with which its first page begins."""
USUAL_SIZE = 4096
SIZES = (USUAL_SIZE, *(1 << bits for bits in range(9, 17) if 1 << bits != USUAL_SIZE))
"""Possible sizes of a page, the likeliest first: the header that states it may be damaged."""
LOG_HEADER, FRAME_HEADER = 32, 24
"""Sizes of the headers of the write-ahead log and of each page in it."""
LEAF = 0x0D
"""The first byte of a page that holds rows of a table."""
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Serial type of an integer -> its size in bytes."""
MAX_ROW = 1 << 25
"""Bytes of the largest row that is read; no answer is as long. A damaged length is not followed further."""
Row = tuple[Any, ...]


def is_database(path: Path) -> bool:
    """Whether the file starts like an SQLite database."""
    return _read_start(path)[: len(MAGIC)] == MAGIC


def has_valid_header(path: Path) -> bool:
    """Whether the fixed fields of the header are as in every ledger; SQLite reads some other values as another mode."""
    header = _read_start(path)
    return (
        header[: len(MAGIC)] == MAGIC
        and header[18:20] in (b"\1\1", b"\2\2")  # read and write version: without or with a write-ahead log
        and header[21:24] == b"\x40\x20\x20"  # fractions of a page, always the same
        and header[44:48] == b"\0\0\0\4"  # format of the schema
        and header[56:60] == b"\0\0\0\1"  # UTF-8
    )


def _read_start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEADER)
    except OSError:
        return b""


def read_damaged(path: Path) -> Iterator[Outcome]:
    """The outcome of each intact row, in the order of the file; a request may occur more than once."""
    content, log = path.read_bytes(), _read_log(path)
    for size in dict.fromkeys([_stated_size(content) or USUAL_SIZE, *SIZES]):
        found = False
        for newer in [log, {}] if log else [{}]:  # the log's version of a page may be the damaged one
            for outcome in _read_pages(Pages(content, size, newer)):
                found = True
                yield outcome
        if found:
            return


def holds_outcomes(path: Path) -> bool:
    """Whether any row of a damaged file is intact."""
    with suppress(OSError):
        return next(read_damaged(path), None) is not None
    return False


def move_aside(path: Path) -> Path:
    """Renames the damaged file, and its write-ahead log with it. Returns the new path."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    return aside


# --- pages ---


class Pages(NamedTuple):
    """A file as pages of a size; `log` has newer versions of some, by their number (from 1)."""

    content: bytes
    size: int
    log: dict[int, bytes]

    @property
    def usable(self) -> int:
        """Bytes of a page that SQLite uses; some builds reserve a few at its end."""
        reserved = self.content[20] if self.content.startswith(MAGIC) else 0
        return self.size - reserved if self.size - reserved >= 480 else self.size

    def read(self, number: int) -> bytes:
        """A page; shorter or empty if the file ends before."""
        newer = self.log.get(number, b"")
        return newer if len(newer) == self.size else self.content[(number - 1) * self.size : number * self.size]


def _stated_size(content: bytes) -> int:
    size = int.from_bytes(content[16:18], "big")
    size = 65536 if size == 1 else size
    return size if size in SIZES else 0


def _read_log(path: Path) -> dict[int, bytes]:
    """Number -> page, of the last version of each in the write-ahead log, which may lack its end."""
    try:
        content = Path(f"{path}-wal").read_bytes()
    except OSError:
        return {}
    size = int.from_bytes(content[8:12], "big")
    if size not in SIZES:
        return {}
    frames = range(LOG_HEADER, len(content) - FRAME_HEADER - size + 1, FRAME_HEADER + size)
    salt = content[16:24]  # of another salt are the leftovers of an earlier log
    return {
        int.from_bytes(content[start : start + 4], "big"): content[start + FRAME_HEADER : start + FRAME_HEADER + size]
        for start in frames
        if content[start + 8 : start + 16] == salt
    }


def _read_pages(pages: Pages) -> Iterator[Outcome]:
    widths = {len(columns): table for table, columns in TABLES.items()}
    last = max([len(pages.content) // pages.size, *pages.log])
    for number in range(1, last + 1):
        for row in _read_leaf(pages, number):
            outcome = read_row(widths[len(row)], row) if len(row) in widths else None
            if outcome is not None:
                yield outcome


def _read_leaf(pages: Pages, number: int) -> Iterator[Row]:
    """The rows of one page, if it is a leaf; rows that cannot be read are skipped."""
    page = pages.read(number)
    start = HEADER if number == 1 else 0
    if len(page) < pages.size:
        return
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    first = start + 8
    if first + 2 * count > pages.size:
        return
    pointers = struct.unpack(f">{count}H", page[first : first + 2 * count])
    # The byte that says what the page is may be damaged too.
    if page[start] != LEAF and not all(first + 2 * count <= pointer < pages.size for pointer in pointers):
        return
    for pointer in pointers:
        with suppress(IndexError, ValueError, struct.error):
            yield _read_row(_read_payload(pages, page, pointer))


def _read_payload(pages: Pages, page: bytes, offset: int) -> bytes:
    """The bytes of a row; those that do not fit on its page are in a chain of overflow pages."""
    length, offset = _read_varint(page, offset)
    _, offset = _read_varint(page, offset)
    if length > MAX_ROW:
        raise ValueError("damaged")
    usable = pages.usable
    local, least = length, (usable - 12) * 32 // 255 - 23
    if length > usable - 35:
        local = least + (length - least) % (usable - 4)
        local = local if local <= usable - 35 else least
    chunks, missing = [page[offset : offset + local]], length - local
    following = int.from_bytes(page[offset + local : offset + local + 4], "big")
    while missing > 0 and following:
        overflow = pages.read(following)
        if len(overflow) < usable:
            break
        chunks.append(overflow[4:usable])
        missing -= usable - 4
        following = int.from_bytes(overflow[:4], "big")
    payload = b"".join(chunks)
    if len(payload) < length:
        raise ValueError("truncated")
    return payload[:length]


# --- values ---


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
