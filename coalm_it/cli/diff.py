"""diff: what differs between two builds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coalm_it.cli.app import Json, app, print_json, print_line, print_rows, suggest, write_command

if TYPE_CHECKING:
    from coalm_it.reports.diff import Diff


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A build folder.")],
    now: Annotated[Path, typer.Argument(metavar="B", help="Another one, whose rows are in, out or changed.")],
    examples: Annotated[int, typer.Option(min=0, help="Number of examples for each reason.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Also write a Parquet file with a line for each difference.")] = None,
    as_json: Json = False,
) -> None:
    """Compare the rows of two builds, by part and reason. Exit code 0: the same rows; 1: they differ."""
    from coalm_it.reports.diff import diff as compare_builds

    found = compare_builds(before, now, examples=examples, out=out)
    if as_json:
        print_json(found.to_json())
    else:
        _print_diff(found)
    if not found.is_same:
        raise typer.Exit(1)


def _print_diff(found: Diff) -> None:
    titles = {"before": "rows in A", "now": "rows in B", "same": "same", "rows_in": "in", "rows_out": "out"}
    titles["changed"] = "changed"
    print_rows(
        [
            {"part": name, **{title: f"{getattr(part, field):,}" for field, title in titles.items()}}
            for name, part in found.parts.items()
        ],
        as_json=False,
    )
    for reason in found.reasons:
        print_line(f"{reason.part}, {reason.change}, {reason.reason}: {reason.rows:,}")
        for example in reason.examples:
            print_line(f"    {example['id']}{': ' if example['details'] else ''}{example['details']}")
    if found.is_same:
        print_line(f"{found.now} has the rows of {found.before}{'' if found.same_order else ', in another order'}")
        return
    row = next(one for one in found.differences)
    place = found.before if row.change == "out" else found.now
    suggest(write_command("show", place, row.id))
