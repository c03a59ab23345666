"""A corpus on disk: its files, which may be members of a zip file, and the shards that they are cut into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

from coalm_it.corpora.sources import Columns, SourceError
from coalm_it.corpora.zip_files import ZipError, measure_member, read_member

SHARD_BYTES = 8_000_000
HEAD_BYTES = 512
"""How many bytes of a file `Layout.begins` is compared with."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file of a corpus, on disk or inside a zip file. Methods that read it raise SourceError."""

    path: Path
    member: str | None
    """Its name inside the zip file at `path`."""
    name: str
    """Relative to the corpus's root, with `/`."""

    def read_bytes(self) -> bytes:
        return self._read(-1)

    def read_head(self) -> bytes:
        """The first bytes, by which a layout is recognised."""
        return self._read(HEAD_BYTES)

    def read_text(self) -> str:
        """The content as text: UTF-8, or CESU-8, which encodes an emoji as a surrogate pair of three bytes each."""
        content = self.read_bytes()
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            try:
                pairs = content.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
                return pairs.decode("utf-16-le")
            except UnicodeDecodeError:
                message = f"not UTF-8: {error.reason} at byte {error.start}; it should be saved as UTF-8"
                raise SourceError(f"{self.name}: {message}") from None

    def read_json(self) -> Any:
        """The content as JSON. A truncated file is an error: no part of it is used."""
        content = self.read_bytes()
        if not content.strip():
            raise SourceError(f"{self.name}: the file is empty")
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            try:
                return orjson.loads(self.read_text())
            except orjson.JSONDecodeError as error:
                raise SourceError(f"{self.name}: not JSON, or cut off: {error}") from None

    @property
    def version(self) -> tuple[int, int]:
        """Size and time of the last change, as part of a cache key. Raises SourceError."""
        try:
            return self.size, self.path.stat().st_mtime_ns
        except OSError as error:
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
            if self.member is not None:
                return read_member(self.path, self.member, count)
            with self.path.open("rb") as file:
                return file.read(count)
        except (OSError, ZipError) as error:
            raise self._describe_failure(error) from None

    def _describe_failure(self, error: Exception) -> SourceError:
        place = f" in {self.path.name}" if self.member else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return SourceError(f"{self.name}: cannot be read{place}: {reason}")


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
