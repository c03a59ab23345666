"""show: one row, or a whole dialogue, as text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coalm_it.cli.app import Folder, app


@app.command()
def show(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a row or of a dialogue (sgd/train/1_00112).")],
) -> None:
    """Print one row, or a whole dialogue, kept or rejected, as text."""
    from coalm_it.cli.transcripts import print_row

    print_row(_find_row(folder, name))


def _find_row(folder: Path, name: str) -> dict[str, Any]:
    """The row of that id, or the longest row of that dialogue, kept or rejected. Raises FolderError."""
    import pyarrow.dataset as ds  # half a second that only this command needs

    from coalm_it.dataset.finished import open_build
    from coalm_it.dataset.folder import FolderError
    from coalm_it.schema import parse_dialogue_id, parse_dialogue_name

    open_build(folder)
    wanted = (ds.field("id") == name) | ds.field("dialogue_id").isin([name, parse_dialogue_id(name)])
    longest: dict[str, Any] | None = None
    row: dict[str, Any]
    for part in ("data/samples", "rejects"):
        if not (folder / part).is_dir():
            continue
        for row in ds.dataset(folder / part, format="parquet").to_table(filter=wanted).to_pylist():
            if row["id"] == name:  # before a dialogue that is called so
                return row
            fits = name in (row["dialogue_id"], parse_dialogue_name(row["id"]))
            if fits and (longest is None or len(row["messages"]) > len(longest["messages"])):
                longest = row
    if longest is None:
        raise FolderError(f"no row and no dialogue {name!r} in {folder}")
    return longest
