"""The description of a finished run: run.json for programs, README.md for people."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from coalm_it import __version__
from coalm_it.dataset.finished import FinishedBuild
from coalm_it.dataset.tables import Split
from coalm_it.templates import make_environment
from coalm_it.training.config import TINY, TrainConfig
from coalm_it.training.tokens import SplitCounts

_LIBRARIES = ("torch", "transformers", "tokenizers", "trl", "peft", "accelerate", "datasets")


def describe_run(
    config: TrainConfig,
    build: FinishedBuild,
    counts: Mapping[Split, SplitCounts],
    log: Sequence[Mapping[str, Any]],
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of run.json. Each entry of the trainer's `log` has its step and the seconds since the start."""
    is_folder = config.base == TINY or Path(config.base).is_dir()
    trained = [entry["num_tokens"] for entry in log if "num_tokens" in entry]
    seconds = next(entry["train_runtime"] for entry in reversed(log) if "train_runtime" in entry)
    return {
        "name": config.name,
        "version": config.version,
        "base": Path(config.base).name if is_folder else config.base,
        "base_is_folder": is_folder,
        "config": config.model_dump(),
        "data": {
            "recipe": build.manifest.recipe.name,
            "recipe_version": build.manifest.recipe.version,
            "build": build.manifest.build,
            "manifest_sha256": build.sha256,
            "trained_on": list(build.manifest.trained_on),
        },
        "rows": {split: asdict(count) for split, count in counts.items()},
        "steps": log[-1]["step"],
        "epochs": round(log[-1]["epoch"], 4),
        "loss": [_pick(entry, "loss") for entry in log if "loss" in entry],
        "validation_loss": [_pick(entry, "eval_loss") for entry in log if "eval_loss" in entry],
        "seconds": log[-1]["seconds"],
        "tokens_per_second": round(trained[-1] / seconds, 1),
        "machine": dict(machine),
        "versions": {
            "coalm-it": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    }


def render_run(run: Mapping[str, Any]) -> str:
    """README.md of a model folder."""
    return make_environment().get_template("release/run.md.jinja").render(run) + "\n"


def _pick(entry: Mapping[str, Any], loss: str) -> dict[str, Any]:
    return {"step": entry["step"], "loss": entry[loss], "seconds": entry["seconds"]}
