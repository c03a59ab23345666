"""train: a model is trained on a build."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coalm_it.cli.app import Json, app, print_json, print_line, print_rows, suggest, write_command

if TYPE_CHECKING:
    from collections.abc import Mapping


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="Name of a file in train/, or path of your own.")],
    data: Annotated[Path, typer.Option(help="A finished build: its folder, or USER/NAME on the Hub.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the model: empty, new, or an interrupted run of this training.")
    ],
    drop_long: Annotated[bool, typer.Option("--drop-long", help="Drop rows longer than sft.max_length.")] = False,
    drop_unfit: Annotated[
        bool, typer.Option("--drop-unfit", help="Drop rows that the chat template cannot show in full.")
    ] = False,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value of the file: sft.learning_rate=1e-4")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a model, with loss on each row's target only. The same command resumes an interrupted run."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.cli.transcripts import print_tokens
    from coalm_it.training import load_training
    from coalm_it.training import train as train_model

    loaded = load_training(config, changes or ())
    with show_progress() as listener:
        options: dict[str, Any] = {"drop_long": drop_long, "drop_unfit": drop_unfit}
        run = train_model(loaded, data=data, out=out, listener=listener, show=print_tokens, **options)
    if os.environ.get("RANK", "0") != "0":
        return  # one of several processes of `accelerate launch`; the first prints
    if as_json:
        print_json(run)
        return
    print_rows([_summarise(run)], as_json=False)
    print_line(f"{out}: done in {run['seconds']:,.1f} s")
    benchmark, where = ("held_out", data) if "validation" in run["rows"] else ("bfcl", "BFCL")
    suggest(write_command("eval", benchmark, "--model", out, "--data", where, "--out", "RESULTS"))


def _summarise(run: Mapping[str, Any]) -> dict[str, object]:
    rows = run["rows"]["train"]
    checked = run["validation_loss"]
    return {
        "rows": f"{rows['rows']:,}",
        "too long": f"{rows['too_long']:,}",
        "unfit": f"{rows['unfit']:,}",
        "tokens": f"{rows['tokens']:,}",
        "steps": f"{run['steps']:,}",
        "loss": f"{run['loss'][0]['loss']:.3f} to {run['loss'][-1]['loss']:.3f}",
        "held out": f"{checked[-1]['loss']:.3f}" if checked else "",
        "tokens/s": f"{run['tokens_per_second']:,.0f}",
    }
