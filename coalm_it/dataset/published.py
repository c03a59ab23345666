"""Opens a finished build wherever it is: a folder, or a repository of the Hub, whose files are downloaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from coalm_it.corpora.sources import is_safe_path
from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.folder import FolderError
from coalm_it.dataset.hub import BRANCH, HubRequestError, Repository, check_name
from coalm_it.dataset.manifest import MANIFEST
from coalm_it.files import cache_folder
from coalm_it.listener import Listener


def open_anywhere(path: Path, listener: Listener, endpoint: str | None = None) -> FinishedBuild:
    """The build in a folder, or the newest one of a repository USER/NAME; its rows are kept in the cache folder.

    Raises FolderError, HubRequestError, HubError.
    """
    if path.exists():
        return open_build(path)
    repository = open_repository(path.as_posix(), endpoint, listener)
    folder = cache_folder() / "hub" / repository.name

    def is_data(name: str) -> bool:
        return name.startswith("data/")

    build = download_build(repository, folder, BRANCH, is_data, by_commit=True)
    return replace(build, repository=repository.name)


def open_repository(name: str, endpoint: str | None, listener: Listener) -> Repository:
    """The repository of that name, for reading. Raises FolderError for what can be none; HubRequestError, HubError."""
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise FolderError(f"{name} is neither a build folder nor a repository of the Hub (USER/NAME)")
    check_name(name)
    listener.say(f"{name} is not a folder here: reading it from the Hub")
    return Repository(name, endpoint, listener, only_read=True)


def download_build(
    repository: Repository, folder: Path, revision: str, wanted: Callable[[str], bool], *, by_commit: bool = False
) -> FinishedBuild:
    """The manifest of a revision and its `wanted` files, in `folder`, or (`by_commit`) below it by the commit.

    Files that are there already are not downloaded again. Raises FolderError, HubRequestError, HubError.
    """
    contents = repository.read_contents(revision)
    if contents is None:
        raise HubRequestError(
            f"{repository.url}: there is no such data set or no revision {revision!r}, or it is private and the token "
            "(HF_TOKEN) has no access; nor is there a folder of this name"
        )
    if MANIFEST not in contents.files:
        raise HubRequestError(f"{repository.url} is not a finished build: it has no {MANIFEST}")
    folder = folder / contents.commit if by_commit else folder
    repository.download([MANIFEST], folder, contents.commit)
    try:
        build = open_build(folder)
    except FolderError as error:
        raise HubRequestError(f"{repository.url}: {str(error).removeprefix(f'{folder}{os.sep}')}") from None
    needed = [name for name in build.manifest.files if is_safe_path(name) and wanted(name)]
    repository.download(needed, folder, contents.commit)
    build.check_files(needed)
    return build
