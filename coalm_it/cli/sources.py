"""fetch, sources and recipes: what there is to build from."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from coalm_it.cli.app import Data, Json, app, mistakes_in_one_line, print_rows


@app.command()
def sources(data: Data = None, as_json: Json = False) -> None:
    """List the corpora that are known and, with --data, what is there."""
    with mistakes_in_one_line():
        from coalm_it.corpora.find import describe_sources

        rows = describe_sources(data)
    print_rows(rows, as_json)


@app.command()
def fetch(
    data: Annotated[Path, typer.Option(help="Folder to download into; the corpora lie in DATA/SOURCE/LAYOUT.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...", help="Names (see `coalm-it sources`), NAME/LAYOUT, or YAML files; without any: all."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Download corpora. What is there and right stays; what was cut off goes on."""
    with mistakes_in_one_line():
        from coalm_it.cli.terminal import listen
        from coalm_it.corpora.fetch import fetch_corpora

        with listen() as listener:
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
    with mistakes_in_one_line():
        from coalm_it.recipe import list_recipes, load_recipe

        rows = [
            {"recipe": name, "version": recipe.version, "parts": ", ".join(recipe.parts)}
            for name, recipe in ((name, load_recipe(name)) for name in list_recipes())
        ]
    print_rows(rows, as_json)
