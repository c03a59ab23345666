"""A raw file -> its records, parsed once per process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from coalm_it.corpora.corpus import RawFile
from coalm_it.corpora.decoding import convert_row, decode_document, decode_lines
from coalm_it.corpora.sources import SourceError

_TABLES = {".parquet": "Parquet", ".arrow": "Arrow", ".feather": "Arrow"}
_LINES = (".jsonl", ".ndjson")


def read_records(file: RawFile) -> Sequence[Any]:
    """Every record of a JSON list, JSON lines, JSON objects one after another, or a Parquet or Arrow table.

    Raises SourceError. A record that cannot be decoded is a BrokenRecord. The last file stays in memory, since a large
    file is read in several shards.
    """
    return _parse_file(file, file.version)


@lru_cache(maxsize=1)
def _parse_file(file: RawFile, version: tuple[int, int]) -> Sequence[Any]:
    suffix = file.plain_name.suffix.lower()
    if suffix in _TABLES:
        return _parse_table(file, suffix)
    content = file.read_unmarked()
    has_lines = suffix in _LINES and not _is_one_list(content)
    if has_lines or content.lstrip().startswith(b"{"):
        return _parse_lines(file, content)
    return read_list(file, "records")


def _is_one_list(content: bytes) -> bool:
    """Whether the file is one JSON list, whatever its name says: it begins like one, and its first line is not a list
    of its own that other lines follow."""
    first, _, others = content.strip().partition(b"\n")
    if not first.startswith(b"[") or not others:
        return first.startswith(b"[")
    try:
        decode_document(first)
    except (ValueError, RecursionError):
        return True
    return False


def read_list(file: RawFile, items: str) -> list[Any]:
    """The content of a file that holds one JSON list; `items` names what is in it. Raises SourceError."""
    records = file.read_json()
    if not isinstance(records, list):
        raise SourceError(f"{file.name}: a list of {items} was expected at the top")
    return records


def _parse_lines(file: RawFile, content: bytes) -> list[Any]:
    try:
        records = decode_lines(content)
    except ValueError as error:
        forms = "neither a list of records, nor one record a line, nor one object after another over several lines"
        raise SourceError(f"{file.name}: {forms}, or cut off: {error}") from None
    if not records:
        raise SourceError(f"{file.name}: the file is empty")
    return records


def _parse_table(file: RawFile, suffix: str) -> list[Any]:
    import pyarrow as pa
    from pyarrow import ipc, parquet

    content = pa.py_buffer(file.read_bytes())
    try:
        if suffix == ".parquet":
            table = parquet.read_table(pa.BufferReader(content))
        else:
            try:
                table = ipc.open_stream(content).read_all()  # as `datasets` writes it
            except pa.ArrowInvalid:
                table = ipc.open_file(content).read_all()
        rows = table.to_pylist(maps_as_pydicts="lossy")
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # the last two: texts, dates
        reason = " ".join(str(error).split())
        raise SourceError(f"{file.name}: not {_TABLES[suffix]}, or cut off: {reason:.300}") from None
    return [convert_row(row) for row in rows]
