"""The rows of a finished build that a training takes, read a thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coalm_it.dataset.finished import CONFIGS, FinishedBuild, Split
from coalm_it.errors import RequestError
from coalm_it.rendering.chat import Conversation, Form, read_conversation
from coalm_it.training.config import Rows
from coalm_it.validation import name_nearest

_COLUMNS: dict[Form, list[str]] = {"columns": ["instruction", "input", "output"], "messages": ["messages", "tools"]}
_ROWS_AT_ONCE = 1000


class DataError(RequestError):
    """The folder is no data set to train on; the message is one line."""


class Row(NamedTuple):
    id: str
    conversation: Conversation
    """Its last message is the target."""


def check_rows(build: FinishedBuild, rows: Rows) -> None:
    """Raises DataError for a form or a part that the build does not have, FolderError for a file that has changed."""
    # The names and parts of rows stand in config samples alone.
    for form in {rows.form, "messages"}:
        files = build.list_files(CONFIGS[form], "train")
        if not files:
            have = sorted({name.split("/")[1] for name in build.manifest.files if name.startswith("data/")})
            raise DataError(
                f"{build.folder} has no rows of config {CONFIGS[form]}, which form {rows.form} needs;"
                f" it has: {', '.join(have) or 'none'}"
            )
        build.check_files(files + build.list_files(CONFIGS[form], "validation"))
    for part in rows.parts:
        if part not in build.manifest.parts:
            raise DataError(f"{build.folder} has no part {part!r}; {name_nearest(part, list(build.manifest.parts))}")


def list_splits(build: FinishedBuild, rows: Rows) -> list[Split]:
    """train, and validation where it has any of the rows that the section asks for."""
    return [split for split in get_args(Split) if split == "train" or next(read_rows(build, rows, split), None)]


def read_rows(build: FinishedBuild, rows: Rows, split: Split) -> Iterator[Row]:
    """The rows that the section asks for, in the order of the build."""
    limit = rows.limit if split == "train" else rows.validation_limit
    thoughts = rows.thoughts is not False
    for row in islice(_read_raw(build, rows, split), limit):
        yield Row(row["id"], read_conversation(row, rows.form, thoughts))


def _read_raw(build: FinishedBuild, rows: Rows, split: Split) -> Iterator[dict[str, Any]]:
    samples, texts = build.list_files("samples", split), build.list_files(CONFIGS[rows.form], split)
    for named, written in zip(samples, texts, strict=True):
        names = pq.ParquetFile(build.folder / named).iter_batches(_ROWS_AT_ONCE, columns=["id", "part"])
        batches = pq.ParquetFile(build.folder / written).iter_batches(_ROWS_AT_ONCE, columns=_COLUMNS[rows.form])
        for name, batch in zip(names, batches, strict=True):
            table = pa.Table.from_batches([batch]).append_column("id", name["id"])
            if rows.parts:
                table = table.filter(pc.is_in(name["part"], pa.array(rows.parts)))
            yield from table.to_pylist()
