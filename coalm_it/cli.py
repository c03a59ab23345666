"""The commands; no logic. Rooms are imported where a command needs them, so that --help is instant."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from coalm_it.mixture import ShortError
    from coalm_it.pipeline import Built

app = typer.Typer(
    help="Turn dialogue and function-calling corpora into checked ReAct training samples.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Recipe = Annotated[str, typer.Argument(help="A recipe's name (see `coalm-it recipes`) or the path of a YAML file.")]
Data = Annotated[Path | None, typer.Option(help="Folder with raw corpora, anywhere in it, zipped or not.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Folder = Annotated[Path, typer.Argument(help="A build folder.")]


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
    with _mistakes_in_one_line():
        from coalm_it.pipeline import build as build_recipe
        from coalm_it.terminal import listen

        options = {"limit": limit, "scale": scale, "allow_short": allow_short or None}
        changes = [
            *(changes or ()),
            *(f"{key}={value}" for key, value in options.items() if value is not None),
        ]
        with listen() as listener:
            built = build_recipe(recipe, out=out, data=data, workers=workers, changes=changes, listener=listener)
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
    with _mistakes_in_one_line():
        from coalm_it.terminal import show_sample

        show_sample(folder, name)


@app.command()
def sources(data: Data = None, as_json: Json = False) -> None:
    """List the corpora that are known and, with --data, what is there."""
    with _mistakes_in_one_line():
        from coalm_it.sources import describe_sources

        rows = describe_sources(data)
    _print_rows(rows, as_json)


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
    with _mistakes_in_one_line():
        from coalm_it.fetch import fetch_corpora
        from coalm_it.terminal import listen

        with listen() as listener:
            fetched = fetch_corpora(names or (), data, listener=listener)
    rows = [asdict(one) for one in fetched]
    _print_rows(rows if as_json else [{k: row[k] for k in row if k != "failure"} for row in rows], as_json)
    failures = [f"coalm-it: {one.source}: {one.failure}" for one in fetched if one.failure]
    if failures:
        print("\n".join(failures), file=sys.stderr)
        raise typer.Exit(3)


@app.command()
def recipes(as_json: Json = False) -> None:
    """List the recipes that come with the package."""
    with _mistakes_in_one_line():
        from coalm_it.recipe import list_recipes, load_recipe

        rows = [
            {"recipe": name, "version": recipe.version, "parts": ", ".join(recipe.parts)}
            for name, recipe in ((name, load_recipe(name)) for name in list_recipes())
        ]
    _print_rows(rows, as_json)


@contextmanager
def _mistakes_in_one_line() -> Iterator[None]:
    """Exit codes: 2 the request is wrong, 3 something outside failed, 130 stopped by Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        print("coalm-it: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    except (ValueError, RuntimeError) as error:
        from coalm_it.engine import EngineError
        from coalm_it.mixture import ShortError
        from coalm_it.output import FolderError, OutputError
        from coalm_it.recipe import RecipeError
        from coalm_it.sources import SourceError

        if isinstance(error, ShortError):
            _print_shortages(error)
            raise typer.Exit(1) from None
        if not isinstance(error, (RecipeError, SourceError, FolderError, OutputError, EngineError)):
            raise
        print(f"coalm-it: {error}", file=sys.stderr)
        raise typer.Exit(3 if isinstance(error, (OutputError, EngineError)) else 2) from None
    except OSError as error:
        print(f"coalm-it: {error.filename}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(3) from None


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
    _print_rows(rows, as_json=False)


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
                "left out": f"{count['left_out']:,}",
                "rejects": f"{count['rejects']:,}" + (f" ({rejected})" if rejected else ""),
                "faults": f"{count['faults']:,}",
                "seconds": f"{sum(seconds.get(name, {}).values()):.1f}" if seconds else "",
            }
        )
    _print_rows(rows, as_json=False)
    print(f"{built.out}: done in {built.timings['total']:.1f} s")


def _print_rows(rows: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str))
        return
    from coalm_it.terminal import print_table

    print_table(rows)
