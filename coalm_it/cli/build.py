"""build: a recipe becomes a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coalm_it.cli.app import (
    CORES,
    Changes,
    Data,
    Json,
    LedgerPath,
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
from coalm_it.cli.estimate import preview_build
from coalm_it.errors import RequestError

if TYPE_CHECKING:
    from coalm_it.mixture.quotas import ShortError
    from coalm_it.pipeline.build import BuildResult


@app.command()
def build(
    recipe: Recipe,
    out: Annotated[Path | None, typer.Option(help="Folder for the data set: empty, new, or an earlier build.")] = None,
    data: Data = None,
    workers: Workers = CORES,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first N dialogues of each part.")] = None,
    scale: Annotated[float | None, typer.Option(help="Build this share of each part, e.g. 0.01.")] = None,
    allow_short: Annotated[
        bool, typer.Option("--allow-short", help="Build even if a part has too few rows, or its corpus is not there.")
    ] = False,
    changes: Changes = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a finished build of another recipe, or of real corpora.")
    ] = False,
    preview: Annotated[
        int | None,
        typer.Option(min=1, help="Build nothing; show a model's thoughts in N dialogues of each part, and the cost."),
    ] = None,
    ledger: LedgerPath = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no model: every answer is in the ledger.")] = False,
    batch: Annotated[bool, typer.Option("--batch", help="Use the Batch API: cheaper, within a day.")] = False,
    as_json: Json = False,
) -> None:
    """Build a data set. Without --data, from the small bundled samples."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.mixture.quotas import ShortError
    from coalm_it.pipeline.build import build as build_recipe
    from coalm_it.pipeline.model_pass import AnswerSource

    options = {"limit": limit, "scale": scale, "allow_short": allow_short or None}
    changes = [*(changes or ()), *(f"{key}={value}" for key, value in options.items() if value is not None)]
    answer_source = AnswerSource(ledger, offline, batch)
    if preview is not None:
        preview_build(recipe, preview, data, workers, changes, answer_source, as_json)
        if not as_json:
            where = ["--data", data] if data else []
            sets = [word for change in changes for word in ("--set", change)]
            suggest(write_command("build", recipe, *where, *sets, "--out", "OUT"))
        return
    if out is None:
        raise RequestError("build needs --out FOLDER, or --preview N")
    try:
        with show_progress() as listener:
            built = build_recipe(
                recipe,
                out=out,
                data=data,
                workers=workers,
                changes=changes,
                replace=replace,
                answer_source=answer_source,
                listener=listener,
            )
    except ShortError as error:
        _print_shortages(error, as_json)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        print_json({"out": str(built.out), **built.manifest.model_dump(mode="json"), "timings": built.timings})
    else:
        _print_counts(built)
    if built.shortfall:
        complain(built.shortfall)
    if not as_json:
        _suggest_next(built)
    if built.shortfall:
        raise typer.Exit(1)


def _print_counts(built: BuildResult) -> None:
    """A table of the parts, and below it what was rejected, and who wrote the thoughts."""
    from coalm_it.rendering import LAYOUT_ADVICE

    parts = built.manifest.parts
    optional = {
        "repeated": {name: count.repeated for name, count in parts.items()},
        "held out": {name: count.validation for name, count in parts.items()},
        "too long": {name: count.too_long for name, count in parts.items()},
        "in neither split": {name: count.mixed for name, count in parts.items()},
    }
    shown = {title: counts for title, counts in optional.items() if any(counts.values())}
    print_rows(
        [
            {
                "part": name,
                "read": f"{count.dialogues:,}",
                "candidates": f"{count.candidates:,}",
                "rows": f"{count.rows:,}",
                **{title: f"{counts[name]:,}" for title, counts in shown.items()},
                "left out": f"{count.left_out - count.mixed:,}",
                "rejects": f"{count.rejects:,}",
                "faults": f"{count.faults:,}",
                **({"not found": ", ".join(count.absent)} if any(one.absent for one in parts.values()) else {}),
            }
            for name, count in parts.items()
        ],
        as_json=False,
    )
    for name, count in parts.items():
        if count.mended:
            values = "1 value" if count.mended == 1 else f"{count.mended:,} values"
            print_line(f"{name}: {values} of arguments mended, as the provenance of the rows says")
        if count.rejects:
            print_line(f"{name}, rejected by check: {_list_counts(count.rejected_by)}")
        if count.rejected_by.get("layout"):
            print_line(f"{name}: {LAYOUT_ADVICE}")
        if built.manifest.answers.requests and count.thoughts:
            print_line(f"{name}, thoughts: {_list_counts(count.thoughts)}")
    print_line(f"{built.out}: done in {built.timings['total']:.1f} s")


def _suggest_next(built: BuildResult) -> None:
    """After a build: look at it, publish it, train on it; after one that fell short, look at a reject or a fault."""
    from coalm_it.dataset.finished import open_build

    finished = open_build(built.out)
    if built.shortfall:
        faults = [fault.record for fault in finished.manifest.faults if fault.record]
        lost = finished.find_example("rejects") or next(iter(faults), None)
        suggest(write_command("show", built.out, lost or finished.find_example("data/samples")))
        return
    suggest(
        write_command("show", built.out, finished.find_example("data/samples")),
        write_command("publish", built.out, "--repo", "USER/NAME"),
        write_command("train", "smoke", "--data", built.out, "--out", "MODEL"),
    )


def _list_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _print_shortages(error: ShortError, as_json: bool) -> None:
    complain("some parts have too few rows; --allow-short builds with fewer rows")
    if as_json:
        print_json({"shortages": [{**one._asdict(), "remedy": error.remedies[one.part]} for one in error.shortages]})
        return
    print_rows(
        [
            {
                "part": short.part,
                "wanted": f"{short.wanted:,}",
                "have": f"{short.have:,}",
                "missing": f"{short.wanted - short.have:,}",
                "rejects": f"{short.rejects:,}",
                "faults": f"{short.faults:,}",
                "remedy": error.remedies[short.part],
            }
            for short in error.shortages
        ],
        as_json=False,
    )
