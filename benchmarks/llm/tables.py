"""Results as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from typing import Any

from client import PROC, Report
from environments import read_versions
from processes import Client, Run

from coalm_it import __version__

FLOOR = "floor"
HEADS = (
    "client | runs | seconds: min / median / max | x ideal | x floor | calls/s | CPU ms/call | peak MB | "
    "start to exit, s | answered | refused | load by other processes"
).split(" | ")


@dataclass
class Line:
    """One run of a scenario."""

    run: Run
    stats: dict[str, Any]
    """Counts of the server."""
    number: int
    """Number of the round."""
    others: float
    """Share of the processors used by other processes."""


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n### {title}\n")
    print(f"| {' | '.join(heads)} |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def print_speed(title: str, ideal: float, count: int, lines: Mapping[str, Sequence[Line]]) -> None:
    """Prints medians; `x floor` is the median of the ratios to the run of `floor` in the same round."""
    floors = {line.number: line.run.report.seconds for line in lines[FLOOR] if line.run.report}
    rows = []
    for name, some in lines.items():
        done = [(line, line.run.report) for line in some if line.run.report]
        if not done:
            answered = some[0].stats["answered"]
            why = f"{some[0].run.trouble} ({answered:,} answers worked out, {some[0].stats['refused']:,} refusals)"
            rows.append([name, f"{len(some)}", why, *[""] * (len(HEADS) - 3)])
            continue

        def middle(of: Callable[[Line, Report], float], done: list[tuple[Line, Report]] = done) -> float:
            return median(of(line, report) for line, report in done)

        seconds = sorted(report.seconds for _, report in done)
        cells = [
            name,
            f"{len(done)}" if len(done) == len(some) else f"{len(done)} of {len(some)}",
            f"{seconds[0]:.1f} / {median(seconds):.1f} / {seconds[-1]:.1f}",
            f"{median(seconds) / ideal:.2f}",
            f"{median(report.seconds / floors[line.number] for line, report in done if line.number in floors):.2f}",
            f"{count / median(seconds):,.0f}",
            f"{middle(lambda line, report: report.cpu) * 1000 / count:.2f}",
            f"{middle(lambda line, report: line.run.peak) / 1e6:,.0f}",
            f"{middle(lambda line, report: line.run.whole):.1f}",
            f"{middle(lambda line, report: report.answered):,.0f}",
            f"{middle(lambda line, report: line.stats['refused']):,.0f}",
            f"{middle(lambda line, report: line.others):.0%}",
        ]
        rows.append(cells)
    print_table(f"{title}, ideal {ideal:.2f} s", HEADS, rows)


def describe_machine(peers: Sequence[Client]) -> str:
    lines = (PROC / "cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    own = ", ".join(f"{name} {version(name)}" for name in ("openai", "aiohttp"))
    said = [
        f"{datetime.now(UTC):%Y-%m-%d}. {model}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"load at the start {os.getloadavg()[0]:.1f}.",
        f"coalm-it {__version__} ({own})",
        *(read_versions(peer) for peer in peers),
    ]
    return "\n- ".join(said)
