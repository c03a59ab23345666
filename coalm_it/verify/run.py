"""Does a mix improve a model? Builds a share of it, evaluates a base model, trains it, and evaluates it again.

    coalm-it verify coalm_it_plus --base MODEL --data CORPORA --out OUT

OUT then holds the results of the stages (build/, before/, model/, after/) and, written last, verify.json and verify.md.
A rerun reuses a finished build and a finished training.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coalm_it.evaluation.benchmarks import BENCHMARKS
from coalm_it.evaluation.run import evaluate
from coalm_it.extras import require_extra
from coalm_it.files import write_text
from coalm_it.listener import Listener, Silent
from coalm_it.pipeline.build import build
from coalm_it.training import load_training, train
from coalm_it.verify.config import Verification, load_evaluations, load_verification
from coalm_it.verify.gains import measure_gains, write_gains

RESULTS, TABLE = "verify.json", "verify.md"


@dataclass(frozen=True)
class VerificationResult:
    out: Path
    results: dict[str, Any]
    """The content of verify.json."""

    @property
    def shortfalls(self) -> list[str]:
        """The expected gains that were missed, a line each."""
        return [*self.results["shortfalls"]]


def verify(
    recipe: str,
    *,
    base: str,
    out: str | Path,
    data: str | Path | None = None,
    benchmark_data: Mapping[str, Path] | None = None,
    verification: str = "verify",
    workers: int = 1,
    changes: Sequence[str] = (),
    listener: Listener | None = None,
) -> VerificationResult:
    """Verifies a recipe with the model `base`, a folder or a name on the Hub.

    `data` is the folder of the corpora. `benchmark_data` is the folder with the files of each benchmark, by name;
    evaluations on other benchmarks are skipped. `verification` is a name in eval/ or the path of a YAML file, `changes`
    to it are of the form KEY.KEY=VALUE.
    Raises ConfigError, VerificationError, and whatever `build`, `train` and `evaluate` raise.
    """
    listener, out, benchmark_data = listener or Silent(), Path(out), benchmark_data or {}
    require_extra("train", "verifying a mix")
    config = load_verification(verification, changes)
    evaluations = load_evaluations(config, benchmark_data.keys(), listener)
    training = load_training(config.training, [*config.training_changes, f"base={base}"])
    minutes: dict[str, float] = {}

    with _timed("build", minutes, listener):
        recipe_changes = config.recipe_changes
        built = build(recipe, out=out / "build", data=data, workers=workers, changes=recipe_changes, listener=listener)

    def evaluate_all(model: str, stage: str) -> dict[str, Any]:
        results = {}
        for name, evaluation in evaluations.items():
            reads_build = BENCHMARKS[evaluation.benchmark].READS_BUILD
            folder = built.out if reads_build else benchmark_data[evaluation.benchmark]
            results[name] = evaluate(evaluation, data=folder, out=out / stage / name, model=model, listener=listener)
        return results

    with _timed("before", minutes, listener):
        before = evaluate_all(base, "before")
    with _timed("train", minutes, listener):
        run = train(training, data=built.out, out=out / "model", drop_long=True, listener=listener)
    with _timed("after", minutes, listener):
        after = evaluate_all(str(out / "model"), "after")
    gains = [gain for name in evaluations for gain in measure_gains(name, before[name], after[name])]
    results = {
        "verification": config.model_dump(mode="json"),
        "recipe": built.manifest.name,
        "build": built.manifest.build,
        "base": base,
        "rows": {split: count["rows"] for split, count in run["rows"].items()},
        "loss": _summarise_loss(run),
        "gains": gains,
        "shortfalls": list(_find_shortfalls(config, evaluations, gains)),
        "minutes": minutes,
    }
    write_text(out / TABLE, write_gains(results))
    write_text(out / RESULTS, json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    return VerificationResult(out, results)


def _summarise_loss(run: Mapping[str, Any]) -> dict[str, Any]:
    """The first and the last loss, on validation rows if there are at least two values for them."""
    split, curve = ("train", run["loss"]) if len(run["validation_loss"]) < 2 else ("validation", run["validation_loss"])
    return {"split": split, "first": curve[0]["loss"], "last": curve[-1]["loss"]}


@contextmanager
def _timed(stage: str, minutes: dict[str, float], listener: Listener) -> Iterator[None]:
    listener.say(f"{stage} ...")
    started = time.monotonic()
    yield
    minutes[stage] = round((time.monotonic() - started) / 60, 2)


def _find_shortfalls(
    config: Verification, evaluated: Collection[str], gains: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """A line per expected gain that was missed, of the evaluations that ran."""
    by_key = {(gain["evaluation"], gain["part"], gain["task"], gain["metric"]): gain["gain"] for gain in gains}
    for expected in config.expect:
        if expected.evaluation not in evaluated:
            continue
        key = (expected.evaluation, expected.part, expected.task, expected.metric)
        gain = by_key.get(key)
        if gain is None:
            yield f"{' '.join(key)}: not measured"
        elif gain < expected.at_least:
            yield f"{' '.join(key)}: {gain:+.3f}, expected at least {expected.at_least:+.3f}"
