"""A build folder: the marker, the data files, what describes them, and the manifest last."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from coalm_it.dataset.manifest import MANIFEST
from coalm_it.errors import RequestError
from coalm_it.files import hash_bytes, write_text

MARKER = ".coalm-it"
REQUESTS = "requests.txt"
DATA_FOLDERS = ("data", "rejects")


class FolderError(RequestError):
    """The output folder is not one to build into; the message is one line for the user."""


@dataclass(frozen=True)
class BuildFolder:
    """A folder that is a build of ours, finished or not. `key` says which build it is to hold."""

    path: Path
    key: str

    @property
    def work(self) -> Path:
        """Where finished shards wait to be written into place."""
        return self.path / ".work"

    def sweep(self) -> None:
        """Takes away files that somebody who was ended in the middle has left unfinished."""
        for part in self.path.rglob(".*.part"):
            part.unlink(missing_ok=True)

    def read_manifest(self) -> dict[str, Any] | None:
        """The manifest, where the folder holds this build and every file is as it was written; else None."""
        try:
            manifest: dict[str, Any] = json.loads((self.path / MANIFEST).read_bytes())
            good = manifest["build"] == self.key and all(
                hash_bytes((self.path / name).read_bytes()) == file["sha256"]
                for name, file in manifest["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return manifest if good else None

    def write_requests(self, keys: Sequence[str]) -> list[Path]:
        """Lists the requests to a model that the rows hang on, one key a line; without any there is no such file."""
        path = self.path / REQUESTS
        path.unlink(missing_ok=True)
        if not keys:
            return []
        write_text(path, "".join(f"{key}\n" for key in keys))
        return [path]

    def finish(
        self,
        manifest: dict[str, Any],
        files: Sequence[Path],
        timings: dict[str, Any],
        render_card: Callable[[dict[str, Any]], str],
    ) -> dict[str, Any]:
        """Writes what describes the data files, takes away what is left of other builds, the manifest last.

        The card is rendered from the manifest with the data files in it. Returns the manifest with all `files` in it.
        """
        recipe = yaml.safe_dump(manifest["recipe"], sort_keys=False, allow_unicode=True)
        write_text(self.path / "recipe.yaml", recipe)
        write_text(self.path / "timings.json", json.dumps(timings, indent=2) + "\n")
        for folder in DATA_FOLDERS:
            for path in (self.path / folder).rglob("*.parquet"):
                if path not in files:
                    path.unlink()
        described = self._describe_files([*files, self.path / "recipe.yaml"])
        card = self.path / "README.md"
        write_text(card, render_card({**manifest, "files": described}))
        whole = {**manifest, "files": dict(sorted({**described, **self._describe_files([card])}.items()))}
        write_text(self.path / MANIFEST, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        return whole

    def _describe_files(self, files: Sequence[Path]) -> dict[str, dict[str, Any]]:
        described = {}
        for path in files:
            rows = {"rows": pq.read_metadata(path).num_rows} if path.suffix == ".parquet" else {}
            name = path.relative_to(self.path).as_posix()
            described[name] = {**rows, "bytes": path.stat().st_size, "sha256": hash_bytes(path.read_bytes())}
        return described


def claim_folder(path: Path, recipe: str, key: str, say: Callable[[str], None]) -> BuildFolder:
    """Makes `path` a build folder of ours. What is there of another build loses its manifest at once.

    Raises FolderError where something else lies there, OutputError where nothing can be written.
    """
    folder, marker = BuildFolder(path, key), path / MARKER
    if not path.is_dir() and (path.exists() or not _first_existing(path).is_dir()):
        raise FolderError(f"{path} cannot be an output folder: {_first_existing(path)} is a file")
    # A claim that was cut off leaves the unfinished marker: that is no work of anybody's.
    foreign = path.is_dir() and any(not entry.match(f".{MARKER}.*.part") for entry in path.iterdir())
    if foreign and not marker.is_file():
        raise FolderError(f"{path} holds something else (no {MARKER} in it): name an empty or a new folder")
    text = json.dumps({"recipe": recipe, "build": key}) + "\n"
    if marker.is_file() and marker.read_text(encoding="utf-8") != text:
        say(f"{path} holds another build (other recipe, inputs or version): it is built anew.")
        (path / MANIFEST).unlink(missing_ok=True)
    write_text(marker, text)
    folder.sweep()
    return folder


def read_requests(path: Path) -> list[str]:
    """The keys of the requests to a model that the rows of a finished build hang on, sorted.

    Raises FolderError: no finished build, one that was made without a model, or a list that is not as it was written.
    """
    if not (path / MANIFEST).is_file():
        raise FolderError(f"{path} is no finished build: there is no {MANIFEST} in it")
    try:
        files = json.loads((path / MANIFEST).read_bytes())["files"]
        listed = files.get(REQUESTS)
        content = (path / REQUESTS).read_bytes() if listed else b""
        whole = not listed or listed["sha256"] == hash_bytes(content)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise FolderError(f"{path}: {MANIFEST} or {REQUESTS} is not as the build wrote it; build again")
    if not listed:
        raise FolderError(f"{path} was built without a model: there is no {REQUESTS} in it, and nothing to export")
    return content.decode("ascii").split()


def _first_existing(path: Path) -> Path:
    return next((parent for parent in [path, *path.absolute().parents] if parent.exists()), path)
