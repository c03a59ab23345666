"""export: a finished build in the form that another tool reads."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coalm_it.cli.app import Folder, Json, app, print_json, print_line, print_rows, suggest

if TYPE_CHECKING:
    from coalm_it.dataset.export import Exported

_NAMED_FILES = 6
"""How many files of an export are named; some formats have a file for each row."""


@app.command()
def export(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help="trl, openai, llama-factory, axolotl, ms-swift, oumi, verl, atif, traces."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write, a new or an empty one.")],
    config: Annotated[
        str | None, typer.Option(help="Config to export, samples or dialogues; default: samples.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split, train or validation.")] = None,
    parts: Annotated[list[str] | None, typer.Option("--part", help="Only this part; can be repeated.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows of each split.")] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Samples: leave out the earliest turns of longer ones; the target stays."),
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Counts the tokens: a folder, or a name on the Hub; else they are estimated.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an earlier export in DIR.")] = False,
    as_json: Json = False,
) -> None:
    """Write a finished build in the format of another tool, and count what that format cannot hold."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.dataset.export import export as export_build

    with show_progress() as listener:
        exported = export_build(
            folder,
            to,
            out=out,
            config=config,
            split=split,
            parts=parts or (),
            limit=limit,
            max_tokens=max_tokens,
            tokenizer=tokenizer,
            replace=replace,
            listener=listener,
        )
    if as_json:
        print_json({"out": str(out), **asdict(exported)})
    else:
        _print_counts(out, exported)


def _print_counts(out: Path, exported: Exported) -> None:
    """A table of the splits, and below it what the rows do not show and which rows were left out."""
    print_rows([{"split": split, "rows": f"{rows:,}"} for split, rows in exported.rows.items()], as_json=False)
    for what, rows in exported.losses.items():
        print_line(f"{_count(rows)}: {what}")
    for why, rows in exported.left_out.items():
        print_line(f"{_count(rows)} left out: {why}")
    more = len(exported.files) - _NAMED_FILES
    names = exported.files if more <= 0 else [*exported.files[:_NAMED_FILES], f"and {more:,} more files"]
    print_line(f"{out}: {', '.join(names)}")
    suggest(exported.command.replace("DIR", shlex.quote(str(out))))


def _count(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"
