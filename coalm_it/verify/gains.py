"""What changed between two evaluations of the same rows: after minus before, with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coalm_it.evaluation.metrics import estimate_difference
from coalm_it.evaluation.report import group_scores, make_table
from coalm_it.evaluation.run import Evaluated


def measure_gains(measure: str, before: Evaluated, after: Evaluated) -> list[dict[str, Any]]:
    """A row for each part, task and metric, with those over all: before, after, and the gain with its 95 % interval.

    Both were asked the same rows, and are resampled alike.
    """
    config = before.results["evaluation"]
    values = [
        {(row["part"], row["task"], row["metric"]): row["value"] for row in one.results["metrics"]}
        for one in (before, after)
    ]
    scored = [group_scores(one.judged) for one in (before, after)]
    rows = []
    for key in values[0]:
        gain = estimate_difference(scored[0][key], scored[1][key], config["resamples"], config["seed"])
        part, task, metric = key
        rows.append(
            {
                "measure": measure,
                "part": part,
                "task": task,
                "metric": metric,
                "n": gain.n,
                "before": values[0][key],
                "after": values[1][key],
                "gain": gain.value,
                "low": gain.low,
                "high": gain.high,
            }
        )
    return rows


def format_gains(gains: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """The rows as text."""
    return [
        {
            **{name: row[name] for name in ("measure", "part", "task", "metric", "n")},
            "before": _format(row["before"], ".3f"),
            "after": _format(row["after"], ".3f"),
            "gain": _format(row["gain"], "+.3f"),
            "95 %": "-" if row["low"] is None else f"{row['low']:+.3f} to {row['high']:+.3f}",
        }
        for row in gains
    ]


def write_gains(results: Mapping[str, Any]) -> str:
    """verify.md: what was trained on what, and what came of it."""
    minutes = ", ".join(f"{stage} {spent:g}" for stage, spent in results["minutes"].items())
    rows = ", ".join(f"{count:,} {split}" for split, count in results["rows"].items())
    loss = results["loss"]
    lines = [
        f"# {results['recipe']}, verified with {results['base']}",
        "",
        f"Rows: {rows}. Loss on {loss['of']} rows {loss['first']:.3f} to {loss['last']:.3f}. Minutes: {minutes}.",
        "",
        *make_table(format_gains(results["gains"])),
        *(["", "Short of what was expected:", ""] + [f"- {line}" for line in results["fell_short"]])
        * bool(results["fell_short"]),
    ]
    return "\n".join(lines) + "\n"


def _format(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
