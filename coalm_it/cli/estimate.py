"""estimate, and the preview of build: what a model would write and cost, before it is paid for."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from coalm_it.cli.app import (
    CORES,
    Changes,
    Data,
    Json,
    LedgerPath,
    Recipe,
    Workers,
    app,
    print_json,
    print_rows,
    suggest,
    write_command,
)

if TYPE_CHECKING:
    from coalm_it.llm.estimate import Estimate
    from coalm_it.pipeline.model_pass import AnswerSource


@app.command()
def estimate(
    recipe: Recipe,
    data: Data = None,
    workers: Workers = CORES,
    changes: Changes = None,
    ledger: LedgerPath = None,
    as_json: Json = False,
) -> None:
    """Estimate a build's requests to a model and their cost. Answers that the ledger has are free."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.pipeline.model_pass import AnswerSource
    from coalm_it.pipeline.preview import estimate as estimate_recipe

    with show_progress() as listener:
        estimates = estimate_recipe(
            recipe,
            data=data,
            workers=workers,
            changes=changes or (),
            answer_source=AnswerSource(ledger),
            listener=listener,
        )
    if as_json:
        print_json({stage: asdict(one) for stage, one in estimates.items()})
        return
    _print_estimates(estimates)
    where = ["--data", data] if data else []
    sets = [word for change in changes or () for word in ("--set", change)]
    suggest(write_command("build", recipe, *where, *sets, "--preview", 3))


def preview_build(
    recipe: str,
    count: int,
    data: Path | None,
    workers: int,
    changes: list[str],
    answer_source: AnswerSource,
    as_json: bool,
) -> None:
    """Prints `count` dialogues of each part with a model's thoughts, and what the whole build would cost."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.cli.transcripts import print_preview
    from coalm_it.pipeline.preview import describe_previewed, preview
    from coalm_it.pipeline.preview import estimate as estimate_recipe

    with show_progress() as listener:
        previewed = list(
            preview(recipe, count, data=data, changes=changes, answer_source=answer_source, listener=listener)
        )
        estimates = estimate_recipe(recipe, data=data, workers=workers, changes=changes, answer_source=answer_source)
    if as_json:
        dialogues = [describe_previewed(one) for one in previewed]
        whole = {stage: asdict(one) for stage, one in estimates.items()}
        print_json({"dialogues": dialogues, "whole": whole})
        return
    for one in previewed:
        print_preview(one)
    print("The whole build:")
    _print_estimates(estimates)


def _print_estimates(estimates: dict[str, Estimate]) -> None:
    print_rows(
        [
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
        ],
        as_json=False,
    )
