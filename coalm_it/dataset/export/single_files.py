"""A file for each record, in folders of 1,000: the Hub takes no more than 10,000 files in one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from coalm_it.dataset.tables import Split

FILES_PER_FOLDER = 1_000


def write_single_files(
    folder: Path, split: Split, records: Iterable[Any], ending: str, dump: Callable[[Any], str]
) -> list[str]:
    """Writes SPLIT/000/000000.ENDING and so on, and returns the names."""
    names = []
    for number, record in enumerate(records):
        name = f"{split}/{number // FILES_PER_FOLDER:03}/{number:06}.{ending}"
        path = folder / name
        if number % FILES_PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_text(dump(record), encoding="utf-8", newline="\n")
        names.append(name)
    return names
