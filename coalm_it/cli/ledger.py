"""ledger show, merge and export: the stored answers of models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from coalm_it.cli.app import Folder, Json, LedgerPath, app, print_line, print_rows, suggest, write_command

commands = typer.Typer(help="Show, merge and export ledgers of model answers.", no_args_is_help=True)
app.add_typer(commands, name="ledger")

SHOWN = 80
"""Characters of a failure's text that are shown."""


@commands.command()
def show(
    ledger: LedgerPath = None,
    failures: Annotated[bool, typer.Option("--failures", help="List each request without an answer, and why.")] = False,
    as_json: Json = False,
) -> None:
    """Print what a ledger holds, by model and outcome, or each failure."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.llm.ledger import default_path, open_ledger
    from coalm_it.llm.ledger.maintenance import describe_ledger, list_failures

    path = ledger or default_path()
    with show_progress() as listener:
        listener.say(str(path))
        with open_ledger(path, readonly=True, say=listener.say) as opened:
            rows = list_failures(opened) if failures else describe_ledger(opened)
    if as_json:
        print_rows(rows, as_json)
    elif failures:
        _print_failures(rows)
    else:
        print_rows([_shorten_row(row) for row in rows], as_json)


@commands.command()
def merge(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Ledgers, intact or damaged, or exported files.")
    ],
    ledger: LedgerPath = None,
    as_json: Json = False,
) -> None:
    """Copy into the ledger the answers of other ledgers that it does not have."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.llm.ledger import default_path
    from coalm_it.llm.ledger.maintenance import merge_ledgers

    path = ledger or default_path()
    with show_progress() as listener:
        listener.say(str(path))
        brought = merge_ledgers(path, sources, listener.say)
    print_rows([{"source": source, "new": count} for source, count in brought.items()], as_json)
    if not as_json:
        suggest(write_command("ledger", "show", "--ledger", path))


@commands.command()
def export(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="File to write; it can be published beside the data set.")],
    ledger: LedgerPath = None,
    as_json: Json = False,
) -> None:
    """Write the answers that a build used to a file; anyone can rebuild from it without a key."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.dataset.finished import read_requests
    from coalm_it.llm.ledger import default_path, open_ledger
    from coalm_it.llm.ledger.maintenance import export_answers

    keys = read_requests(folder)
    path = ledger or default_path()
    with show_progress() as listener:
        listener.say(str(path))
        with open_ledger(path, readonly=True, say=listener.say) as opened:
            count = export_answers(opened, keys, file)
    print_rows([{"file": str(file), "requests": count}], as_json)
    if not as_json:
        options = ["--data", "CORPORA", "--ledger", file, "--offline", "--out", "OUT"]
        suggest(write_command("build", folder / "recipe.yaml", *options))


def _shorten_row(row: dict[str, object]) -> dict[str, object]:
    """A row as people read it: numbers with separators, dates without the time."""
    return {
        "model": row["model"],
        "outcome": row["outcome"],
        "requests": f"{row['requests']:,}",
        "tokens in": f"{row['prompt_tokens']:,}",
        "tokens out": f"{row['completion_tokens']:,}",
        "first": str(row["first"])[:10],
        "last": str(row["last"])[:10],
    }


def _print_failures(rows: list[dict[str, object]]) -> None:
    for row in rows:
        *named, text = (" ".join(str(value).split()) for value in row.values())
        shown = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
        print_line("  ".join([*named, shown]).rstrip())
    print(f"{len(rows):,} without an answer", file=sys.stderr)
