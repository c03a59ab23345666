"""Publishes a trained model on the Hub: its folder is checked first, then uploaded (see dataset/release.py).

What differs from the folder: the card, which also has what was measured; run.json, which lists what is published; and
paths of this machine, of which the settings keep only the last part. What only the trainer needs (the state of the
optimizer) is not published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import jinja2

from coalm_it.corpora.sources import is_safe_path
from coalm_it.dataset.hub import BRANCH, check_name
from coalm_it.dataset.lock import hold_folder
from coalm_it.dataset.release import CARD, Published, Release, check_tag, publish_release
from coalm_it.extras import require_extra
from coalm_it.files import hash_bytes, hash_file
from coalm_it.listener import Listener, Silent
from coalm_it.training.card import Publication, render_run
from coalm_it.training.config import TINY
from coalm_it.training.folder import MARKER, RUN, ModelFolder, ModelFolderError, list_model_files, write_run

_SETTINGS = ("config.json", "generation_config.json", "adapter_config.json", "tokenizer_config.json")
"""Files in which the libraries may have written paths."""
_BASE_KEYS = {"base", "base_model_name_or_path", "_name_or_path", "name_or_path"}
_PATH_KEYS = {"chat_template_path"}


def is_model_folder(folder: Path) -> bool:
    """Whether a training has written there, finished or not."""
    return (folder / MARKER).is_file() or (folder / RUN).is_file()


@dataclass(frozen=True)
class _Source:
    """A folder with a model's files, all there and as they were written."""

    folder: Path
    hashes: dict[str, str]
    """Name -> sha256."""
    written: dict[str, bytes]
    """Files that differ from those of the folder."""


def plan_model_release(
    folder: Path,
    repo: str,
    tag: str | None = None,
    *,
    data_set: str | None = None,
    results: Sequence[Mapping[str, Any]] = (),
    with_checkpoints: bool = False,
) -> Release:
    """Checks the names, the folder, and that the results are those of this model.

    `data_set` is the repository of the build that the model was trained on; not needed if it was trained on one of the
    Hub. `results` are the contents of results.json. `with_checkpoints`: each checkpoint is a branch checkpoint-STEP.
    The default tag consists of the training's version and the first digits of the published run.json's sha256.
    Raises ModelFolderError; HubRequestError for an invalid name or tag.
    """
    require_extra("hub", "publishing")
    for name in (repo, *([data_set] if data_set else [])):
        check_name(name)
    model = ModelFolder(folder)
    run = _read_finished_run(model)
    for result in results:
        _check_measured(result, folder, run)
    steps = _list_checkpoints(model) if with_checkpoints else {}
    data = {**run["data"], "repository": data_set or run["data"].get("repository")}
    shown = {**_hide_paths(run, run), "data": data}
    publication = Publication(repo, data_set, results, tuple(steps))
    release = _make_release(shown, _read_model(model, run), publication)
    tag = tag or f"v{run['version']}-{release.files[RUN][:8]}"
    check_tag(tag)
    others = tuple(
        replace(
            _make_release(shown, _read_checkpoint(model, path, run), replace(publication, results=(), checkpoint=step)),
            branch=path.name,
        )
        for step, path in steps.items()
    )
    return replace(release, tag=tag, others=others)


def publish_model(
    folder: Path,
    repo: str,
    *,
    public: bool = False,
    tag: str | None = None,
    data_set: str | None = None,
    results: Sequence[Mapping[str, Any]] = (),
    with_checkpoints: bool = False,
    endpoint: str | None = None,
    listener: Listener | None = None,
) -> Published:
    """Publishes a model folder as the model `repo` (USER/NAME) of the Hub, or of the Hub at `endpoint`.

    Raises what plan_model_release and publish_release raise.
    """
    with hold_folder(folder, f"an upload to {repo}"):
        release = plan_model_release(
            folder, repo, tag, data_set=data_set, results=results, with_checkpoints=with_checkpoints
        )
        return publish_release(release, public, endpoint, listener or Silent())


# --- the folder is checked ---


def _read_finished_run(model: ModelFolder) -> dict[str, Any]:
    """The content of run.json. Raises ModelFolderError."""
    if not (model.path / RUN).is_file():
        raise ModelFolderError(
            f"{model.path} is not a finished model: it has no {RUN}; the same `coalm-it train` command resumes it"
        )
    run = model.read_run()
    try:
        if run is None or run["config"].keys().isdisjoint({"lora"}):
            raise KeyError(RUN)
        render_run(run)
        if any("sha256" not in file for file in (run.get("files") or {}).values()):
            raise KeyError("sha256")
    except (jinja2.UndefinedError, LookupError, TypeError, ValueError, AttributeError):
        raise ModelFolderError(f"{model.path / RUN} is not the {RUN} of a training by coalm-it") from None
    return run


