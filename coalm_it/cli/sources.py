"""sources, fetch and recipes: what a data set can be built from."""

from __future__ import annotations

import sys
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from coalm_it.cli.app import Data, Json, app, errors_in_one_line, print_rows


@app.command()
def sources(data: Data = None, as_json: Json = False) -> None:
    """List the known corpora and, with --data, which of them are in that folder."""
    with errors_in_one_line():
        from coalm_it.corpora.find import describe_sources

        rows = describe_sources(data)
    if as_json:
        print_rows(rows, as_json)
    else:
        _print_sources(rows)


def _print_sources(rows: list[dict[str, object]]) -> None:
    """A block for each corpus: what it is, then a line for each place where it was found."""
    from coalm_it.cli.terminal import make_visible

    lines = []
    for name, places in groupby(rows, lambda row: str(row["source"])):
        listed = list(places)
        lines.append(f"{name}: {listed[0]['title']} ({listed[0]['licence']})" if name else "not a known corpus:")
        lines += [f"    {_describe_place(place)}" for place in listed]
    print(make_visible("\n".join(lines)))


def _describe_place(row: dict[str, object]) -> str:
    if not row["folder"]:
        status = f"{row['status']}; " if row["status"] else ""
        return f"{status}layouts: {row['layout']}"
    layout = f" (layout {row['layout']})" if row["layout"] else ""
    files = f"; files: {row['files']}" if row["files"] else ""
    return f"{row['folder']}{layout}{files}; {row['status']}"


@app.command()
def fetch(
    data: Annotated[Path, typer.Option(help="Folder to download into, as DATA/SOURCE/LAYOUT.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...", help="Names (see `coalm-it sources`), NAME/LAYOUT, or YAML files; default: all."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Download corpora. Complete files are kept, interrupted downloads are resumed."""
    with errors_in_one_line():
        from coalm_it.cli.terminal import show_progress
        from coalm_it.corpora.fetch import fetch_corpora

        with show_progress() as listener:
            fetched = fetch_corpora(names or (), data, listener=listener)
    rows = [asdict(one) for one in fetched]
    print_rows(rows if as_json else [{k: row[k] for k in row if k != "failure"} for row in rows], as_json)
    failures = [f"coalm-it: {one.source}: {one.failure}" for one in fetched if one.failure]
    if failures:
        print("\n".join(failures), file=sys.stderr)
        raise typer.Exit(3)


@app.command()
def recipes(as_json: Json = False) -> None:
    """List the recipes that come with the package."""
    with errors_in_one_line():
        from coalm_it.recipe import list_recipes, load_recipe

        rows = [
            {"recipe": name, "version": recipe.version, "parts": ", ".join(recipe.parts)}
            for name, recipe in ((name, load_recipe(name)) for name in list_recipes())
        ]
    print_rows(rows, as_json)
