"""What all commands share: the app, their common options, how they end and how they print."""

from __future__ import annotations

import json
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

Recipe = Annotated[str, typer.Argument(help="A recipe's name (see `coalm-it recipes`) or the path of a YAML file.")]
Data = Annotated[Path | None, typer.Option(help="Folder with raw corpora, anywhere in it, zipped or not.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
LedgerPath = Annotated[
    Path | None,
    typer.Option("--ledger", help="Where a model's answers are kept, or a file of them; by default your cache folder."),
]
Folder = Annotated[Path, typer.Argument(help="A build folder.")]


@contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """Exit codes: 1 the data fell short, 2 the request is wrong, 3 something outside failed, 130 Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        print("coalm-it: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    except (RequestError, ShortfallError, OutsideError) as error:
        print(f"coalm-it: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        print(f"coalm-it: {error.filename}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(3) from None


def print_rows(rows: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str))
        return
    from coalm_it.cli.terminal import print_table

    print_table(rows)