def _read_model(model: ModelFolder, run: Mapping[str, Any]) -> _Source:
    """The files that run.json lists; those there are, if an earlier version of coalm-it wrote it.

    Raises ModelFolderError if one is missing or has changed.
    """
    listed: Mapping[str, Any] = run.get("files") or {}
    names = [name for name in listed or model.list_model_files() if name != CARD]
    needs_base = run["config"]["base"] == TINY and run["config"]["lora"] is not None
    names = [name for name in names if needs_base or not name.startswith(f"{model.base.name}/")]
    source = _read_files(model.path, names, run)
    for name, sha256 in source.hashes.items() if listed else ():
        if listed[name]["sha256"] != sha256:
            raise ModelFolderError(f"{model.path / name} is not the file that was trained: its sha256 has changed")
    return _hide_paths_of_files(source, run)


def _list_checkpoints(model: ModelFolder) -> dict[int, Path]:
    """Raises ModelFolderError if there is none, or one has no weights that can be loaded."""
    steps = model.list_checkpoints()
    if not steps:
        raise ModelFolderError(f"{model.path} has no checkpoints: sft.save_steps and sft.save_strategy decide it")
    return steps


def _read_checkpoint(model: ModelFolder, path: Path, run: Mapping[str, Any]) -> _Source:
    """The model's files of a checkpoint, with the base `tiny` if it is needed. Raises ModelFolderError."""
    source = _hide_paths_of_files(_read_files(path, list_model_files(path), run), run)
    base = {name: content for name, content in _read_tiny_base(model, run).items() if name not in source.hashes}
    hashes = {name: hash_bytes(content) for name, content in base.items()}
    return replace(source, hashes=source.hashes | hashes, written=source.written | base)


def _read_tiny_base(model: ModelFolder, run: Mapping[str, Any]) -> dict[str, bytes]:
    if run["config"]["base"] != TINY or run["config"]["lora"] is None:
        return {}
    return {f"{model.base.name}/{name}": (model.base / name).read_bytes() for name in list_model_files(model.base)}


def _read_files(folder: Path, names: Sequence[str], run: Mapping[str, Any]) -> _Source:
    for name in names:
        if not is_safe_path(name) or not (folder / name).is_file():
            raise ModelFolderError(f"{folder / name} is missing: {RUN} lists it")
    settings = "config.json" if run["config"]["lora"] is None else "adapter_config.json"
    if settings not in names or not any(name.endswith(".safetensors") and "/" not in name for name in names):
        raise ModelFolderError(f"{folder} has no weights that can be loaded: {settings} and *.safetensors are expected")
    return _Source(folder, {name: hash_file(folder / name) for name in names}, {})


def _check_measured(result: Mapping[str, Any], folder: Path, run: Mapping[str, Any]) -> None:
    """Raises ModelFolderError if the results are those of another model, as far as can be seen: the model of an
    endpoint may have any name."""
    measured = str(result["model"])
    is_other = Path(measured).exists() and ModelFolder(Path(measured)).read_run() != ModelFolder(folder).read_run()
    if is_other or measured in (run["base"], run["config"]["base"]):
        name = result["evaluation"]["name"]
        raise ModelFolderError(f"the results of {name} are those of {measured}, not of {folder}: evaluate this model")


# --- what is published ---


def _make_release(run: Mapping[str, Any], source: _Source, publication: Publication) -> Release:
    """A release without tag; its run.json lists all other files."""
    written = {**source.written, CARD: render_run(run, publication).encode()}
    hashes = {**source.hashes, CARD: hash_bytes(written[CARD])}
    release = Release(publication.repo, "model", source.folder, RUN, hashes, written, tag="")
    listed = {name: {"bytes": release.measure(name), "sha256": sha256} for name, sha256 in hashes.items()}
    step = {} if publication.checkpoint is None else {"checkpoint": publication.checkpoint}
    content = write_run({**run, **step, "files": listed}).encode()
    files = {**hashes, RUN: hash_bytes(content)}
    return replace(release, files=files, written={**written, RUN: content}, branch=BRANCH)


def _hide_paths_of_files(source: _Source, run: Mapping[str, Any]) -> _Source:
    """The settings without paths; files without any are published as they are."""
    changed = {}
    for name in source.hashes:
        if PurePosixPath(name).name in _SETTINGS:
            try:
                settings = json.loads((source.folder / name).read_bytes())
            except ValueError:
                raise ModelFolderError(f"{source.folder / name} is damaged: it is not JSON") from None
            shown = _hide_paths(settings, run)
            if shown != settings:
                changed[name] = (json.dumps(shown, indent=2, ensure_ascii=False) + "\n").encode()
    hashes = {name: hash_bytes(content) for name, content in changed.items()}
    return replace(source, hashes=source.hashes | hashes, written=changed)


def _hide_paths(value: Any, run: Mapping[str, Any], key: str = "") -> Any:
    """The value with the last part of each path of this machine; a base in a folder is called by its name."""
    if isinstance(value, Mapping):
        return {name: _hide_paths(inner, run, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hide_paths(inner, run, key) for inner in value]
    if not isinstance(value, str) or "\n" in value:
        return value
    if key in _BASE_KEYS and run["base_is_folder"]:
        return "base" if run["config"]["base"] == TINY and key != "base" else run["base"]
    windows = PureWindowsPath(value)
    is_path = windows.is_absolute() or value.startswith(("/", "~", "./", "../"))
    return windows.name or value if is_path or key in _PATH_KEYS else value
