"""The results of an evaluation: metrics with intervals, as JSON and as tables, and all answers for reading."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args

import yaml

from coalm_it.assets import asset
from coalm_it.evaluation.items import JudgedItem, Verdict
from coalm_it.evaluation.metrics import ClusterScore, estimate

ALL = "all"
"""The part and the task of what is measured over all items."""


def group_scores(judged: Sequence[JudgedItem]) -> dict[tuple[str, str, str], list[ClusterScore]]:
    """(part, task, metric) -> the scores of its items; the groups over all items come last."""
    groups: dict[tuple[str, str, str], list[ClusterScore]] = {}
    for item, _, judgement in judged:
        for metric, score in judgement.scores.items():
            for part, task in ((item.part, item.task), (ALL, ALL)):
                groups.setdefault((part, task, metric), []).append(ClusterScore(item.cluster, score))
    return dict(sorted(groups.items(), key=lambda group: (group[0][0] == ALL, group[0])))


def measure(judged: Sequence[JudgedItem], resamples: int, seed: int) -> list[dict[str, Any]]:
    """A row per part, task and metric, and per metric over all items: n, value, and its 95 % interval."""
    return [
        {"part": part, "task": task, "metric": metric, **estimate(scores, resamples, seed)._asdict()}
        for (part, task, metric), scores in group_scores(judged).items()
    ]


def count_verdicts(judged: Sequence[JudgedItem]) -> list[dict[str, Any]]:
    """A row per part and task: the number of items, and of each verdict."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for item, _, judgement in judged:
        counts.setdefault((item.part, item.task), Counter())[judgement.verdict] += 1
    return [
        {"part": part, "task": task, "asked": count.total(), **{name: count[name] for name in get_args(Verdict)}}
        for (part, task), count in sorted(counts.items())
    ]


def count_failures(judged: Sequence[JudgedItem]) -> dict[str, int]:
    """Reason -> number of items without an answer; details of the single request are left out of the reason."""
    reasons = Counter(
        (judgement.reason or "").partition(":")[0] for _, _, judgement in judged if judgement.verdict == "no answer"
    )
    return dict(sorted(reasons.items()))


def write_predictions(judged: Iterable[JudgedItem]) -> Iterator[str]:
    """A line of JSON per item."""
    for item, outputs, judgement in judged:
        line = {
            "id": item.id,
            "part": item.part,
            "task": item.task,
            "prompt_sha256": item.prompt_hash,
            "outputs": [output.text for output in outputs],
            "thought": judgement.thought,
            "parsed": judgement.parsed,
            "gold": item.gold,
            "verdict": judgement.verdict,
            "reason": judgement.reason,
            "scores": judgement.scores,
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def write_table(results: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    config = results["evaluation"]
    lines = [
        f"# {config['name']} version {config['version']}: {results['model']}",
        "",
        f"{results['asked']:,} asked, {results['answered']:,} answered. {_describe_failures(results['failures'])}",
        f"Form {config['form']}, seed {config['seed']}; 95 % intervals from {config['resamples']:,} resamples.",
        "",
        *make_table(format_metrics(results)),
        "",
        *make_table(format_verdicts(results)),
    ]
    if results["summary"]:
        lines += ["", "In percent, counted like the published results (source: eval/published.yaml):", ""]
        lines += make_table(_compare(results["model"], config["benchmark"], results["summary"]))
    return "\n".join(lines) + "\n"


def _describe_failures(failures: Mapping[str, int]) -> str:
    if not failures:
        return "No request failed."
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in failures.items())
    return f"REQUESTS FAILED: {reasons}; they count as wrong."


def format_metrics(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics as rows of text."""
    return [_format_metric(row) for row in results["metrics"]]


def format_verdicts(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The counts of verdicts as rows, without the verdicts that do not occur."""
    seen = {name for row in results["verdicts"] for name, value in row.items() if value or name == "right"}
    return [{name: value for name, value in row.items() if name in seen} for row in results["verdicts"]]


def _format_metric(row: Mapping[str, Any]) -> dict[str, Any]:
    names = {key: row[key] for key in ("part", "task", "metric", "n")}
    if row["value"] is None:
        return {**names, "value": "-", "95 %": "-"}
    return {**names, "value": f"{row['value']:.3f}", "95 %": f"{row['low']:.3f} to {row['high']:.3f}"}


def make_table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines of a Markdown table."""
    rows = list(rows)
    if not rows:
        return []
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _compare(model: str, benchmark: str, columns: Mapping[str, float]) -> Iterator[dict[str, str]]:
    """The columns of this model, and of the models that others have published."""
    published = read_published()[benchmark]
    yield {"model": model, **{name: f"{value:.2f}" for name, value in columns.items()}}
    for name, values in published["models"].items():
        row = dict(zip(published["columns"], values, strict=True))
        shown = {column: "-" if row[column] is None else f"{row[column]:.2f}" for column in columns}
        yield {"model": f"{name} (published)", **shown}


@cache
def read_published() -> Mapping[str, Any]:
    """eval/published.yaml: benchmark -> {columns, models: name -> values}."""
    published: Mapping[str, Any] = yaml.safe_load(asset("eval", "published.yaml").read_text("utf-8"))
    return published
