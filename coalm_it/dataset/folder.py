"""A build folder while it is being built: claimed by a marker, completed by the manifest, which is written last."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from coalm_it.dataset.card import is_bundled, render_card
from coalm_it.dataset.manifest import MANIFEST, FileEntry, Manifest, ManifestError, parse_manifest
from coalm_it.errors import RequestError
from coalm_it.files import OutputError, hash_file, write_text

MARKER = ".coalm-it"
REQUESTS = "requests.txt"
DATA_FOLDERS = ("data", "rejects")

FILES: dict[str, str] = {
    "data/coalm_it/*.parquet": "The rows as three texts: `train`, and `validation` where the recipe holds some out; "
    "50,000 rows a file.",
    "data/samples/*.parquet": "The same rows in the same order, typed.",
    "rejects/*.parquet": "Samples that a check rejected, and why. Only where there are any.",
    "README.md": "The data set card, as the Hub shows it.",
    "recipe.yaml": "The recipe with every default and every `--set`; `coalm-it build recipe.yaml` builds it again.",
    REQUESTS: "Keys of the model requests that the rows depend on. Only where a model wrote thoughts.",
    "timings.json": "Seconds by stage, and peak memory. Differs from build to build; not part of the data set.",
    MANIFEST: "Counts, inputs and a hash of every file; written last: a folder without it is no finished build.",
    MARKER: "Marks the folder as a build, so that nothing else is ever overwritten; not part of the data set.",
}
"""Glob of files in a build folder -> what they hold, for docs/data_set.md."""


class FolderError(RequestError):
    """The folder cannot be built into, or is not a finished build; the message is one line for the user."""


@dataclass(frozen=True)
class BuildFolder:
    """A folder that holds one of our builds, finished or not."""

    path: Path
    key: str
    """Identifies the build that the folder is to hold."""

    def claim(self, recipe: str, inputs: Mapping[str, str], *, replace: bool, say: Callable[[str], None]) -> None:
        """Makes the folder ours. A finished build in it stays one until the first file of the new one is written.

        `recipe` and `inputs` (name -> sha256) say what is to be built: neither the bundled samples nor another recipe
        take the place of a finished build of real corpora, unless `replace`.
        Raises FolderError if that or something else is there, OutputError if nothing can be written.
        """
        path, marker = self.path, self.path / MARKER
        if not path.is_dir() and (path.exists() or not _first_existing(path).is_dir()):
            raise FolderError(f"{path} cannot be an output folder: {_first_existing(path)} is a file")
        # An interrupted claim leaves nothing but the temporary file of the marker.
        foreign = path.is_dir() and any(not entry.match(f".{MARKER}.*.part") for entry in path.iterdir())
        if foreign and not marker.is_file():
            raise FolderError(f"{path} holds something else (no {MARKER} in it): name an empty or a new folder")
        text = json.dumps({"recipe": recipe, "build": self.key}) + "\n"
        if marker.is_file() and marker.read_bytes() != text.encode():
            if not replace:
                self._protect(recipe, inputs)
            say(f"{path} holds another build (other recipe, inputs or version), which will be replaced.")
        write_text(marker, text)
        self.clean_up([])

    def _protect(self, recipe: str, inputs: Mapping[str, str]) -> None:
        """Raises FolderError for a finished build of real corpora that would be lost by mistake."""
        try:
            there = parse_manifest((self.path / MANIFEST).read_bytes())
        except (OSError, ManifestError):
            return
        bundled = is_bundled(inputs)
        if not is_bundled(there.inputs) and (bundled or there.name != recipe):
            rows = sum(part.rows for part in there.parts.values())
            what = "the bundled samples" if bundled else f"recipe {recipe}"
            raise FolderError(
                f"{self.path} holds a finished build of recipe {there.name} from real corpora, {rows:,} rows; "
                f"--replace puts {what} in its place, or name another folder"
            )

    def clean_up(self, written: Iterable[Path]) -> None:
        """Removes what interrupted processes left unfinished.

        If the folder was removed while it was built, also the data files that were `written` into what was left of it:
        nothing stands in the way of a rerun.
        """
        for folder in (self.path, *(self.path / name for name in DATA_FOLDERS)):
            _remove_unfinished(folder)
        if (self.path / MARKER).is_file():
            return
        for file in written:
            file.unlink(missing_ok=True)
        for folder in (*(self.path / name for name in DATA_FOLDERS), self.path):
            _remove_empty_folders(folder)

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
        all files. Raises OutputError, also if the folder was removed meanwhile.
        """
        self._refuse_removed()
        content = manifest.model_dump(mode="json")
        write_text(self.path / "recipe.yaml", yaml.safe_dump(content["recipe"], sort_keys=False, allow_unicode=True))
        write_text(self.path / "timings.json", json.dumps(timings, indent=2) + "\n")
        for folder in DATA_FOLDERS:
            for path in (self.path / folder).rglob("*.parquet"):
                if path not in files:
                    path.unlink()
            _remove_empty_folders(self.path / folder)
        described = self._describe_files([*files, self.path / "recipe.yaml"])
        card = self.path / "README.md"
        write_text(card, render_card(manifest.model_copy(update={"files": described})))
        described |= self._describe_files([card])
        text = manifest.model_copy(update={"files": dict(sorted(described.items()))}).to_json()
        write_text(self.path / MANIFEST, text)
        if not all((self.path / name).is_file() for name in (MARKER, *described)):
            for name in ("recipe.yaml", "timings.json", "README.md", MANIFEST):
                (self.path / name).unlink(missing_ok=True)
            self._refuse_removed()
            raise OutputError(f"files of {self.path} were removed while it was built: run again")
        return parse_manifest(text.encode())

    def _refuse_removed(self) -> None:
        if not (self.path / MARKER).is_file():
            raise OutputError(f"{self.path} was removed while it was built: run again")

    def _describe_files(self, files: Sequence[Path]) -> dict[str, FileEntry]:
        try:
            return {
                path.relative_to(self.path).as_posix(): FileEntry(
                    rows=pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None,
                    bytes=path.stat().st_size,
                    sha256=hash_file(path),
                )
                for path in files
            }
        except FileNotFoundError:
            raise OutputError(f"files of {self.path} were removed while it was built: run again") from None


def _remove_unfinished(folder: Path) -> None:
    for part in folder.glob("**/.*.part" if folder.name in DATA_FOLDERS else ".*.part"):
        part.unlink(missing_ok=True)


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):
            path.rmdir()
    with suppress(OSError):
        folder.rmdir()


def _first_existing(path: Path) -> Path:
    return next((parent for parent in [path, *path.absolute().parents] if parent.exists()), path)
