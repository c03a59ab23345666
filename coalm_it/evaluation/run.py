"""Runs an evaluation: its items, the answers of the model, the judgements, and the results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coalm_it import __version__
from coalm_it.errors import RequestError
from coalm_it.evaluation.benchmarks import BENCHMARKS, load_evaluation
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.endpoint import ask_endpoint
from coalm_it.evaluation.items import JudgedItem
from coalm_it.evaluation.local_model import ask_local_model
from coalm_it.evaluation.report import count_failures, count_verdicts, measure, write_predictions, write_table
from coalm_it.extras import require_extra
from coalm_it.files import write_text
from coalm_it.listener import Listener, Silent

RESULTS, TABLE, PREDICTIONS = "results.json", "results.md", "predictions.jsonl"


class EvaluationError(RequestError):
    """The request is wrong: the model, the folder for the results, or data without items; one line."""


@dataclass(frozen=True)
class EvaluationResult:
    out: Path
    results: dict[str, Any]
    """The content of results.json."""
    judged: Sequence[JudgedItem]

    @property
    def shortfall(self) -> str | None:
        """How many requests failed, in one line; None if none did."""
        asked, answered = self.results["asked"], self.results["answered"]
        if answered == asked:
            return None
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.results["failures"].items())
        return f"{asked - answered:,} of {asked:,} requests failed ({reasons}); they count as wrong"


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
) -> EvaluationResult:
    """Runs an evaluation (a name in eval/, the path of a YAML file, or an Evaluation); writes the results into `out`.

    `data` is a build (held_out) or a folder with the files of the benchmark. The model is `model`, a folder or a name
    on the Hub, or else `model_name` behind the endpoint `base_url`, whose answers are kept in `ledger`. `changes` to
    the YAML are of the form KEY.KEY=VALUE.
    Raises RequestError: EvaluationError, ConfigError, ModelError, ChatError, and those of the benchmark for its data;
    OutsideError: HubError, DeviceMemoryError, EndpointError; ShortfallError: BudgetError.
    """
    listener = listener or Silent()
    out = Path(out)
    _check_request(model, base_url, model_name, out)
    if model is not None:
        require_extra("train", "running a model", ("torch", "transformers"))
    else:
        require_extra("llm", "asking an endpoint")
    config = load_evaluation(evaluation, changes) if isinstance(evaluation, str) else evaluation
    settings = config.settings(str(model_name), str(base_url)) if model is None else None
    benchmark = BENCHMARKS[config.benchmark]
    items, origin, not_asked = benchmark.list_items(Path(data), config)
    if not items:
        raise EvaluationError(f"{data}: the evaluation {config.name} finds nothing to ask there")
    skipped = f"; {not_asked:,} rows are not asked, since they show no functions" if not_asked else ""
    listener.say(f"{config.name}: {len(items):,} prompts{skipped}")
    if settings is None:
        outputs = ask_local_model(str(model), items, benchmark.next_prompt, config, listener)
    else:
        outputs = ask_endpoint(settings, items, benchmark.next_prompt, ledger, listener)
    judged = [JudgedItem(item, some, benchmark.judge(item, some)) for item, some in zip(items, outputs, strict=True)]
    results = {
        "evaluation": config.model_dump(mode="json"),
        "model": model or model_name,
        "data": origin,
        "version": __version__,
        "asked": len(items),
        "answered": sum(judgement.verdict != "no answer" for _, _, judgement in judged),
        "failures": count_failures(judged),
        "not_asked": not_asked,
        "metrics": measure(judged, config.resamples, config.seed),
        "verdicts": count_verdicts(judged),
        "summary": benchmark.sum_up(judged),
    }
    write_text(out / PREDICTIONS, "".join(write_predictions(judged)))
    write_text(out / TABLE, write_table(results))
    write_text(out / RESULTS, json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    return EvaluationResult(out, results, judged)


def _check_request(model: str | None, base_url: str | None, model_name: str | None, out: Path) -> None:
    if (model is None) is (base_url is None):
        raise EvaluationError("name one model to ask: --model PATH, or --base-url URL --model-name NAME")
    if (base_url is None) is not (model_name is None):
        raise EvaluationError("an endpoint needs both --base-url URL and --model-name NAME")
    if out.exists() and not out.is_dir():
        raise EvaluationError(f"{out} is a file: name a folder for the results")
    if out.is_dir() and any(out.iterdir()) and not (out / RESULTS).is_file():
        raise EvaluationError(f"{out} has other content (no {RESULTS}): name an empty or a new folder")
