"""Finds the corpora in a folder, each in one of its layouts.

A corpus is recognised by the names and the first bytes of its files, anywhere in the folder; the members of a zip
file count as files next to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from coalm_it.corpora.corpus import Corpus, RawFile
from coalm_it.corpora.sources import Layout, Source, SourceError
from coalm_it.corpora.zip_files import ZipError, list_members


@dataclass(frozen=True)
class CorpusMatch:
    """A match of the search: a corpus that is used, or something that is skipped, and why."""

    source: str
    layout: str
    root: str
    used: bool
    reason: str = ""
    corpus: Corpus | None = None
    """None if only the file names match."""
    splits: tuple[str, ...] = ()
    """The splits that are read from it."""


def find_corpora(data: Path, sources: Sequence[Source]) -> list[CorpusMatch]:
    """Every corpus of `sources` in the folder (or zip file) `data`, in an order independent of the file system.

    One corpus per source is used: that of the first layout in the YAML, then of the first root by name. If the source
    has the same splits in all layouts, the next ones are used for splits that the first lacks. Raises SourceError if
    there is no such folder, or if `data` is a file that is no corpus.
    """
    paths, skipped = list_files(data)
    found = []
    for source in sources:
        read_from: dict[str, Corpus] = {}
        for layout in source.layouts:
            for corpus in _match_layout(source, layout, paths):
                reason = _check_first_bytes(corpus, layout)
                fits = None if reason else corpus
                wanted = fits and (source.same_splits or not read_from)
                splits = tuple(split for split in corpus.splits if split not in read_from) if wanted else ()
                if fits and not splits:
                    used = next(iter(read_from.values()))
                    reason = f"{source.name} is read from {used.root} (layout {used.layout})"
                    reason += _suggest_joining(source, layout, used, corpus)
                found.append(CorpusMatch(source.name, layout.name, corpus.root, not reason, reason, fits, splits))
                read_from |= dict.fromkeys(splits, corpus)
    # A folder with the files of one source is not reported for another source with the same file names.
    known = {item.root for item in found if item.corpus}
    found = [item for item in found if item.corpus or item.root not in known] + skipped
    if data.is_file() and not found:
        raise SourceError(f"{data} is a file, but no known corpus; --data takes the folder with the corpora")
    return found


def _suggest_joining(source: Source, layout: Layout, used: Corpus, other: Corpus) -> str:
    """How two places of one's own corpus are both read, to follow the sentence that one of them is not."""
    if source.reader != "messages":
        return ""
    places = [[] if one.root == "." else one.root.split("/") for one in (used, other)]
    while places[0] and places[1] and places[0][0] == places[1][0]:
        places = [place[1:] for place in places]
    depth = len(places[0])
    if used.layout != other.layout or depth != len(places[1]):
        return "; a corpus is one folder: to read both, bring their files together below one"
    globs = ", ".join(
        f"{split}: {'*/' * depth}{glob}" for split, glob in layout.splits.items() if split in other.splits
    )
    return f"; a corpus is one folder: to read both as one, change its globs to {{{globs}}}"


def _match_layout(source: Source, layout: Layout, paths: dict[str, RawFile]) -> Iterator[Corpus]:
    """A corpus for each root folder below which there are record files of the layout, sorted by root."""
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


def _check_first_bytes(corpus: Corpus, layout: Layout) -> str:
    """Why the files are not of this layout, or "". One correct beginning is enough: other files may be damaged."""
    if layout.begins is None:
        return ""
    reason = "the files have the names of this layout, but none has its first bytes"
    for file in corpus.files.values():
        try:
            if layout.begins.match(file.read_head().decode("latin-1")):
                return ""
        except SourceError as error:
            reason = str(error)
    return reason


def list_files(data: Path) -> tuple[dict[str, RawFile], list[CorpusMatch]]:
    """Path relative to `data` -> file, preferring plain files to zipped ones; and what is passed over."""
    files: dict[str, RawFile] = {}
    skipped: list[CorpusMatch] = []

    def skip(name: str, reason: str) -> None:
        skipped.append(CorpusMatch("", "", name, False, reason))

    for path in _walk(data):
        name = path.relative_to(data).as_posix() if path != data else path.name
        name = os.fsencode(name).decode(errors="backslashreplace")  # a name may not be UTF-8
        if path.exists() and not path.is_file():
            skip(name, "is no regular file but a pipe, a socket or a device, which is not opened")
        else:
            files[name] = RawFile(path, None, name)
    for name in sorted(name for name in files if name.lower().endswith(".zip")):
        folder = name.rpartition("/")[0]
        path = files[name].path
        try:
            members = list_members(path)
        except ZipError as error:
            skip(name, str(error))
            continue
        if members.odd:
            skip(name, f"{len(members.odd)} of its files have names that no file can have, as {members.odd[0]!r:.60}")
        for member in members.names:
            inside = f"{folder}/{member}".lstrip("/")
            files.setdefault(inside, RawFile(path, member, inside))
    return files, skipped


def _walk(data: Path) -> Iterator[Path]:
    """Every file below `data`; links are followed, hidden folders left out."""
    if data.is_file():
        yield data
    elif data.exists() and not data.is_dir():
        raise SourceError(f"{data} is neither a folder nor a regular file; --data takes the folder with the corpora")
    elif not data.is_dir():
        raise SourceError(f"{data}: no such folder; --data takes the folder with the corpora")
    seen = set()
    for folder, folders, names in os.walk(data, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder that was visited
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield Path(folder, name)
