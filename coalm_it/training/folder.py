"""A model folder: marker, checkpoints, the model, and run.json, which is written last."""

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
    """The folder is not one to train into; the message is one line."""


@dataclass(frozen=True)
class ModelFolder:
    """A folder that is a training of ours, finished or not."""

    path: Path

    @property
    def base(self) -> Path:
        """Where a base that is made on the spot lies; the adapter needs it."""
        return self.path / "base"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def unfinished(self) -> Path:
        """Where the model is saved before it takes its place."""
        return self.path / ".model.part"

    def tokens(self, split: str) -> Path:
        return self.path / ".work" / f"{split}.arrow"

    def read_run(self) -> dict[str, Any] | None:
        """The run, where it is finished."""
        try:
            run: dict[str, Any] = json.loads((self.path / RUN).read_bytes())
        except (OSError, ValueError):
            return None
        return run

    def find_checkpoint(self) -> Path | None:
        """The last whole one; the trainer's state is the last file that is written to it."""
        steps = {int(path.name.rpartition("-")[2]): path for path in self.checkpoints.glob("checkpoint-[0-9]*")}
        for step in sorted(steps, reverse=True):
            try:
                json.loads((steps[step] / "trainer_state.json").read_bytes())
            except (OSError, ValueError):
                continue
            return steps[step]
        return None

    def finish(self, run: dict[str, Any], card: str) -> None:
        """Puts the saved model into its place, with its card, and run.json last of all."""
        (self.unfinished / "training_args.bin").unlink(missing_ok=True)  # a pickle; run.json says it all
        for path in self.unfinished.iterdir():
            path.replace(self.path / path.name)
        self.unfinished.rmdir()
        write_text(self.path / "README.md", card)
        write_text(self.path / RUN, json.dumps(run, indent=2, ensure_ascii=False) + "\n")
        shutil.rmtree(self.path / ".work", ignore_errors=True)


def claim_model_folder(path: Path, settings: dict[str, Any]) -> ModelFolder:
    """Makes `path` the folder of the training with these settings; what is there of it stays, to be gone on with.

    What another training left there before its first checkpoint (it may have been refused its rows) goes away.
    Raises ModelFolderError where something else lies there, be it another training; OutputError.
    """
    folder, marker = ModelFolder(path), path / MARKER
    key = hash_bytes(json.dumps(settings, sort_keys=True).encode())
    if path.exists() and not path.is_dir():
        raise ModelFolderError(f"{path} cannot be a model folder: it is a file")
    if marker.is_file():
        if marker.read_bytes().strip() == key.encode():
            return folder
        if folder.read_run() or folder.checkpoints.exists():
            raise ModelFolderError(f"{path} holds another training (other settings or data): name a new folder")
        for left in (".work", "base", ".base.part"):
            shutil.rmtree(path / left, ignore_errors=True)
    elif path.is_dir() and any(not entry.match(f".{MARKER}.*.part") for entry in path.iterdir()):
        raise ModelFolderError(f"{path} holds something else (no {MARKER} in it): name an empty or a new folder")
    write_text(marker, f"{key}\n")
    return folder
