"""A corpus that is there: its files, on disk or in a zip file, and the shards that these are cut into."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

from coalm_it.corpora.sources import Columns, SourceError

SHARD_BYTES = 8_000_000
HEAD_BYTES = 512
"""How much of a file `Layout.begins` looks at."""
T = TypeVar("T")
# RuntimeError is an encrypted member, NotImplementedError a compression that Python lacks.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, KeyError)


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file as its publisher made it, on disk or inside a zip file. What fails raises SourceError."""

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
        """The content as text: UTF-8, or CESU-8, in which emoji are surrogate pairs of three bytes each."""
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
        """The content as JSON. A file that is cut off is an error too: nothing of it is used."""
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
    def size(self) -> int:
        """Bytes, unzipped; 0 for a file that is broken, which says why when it is read."""
        try:
            if self.member is None:
                return self.path.stat().st_size
            with zipfile.ZipFile(self.path) as archive:
                return archive.getinfo(self.member).file_size
        except UNREADABLE:
            return 0

    def _read(self, count: int) -> bytes:
        try:
            if self.member is None:
                with self.path.open("rb") as file:
                    return file.read(count)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as member:
                return member.read(count)
        except UNREADABLE as error:
            raise self._explain(error) from None

    def _explain(self, error: Exception) -> SourceError:
        place = f" in {self.path.name}" if self.member else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return SourceError(f"{self.name}: cannot be read{place}: {reason}")


@dataclass(frozen=True)
class Corpus:
    """A corpus that is there: one source in one layout at one place."""

    source: str
    layout: str
    root: str
    """Relative to the folder that was searched; "." is that folder itself."""
    splits: dict[str, tuple[RawFile, ...]]
    """Split -> the files that hold its records, by name."""
    files: dict[str, RawFile]
    """Name -> file, every one of the layout."""
    columns: Columns = field(default_factory=Columns)


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of one file's records, cut by number."""

    file: RawFile
    index: int = 0
    of: int = 1

    def take(self, records: Sequence[T]) -> tuple[int, Sequence[T]]:
        """The number of this shard's first record, and its records, out of all those of the file."""
        first = len(records) * self.index // self.of
        return first, records[first : len(records) * (self.index + 1) // self.of]


def cut_shards(corpus: Corpus, split: str, target_bytes: int = SHARD_BYTES) -> list[Shard]:
    """The split's files, large ones in parts: by size alone, so that every machine cuts alike."""
    shards = []
    for file in corpus.splits.get(split, ()):
        parts = max(1, -(-file.size // target_bytes))
        shards += [Shard(file, index, parts) for index in range(parts)]
    return shards
