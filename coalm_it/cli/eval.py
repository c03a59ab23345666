"""eval: a model is measured on a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coalm_it.cli.app import Json, app, complain, print_json, print_line, print_rows, suggest, write_command


@app.command("eval")
def evaluate(
    config: Annotated[str, typer.Argument(help="held_out, bfcl, or the path of a YAML file.")],
    data: Annotated[
        Path,
        typer.Option(
            help="held_out: a build with validation rows (a folder, or USER/NAME on the Hub); bfcl: its folder."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results: empty, new, or an earlier evaluation.")],
    model: Annotated[str | None, typer.Option(help="Model to run here: a folder, or a name on the Hub.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Or the OpenAI-compatible endpoint that serves it.")] = None,
    model_name: Annotated[str | None, typer.Option(help="Name of the model at the endpoint.")] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger of the endpoint's answers; default: in your cache folder.")
    ] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="Change a value of the YAML: rows=50")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model: on a build's validation rows, or on the single-turn questions of BFCL."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.evaluation.run import evaluate as run_evaluation

    with show_progress() as listener:
        done = run_evaluation(
            config,
            data=data,
            out=out,
            model=model,
            base_url=base_url,
            model_name=model_name,
            ledger=ledger,
            changes=changes or (),
            listener=listener,
        )
    if as_json:
        print_json(done.results)
    else:
        from coalm_it.evaluation.report import format_metrics, format_verdicts

        print_rows(format_metrics(done.results), as_json=False)
        print_rows(format_verdicts(done.results), as_json=False)
        print_line(f"{done.out}: {done.results['answered']:,} of {done.results['asked']:,} answered")
    if done.shortfall:
        complain(done.shortfall)
        raise typer.Exit(1)
    if not as_json:
        suggest(write_command("verify", "RECIPE", "--base", "BASE", "--data", "CORPORA", "--out", "VERIFIED"))
