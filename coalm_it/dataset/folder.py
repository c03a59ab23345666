"""A build folder while it is being built: claimed by a marker, completed by the manifest, which is written last."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from coalm_it.dataset.card import render_card
from coalm_it.dataset.manifest import MANIFEST, FileEntry, Manifest, parse_manifest
from coalm_it.errors import RequestError
from coalm_it.files import hash_file, write_text

MARKER = ".coalm-it"
REQUESTS = "requests.txt"
DATA_FOLDERS = ("data", "rejects")


class FolderError(RequestError):
    """The folder cannot be built into, or is not a finished build; the message is one line for the user."""


@dataclass(frozen=True)
class BuildFolder:
    """A folder that holds one of our builds, finished or not."""

    path: Path
    key: str
    """Identifies the build that the folder is to hold."""

    @property
    def work(self) -> Path:
        """Where the tables of shards are kept."""
        return self.path / ".work"

    def remove_unfinished_files(self) -> None:
        """Removes the temporary files that interrupted processes left behind."""
        for part in self.path.rglob(".*.part"):
            part.unlink(missing_ok=True)

    def remove_manifest(self) -> None:
        """From now on, and until `finish`, the folder is no data set."""
        (self.path / MANIFEST).unlink(missing_ok=True)

    def write_requests(self, keys: Sequence[str]) -> list[Path]:
        """Lists the model requests that the rows depend on, one key a line; writes no file if there are none."""
        path = self.path / REQUESTS
        path.unlink(missing_ok=True)
        if not keys:
            return []
        write_text(path, "".join(f"{key}\n" for key in keys))
        return [path]

    def finish(self, manifest: Manifest, files: Sequence[Path], timings: dict[str, Any]) -> Manifest:
        """Writes the recipe, the timings, the card and, last, the manifest; removes data files of other builds.

        `files` are the data files, and requests.txt where there is one. Returns the manifest as written, which lists
        all files. Raises OutputError.
        """
        content = manifest.model_dump(mode="json")
        write_text(self.path / "recipe.yaml", yaml.safe_dump(content["recipe"], sort_keys=False, allow_unicode=True))
        write_text(self.path / "timings.json", json.dumps(timings, indent=2) + "\n")
        for folder in DATA_FOLDERS:
            for path in (self.path / folder).rglob("*.parquet"):
                if path not in files:
                    path.unlink()
        described = self._describe_files([*files, self.path / "recipe.yaml"])
        card = self.path / "README.md"
        write_text(card, render_card(manifest.model_copy(update={"files": described})))
        described |= self._describe_files([card])
        text = manifest.model_copy(update={"files": dict(sorted(described.items()))}).to_json()
        write_text(self.path / MANIFEST, text)
        return parse_manifest(text.encode())

    def _describe_files(self, files: Sequence[Path]) -> dict[str, FileEntry]:
        return {
            path.relative_to(self.path).as_posix(): FileEntry(
                rows=pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None,
                bytes=path.stat().st_size,
                sha256=hash_file(path),
            )
            for path in files
        }


def claim_folder(path: Path, recipe: str, key: str, say: Callable[[str], None]) -> BuildFolder:
    """Makes `path` the folder of the build with this key. The manifest of another build is removed at once.

    Raises FolderError if something else is there, OutputError if nothing can be written.
    """
    folder, marker = BuildFolder(path, key), path / MARKER
    if not path.is_dir() and (path.exists() or not _first_existing(path).is_dir()):
        raise FolderError(f"{path} cannot be an output folder: {_first_existing(path)} is a file")
    # An interrupted claim leaves nothing but the temporary file of the marker.
    foreign = path.is_dir() and any(not entry.match(f".{MARKER}.*.part") for entry in path.iterdir())
    if foreign and not marker.is_file():
        raise FolderError(f"{path} holds something else (no {MARKER} in it): name an empty or a new folder")
    text = json.dumps({"recipe": recipe, "build": key}) + "\n"
    if marker.is_file() and marker.read_bytes() != text.encode():
        say(f"{path} holds another build (other recipe, inputs or version), which will be replaced.")
        folder.remove_manifest()
    write_text(marker, text)
    folder.remove_unfinished_files()
    return folder


def _first_existing(path: Path) -> Path:
    return next((parent for parent in [path, *path.absolute().parents] if parent.exists()), path)
