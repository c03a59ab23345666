"""A model folder: a marker, checkpoints, the model, and run.json, which is written last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coalm_it.errors import RequestError
from coalm_it.files import hash_bytes, hash_file, write_text

MARKER = ".coalm-it-run"
RUN = "run.json"
_MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "vocab.txt", "merges.txt")
"""What transformers and PEFT write of a model and its tokenizer."""


class ModelFolderError(RequestError):
    """The folder cannot be used for this training; one line."""


@dataclass(frozen=True)
class ModelFolder:
    """The folder of a training, finished or not."""

    path: Path

    @property
    def base(self) -> Path:
        """The base `tiny`, which its adapter needs."""
        return self.path / "base"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def staging(self) -> Path:
        """Where the model is saved before its files are moved to the folder."""
        return self.path / ".model.part"

    def tokens(self, split: str) -> Path:
        """The tokenized rows of a split, until the training is finished."""
        return self.path / ".work" / f"{split}.arrow"

    def read_run(self) -> dict[str, Any] | None:
        """The content of run.json; None if the training is not finished."""
        try:
            run: dict[str, Any] = json.loads((self.path / RUN).read_bytes())
        except (OSError, ValueError):
            return None
        return run

    def list_checkpoints(self) -> dict[int, Path]:
        """Step -> folder of each complete checkpoint; the state of the trainer is its last file to be written."""
        steps = {int(path.name.rpartition("-")[2]): path for path in self.checkpoints.glob("checkpoint-[0-9]*")}
        return {step: steps[step] for step in sorted(steps) if _is_json(steps[step] / "trainer_state.json")}

    def find_checkpoint(self) -> Path | None:
        """The last complete checkpoint."""
        return next(reversed(self.list_checkpoints().values()), None)

    def finish(self, run: dict[str, Any], card: str) -> dict[str, Any]:
        """Moves the saved model to the folder, and writes the card and, last, run.json; returns its content.

        It is `run` with the files of the model (and of the base `tiny`), by size and sha256.
        """
        (self.staging / "training_args.bin").unlink(missing_ok=True)  # a pickle; run.json has the same settings
        for path in self.staging.iterdir():
            path.replace(self.path / path.name)
        self.staging.rmdir()
        files = {name: describe_file(self.path / name) for name in self.list_model_files()}
        run = {**run, "files": files}
        write_text(self.path / "README.md", card)
        write_text(self.path / RUN, write_run(run))
        shutil.rmtree(self.path / ".work", ignore_errors=True)
        return run

    def list_model_files(self) -> list[str]:
        """Names of the files of the model and of the base `tiny`, as the libraries write them."""
        return [
            *list_model_files(self.path),
            *(f"{self.base.name}/{name}" for name in (list_model_files(self.base) if self.base.is_dir() else ())),
        ]


def list_model_files(folder: Path) -> list[str]:
    """Names of a model's files in a folder: weights, settings, tokenizer; nothing that only the trainer needs."""
    found = (path.name for pattern in _MODEL_FILES for path in folder.glob(pattern) if path.is_file())
    return sorted(name for name in found if name not in (RUN, "trainer_state.json") and not name.startswith("."))


def describe_file(path: Path) -> dict[str, Any]:
    """Size and sha256, as in a manifest."""
    return {"bytes": path.stat().st_size, "sha256": hash_file(path)}


def write_run(run: Mapping[str, Any]) -> str:
    return json.dumps(run, indent=2, ensure_ascii=False) + "\n"


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def claim_model_folder(path: Path, settings: dict[str, Any]) -> ModelFolder:
    """Makes `path` the folder of the training with these settings, or finds it there to be resumed.

    Files of another training that has no checkpoint yet (its rows may have been refused) are removed.
    Raises ModelFolderError if the folder has other content, or belongs to another training; OutputError.
    """
    folder, marker = ModelFolder(path), path / MARKER
    key = hash_bytes(json.dumps(settings, sort_keys=True).encode())
    if path.exists() and not path.is_dir():
        raise ModelFolderError(f"{path} is a file: name a folder for the model")
    if marker.is_file():
        if marker.read_bytes().strip() == key.encode():
            return folder
        if folder.read_run() or folder.checkpoints.exists():
            raise ModelFolderError(f"{path} holds another training (other settings or data): name a new folder")
        for leftover in (folder.base, path / ".work", *path.glob(f".{folder.base.name}.*.part")):
            shutil.rmtree(leftover, ignore_errors=True)
    elif path.is_dir() and any(not entry.match(f".{MARKER}.*.part") for entry in path.iterdir()):
        raise ModelFolderError(f"{path} has other content (no {MARKER}): name an empty or a new folder")
    write_text(marker, f"{key}\n")
    return folder
