"""build and show."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coalm_it.cli.app import Data, Folder, Json, Recipe, app, mistakes_in_one_line, print_rows

if TYPE_CHECKING:
    from coalm_it.mixture import ShortError
    from coalm_it.pipeline import Built


@app.command()
def build(
    recipe: Recipe,
    out: Annotated[Path, typer.Option(help="Folder for the data set: empty, new, or an earlier build.")],
    data: Data = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N dialogues of each part.")] = None,
    scale: Annotated[float | None, typer.Option(help="A smaller build: this share of each part.")] = None,
    allow_short: Annotated[bool, typer.Option("--allow-short", help="Build also what has too few rows.")] = False,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value of the recipe: parts.sgd.rows=1000")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a data set. Without --data, from the small bundled samples."""
    with mistakes_in_one_line():
        from coalm_it.mixture import ShortError
        from coalm_it.pipeline import build as build_recipe
        from coalm_it.terminal import listen

        options = {"limit": limit, "scale": scale, "allow_short": allow_short or None}
        changes = [
            *(changes or ()),
            *(f"{key}={value}" for key, value in options.items() if value is not None),
        ]
        try:
            with listen() as listener:
                built = build_recipe(recipe, out=out, data=data, workers=workers, changes=changes, listener=listener)
        except ShortError as error:
            _print_shortages(error)
            raise typer.Exit(error.exit_code) from None
    _print_built(built, as_json)
    if built.fell_short:
        print(built.fell_short, file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def show(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="ID", help="A row's id, or a dialogue's (sgd/train/1_00112).")],
) -> None:
    """Print one row, or a whole dialogue, kept or rejected, as text."""
    with mistakes_in_one_line():
        from coalm_it.terminal import show_sample

        show_sample(folder, name)


def _print_built(built: Built, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"out": str(built.out), **built.manifest, "timings": built.timings}, ensure_ascii=False))
        return
    rows = []
    seconds = built.timings.get("stages", {})  # of all workers together
    for name, count in built.manifest["parts"].items():
        rejected = ", ".join(f"{check} {number:,}" for check, number in count["rejected_by"].items())
        rows.append(
            {
                "part": name,
                "read": f"{count['dialogues']:,}",
                "candidates": f"{count['candidates']:,}",
                "rows": f"{count['rows']:,}",
                "repeated": f"{count['repeated']:,}",
                **({"held out": f"{count['validation']:,}"} if built.manifest["recipe"]["validation"] else {}),
                "left out": f"{count['left_out']:,}",
                "rejects": f"{count['rejects']:,}" + (f" ({rejected})" if rejected else ""),
                "faults": f"{count['faults']:,}",
                "seconds": f"{sum(seconds.get(name, {}).values()):.1f}" if seconds else "",
            }
        )
    print_rows(rows, as_json=False)
    print(f"{built.out}: done in {built.timings['total']:.1f} s")


def _print_shortages(error: ShortError) -> None:
    print("coalm-it: some parts have too few rows; --allow-short builds all the same", file=sys.stderr)
    rows: list[dict[str, object]] = [
        {
            "part": short.part,
            "wanted": f"{short.wanted:,}",
            "have": f"{short.have:,}",
            "missing": f"{short.wanted - short.have:,}",
            "remedy": error.remedies[short.part],
        }
        for short in error.shortages
    ]
    print_rows(rows, as_json=False)
