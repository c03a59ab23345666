"""sources, fetch and recipes: what a data set can be built from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from coalm_it.cli.app import Data, Json, app, complain, print_line, print_rows, suggest, write_command

FILES_SHOWN = 10
"""How many files of a corpus are named."""


@app.command()
def sources(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="Names, or YAML files of your own: with --data, also which files are read; default: all names.",
        ),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the known corpora and, with --data, which of them are in that folder."""
    from coalm_it.corpora.listing import describe_sources

    rows = describe_sources(data, names or ())
    if as_json:
        print_rows(rows, as_json)
        return
    _print_sources(rows)
    if any(str(row["status"]).startswith("used") for row in rows):
        suggest(write_command("build", "RECIPE", "--data", data, "--out", "OUT"), write_command("recipes"))
    elif not names:
        suggest(write_command("fetch", "snips", "--data", data or "CORPORA"))
    elif data is None:
        suggest(write_command("sources", *names, "--data", "CORPORA"))


def _print_sources(rows: list[dict[str, Any]]) -> None:
    """A block for each corpus: what it is, then a line for each place where it was found, and for its files."""
    lines = []
    for name, places in groupby(rows, lambda row: str(row["source"])):
        listed = list(places)
        about = f"{name}: {listed[0]['title']} ({listed[0]['licence'] or 'no licence stated'})"
        lines.append(about if name else "not a known corpus:")
        for place in listed:
            lines.append(f"    {_describe_place(place)}")
            lines += [f"        {line}" for line in _list_files(place)] if place["status"] == "used" else []
    print_line("\n".join(lines))


def _list_files(place: dict[str, Any]) -> Iterator[str]:
    """Which files of a folder are read, and which are passed over, for a source that was named."""
    if read := place.get("read"):
        others = place["not_read"]
        yield f"read, {len(read):,} of {len(read) + len(others):,} files: {_name_some(read)}"
        if others:
            yield f"passed over, since no glob of the layout matches them: {_name_some(others)}"


def _name_some(files: list[str]) -> str:
    more = f" and {len(files) - FILES_SHOWN:,} more" if len(files) > FILES_SHOWN else ""
    return ", ".join(files[:FILES_SHOWN]) + more


def _describe_place(row: dict[str, object]) -> str:
    if not row["folder"]:
        status = f"{row['status']}; " if row["status"] else ""
        return f"{status}layouts: {row['layout']}"
    layout = f" (layout {row['layout']})" if row["layout"] else ""
    files = f": {row['files']}" if row["files"] else ""
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
    from coalm_it.cli.terminal import show_progress
    from coalm_it.corpora.fetch import fetch_corpora
    from coalm_it.recipe import is_own_source

    with show_progress() as listener:
        fetched = fetch_corpora(names or (), data, listener=listener)
    rows = [asdict(one) for one in fetched]
    print_rows(rows if as_json else [{k: row[k] for k in row if k != "failure"} for row in rows], as_json)
    failed = [one for one in fetched if one.failure]
    for one in failed:
        complain(f"{one.source}: {one.failure}")
    if failed:
        raise typer.Exit(3)
    if not as_json:
        own = [name for name in names or () if is_own_source(name)]
        suggest(
            write_command("sources", *own, "--data", data),
            write_command("build", "RECIPE", "--data", data, "--out", "OUT"),
        )


@app.command()
def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this recipe, to copy and change: tod; also train/smoke, eval/bfcl.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the recipes, and the configs of train and eval, that come with the package, or print one of them."""
    from coalm_it.recipe import list_recipes, load_recipe

    if name is not None:
        print(_find_shipped(name).read_text(encoding="utf-8"), end="")
        suggest(_use_copy(name))
        return
    print_rows(
        [
            {"recipe": name, "version": recipe.version, "parts": ", ".join(recipe.parts)}
            for name, recipe in ((name, load_recipe(name)) for name in list_recipes())
        ],
        as_json,
    )
    if not as_json:
        suggest(f"{write_command('recipes', 'tod')} > mine.yaml", write_command("build", "tod", "--out", "OUT"))


def _use_copy(name: str) -> str:
    """The command that takes a copy of that shipped file."""
    if name == "eval/verify":
        options = ["--base", "BASE", "--data", "CORPORA", "--out", "VERIFIED"]
        return write_command("verify", "RECIPE", "--verification", "mine.yaml", *options)
    if name.startswith("train/"):
        return write_command("train", "mine.yaml", "--data", "OUT", "--out", "MODEL")
    if name.startswith("eval/"):
        return write_command("eval", "mine.yaml", "--model", "MODEL", "--data", "OUT", "--out", "RESULTS")
    return write_command("build", "mine.yaml", "--data", "CORPORA", "--out", "OUT")


def _find_shipped(name: str) -> Path:
    """The YAML file of a recipe, or of train/NAME or eval/NAME. Raises RequestError."""
    from coalm_it.assets import list_assets
    from coalm_it.configs.validation import name_nearest
    from coalm_it.errors import RequestError

    shipped = {path.stem: path for path in list_assets("recipes", ".yaml")}
    kinds: list[Literal["train", "eval"]] = ["train", "eval"]
    shipped |= {f"{kind}/{path.stem}": path for kind in kinds for path in list_assets(kind, ".yaml")}
    if name not in shipped:
        raise RequestError(f"no {name} comes with the package; {name_nearest(name, list(shipped))}")
    return shipped[name]
