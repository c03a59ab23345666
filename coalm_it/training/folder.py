"""A model folder: a marker, checkpoints, the model, and run.json, which is written last."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coalm_it.errors import RequestError
from coalm_it.files import hash_bytes, write_text

MARKER = ".coalm-it-run"
RUN = "run.json"


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

    def find_checkpoint(self) -> Path | None:
        """The last complete checkpoint; the state of the trainer is the last file of one to be written."""
        steps = {int(path.name.rpartition("-")[2]): path for path in self.checkpoints.glob("checkpoint-[0-9]*")}
        for step in sorted(steps, reverse=True):
            try:
                json.loads((steps[step] / "trainer_state.json").read_bytes())
            except (OSError, ValueError):
                continue
            return steps[step]
        return None

    def finish(self, run: dict[str, Any], card: str) -> None:
        """Moves the saved model to the folder, and writes the card and, last, run.json."""
        (self.staging / "training_args.bin").unlink(missing_ok=True)  # a pickle; run.json has the same settings
        for path in self.staging.iterdir():
            path.replace(self.path / path.name)
        self.staging.rmdir()
        write_text(self.path / "README.md", card)
        write_text(self.path / RUN, json.dumps(run, indent=2, ensure_ascii=False) + "\n")
        shutil.rmtree(self.path / ".work", ignore_errors=True)


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
