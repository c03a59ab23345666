"""Which corpora lie in a folder, in which of their layouts; their files, and the shards that these are cut into.

A corpus is recognised by the names and the first bytes of its files, wherever in the folder they lie; the
members of a zip file count as files beside it.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import orjson

from coalm_it.sources import Columns, Layout, Source, SourceError, list_sources

SHARD_BYTES = 8_000_000
HEAD_BYTES = 512
"""How much of a file `Layout.begins` looks at."""

T = TypeVar("T")

# --- files ---

# RuntimeError is an encrypted member, NotImplementedError a compression that Python lacks.
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, KeyError)


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
        except _UNREADABLE:
            return 0

    def _read(self, count: int) -> bytes:
        try:
            if self.member is None:
                with self.path.open("rb") as file:
                    return file.read(count)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as member:
                return member.read(count)
        except _UNREADABLE as error:
            raise self._explain(error) from None

    def _explain(self, error: Exception) -> SourceError:
        place = f" in {self.path.name}" if self.member else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return SourceError(f"{self.name}: cannot be read{place}: {reason}")


# --- corpora and their shards ---


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


@dataclass(frozen=True)
class Found:
    """What the search met: a corpus that is used, or something that is passed over, and why."""

    source: str
    layout: str
    root: str
    used: bool
    reason: str = ""
    corpus: Corpus | None = None
    """None where only the names fit."""


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


# --- recognising ---


def find_corpora(data: Path, sources: Sequence[Source]) -> list[Found]:
    """Every corpus of `sources` in the folder (or zip file) `data`, in an order that no file system decides.

    One a source is used: its first layout in the YAML's order, then the first root by name. Raises
    SourceError when there is no such folder.
    """
    paths, broken = _list_files(data)
    found = []
    for source in sources:
        used: Corpus | None = None
        for layout in source.layouts:
            for corpus in _match_layout(source, layout, paths):
                reason = _compare_heads(corpus, layout)
                fits = None if reason else corpus
                if fits and used:
                    reason = f"{source.name} is read from {used.root} (layout {used.layout})"
                found.append(Found(source.name, layout.name, corpus.root, not reason, reason, fits))
                used = used or fits
    # Where one source's files lie, another's need not be missed that would be called the same.
    known = {item.root for item in found if item.corpus}
    return [item for item in found if item.corpus or item.root not in known] + broken


def describe_sources(data: Path | None = None) -> list[dict[str, object]]:
    """What is known, and with `data` what is there: a row for each thing found, and for each source not found.

    Columns: source, title, licence, layout, folder, files (split and number of record files), status. Raises
    SourceError.
    """
    sources = list_sources()
    found = find_corpora(data, sources) if data else []
    rows: list[dict[str, object]] = []
    for source in sources:
        about = {"source": source.name, "title": source.title, "licence": source.licence}
        layouts = ", ".join(layout.name for layout in source.layouts)
        nothing = {"layout": layouts, "folder": "", "files": "", "status": "not found" if data else ""}
        there = [_describe(item) for item in found if item.source == source.name]
        rows += [{**about, **item} for item in there or [nothing]]
    unknown = {"source": "", "title": "", "licence": ""}
    return rows + [{**unknown, **_describe(item)} for item in found if not item.source]


def _describe(item: Found) -> dict[str, str]:
    splits = item.corpus.splits if item.corpus else {}
    files = ", ".join(f"{split} {len(files)}" for split, files in splits.items())
    status = "used" if item.used else f"passed over: {item.reason}"
    return {"layout": item.layout, "folder": item.root, "files": files, "status": status}


def _match_layout(source: Source, layout: Layout, paths: dict[str, RawFile]) -> Iterator[Corpus]:
    """A corpus for each root under which record files of the layout lie, by root."""
    globs = [*layout.splits.items(), *(("", glob) for glob in layout.also)]
    roots: dict[str, dict[str, dict[str, RawFile]]] = {}
    for split, glob in globs:
        patterns = glob.split("/")
        for path, file in paths.items():
            parts = path.split("/")
            tail = parts[-len(patterns) :]
            if len(tail) == len(patterns) and all(map(fnmatchcase, tail, patterns)):
                root = "/".join(parts[: -len(patterns)]) or "."
                name = "/".join(tail)
                roots.setdefault(root, {}).setdefault(split, {})[name] = RawFile(file.path, file.member, name)
    for root in sorted(roots):
        named = roots[root]
        splits = {
            split: tuple(file for _, file in sorted(named[split].items())) for split in layout.splits if split in named
        }
        files = {name: file for matched in named.values() for name, file in matched.items()}
        if splits:
            listed = dict(sorted(files.items()))
            yield Corpus(source.name, layout.name, root, splits, listed, source.columns)


def _compare_heads(corpus: Corpus, layout: Layout) -> str:
    """Why the files are not the layout's, or "". One that begins rightly is enough: others may be damaged."""
    if layout.begins is None:
        return ""
    reason = "the files have the names of this layout, but none begins as it should"
    for file in corpus.files.values():
        try:
            if layout.begins.match(file.read_head().decode("latin-1")):
                return ""
        except SourceError as error:
            reason = str(error)
    return reason


def _list_files(data: Path) -> tuple[dict[str, RawFile], list[Found]]:
    """Path relative to `data` -> file, a real one before a zipped; and zip files that cannot be opened."""
    files: dict[str, RawFile] = {}
    for path in _walk(data):
        name = path.relative_to(data).as_posix() if path != data else path.name
        name = os.fsencode(name).decode(errors="backslashreplace")  # a name may be no UTF-8
        files[name] = RawFile(path, None, name)
    broken = []
    for name in sorted(name for name in files if name.lower().endswith(".zip")):
        folder = name.rpartition("/")[0]
        path = files[name].path
        try:
            with zipfile.ZipFile(path) as archive:
                members = sorted(info.filename for info in archive.infolist() if not info.is_dir())
        except _UNREADABLE as error:
            broken.append(Found("", "", name, False, f"cannot be opened as a zip file: {error}"))
            continue
        for member in members:
            inside = f"{folder}/{member}".lstrip("/")
            files.setdefault(inside, RawFile(path, member, inside))
    return files, broken


def _walk(data: Path) -> Iterator[Path]:
    """Every file below `data`, links followed, hidden folders left out."""
    if data.is_file():
        yield data
    elif not data.is_dir():
        raise SourceError(f"{data}: no such folder; --data takes the one in which the corpora lie")
    seen = set()
    for folder, folders, names in os.walk(data, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            yield Path(folder, name)
