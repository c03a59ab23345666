"""Xet's storage as a client that uploads sees it: xorbs of chunks, and shards that say which chunks make which file.

A file is put together here from what came in, so that a test compares what a reader would get. Layouts: the public
specification of the protocol. All integers are little-endian; a hash is four of 64 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

ENTRY = 48
"""Bytes of a shard's header, and of each entry in it."""
BOOKEND = b"\xff" * 32
HAS_VERIFICATION, HAS_METADATA = 1 << 31, 1 << 30


class XetStorage:
    def __init__(self) -> None:
        self.xorbs: dict[str, list[bytes]] = {}
        """Hash -> its chunks."""

    def add_xorb(self, name: str, content: bytes) -> None:
        self.xorbs[name] = list(_read_chunks(content))

    def read_files(self, shard: bytes) -> Iterator[bytes]:
        """The files that a shard describes, each the chunks of its terms one after the other."""
        place = ENTRY
        while shard[place : place + 32] != BOOKEND:
            flags, terms = struct.unpack_from("<II", shard, place + 32)
            content = b""
            for _ in range(terms):
                place += ENTRY
                _, size, first, end = struct.unpack_from("<IIII", shard, place + 32)
                part = b"".join(self.xorbs[_name_hash(shard[place : place + 32])][first:end])
                assert len(part) == size
                content += part
            place += ENTRY * (1 + (terms if flags & HAS_VERIFICATION else 0) + bool(flags & HAS_METADATA))
            yield content


def _name_hash(raw: bytes) -> str:
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


def _read_chunks(content: bytes) -> Iterator[bytes]:
    """Each has a header of 8 bytes: version 0, stored size, compression, size. A footer may follow."""
    place = 0
    while place < len(content) and content[place] == 0:
        stored, size = (int.from_bytes(content[place + at : place + at + 3], "little") for at in (1, 5))
        compression, data = content[place + 4], content[place + 8 : place + 8 + stored]
        place += 8 + stored
        if compression:
            data = pa.decompress(data, size, codec="lz4", asbytes=True)
        yield _ungroup(data) if compression == 2 else data


def _ungroup(data: bytes) -> bytes:
    """First all first bytes of each four, then all second ones, and so on: back in order."""
    whole, place = bytearray(len(data)), 0
    for offset in range(4):
        count = len(range(offset, len(data), 4))
        whole[offset::4] = data[place : place + count]
        place += count
    return bytes(whole)
