"""rebuild: a data set is built again from its recipe, and compared."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from coalm_it.cli.app import CORES, Data, Json, LedgerPath, Workers, app, complain, print_json, print_line


@app.command()
def rebuild(
    path: Annotated[str, typer.Argument(help="A build folder, or a data set on the Hub (USER/NAME).")],
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="Folder that keeps what is built; default: none is kept.")] = None,
    workers: Workers = CORES,
    ledger: LedgerPath = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no model: every answer is in the ledger.")] = False,
    revision: Annotated[str, typer.Option(help="Tag or commit of a data set on the Hub.")] = "main",
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Another Hub than huggingface.co (also HF_ENDPOINT).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a data set again from its recipe and compare the bytes. Exit code 0: the same; 1: different."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.pipeline.model_pass import AnswerSource
    from coalm_it.pipeline.rebuild import rebuild as rebuild_path

    with show_progress() as listener:
        comparison = rebuild_path(
            path,
            data=data,
            out=out,
            workers=workers,
            answer_source=AnswerSource(ledger, offline),
            endpoint=endpoint,
            revision=revision,
            listener=listener,
        )
    if as_json:
        print_json({"same": comparison.is_same, **asdict(comparison)})
    else:
        for line in (*comparison.files, *comparison.causes):
            print_line(line)
    if not comparison.is_same:
        complain(f"{path}: {len(comparison.files)} data files differ from those that its recipe gives now")
        raise typer.Exit(1)
    if not as_json:
        print_line(f"{path}: the same: its recipe gives the bytes of all {comparison.compared} data files again")
