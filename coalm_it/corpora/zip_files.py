"""Zip files that people bring: their members, and how much a compressed file may unpack to.

A file of 1.5 MB can unpack to 1.5 GB of zeros. So an archive may unpack to 100 MB, or to 100 times its own size if that
is more, but never to more than 20 GB, and one member that is read at once to no more than 2 GB. Text compresses to a
fifth or a thirtieth of its size. Larger archives can be unpacked by hand.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import NamedTuple

from coalm_it.corpora.sources import is_safe_path

MAX_RATIO = 100
ALWAYS_ALLOWED = 100_000_000
MAX_BYTES = 20_000_000_000
MAX_MEMBER_BYTES = 2_000_000_000
MAX_FILES = 200_000

# What zipfile raises for a damaged archive. RuntimeError: an encrypted member; NotImplementedError: a compression
# method that Python does not support; struct.error, ValueError: wrong lengths in its directory, names that are no text.
UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    RuntimeError,
    NotImplementedError,
    EOFError,
    LookupError,
    ValueError,
    ArithmeticError,
)
_CHUNK = 1 << 20
_SMALL_CHUNK = 1 << 12
"""For bzip2 and LZMA, whose decoders unpack all that they are given: 4 kB of bzip2 hold up to 80 MB."""


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
            infos = [info for info in archive.infolist() if not info.is_dir()]
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


def read_member(path: Path, name: str, count: int = -1) -> bytes:
    """The content of a member, or its first `count` bytes. Raises ZipError."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(name)
            limit = min(MAX_MEMBER_BYTES, limit_unpacked(path.stat().st_size))
            if info.file_size > limit:
                raise ZipError(f"{info.file_size:,} bytes, and {limit:,} are allowed; unpack it to use it")
            with archive.open(info) as content:
                if count >= 0:
                    return content.read(count)
                plain = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                return b"".join(iter(partial(content.read, _CHUNK if plain else _SMALL_CHUNK), b""))
    except ZipError:
        raise
    except UNREADABLE as error:
        raise ZipError(_describe_failure(error)) from None


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
