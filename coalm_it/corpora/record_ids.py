"""The ids of records: every record of a split has one of its own, whatever the corpus gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from coalm_it.corpora.corpus import Corpus, RawFile
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.sources import SourceError


def number_record(file: RawFile, index: int) -> str:
    """A name for a record that has none: its file and its index in the file."""
    return f"{file.plain_name.with_suffix('').as_posix().replace('/', '_')}_{index}"


def name_records(
    file: RawFile, records: Sequence[Any], name: Callable[[Any, int], str], earlier: Sequence[Sequence[str]] = ()
) -> list[str]:
    """An id for every record of a file, of its own: the second record of the id `a` is `a~2`.

    `earlier` has the ids that the records of the files before have been given by the corpus, file by file.
    """
    given = [_name_record(file, record, index, name) for index, record in enumerate(records)]
    files = [*earlier, given]
    if sum(map(len, files)) == len({id for ids in files for id in ids}):
        return given
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    for ids in files:
        own = _tell_apart(ids, taken, counts)
    return own


def _tell_apart(given: Sequence[str], taken: set[str], counts: Counter[str]) -> list[str]:
    """The ids of a file, numbered where they are in `taken`, to which they are added."""
    raw = frozenset(given)
    ids = []
    for id in given:
        own = id
        counts[id] += 1
        while own in taken or (own != id and own in raw):
            counts[id] += own != id
            own = f"{id}~{max(2, counts[id])}"
        taken.add(own)
        ids.append(own)
    return ids


def _name_record(file: RawFile, record: Any, index: int, name: Callable[[Any, int], str]) -> str:
    try:
        return name(record, index)
    except Exception:  # a record of a shape that nobody foresaw; its conversion says so
        return number_record(file, index)


def read_id(record: Any, column: str, file: RawFile, index: int) -> str:
    """The id in a column of the record; its file and its index in the file, where there is none."""
    value = record.get(column) if isinstance(record, dict) else None
    if isinstance(value, str | int | float) and not isinstance(value, bool) and (text := str(value).strip()):
        return text
    return number_record(file, index)


ReadRecords = Callable[[RawFile], Sequence[Any]]


def list_earlier_ids(
    corpus: Corpus, split: str, file: RawFile, column: str, read: ReadRecords = read_records
) -> list[tuple[str, ...]]:
    """The ids in a column of the files before this one, file by file. Files that cannot be read are left out.

    `read` lists the records of a file; it is part of a cache key.
    """
    files = corpus.splits.get(split, ())
    before = files[: files.index(file)] if file in files else ()
    return [_list_ids(other, other.version, column, read) for other in before]


@lru_cache(maxsize=4096)
def _list_ids(file: RawFile, version: tuple[int, int], column: str, read: ReadRecords) -> tuple[str, ...]:
    try:
        records = read(file)
    except SourceError:
        return ()
    return tuple(read_id(record, column, file, index) for index, record in enumerate(records))
