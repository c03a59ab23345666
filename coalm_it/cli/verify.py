"""verify: does a model trained on a mix get better?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coalm_it.cli.app import (
    CORES,
    Data,
    Json,
    Recipe,
    Workers,
    app,
    complain,
    print_json,
    print_line,
    print_rows,
    suggest,
    write_command,
)


@app.command()
def verify(
    recipe: Recipe,
    base: Annotated[str, typer.Option(help="Model to start from: a folder, or a name on the Hub.")],
    out: Annotated[Path, typer.Option(help="Folder for build, model and results.")],
    data: Data = None,
    bfcl: Annotated[Path | None, typer.Option(help="Folder with the files of BFCL; default: without BFCL.")] = None,
    verification: Annotated[str, typer.Option(help="What to measure: a file like eval/verify.yaml.")] = "verify",
    changes: Annotated[list[str] | None, typer.Option("--set", help="Change a value of that file.")] = None,
    workers: Workers = CORES,
    as_json: Json = False,
) -> None:
    """Verify a mix: build a share of it, measure a model, train it, measure it again."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.verify.run import verify as verify_recipe

    with show_progress() as listener:
        verified = verify_recipe(
            recipe,
            base=base,
            out=out,
            data=data,
            benchmark_data={} if bfcl is None else {"bfcl": bfcl},
            verification=verification,
            workers=workers,
            changes=changes or (),
            listener=listener,
        )
    if as_json:
        print_json(verified.results)
    else:
        from coalm_it.verify.gains import format_gains

        print_rows(format_gains(verified.results["gains"]), as_json=False)
        print_line(f"{verified.out}: {sum(verified.results['minutes'].values()):.1f} minutes")
    for line in verified.shortfalls:
        complain(line)
    if verified.shortfalls:
        raise typer.Exit(1)
    if not as_json:
        where = ["--data", data] if data else []
        suggest(write_command("build", recipe, *where, "--out", "OUT"))
