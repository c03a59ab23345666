"""Reads a finished build, for publishing, training and evaluation: only files that match the manifest's hashes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from coalm_it.corpora.sources import is_safe_path
from coalm_it.dataset.folder import REQUESTS, BuildFolder, FolderError
from coalm_it.dataset.manifest import MANIFEST, Manifest, ManifestError, OtherVersionError, parse_manifest
from coalm_it.dataset.tables import Config, Split
from coalm_it.files import hash_bytes, hash_file
from coalm_it.rendering.chat import Form

CONFIG_OF_FORM: dict[Form, Config] = {"columns": "coalm_it", "messages": "samples"}
"""Form of a row -> the config that has it."""


@dataclass(frozen=True)
class FinishedBuild:
    folder: Path
    manifest: Manifest
    sha256: str
    """Of the manifest, which has the hashes of all other files."""
    repository: str | None = None
    """USER/NAME, if it was downloaded from the Hub."""

    def list_files(self, config: Config, split: Split) -> list[str]:
        """Names of the data files, in order; empty if the build has no such rows."""
        return sorted(name for name in self.manifest.files if name.startswith(f"data/{config}/{split}-"))

    def find_example(self, folder: Literal["data/samples", "rejects"]) -> str | None:
        """The id of the first row there; None if there is none."""
        names = sorted(name for name in self.manifest.files if name.startswith(f"{folder}/"))
        for batch in pq.ParquetFile(self.folder / names[0]).iter_batches(1, columns=["id"]) if names else ():
            return str(batch["id"][0])
        return None

    def check_files(self, names: Iterable[str]) -> None:
        """Raises FolderError if one of the files is missing or has changed."""
        for name in names:
            path = self.folder / name
            if not is_safe_path(name) or not path.is_file():
                raise FolderError(f"{path} is missing: {MANIFEST} lists it; build it again")
            if hash_file(path) != self.manifest.files[name].sha256:
                raise FolderError(f"{path} is not the file that was built: its sha256 has changed; build it again")


def open_build(folder: Path) -> FinishedBuild:
    """Raises FolderError if there is no manifest, or none that this version reads."""
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except OSError:
        raise FolderError(f"{folder} is not a finished build: it has no {MANIFEST}") from None
    try:
        return FinishedBuild(folder, parse_manifest(content), hash_bytes(content))
    except OtherVersionError as error:
        recipe = folder / "recipe.yaml"
        command = f": coalm-it build {recipe} --data CORPORA --out {folder}" if recipe.is_file() else ""
        raise FolderError(f"{path} {error}; build it again{command}") from None
    except ManifestError as error:
        raise FolderError(f"{path} {error}; build it again") from None


def find_current_build(folder: BuildFolder) -> Manifest | None:
    """The manifest, if the folder holds the build of its key and every file is as it was written; None otherwise."""
    try:
        build = open_build(folder.path)
        if build.manifest.build != folder.key:
            return None
        build.check_files(build.manifest.files)
    except (FolderError, OSError):
        return None
    return build.manifest


def read_requests(folder: Path) -> list[str]:
    """The keys of the model requests that the rows of a finished build depend on, sorted.

    Raises FolderError: no finished build, a build without a model, a list that has changed.
    """
    build = open_build(folder)
    if REQUESTS not in build.manifest.files:
        raise FolderError(f"{folder} was built without a model: it has no {REQUESTS}, and no answers to export")
    build.check_files([REQUESTS])
    return (folder / REQUESTS).read_text(encoding="ascii").split()
