"""The difference between two evaluations of the same items: after minus before, with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coalm_it.evaluation.metrics import estimate_difference
from coalm_it.evaluation.report import group_scores, make_table
from coalm_it.evaluation.run import EvaluationResult


def measure_gains(name: str, before: EvaluationResult, after: EvaluationResult) -> list[dict[str, Any]]:
    """A row per part, task and metric, and per metric over all items: before, after, and the gain with its interval.

    `name` is that of the evaluation. Both results are of the same items, and use the same bootstrap samples.
    """
    config = before.results["evaluation"]
    values_before, values_after = (
        {(row["part"], row["task"], row["metric"]): row["value"] for row in result.results["metrics"]}
        for result in (before, after)
    )
    scores_before, scores_after = (group_scores(result.judged) for result in (before, after))
    rows = []
    for key, value in values_before.items():
        gain = estimate_difference(scores_before[key], scores_after[key], config["resamples"], config["seed"])
        part, task, metric = key
        rows.append(
            {
                "evaluation": name,
                "part": part,
                "task": task,
                "metric": metric,
                "n": gain.n,
                "before": value,
                "after": values_after[key],
                "gain": gain.value,
                "low": gain.low,
                "high": gain.high,
            }
        )
    return rows


def format_gains(gains: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """The gains as rows of text."""
    return [
        {
            **{name: row[name] for name in ("evaluation", "part", "task", "metric", "n")},
            "before": _format(row["before"], ".3f"),
            "after": _format(row["after"], ".3f"),
            "gain": _format(row["gain"], "+.3f"),
            "95 %": "-" if row["low"] is None else f"{row['low']:+.3f} to {row['high']:+.3f}",
        }
        for row in gains
    ]


def write_gains(results: Mapping[str, Any]) -> str:
    """The content of verify.md: the training, and what it changed."""
    minutes = ", ".join(f"{stage} {spent:g}" for stage, spent in results["minutes"].items())
    rows = ", ".join(f"{count:,} {split}" for split, count in results["rows"].items())
    loss = results["loss"]
    lines = [
        f"# {results['recipe']}, verified with {results['base']}",
        "",
        f"Rows: {rows}. Loss on {loss['split']} rows: {loss['first']:.3f} to {loss['last']:.3f}. Minutes: {minutes}.",
        "",
        *make_table(format_gains(results["gains"])),
    ]
    if results["shortfalls"]:
        lines += ["", "Below expectation:", "", *(f"- {line}" for line in results["shortfalls"])]
    return "\n".join(lines) + "\n"


def _format(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
