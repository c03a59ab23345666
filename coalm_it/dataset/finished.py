"""A finished build as those open it who come after: publishing, training, evaluation. What its manifest does not vouch
for is not read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coalm_it.corpora.sources import is_safe_path
from coalm_it.dataset.folder import FolderError
from coalm_it.dataset.manifest import MANIFEST
from coalm_it.files import hash_bytes
from coalm_it.rendering.chat import Form

Config = Literal["coalm_it", "samples"]
Split = Literal["train", "validation"]
CONFIGS: dict[Form, Config] = {"columns": "coalm_it", "messages": "samples"}
"""Where the rows of a form lie."""


@dataclass(frozen=True)
class FinishedBuild:
    folder: Path
    manifest: dict[str, Any]
    sha256: str
    """Of the manifest, which has that of every file."""

    @property
    def files(self) -> dict[str, str]:
        """Name -> sha256; the manifest itself is not among them."""
        return {name: file["sha256"] for name, file in self.manifest["files"].items()}

    def list_files(self, config: Config, split: Split) -> list[str]:
        """Names of the data files, in order; none where the build has no such rows."""
        return sorted(name for name in self.files if name.startswith(f"data/{config}/{split}-"))

    def check_files(self, names: Iterable[str]) -> None:
        """Raises FolderError for a file that is missing or has changed."""
        files = self.files
        for name in names:
            path = self.folder / name
            if not is_safe_path(name) or not path.is_file():
                raise FolderError(f"{path} is missing: {MANIFEST} lists it; build it again")
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != files[name]:
                    raise FolderError(f"{path} is not the file that was built: its sha256 has changed; build it again")


def open_build(folder: Path) -> FinishedBuild:
    """Raises FolderError where there is no manifest, or none of ours."""
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except OSError:
        raise FolderError(f"{folder} is no finished build: there is no {MANIFEST} in it") from None
    try:
        manifest = json.loads(content)
        build = FinishedBuild(folder, manifest, hash_bytes(content))
        if not (manifest["recipe"].keys() and manifest["parts"].keys() and build.files):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FolderError(f"{path} is no manifest of a build: build it again") from None
    return build
