"""The rows of a finished build that a training takes, read a thousand at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coalm_it.chat import Conversation, Form, read_conversation
from coalm_it.configs import name_nearest
from coalm_it.errors import RequestError
from coalm_it.output import MANIFEST, hash_bytes
from coalm_it.training.config import Rows

Split = Literal["train", "validation"]

_CONFIGS: dict[Form, str] = {"columns": "coalm_it", "messages": "samples"}
_COLUMNS: dict[Form, list[str]] = {"columns": ["instruction", "input", "output"], "messages": ["messages", "tools"]}
_ROWS_AT_ONCE = 1000


class DataError(RequestError):
    """The folder is no data set to train on; the message is one line."""


class Row(NamedTuple):
    id: str
    conversation: Conversation
    """Its last message is the target."""


@dataclass(frozen=True)
class Build:
    """A finished build folder."""

    path: Path
    manifest: dict[str, Any]
    fingerprint: str
    """sha256 of the manifest, which has that of every file."""

    def list_files(self, form: Form, split: Split) -> list[Path]:
        """The files of a split, in order; none where the build has no such split."""
        start = f"data/{_CONFIGS[form]}/{split}-"
        return [self.path / name for name in sorted(self.manifest["files"]) if name.startswith(start)]


def open_build(path: Path) -> Build:
    """Raises DataError where there is no manifest, or none of ours."""
    try:
        content = (path / MANIFEST).read_bytes()
        manifest = json.loads(content)
        return Build(path, {**manifest, "files": dict(manifest["files"])}, hash_bytes(content))
    except OSError:
        raise DataError(f"{path} is no finished build: there is no {MANIFEST} in it") from None
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{path / MANIFEST} is not the manifest of a build") from None


def check_rows(build: Build, rows: Rows) -> None:
    """Raises DataError for a form or a part that the build does not have, and for a file that has changed."""
    # The names and parts of rows stand in config samples alone.
    for form in {rows.form, "messages"}:
        files = build.list_files(form, "train")
        if not files:
            have = sorted({name.split("/")[1] for name in build.manifest["files"] if name.startswith("data/")})
            raise DataError(
                f"{build.path} has no rows of config {_CONFIGS[form]}, which form {rows.form} needs;"
                f" it has: {', '.join(have) or 'none'}"
            )
        for path in files + build.list_files(form, "validation"):
            _check_file(build, path)
    for part in rows.parts:
        if part not in build.manifest["parts"]:
            raise DataError(f"{build.path} has no part {part!r}; {name_nearest(part, list(build.manifest['parts']))}")


def list_splits(build: Build, rows: Rows) -> list[Split]:
    """train, and validation where it has any of the rows that the section asks for."""
    return [split for split in get_args(Split) if split == "train" or next(read_rows(build, rows, split), None)]


def read_rows(build: Build, rows: Rows, split: Split) -> Iterator[Row]:
    """The rows that the section asks for, in the order of the build."""
    limit = rows.limit if split == "train" else rows.validation_limit
    thoughts = rows.thoughts is not False
    for row in islice(_read_raw(build, rows, split), limit):
        yield Row(row["id"], read_conversation(row, rows.form, thoughts))


def _read_raw(build: Build, rows: Rows, split: Split) -> Iterator[dict[str, Any]]:
    samples, texts = build.list_files("messages", split), build.list_files(rows.form, split)
    for named, written in zip(samples, texts, strict=True):
        names = pq.ParquetFile(named).iter_batches(_ROWS_AT_ONCE, columns=["id", "part"])
        batches = pq.ParquetFile(written).iter_batches(_ROWS_AT_ONCE, columns=_COLUMNS[rows.form])
        for name, batch in zip(names, batches, strict=True):
            table = pa.Table.from_batches([batch]).append_column("id", name["id"])
            if rows.parts:
                table = table.filter(pc.is_in(name["part"], pa.array(rows.parts)))
            yield from table.to_pylist()


def _check_file(build: Build, path: Path) -> None:
    name = path.relative_to(build.path).as_posix()
    if not path.is_file():
        raise DataError(f"{path} is missing: the build is not whole")
    if hash_bytes(path.read_bytes()) != build.manifest["files"][name]["sha256"]:
        raise DataError(f"{path} is not as it was built (sha256): build it anew")
