"""What all commands share: the app, common options, how errors end a command, how results are printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from coalm_it.errors import OutsideError, RequestError, ShortfallError

app = typer.Typer(
    help="Turn dialogue and function-calling corpora into checked ReAct training samples.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CORES = os.cpu_count() or 1

Recipe = Annotated[str, typer.Argument(help="Name of a recipe (see `coalm-it recipes`) or path of a YAML file.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a value of the recipe: parts.sgd.rows=1000")]
Data = Annotated[Path | None, typer.Option(help="Folder with raw corpora, at any depth, zipped or not.")]
Workers = Annotated[int, typer.Option(min=1, help="Number of worker processes.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
LedgerPath = Annotated[
    Path | None,
    typer.Option("--ledger", help="Ledger of model answers, or an exported file; default: in your cache folder."),
]
Folder = Annotated[Path, typer.Argument(help="A build folder.")]


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Ends the command with one line on stderr and an exit code.

    Exit codes: 1 the data fell short, 2 the request is wrong, 3 something outside failed, 130 stopped by Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        print("coalm-it: stopped; run the same command again to resume", file=sys.stderr)
        raise typer.Exit(130) from None
    except (RequestError, ShortfallError, OutsideError) as error:
        print(f"coalm-it: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        print(f"coalm-it: {error.filename}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(3) from None


def print_rows(rows: list[dict[str, object]], as_json: bool) -> None:
    """Prints rows of equal keys on stdout, as JSON or as a table."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str))
        return
    from coalm_it.cli.terminal import print_table

    print_table(rows)
