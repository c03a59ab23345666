"""Finished shards, kept between builds in the user's cache folder, under a hash of everything that they depend on.

So another output folder, a changed quota or an added part uses them again. A file is called KEY.CHECKSUM.arrow: what a
disk has damaged is recognised, removed and made again. The oldest are removed when they take more than the size limit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from coalm_it.dataset.summary import ShardSummary
from coalm_it.dataset.tables import write_table
from coalm_it.errors import RequestError
from coalm_it.files import OutputError, cache_folder, hash_file

SIZE_LIMIT_GB = 20.0
RECENT_SECONDS = 3600
"""A file that was used so recently may belong to a build that is running, and is not removed."""


class CachedTable(NamedTuple):
    path: Path
    bytes: int
    used: float
    """When it was made or last used, in seconds since the epoch."""


def shards_folder() -> Path:
    return cache_folder() / "shards"


def read_size_limit() -> int:
    """Bytes, from the variable COALM_IT_CACHE_GB (default 20). Raises RequestError."""
    text = os.environ.get("COALM_IT_CACHE_GB", str(SIZE_LIMIT_GB))
    try:
        limit = float(text)
        if not limit >= 0:
            raise ValueError
    except ValueError:
        raise RequestError(f"COALM_IT_CACHE_GB={text}: a number of gigabytes is expected, e.g. 20") from None
    return int(limit * 1e9)


def store_table(folder: Path, key: str, table: pa.Table, summary: ShardSummary) -> Path:
    """Writes a shard's table and returns its path. Raises OutputError."""
    unnamed = folder / f"{key}.new"
    write_table(unnamed, table, summary)
    try:
        return unnamed.replace(folder / f"{key}.{hash_file(unnamed)}.arrow")
    except OSError as error:
        raise OutputError(f"{unnamed} cannot be renamed: {error.strerror}") from None


class ShardCache:
    """The tables that a folder holds when it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths = {table.path.name.split(".")[0]: table.path for table in list_tables(folder)}

    def find(self, key: str) -> Path | None:
        """The intact table of that key; a damaged one is removed."""
        path = self._paths.get(key)
        if path is None:
            return None
        try:
            if hash_file(path) == path.name.split(".")[1]:
                os.utime(path)
                return path
            path.unlink()
        except OSError:
            pass  # removed meanwhile, or unreadable: the shard is made again
        return None

    def add(self, key: str, path: Path) -> None:
        """Takes in a table that was stored since the cache was opened."""
        self._paths[key] = path

    def prune(self, limit: int, keep: Collection[Path]) -> None:
        """Removes what killed processes left unfinished, and the tables that were not used for the longest time until
        the rest fits into `limit` bytes."""
        tables = sorted(list_tables(self.folder), key=lambda table: table.used)
        excess = sum(table.bytes for table in tables) - limit
        for table in tables:
            is_recent = time.time() - table.used < RECENT_SECONDS
            is_unfinished = table.path.suffix != ".arrow"
            if not is_recent and table.path not in keep and (is_unfinished or excess > 0):
                with suppress(OSError):
                    table.path.unlink()
                    excess -= table.bytes


def list_tables(folder: Path) -> list[CachedTable]:
    """Every file of the cache, unfinished ones too."""
    tables = []
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            with suppress(OSError):  # removed meanwhile
                about = entry.stat()
                tables.append(CachedTable(Path(entry.path), about.st_size, about.st_mtime))
    return [table for table in tables if table.path.is_file()]
