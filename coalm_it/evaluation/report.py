"""What an evaluation leaves behind: numbers with intervals, as JSON and as a table, and every answer for reading."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, get_args

import yaml

from coalm_it.assets import asset
from coalm_it.evaluation.items import Item, Judged, Outcome, Output
from coalm_it.evaluation.metrics import Scored, estimate

ALL = "all"
Judgements = Sequence[tuple[Item, Judged]]


def group_scores(judged: Judgements) -> dict[tuple[str, str, str], list[Scored]]:
    """Part, task and metric -> the scores of their rows; `all` of both comes last."""
    groups: dict[tuple[str, str, str], list[Scored]] = {}
    for item, verdict in judged:
        for metric, score in verdict.scores.items():
            for part, task in ((item.part, item.task), (ALL, ALL)):
                groups.setdefault((part, task, metric), []).append(Scored(item.cluster, score))
    return dict(sorted(groups.items(), key=lambda group: (group[0][0] == ALL, group[0])))


def measure(judged: Judgements, resamples: int, seed: int) -> list[dict[str, Any]]:
    """A row for each part, task and metric, and for each metric over all: n, value, and its 95 % interval."""
    rows = []
    for (part, task, metric), scored in group_scores(judged).items():
        found = estimate(scored, resamples, seed)
        rows.append({"part": part, "task": task, "metric": metric, **found._asdict()})
    return rows


def count_outcomes(judged: Judgements) -> list[dict[str, Any]]:
    """A row for each part and task: how many were asked, and how many ended in which way."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for item, verdict in judged:
        counts.setdefault((item.part, item.task), Counter())[verdict.outcome] += 1
    return [
        {"part": part, "task": task, "asked": count.total(), **{name: count[name] for name in get_args(Outcome)}}
        for (part, task), count in sorted(counts.items())
    ]


def count_lost(judged: Judgements) -> dict[str, int]:
    """Why answers were lost, with what differs from one to the next left out, and how many."""
    reasons = Counter((verdict.fault or "").partition(":")[0] for _, verdict in judged if verdict.outcome == "lost")
    return dict(sorted(reasons.items()))


def write_predictions(judged: Judgements, outputs: Sequence[Output], describe: Any) -> Iterable[str]:
    """A line of JSON for each answer. `describe(item)` says what was due."""
    for (item, verdict), output in zip(judged, outputs, strict=True):
        line = {
            "id": item.id,
            "part": item.part,
            "task": item.task,
            "prompt_sha256": item.prompt_hash,
            "output": output.text,
            "thought": verdict.thought,
            "parsed": verdict.parsed,
            "gold": describe(item),
            "verdict": verdict.outcome,
            "fault": verdict.fault,
            "scores": verdict.scores,
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def write_table(results: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    config = results["evaluation"]
    lines = [
        f"# {config['name']} version {config['version']}: {results['model']}",
        "",
        f"{results['asked']:,} asked, {results['answered']:,} answered. {_say_lost(results['lost'])}",
        f"Form {config['form']}, seed {config['seed']}; 95 % intervals from {config['resamples']:,} resamples.",
        "",
        *make_table(format_metrics(results)),
        "",
        *make_table(format_outcomes(results)),
    ]
    if results.get("leaderboard"):
        lines += ["", "As the leaderboard counts, in percent, beside what was published:", ""]
        lines += make_table(_compare(results["model"], results["leaderboard"]))
    return "\n".join(lines) + "\n"


def _say_lost(lost: Mapping[str, int]) -> str:
    if not lost:
        return "None was lost."
    return f"LOST: {', '.join(f'{count:,} {reason}' for reason, count in lost.items())}; they count as wrong."


def format_metrics(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics as rows of text."""
    return [_format_metric(row) for row in results["metrics"]]


def format_outcomes(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The outcomes as rows, without those that nowhere came about."""
    seen = {name for row in results["outcomes"] for name, value in row.items() if value or name == "right"}
    return [{name: value for name, value in row.items() if name in seen} for row in results["outcomes"]]


def _format_metric(row: Mapping[str, Any]) -> dict[str, Any]:
    names = {key: row[key] for key in ("part", "task", "metric", "n")}
    if row["value"] is None:
        return {**names, "value": "-", "95 %": "-"}
    return {**names, "value": f"{row['value']:.3f}", "95 %": f"{row['low']:.3f} to {row['high']:.3f}"}


def make_table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    rows = list(rows)
    if not rows:
        return []
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _compare(model: str, columns: Mapping[str, float]) -> Iterable[dict[str, str]]:
    published = read_published()["bfcl"]
    yield {"model": model, **{name: f"{value:.2f}" for name, value in columns.items()}}
    for name, values in published["models"].items():
        row = dict(zip(published["columns"], values, strict=True))
        yield {"model": f"{name} (published)", **{column: f"{row[column]:.2f}" for column in columns}}


@cache
def read_published() -> Mapping[str, Any]:
    """eval/published.yaml: benchmark -> {columns, models: name -> values}."""
    published: Mapping[str, Any] = yaml.safe_load(asset("eval", "published.yaml").read_text("utf-8"))
    return published
