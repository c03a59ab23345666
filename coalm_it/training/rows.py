"""The rows of a finished build for a training, read in batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coalm_it.configs.validation import name_nearest
from coalm_it.dataset.finished import CONFIG_OF_FORM, FinishedBuild
from coalm_it.dataset.tables import Split
from coalm_it.errors import RequestError
from coalm_it.rendering.chat import Conversation, Form, read_conversation
from coalm_it.training.config import RowSelection

_COLUMNS: dict[Form, list[str]] = {
    "columns": ["instruction", "input", "output"],
    "messages": ["prompt", "completion", "tools"],
}
_BATCH_ROWS = 1000


class DataError(RequestError):
    """The build does not have the rows to train on; one line."""


class Row(NamedTuple):
    id: str
    conversation: Conversation
    """The last message is the target."""


def check_rows(build: FinishedBuild, rows: RowSelection) -> None:
    """Raises DataError if the build lacks the form or a part, FolderError if a file has changed since the build."""
    # Only config samples has the ids and parts of the rows.
    for form in {rows.form, "messages"}:
        files = build.list_files(CONFIG_OF_FORM[form], "train")
        if not files:
            have = sorted({name.split("/")[1] for name in build.manifest.files if name.startswith("data/")})
            raise DataError(
                f"{build.folder} has no rows of config {CONFIG_OF_FORM[form]}, which form {rows.form} needs;"
                f" it has: {', '.join(have) or 'none'}"
            )
        build.check_files(files + build.list_files(CONFIG_OF_FORM[form], "validation"))
    for part in rows.parts:
        if part not in build.manifest.parts:
            raise DataError(f"{build.folder} has no part {part!r}; {name_nearest(part, list(build.manifest.parts))}")


def list_splits(build: FinishedBuild, rows: RowSelection) -> list[Split]:
    """train, and validation if any of its rows is selected."""
    return [split for split in get_args(Split) if split == "train" or next(read_rows(build, rows, split), None)]


def read_rows(build: FinishedBuild, rows: RowSelection, split: Split) -> Iterator[Row]:
    """The selected rows, in the order of the build."""
    limit = rows.limit if split == "train" else rows.validation_limit
    thoughts = rows.thoughts is not False
    for row in islice(_read_raw(build, rows, split), limit):
        yield Row(row["id"], read_conversation(row, rows.form, thoughts))


def _read_raw(build: FinishedBuild, rows: RowSelection, split: Split) -> Iterator[dict[str, Any]]:
    id_files, text_files = build.list_files("samples", split), build.list_files(CONFIG_OF_FORM[rows.form], split)
    for id_file, text_file in zip(id_files, text_files, strict=True):
        id_batches = pq.ParquetFile(build.folder / id_file).iter_batches(_BATCH_ROWS, columns=["id", "part"])
        text_batches = pq.ParquetFile(build.folder / text_file).iter_batches(_BATCH_ROWS, columns=_COLUMNS[rows.form])
        for ids, texts in zip(id_batches, text_batches, strict=True):
            table = pa.Table.from_batches([texts]).append_column("id", ids["id"])
            if rows.parts:
                table = table.filter(pc.is_in(ids["part"], pa.array(rows.parts)))
            yield from table.to_pylist()
