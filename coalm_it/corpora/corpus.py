"""A corpus on disk: its files, which may be members of a zip file, and the shards that they are cut into."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from coalm_it.corpora.columns import Columns
from coalm_it.corpora.decoding import decode_document
from coalm_it.corpora.sources import SourceError
from coalm_it.corpora.zip_files import (
    MAX_MEMBER_BYTES,
    ZipError,
    limit_unpacked,
    measure_member,
    open_zipped,
    read_limited,
)
from coalm_it.errors import OutsideError
from coalm_it.files import hash_bytes

SHARD_BYTES = 8_000_000
HEAD_BYTES = 512
"""How many bytes of a file `Layout.begins` is compared with."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
COMPRESSED = (".gz", ".zst")
T = TypeVar("T")


UNREADABLE_HASH = "unreadable"
"""Stands for the hash of a file that cannot be read; reading it gives a fault with the reason."""


class InputChangedError(OutsideError):
    """A file has not the content that the build was planned with; one line for the user."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file of a corpus, on disk or inside a zip file. Methods that read it raise SourceError."""

    path: Path
    member: str | None
    """Its name inside the zip file at `path`."""
    name: str
    """Relative to the corpus's root, with `/`."""
    sha256: str | None = None
    """Hash of the content that it must have (see `pin_file`); None: any content."""

    def read_bytes(self) -> bytes:
        """The content; that of a file called .gz or .zst is unpacked.

        Raises InputChangedError if the file is pinned and its content is another one now.
        """
        try:
            content = self._read(-1)
        except SourceError:
            if self.sha256 in (None, UNREADABLE_HASH):
                raise
            raise self._report_change() from None
        if self.sha256 is not None and hash_bytes(content) != self.sha256:
            raise self._report_change()
        return content

    def _report_change(self) -> InputChangedError:
        place = self.path if self.member is None else f"{self.member} in {self.path}"
        return InputChangedError(f"{place} changed while the build was reading it: nothing of it is used; run again")

    def read_head(self) -> bytes:
        """The first bytes without a byte order mark, by which a layout is recognised."""
        return self._drop_mark(self._read(HEAD_BYTES))

    def read_unmarked(self) -> bytes:
        """The content of a file of text, without a byte order mark."""
        return self._drop_mark(self.read_bytes())

    def read_text(self) -> str:
        """The content as text: UTF-8, or CESU-8, which encodes an emoji as a surrogate pair of three bytes each."""
        return self._decode(self.read_unmarked())

    def read_json(self) -> Any:
        """The content as JSON. A truncated file is an error: no part of it is used.

        A record that JSON cannot hold is a BrokenRecord; see `decode_document`.
        """
        content = self.read_unmarked()
        if not content.strip():
            raise SourceError(f"{self.name}: the file is empty")
        text = None if _is_utf_8(content) else self._decode(content)
        try:
            return decode_document(content, text)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{self.name}: not JSON, or cut off: {error}") from None

    @property
    def plain_name(self) -> PurePosixPath:
        """Its name without the ending of a compression."""
        name = PurePosixPath(self.name)
        return name.with_suffix("") if name.suffix.lower() in COMPRESSED else name

    @property
    def version(self) -> tuple[int, int]:
        """Size and time of the last change, as part of a cache key. Raises SourceError."""
        try:
            return self.size, self.path.stat().st_mtime_ns
        except OSError as error:
            if self.sha256 not in (None, UNREADABLE_HASH):
                raise self._report_change() from None
            raise self._describe_failure(error) from None

    @property
    def size(self) -> int:
        """Uncompressed size in bytes; 0 for a broken file, for which reading gives the reason."""
        try:
            return self.path.stat().st_size if self.member is None else measure_member(self.path, self.member)
        except (OSError, ZipError):
            return 0

    def _read(self, count: int) -> bytes:
        try:
            with self._open() as file:
                suffix = PurePosixPath(self.name).suffix.lower()
                if suffix in COMPRESSED:
                    return _unpack(file, suffix, count, limit_unpacked(self.path.stat().st_size))
                if self.member is None or count >= 0:
                    return file.read(count)
                return read_limited(file, MAX_MEMBER_BYTES)
        except (OSError, ZipError, EOFError, zlib.error) as error:
            raise self._describe_failure(error) from None

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        if self.member is None:
            with self.path.open("rb") as file:
                yield file
        else:
            with open_zipped(self.path, self.member) as member:
                yield member

    def _drop_mark(self, content: bytes) -> bytes:
        if content.startswith(UTF_16):
            raise SourceError(f"{self.name}: the file is UTF-16; it should be saved as UTF-8")
        return content.removeprefix(BYTE_ORDER_MARK)

    def _decode(self, content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            try:
                pairs = content.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
                return pairs.decode("utf-16-le")
            except UnicodeDecodeError:
                message = f"not UTF-8: {error.reason} at byte {error.start}; it should be saved as UTF-8"
                raise SourceError(f"{self.name}: {message}") from None

    def _describe_failure(self, error: Exception) -> SourceError:
        place = f" in {self.path.name}" if self.member else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return SourceError(f"{self.name}: cannot be read{place}: {reason}")


def pin_file(file: RawFile) -> RawFile:
    """The file, tied to the content that it has now: whoever reads it gets this content, or InputChangedError."""
    try:
        return replace(file, sha256=hash_bytes(file.read_bytes()))
    except SourceError:
        return replace(file, sha256=UNREADABLE_HASH)


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unpack(file: IO[bytes], suffix: str, count: int, limit: int) -> bytes:
    """The unpacked content, or its first `count` bytes. Raises ZipError for more than `limit` bytes."""
    if suffix == ".gz":
        with gzip.open(file) as unpacked:
            return unpacked.read(count) if count >= 0 else read_limited(unpacked, limit)
    import pyarrow as pa

    try:
        with pa.input_stream(file, compression="zstd") as stream:
            return bytes(stream.read(count)) if count >= 0 else read_limited(stream, limit)
    except pa.ArrowException as error:
        raise OSError(str(error)) from None


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk: one source in one layout in one folder."""

    source: str
    layout: str
    root: str
    """Relative to the folder that was searched, which is "." itself."""
    splits: dict[str, tuple[RawFile, ...]]
    """Split -> the files with its records, sorted by name."""
    files: dict[str, RawFile]
    """Name -> file, for every file of the layout."""
    columns: Columns = field(default_factory=Columns)


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of the records of one file: part `index` of `of`."""

    file: RawFile
    index: int = 0
    of: int = 1

    def take(self, records: Sequence[T]) -> tuple[int, Sequence[T]]:
        """The index of this shard's first record, and its records, given all records of the file."""
        first = len(records) * self.index // self.of
        return first, records[first : len(records) * (self.index + 1) // self.of]


def cut_shards(corpus: Corpus, split: str, target_bytes: int = SHARD_BYTES) -> list[Shard]:
    """The files of a split, large ones in parts: cut by file size alone, so that the parts are the same everywhere."""
    shards = []
    for file in corpus.splits.get(split, ()):
        parts = max(1, -(-file.size // target_bytes))
        shards += [Shard(file, index, parts) for index in range(parts)]
    return shards
