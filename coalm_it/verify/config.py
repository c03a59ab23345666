"""The YAML of a verification as types, and the evaluations that it names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import BaseModel, ConfigDict, Field

from coalm_it.configs import load_config
from coalm_it.errors import RequestError
from coalm_it.evaluation.benchmarks import BENCHMARKS, load_evaluation
from coalm_it.evaluation.config import Evaluation
from coalm_it.listener import Listener


class VerificationError(RequestError):
    """The verification contradicts itself; one line."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChangedEvaluation(_Section):
    """An evaluation that runs before and after the training."""

    config: str = Field(description="Name of a file in eval/, or path of a YAML file.")
    changes: tuple[str, ...] = Field((), description="Changes to it, each KEY.KEY=VALUE.")


class ExpectedGain(_Section):
    """The least gain in a metric."""

    evaluation: str = Field(description="Name of one of the `evaluations`.")
    metric: str = Field(description="Name of one of its metrics.")
    part: str = Field("all", description="Part of the mix.")
    task: str = Field("all", description="Task, or category of the benchmark.")
    at_least: float = Field(description="Minimum of the value after minus the value before.")


class Verification(_Section):
    name: str = Field(description="Name of the verification.")
    version: int = Field(description="Changes when the results may change.")
    recipe_changes: tuple[str, ...] = Field((), description="Changes that make the recipe small, each KEY.KEY=VALUE.")
    training: str = Field(description="Name of a file in train/, or path of a YAML file.")
    training_changes: tuple[str, ...] = Field((), description="Changes to the training, each KEY.KEY=VALUE.")
    evaluations: dict[str, ChangedEvaluation] = Field(min_length=1, description="Name -> evaluation to run twice.")
    expect: tuple[ExpectedGain, ...] = Field((), description="Expected gains; the exit code is 1 if one is missed.")


def load_verification(name: str, changes: Sequence[str] = ()) -> Verification:
    """The verification of that name in eval/, or in the YAML file at that path.

    Raises ConfigError, and VerificationError if a gain is expected of an evaluation that is not listed.
    """
    config = load_config("eval", name, Verification, changes)
    for gain in config.expect:
        if gain.evaluation not in config.evaluations:
            raise VerificationError(
                f"expect: no evaluation {gain.evaluation!r}; there are: {', '.join(config.evaluations)}"
            )
    return config


def load_evaluations(config: Verification, with_data: Collection[str], listener: Listener) -> dict[str, Evaluation]:
    """Name -> evaluation. Those whose benchmark needs files that are not at hand (`with_data`) are skipped.

    Raises ConfigError.
    """
    loaded = {name: load_evaluation(one.config, one.changes) for name, one in config.evaluations.items()}
    for name, evaluation in list(loaded.items()):
        benchmark = evaluation.benchmark
        if not BENCHMARKS[benchmark].READS_BUILD and benchmark not in with_data:
            listener.say(f"evaluation {name} is skipped: it needs the files of the benchmark, --{benchmark} FOLDER")
            del loaded[name]
    return loaded
