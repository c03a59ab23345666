"""Builds a data set again from its recipe, and compares every data file with what its manifest says."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coalm_it.dataset.attachments import SOURCES, TEMPLATES
from coalm_it.dataset.card import is_bundled
from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.folder import DATA_FOLDERS, FolderError
from coalm_it.dataset.hub import BRANCH
from coalm_it.dataset.manifest import Manifest
from coalm_it.dataset.published import download_build, open_repository
from coalm_it.errors import RequestError
from coalm_it.listener import Listener, Silent
from coalm_it.pipeline.build import build
from coalm_it.pipeline.model_pass import AnswerSource

RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class Comparison:
    """A data set beside the one that was built again from its recipe."""

    name: str
    """The build folder, or the repository on the Hub."""
    compared: int
    """Number of data files that the manifest lists."""
    files: tuple[str, ...]
    """The data files that differ, each with how."""
    causes: tuple[str, ...]
    """What differs of that on which the data depend: inputs, versions, model answers."""

    @property
    def is_same(self) -> bool:
        return not self.files


def rebuild(
    path: str,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    workers: int = 1,
    answer_source: AnswerSource | None = None,
    endpoint: str | None = None,
    revision: str = BRANCH,
    listener: Listener | None = None,
) -> Comparison:
    """Builds the data set at `path`, a build folder or a repository USER/NAME of the Hub, again from its recipe.

    `out` keeps what is built; without it, a temporary folder is used. Of a repository only the recipe and its manifest
    are downloaded. Raises FolderError (no finished build, or one that has changed), HubRequestError, HubError, and what
    `build` raises.
    """
    listener = listener or Silent()
    with _open_original(path, endpoint, revision, listener) as original, tempfile.TemporaryDirectory() as temporary:
        if data is None and not is_bundled(original.manifest.inputs):
            raise RequestError(f"{path} was built from corpora of yours: add --data CORPORA")
        target = Path(temporary, "out") if out is None else Path(out)
        if target.resolve() == original.folder.resolve():
            raise FolderError(f"{target} is the build itself: name another folder for --out")
        built = build(
            str(original.folder / RECIPE),
            out=target,
            data=data,
            workers=workers,
            answer_source=answer_source,
            listener=listener,
        )
        return compare_builds(path, original.manifest, built.manifest)


# --- the original ---


@contextmanager
def _open_original(path: str, endpoint: str | None, revision: str, listener: Listener) -> Iterator[FinishedBuild]:
    if Path(path).is_dir():
        build = open_build(Path(path))
        build.check_files(build.manifest.files)
        yield build
        return
    repository = open_repository(path, endpoint, listener)
    with tempfile.TemporaryDirectory() as folder:
        yield download_build(repository, Path(folder), revision, _is_needed)


def _is_needed(name: str) -> bool:
    """Whether a file is the recipe, or one to which it refers."""
    return name == RECIPE or name.startswith((f"{SOURCES}/", f"{TEMPLATES}/"))


# --- the comparison ---


def compare_builds(name: str, original: Manifest, rebuilt: Manifest) -> Comparison:
    """What differs between two builds; a repository without its rejects is compared without them."""
    before, now = _list_data(original), _list_data(rebuilt)
    if not any(file.startswith("rejects/") for file in before):
        now = {file: sha256 for file, sha256 in now.items() if not file.startswith("rejects/")}
    files = tuple(_list_differences("", before, now))
    return Comparison(name, len(before), files, tuple(_list_causes(original, rebuilt)) if files else ())


def _list_data(manifest: Manifest) -> dict[str, str]:
    files = {name: file.sha256 for name, file in manifest.files.items()}
    return {name: sha256 for name, sha256 in files.items() if name.partition("/")[0] in DATA_FOLDERS}


def _list_differences(kind: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if name not in now:
            yield f"{kind}{name}: missing now"
        elif name not in before:
            yield f"{kind}{name}: new"
        elif before[name] != now[name]:
            yield f"{kind}{name}: other content"


def _list_causes(original: Manifest, rebuilt: Manifest) -> Iterator[str]:
    inputs = list(_list_differences("input ", original.inputs, rebuilt.inputs))
    inputs += _list_differences("tokenizer ", original.tokenizers, rebuilt.tokenizers)
    libraries = sorted({*original.versions, *rebuilt.versions})
    versions = [
        f"version of {name}: {original.versions.get(name, 'none')} then, {rebuilt.versions.get(name, 'none')} now"
        for name in libraries
        if original.versions.get(name) != rebuilt.versions.get(name)
    ]
    yield from [*inputs, *versions]
    if not inputs and not versions and original.build != rebuilt.build:
        yield "code, templates or a source's description: changed, although the version of coalm-it is the same"
    if original.answers != rebuilt.answers:
        yield (
            f"model answers: {original.answers.requests:,} requests then, {rebuilt.answers.requests:,} now, "
            "with other answers"
        )
