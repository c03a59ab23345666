"""An evaluation from its YAML to its results: the prompts, the answers, the verdicts, the numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coalm_it import __version__
from coalm_it.configs import load_config
from coalm_it.errors import RequestError
from coalm_it.evaluation import bfcl, held_out
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import Item, Output
from coalm_it.evaluation.models import ask_here, ask_there
from coalm_it.evaluation.report import Judgements, count_lost, count_outcomes, measure, write_predictions, write_table
from coalm_it.files import write_text
from coalm_it.listener import Listener, Silent

RESULTS, TABLE, PREDICTIONS = "results.json", "results.md", "predictions.jsonl"


class EvaluationError(RequestError):
    """The evaluation cannot be run as it was asked for; one line."""


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation came to. `results` is what results.json holds."""

    out: Path
    results: dict[str, Any]
    judged: Judgements

    @property
    def fell_short(self) -> str | None:
        """That answers were lost, in one line; None where all came."""
        asked, answered = self.results["asked"], self.results["answered"]
        if answered == asked:
            return None
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.results["lost"].items())
        return f"{asked - answered:,} of {asked:,} answers were lost ({reasons}); they count as wrong"


def evaluate(
    evaluation: str | Evaluation,
    *,
    data: str | Path,
    out: str | Path,
    model: str | None = None,
    base_url: str | None = None,
    model_name: str | None = None,
    ledger: Path | None = None,
    changes: Sequence[str] = (),
    listener: Listener | None = None,
) -> Evaluated:
    """Runs an evaluation (a name in eval/, a path, or an Evaluation) and writes what it came to into `out`.

    `data` is the build (held_out) or the folder with BFCL's files. The model is `model`, a folder or a name on the Hub,
    or `model_name` behind the endpoint `base_url`, whose answers are kept in `ledger`. `changes` are KEY.KEY=VALUE.
    Raises EvaluationError, ConfigError, HeldOutError, FolderError, BenchmarkError, ModelError, ChatError (the request
    is wrong), RunError, EndpointError (the world failed), BudgetError (the ceiling is reached).
    """
    listener = listener or Silent()
    out = Path(out)
    _check_request(model, base_url, model_name, out)
    wanted = load_config("eval", evaluation, Evaluation, changes) if isinstance(evaluation, str) else evaluation
    items, about, skipped = _list_items(Path(data), wanted)
    if not items:
        raise EvaluationError(f"{data}: nothing to ask there")
    listener.say(
        f"{wanted.name}: {len(items):,} prompts" + (f", {skipped:,} rows show no functions" if skipped else "")
    )
    if model is not None:
        outputs = ask_here(model, items, wanted, listener)
    else:
        outputs = ask_there(wanted.settings(str(model_name), str(base_url)), items, ledger, listener)
    judged = _judge(items, outputs, wanted)
    results = {
        "evaluation": wanted.model_dump(mode="json"),
        "model": model or model_name,
        "data": about,
        "version": __version__,
        "asked": len(items),
        "answered": sum(verdict.outcome != "lost" for _, verdict in judged),
        "lost": count_lost(judged),
        "not_asked": skipped,
        "metrics": measure(judged, wanted.resamples, wanted.seed),
        "outcomes": count_outcomes(judged),
        "leaderboard": bfcl.sum_up(judged) if wanted.benchmark == "bfcl" else {},
    }
    describe = bfcl.describe_due if wanted.benchmark == "bfcl" else held_out.describe_due
    write_text(out / PREDICTIONS, "".join(write_predictions(judged, outputs, describe)))
    write_text(out / TABLE, write_table(results))
    write_text(out / RESULTS, json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    return Evaluated(out, results, judged)


def _check_request(model: str | None, base_url: str | None, model_name: str | None, out: Path) -> None:
    if (model is None) is (base_url is None):
        raise EvaluationError("name the model that is to be asked: --model PATH, or --base-url URL --model-name NAME")
    if (base_url is None) is not (model_name is None):
        raise EvaluationError("an endpoint needs both --base-url URL and --model-name NAME")
    if out.exists() and not out.is_dir():
        raise EvaluationError(f"{out} is a file: name a folder for the results")
    if out.is_dir() and any(out.iterdir()) and not (out / RESULTS).is_file():
        raise EvaluationError(f"{out} holds something else (no {RESULTS} in it): name an empty or a new folder")


def _list_items(data: Path, wanted: Evaluation) -> tuple[list[Item], dict[str, Any], int]:
    """The prompts; what they are made of; how many rows are none."""
    if wanted.benchmark == "bfcl":
        return bfcl.list_items(data, wanted), {"benchmark": "BFCL"}, 0
    build = held_out.open_held_out(data)
    items, skipped = held_out.list_items(build, wanted)
    return (
        items,
        {"build": build.manifest.build, "name": build.manifest.name, "manifest_sha256": build.sha256},
        skipped,
    )


def _judge(items: Sequence[Item], outputs: Sequence[Output], wanted: Evaluation) -> Judgements:
    judge = bfcl.judge_question if wanted.benchmark == "bfcl" else held_out.judge_row
    return [(item, judge(item, output)) for item, output in zip(items, outputs, strict=True)]
