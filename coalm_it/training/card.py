"""The description of a finished run: run.json for programs, README.md for people."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from coalm_it import __version__
from coalm_it.dataset.card import OWN_TAG, escape_markup
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
            "repository": build.repository,
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


@dataclass(frozen=True)
class Publication:
    """What a published card says beyond the run."""

    repo: str
    data_set: str | None = None
    """USER/NAME of the data set that the model was trained on."""
    results: Sequence[Mapping[str, Any]] = ()
    """Contents of results.json of evaluations."""
    checkpoints: Sequence[int] = ()
    """Steps whose checkpoints are branches."""
    checkpoint: int | None = None
    """The step, if this is the card of such a branch."""


def render_run(run: Mapping[str, Any], publication: Publication | None = None) -> str:
    """README.md of a model folder, or of the repository in which it is published."""
    environment = make_environment()
    environment.filters.update(count="{:,}".format, plain=escape_markup, decimal="{:.3f}".format)
    head = yaml.safe_dump(_describe_head(run, publication), sort_keys=False, allow_unicode=True)
    view = {"head": head, "publication": publication, "data_set": _name_data_set(run, publication)}
    return environment.get_template("release/run.md.jinja").render({**run, **view}).rstrip("\n") + "\n"


def _describe_head(run: Mapping[str, Any], publication: Publication | None) -> dict[str, Any]:
    """The metadata that the Hub reads."""
    adapter = run["config"]["lora"] is not None
    head: dict[str, Any] = {}
    if not run["base_is_folder"]:
        head |= {"base_model": run["base"], "base_model_relation": "adapter" if adapter else "finetune"}
    head |= {"library_name": "peft" if adapter else "transformers", "pipeline_tag": "text-generation"}
    head["tags"] = [OWN_TAG, "trl", "sft", *(["lora"] if adapter else [])]
    if data_set := _name_data_set(run, publication):
        head["datasets"] = [data_set]
    if publication and (results := list(_index_results(run, publication))):
        head["model-index"] = [{"name": publication.repo.rpartition("/")[2], "results": results}]
    return head


def _name_data_set(run: Mapping[str, Any], publication: Publication | None) -> str | None:
    return (publication and publication.data_set) or run["data"].get("repository")


def _index_results(run: Mapping[str, Any], publication: Publication) -> Iterator[dict[str, Any]]:
    """An entry of `model-index` for each part and task of each evaluation; what has no value is left out."""
    for result in publication.results:
        origin, evaluation = result["data"], result["evaluation"]
        title = str(origin.get("benchmark") or origin.get("name"))
        is_own = "build" in origin and origin["build"] == run["data"]["build"]
        name = (is_own and _name_data_set(run, publication)) or title.lower()
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in result["metrics"]:
            if row["value"] is None:
                continue
            interval = f"95 % interval {row['low']:.3f} to {row['high']:.3f}, n = {row['n']:,}"
            metric = {"type": row["metric"], "value": round(row["value"], 4), "name": f"{row['metric']} ({interval})"}
            groups.setdefault((row["part"], row["task"]), []).append(metric)
        for (part, task), metrics in groups.items():
            data = {"type": name, "name": f"{title}: {part}" if part == task else f"{title}: {part}, {task}"}
            data |= {"split": "validation"} if "build" in origin else {}
            kind = {"type": "text-generation", "name": f"{evaluation['name']} version {evaluation['version']}"}
            yield {"task": kind, "dataset": data, "metrics": metrics}


def _pick(entry: Mapping[str, Any], loss: str) -> dict[str, Any]:
    return {"step": entry["step"], "loss": entry[loss], "seconds": entry["seconds"]}
