"""Zip files that people bring: their members, and how much a compressed file may unpack to.

A file of 1.5 MB can unpack to 1.5 GB of zeros. So an archive may unpack to 100 MB, or to 100 times its own size if that
is more, but never to more than 20 GB, and one member that is read at once to no more than 2 GB. Text compresses to a
fifth or a thirtieth of its size. Larger archives can be unpacked by hand. Members may be stored or deflated: the
decoders of other methods unpack all that they are given, whatever size the archive states.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from coalm_it.corpora.sources import is_safe_path

MAX_RATIO = 100
ALWAYS_ALLOWED = 100_000_000
MAX_BYTES = 20_000_000_000
MAX_MEMBER_BYTES = 2_000_000_000
MAX_FILES = 200_000

# What zipfile raises for a damaged archive. RuntimeError: an encrypted member; struct.error, ValueError: wrong
# lengths in its directory, names that are no text.
UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    RuntimeError,
    NotImplementedError,
    EOFError,
    LookupError,
    ValueError,
    ArithmeticError,
)
_CHUNK = 1 << 20


class SupportsRead(Protocol):
    def read(self, size: int, /) -> bytes: ...


class ZipError(ValueError):
    """The archive or its member cannot be read; the message is one line, without their names."""


class Members(NamedTuple):
    """The names of the files in a zip file, sorted."""

    names: list[str]
    odd: list[str]
    """Names that no file below a folder can have: they are passed over."""


def limit_unpacked(packed: int) -> int:
    """How many bytes an archive of that many bytes may unpack to."""
    return min(MAX_BYTES, max(ALWAYS_ALLOWED, MAX_RATIO * packed))


def list_members(path: Path) -> Members:
    """Raises ZipError, also for an archive that unpacks to more than is allowed."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
        limit = limit_unpacked(path.stat().st_size)
    except UNREADABLE as error:
        raise ZipError(f"cannot be opened as a zip file: {_describe_failure(error)}") from None
    if len(infos) > MAX_FILES:
        raise ZipError(f"holds more than {MAX_FILES:,} files")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > limit:
        raise ZipError(f"unpacks to {unpacked:,} bytes, and {limit:,} are allowed for its size; unpack it to use it")
    odd = {info.orig_filename for info in infos if "\0" in info.orig_filename or not is_safe_path(info.filename)}
    names = {info.filename for info in infos if info.orig_filename not in odd}
    return Members(sorted(names), sorted(odd))


def read_limited(content: SupportsRead, limit: int) -> bytes:
    """The whole content, if it has no more than `limit` bytes. Raises ZipError."""
    chunks = []
    while chunk := content.read(_CHUNK):
        chunks.append(chunk)
        limit -= len(chunk)
        if limit < 0:
            raise ZipError("unpacks to more bytes than are allowed for its size; unpack it to use it")
    return b"".join(chunks)


@contextmanager
def open_zipped(path: Path, name: str) -> Iterator[IO[bytes]]:
    """A member of a zip file, to be read. Raises ZipError, also for what reading it raises."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(name)
            limit = min(MAX_MEMBER_BYTES, limit_unpacked(path.stat().st_size))
            if info.file_size > limit:
                raise ZipError(f"{info.file_size:,} bytes, and {limit:,} are allowed; unpack it to use it")
            with open_member(archive, info) as content:
                yield content
    except ZipError:
        raise
    except UNREADABLE as error:
        raise ZipError(_describe_failure(error)) from None


def open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Raises ZipError for a compression method whose output cannot be limited, and the errors of zipfile."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}.get(info.compress_type, str(info.compress_type))
        raise ZipError(f"compressed by method {method}, and only deflate is read; unpack it to use it")
    return archive.open(info)


def measure_member(path: Path, name: str) -> int:
    """The unpacked size of a member, in bytes. Raises ZipError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.getinfo(name).file_size
    except UNREADABLE as error:
        raise ZipError(_describe_failure(error)) from None


def _describe_failure(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split()) or type(error).__name__
