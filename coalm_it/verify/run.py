"""Does a model get better by the mix? A share of it is built, the base measured, trained, and measured again.

    coalm-it verify coalm_it_plus --base MODEL --data CORPORA --out OUT

OUT then holds what each stage left (build/, before/, model/, after/) and, written last, verify.json and verify.md.
A build and a training that are done are not done again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from coalm_it.configs import load_config
from coalm_it.errors import RequestError
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.run import Evaluated, evaluate
from coalm_it.files import write_text
from coalm_it.listener import Listener, Silent
from coalm_it.pipeline.build import build
from coalm_it.training import load_training, train
from coalm_it.verify.gains import measure_gains, write_gains

RESULTS, TABLE = "verify.json", "verify.md"


class VerificationError(RequestError):
    """The verification cannot be run as it was asked for; one line."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measure(_Section):
    """An evaluation, run before and after."""

    evaluation: str = Field(description="A name in eval/, or a path.")
    changes: tuple[str, ...] = Field((), description="Changes to it, each KEY.KEY=VALUE.")


class Gain(_Section):
    """By how much something must be better afterwards."""

    measure: str = Field(description="One of `measures`.")
    metric: str = Field(description="One of its metrics.")
    part: str = Field("all", description="Of which part of the mix.")
    task: str = Field("all", description="Of which task, or category of a benchmark.")
    at_least: float = Field(description="After minus before.")


class Verification(_Section):
    name: str = Field(description="Name of the verification.")
    version: int = Field(description="Changes when its numbers may change.")
    recipe: tuple[str, ...] = Field((), description="Changes to the recipe that make it small, each KEY.KEY=VALUE.")
    training: str = Field(description="A name in train/, or a path.")
    changes: tuple[str, ...] = Field((), description="Changes to the training, each KEY.KEY=VALUE.")
    measures: dict[str, Measure] = Field(min_length=1, description="What is measured before and after, by name.")
    expect: tuple[Gain, ...] = Field((), description="What must get better; the exit code is 1 where it does not.")


@dataclass(frozen=True)
class Verified:
    """What a verification came to. `results` is what verify.json holds."""

    out: Path
    results: dict[str, Any]

    @property
    def fell_short(self) -> list[str]:
        """What did not get better as the file expects, a line each."""
        return [*self.results["fell_short"]]


def verify(
    recipe: str,
    *,
    base: str,
    out: str | Path,
    data: str | Path | None = None,
    bfcl: str | Path | None = None,
    verification: str = "verify",
    workers: int = 1,
    changes: Sequence[str] = (),
    listener: Listener | None = None,
) -> Verified:
    """Runs a verification (a name in eval/, or a path) of a recipe with the model `base`, a folder or a Hub name.

    `data` is the folder of the corpora, `bfcl` that of BFCL's files; without it what is measured there is left out, and
    said so. `changes` are KEY.KEY=VALUE of the verification. Raises what build, train and evaluate raise.
    """
    listener, out = listener or Silent(), Path(out)
    wanted = load_config("eval", verification, Verification, changes)
    measures = _load_measures(wanted, bfcl, listener)
    training = load_training(wanted.training, [*wanted.changes, f"base={base}"])
    minutes: dict[str, float] = {}

    with _timed("build", minutes, listener):
        built = build(recipe, out=out / "build", data=data, workers=workers, changes=wanted.recipe, listener=listener)

    def measure(model: str, folder: str) -> dict[str, Evaluated]:
        return {
            name: evaluate(
                evaluation,
                data=bfcl if bfcl and evaluation.benchmark == "bfcl" else built.out,
                out=out / folder / name,
                model=model,
                listener=listener,
            )
            for name, evaluation in measures.items()
        }

    with _timed("before", minutes, listener):
        before = measure(base, "before")
    with _timed("train", minutes, listener):
        run = train(training, data=built.out, out=out / "model", drop_long=True, listener=listener)
    with _timed("after", minutes, listener):
        after = measure(str(out / "model"), "after")
    gains = [gain for name in measures for gain in measure_gains(name, before[name], after[name])]
    results = {
        "verification": wanted.model_dump(mode="json"),
        "recipe": built.manifest.name,
        "build": built.manifest.build,
        "base": base,
        "rows": {split: count["rows"] for split, count in run["rows"].items()},
        "loss": _compare_losses(run),
        "gains": gains,
        "fell_short": list(_find_shortfalls(wanted, measures, gains)),
        "minutes": minutes,
    }
    write_text(out / TABLE, write_gains(results))
    write_text(out / RESULTS, json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    return Verified(out, results)


def _load_measures(wanted: Verification, bfcl: str | Path | None, listener: Listener) -> dict[str, Evaluation]:
    """Those that can be run. Raises ConfigError, and VerificationError for an expectation of one that there is not."""
    for gain in wanted.expect:
        if gain.measure not in wanted.measures:
            raise VerificationError(f"expect: no measure {gain.measure!r}; there are: {', '.join(wanted.measures)}")
    loaded = {
        name: load_config("eval", one.evaluation, Evaluation, one.changes) for name, one in wanted.measures.items()
    }
    chosen = {name: one for name, one in loaded.items() if one.benchmark != "bfcl" or bfcl}
    if len(chosen) < len(loaded):
        listener.say("without --bfcl FOLDER nothing is measured on BFCL")
    return chosen


def _compare_losses(run: Mapping[str, Any]) -> dict[str, Any]:
    """The first and the last, on the same rows where there are validation rows."""
    of, curve = ("train", run["loss"]) if len(run["validation_loss"]) < 2 else ("validation", run["validation_loss"])
    return {"of": of, "first": curve[0]["loss"], "last": curve[-1]["loss"]}


@contextmanager
def _timed(stage: str, minutes: dict[str, float], listener: Listener) -> Iterator[None]:
    listener.say(f"{stage} ...")
    started = time.monotonic()
    yield
    minutes[stage] = round((time.monotonic() - started) / 60, 2)


def _find_shortfalls(
    wanted: Verification, measures: Mapping[str, Evaluation], gains: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    for expected in wanted.expect:
        if expected.measure not in measures:
            continue
        named = (expected.measure, expected.part, expected.task, expected.metric)
        found = [gain for gain in gains if (gain["measure"], gain["part"], gain["task"], gain["metric"]) == named]
        label = " ".join(named)
        if not found or found[0]["gain"] is None:
            yield f"{label}: nothing was measured"
        elif found[0]["gain"] < expected.at_least:
            yield f"{label}: {found[0]['gain']:+.3f}, expected at least {expected.at_least:+.3f}"
