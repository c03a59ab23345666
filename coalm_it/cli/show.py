"""show: one row, or a whole dialogue, as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coalm_it.cli.app import Folder, app, print_line

if TYPE_CHECKING:
    from coalm_it.dataset.manifest import FaultEntry, Manifest


@app.command()
def show(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a row or of a dialogue (sgd/train/1_00112).")],
) -> None:
    """Print one row, or a whole dialogue, kept or rejected, as text; of a record that could not be read, why."""
    from coalm_it.cli.transcripts import print_row
    from coalm_it.dataset.finished import open_build
    from coalm_it.dataset.folder import FolderError

    manifest = open_build(folder).manifest
    row, faults = _find_row(folder, name), _find_faults(manifest, name)
    if row is None and not faults:
        raise FolderError(f"no row and no dialogue {name!r} in {folder}")
    if row is not None:
        print_row(row)
    for fault in faults if row is None else ():
        print_line(f"{fault.file}, record {fault.record}: a fault, of which no dialogue was made: {fault.reason}")


def _find_faults(manifest: Manifest, name: str) -> list[FaultEntry]:
    """The faults of the record of that name: its id, with SOURCE/SPLIT before it or the rest of a row's id after it."""
    from coalm_it.schema import parse_dialogue_name

    names = {name, parse_dialogue_name(name)}

    def is_meant(fault: FaultEntry) -> bool:
        split = manifest.recipe.parts[fault.part].split
        return not names.isdisjoint({str(fault.record), *(f"{one}/{split}/{fault.record}" for one in manifest.sources)})

    return [fault for fault in manifest.faults if fault.record and is_meant(fault)]


def _find_row(folder: Path, name: str) -> dict[str, Any] | None:
    """The row of that id, or the longest row of that dialogue, kept or rejected; None if there is none."""
    import pyarrow.dataset as ds  # half a second that only this command needs

    from coalm_it.schema import parse_dialogue_id, parse_dialogue_name

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
            if fits and (longest is None or len(row["prompt"]) > len(longest["prompt"])):
                longest = row
    return longest
