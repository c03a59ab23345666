"""What all commands share: the app, common options, how errors end a command, how results are printed."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from coalm_it import __version__
from coalm_it.cli.visible import make_visible, show_escapes
from coalm_it.errors import OutsideError, RequestError, ShortfallError

COMMAND = "coalm-it"
OUR_FAULT = 4
"""Exit code of an error that is none of the user's, of the data or of the world."""


class Commands(TyperGroup):
    """The commands, each of which ends in one line on stderr where it fails."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        with _errors_in_one_line(ctx):
            return super().invoke(ctx)


@contextmanager
def _errors_in_one_line(ctx: typer.Context) -> Iterator[None]:
    """Exit codes: 1 the data fell short, 2 the request is wrong, 3 something outside failed, 4 a fault of ours,
    130 stopped by Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        complain("stopped; run the same command again to resume")
        raise typer.Exit(130) from None
    except (RequestError, ShortfallError, OutsideError) as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except (typer.Exit, typer.Abort, typer.TyperException):
        raise
    except OSError as error:
        if error.errno == errno.EPIPE or error.filename is None:
            raise
        complain(f"{error.filename}: {error.strerror}")
        raise typer.Exit(3) from None
    except Exception as error:
        if ctx.params["debug"]:
            traceback.print_exc()
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
        report = f"please report it, with the output of `coalm-it --debug {ctx.invoked_subcommand} ...`"
        complain(f"{ctx.invoked_subcommand}: a fault of coalm-it, not of your data: {what}; {report}")
        raise typer.Exit(OUR_FAULT) from None


app = typer.Typer(
    cls=Commands,
    help="Turn dialogue and function-calling corpora into checked ReAct training samples.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"coalm-it {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of an unexpected error.")] = False,
) -> None:
    """Turn dialogue and function-calling corpora into checked ReAct training samples."""


# --- options that several commands take ---

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


# --- what is printed ---


def complain(message: str) -> None:
    """Prints a line on stderr for the person who must act."""
    print(f"coalm-it: {make_visible(message)}", file=sys.stderr)


def suggest(*steps: str) -> None:
    """Names the likely next steps, in a line on stderr; commands that print JSON leave it out."""
    sys.stdout.flush()  # in a file that takes both, the result comes first
    print(f"next: {make_visible('; or '.join(steps))}", file=sys.stderr)


def write_command(*words: object) -> str:
    """A command of ours as one types it: by the path of the one that runs, where the name alone would not be found."""
    typed = Path(sys.argv[0])
    name = str(typed) if typed.name == COMMAND and not shutil.which(COMMAND) else COMMAND
    return shlex.join([name, *map(str, words)])


def print_line(text: str) -> None:
    """Prints text on stdout, whatever is in it."""
    print(make_visible(text))


def print_json(value: object) -> None:
    """Prints a value as JSON on stdout, the only thing there."""
    print(show_escapes(json.dumps(value, ensure_ascii=False, default=str)))


def print_rows(rows: list[dict[str, object]], as_json: bool) -> None:
    """Prints rows of equal keys on stdout, as JSON or as a table."""
    if as_json:
        print_json(rows)
        return
    from coalm_it.cli.terminal import print_table

    print_table(rows)
