"""build, estimate and show."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coalm_it.cli.app import Data, Folder, Json, LedgerPath, Recipe, app, mistakes_in_one_line, print_rows
from coalm_it.errors import RequestError

if TYPE_CHECKING:
    from coalm_it.llm.estimate import Estimate
    from coalm_it.mixture.quotas import ShortError
    from coalm_it.pipeline.build import Built
    from coalm_it.pipeline.model_pass import AnswerSource

CORES = os.cpu_count() or 1
Workers = Annotated[int, typer.Option(min=1, help="Processes.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a value of the recipe: parts.sgd.rows=1000")]


@app.command()
def build(
    recipe: Recipe,
    out: Annotated[Path | None, typer.Option(help="Folder for the data set: empty, new, or an earlier build.")] = None,
    data: Data = None,
    workers: Workers = CORES,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N dialogues of each part.")] = None,
    scale: Annotated[float | None, typer.Option(help="A smaller build: this share of each part.")] = None,
    allow_short: Annotated[bool, typer.Option("--allow-short", help="Build also what has too few rows.")] = False,
    changes: Changes = None,
    preview: Annotated[
        int | None,
        typer.Option(min=1, help="Build nothing: show N dialogues of each part as a model thinks them through."),
    ] = None,
    ledger: LedgerPath = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no model: the ledger must have each answer.")] = False,
    batch: Annotated[bool, typer.Option("--batch", help="Ask through the Batch API: cheaper, within a day.")] = False,
    as_json: Json = False,
) -> None:
    """Build a data set. Without --data, from the small bundled samples."""
    options = {"limit": limit, "scale": scale, "allow_short": allow_short or None}
    changes = [*(changes or ()), *(f"{key}={value}" for key, value in options.items() if value is not None)]
    with mistakes_in_one_line():
        from coalm_it.cli.terminal import listen
        from coalm_it.mixture.quotas import ShortError
        from coalm_it.pipeline.build import build as build_recipe
        from coalm_it.pipeline.model_pass import AnswerSource

        answer_source = AnswerSource(ledger, offline, batch)
        if preview is not None:
            _preview(recipe, preview, data, workers, changes, answer_source, as_json)
            return
        if out is None:
            raise RequestError("build needs --out FOLDER, or --preview N")
        try:
            with listen() as listener:
                built = build_recipe(
                    recipe,
                    out=out,
                    data=data,
                    workers=workers,
                    changes=changes,
                    answer_source=answer_source,
                    listener=listener,
                )
        except ShortError as error:
            _print_shortages(error)
            raise typer.Exit(error.exit_code) from None
    _print_built(built, as_json)
    if built.fell_short:
        print(built.fell_short, file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def estimate(
    recipe: Recipe,
    data: Data = None,
    workers: Workers = CORES,
    changes: Changes = None,
    ledger: LedgerPath = None,
    as_json: Json = False,
) -> None:
    """Say what a model would be asked for a build, and what that costs. Answers that the ledger has are free."""
    with mistakes_in_one_line():
        from coalm_it.cli.terminal import listen
        from coalm_it.pipeline.model_pass import AnswerSource
        from coalm_it.pipeline.preview import estimate as estimate_recipe

        with listen() as listener:
            estimates = estimate_recipe(
                recipe,
                data=data,
                workers=workers,
                changes=changes or (),
                answer_source=AnswerSource(ledger),
                listener=listener,
            )
    _print_estimates(estimates, as_json)


@app.command()
def show(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="ID", help="A row's id, or a dialogue's (sgd/train/1_00112).")],
) -> None:
    """Print one row, or a whole dialogue, kept or rejected, as text."""
    with mistakes_in_one_line():
        from coalm_it.cli.terminal import show_sample

        show_sample(folder, name)


def _print_built(built: Built, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"out": str(built.out), **built.manifest, "timings": built.timings}, ensure_ascii=False))
        return
    rows = []
    asked = built.manifest["answers"]["requests"] > 0
    seconds = built.timings.get("stages", {})  # of all workers together
    for name, count in built.manifest["parts"].items():
        rejected = ", ".join(f"{check} {number:,}" for check, number in count["rejected_by"].items())
        rows.append(
            {
                "part": name,
                "read": f"{count['dialogues']:,}",
                "candidates": f"{count['candidates']:,}",
                "rows": f"{count['rows']:,}",
                "repeated": f"{count['repeated']:,}",
                **({"held out": f"{count['validation']:,}"} if built.manifest["recipe"]["validation"] else {}),
                "left out": f"{count['left_out']:,}",
                **({"thoughts": _describe_thoughts(count["thoughts"])} if asked else {}),
                "rejects": f"{count['rejects']:,}" + (f" ({rejected})" if rejected else ""),
                "faults": f"{count['faults']:,}",
                "seconds": f"{sum(seconds.get(name, {}).values()):.1f}" if seconds else "",
            }
        )
    print_rows(rows, as_json=False)
    print(f"{built.out}: done in {built.timings['total']:.1f} s")


def _describe_thoughts(count: dict[str, int]) -> str:
    return ", ".join(f"{fate} {number:,}" for fate, number in count.items())


def _print_shortages(error: ShortError) -> None:
    print("coalm-it: some parts have too few rows; --allow-short builds all the same", file=sys.stderr)
    rows: list[dict[str, object]] = [
        {
            "part": short.part,
            "wanted": f"{short.wanted:,}",
            "have": f"{short.have:,}",
            "missing": f"{short.wanted - short.have:,}",
            "remedy": error.remedies[short.part],
        }
        for short in error.shortages
    ]
    print_rows(rows, as_json=False)


def _preview(
    recipe: str,
    count: int,
    data: Path | None,
    workers: int,
    changes: list[str],
    answer_source: AnswerSource,
    as_json: bool,
) -> None:
    from coalm_it.cli.terminal import listen, show_preview
    from coalm_it.pipeline.preview import describe_previewed, estimate, preview

    with listen() as listener:
        previewed = list(
            preview(recipe, count, data=data, changes=changes, answer_source=answer_source, listener=listener)
        )
        estimates = estimate(recipe, data=data, workers=workers, changes=changes, answer_source=answer_source)
    if as_json:
        dialogues = [describe_previewed(one) for one in previewed]
        whole = {stage: asdict(one) for stage, one in estimates.items()}
        print(json.dumps({"dialogues": dialogues, "whole": whole}, ensure_ascii=False))
        return
    for one in previewed:
        show_preview(one)
    print("The whole build:")
    _print_estimates(estimates, as_json=False)


def _print_estimates(estimates: dict[str, Estimate], as_json: bool) -> None:
    if as_json:
        print(json.dumps({stage: asdict(one) for stage, one in estimates.items()}))
        return
    rows: list[dict[str, object]] = [
        {
            "stage": stage,
            "requests": f"{one.asked:,}",
            "stored": f"{one.stored:,}",
            "tokens in": f"{one.prompt_tokens:,}",
            "tokens out": f"{one.completion_tokens:,}",
            "dollars": "?" if one.usd is None else f"{one.usd:,.2f}",
            "at most": "?" if one.worst_case_usd is None else f"{one.worst_case_usd:,.2f}",
            "minutes": "?" if one.seconds is None else f"{one.seconds / 60:,.1f}",
        }
        for stage, one in estimates.items()
    ]
    print_rows(rows, as_json=False)
