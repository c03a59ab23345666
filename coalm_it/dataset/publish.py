"""Publishes a finished build on the Hub: the build is checked first, then uploaded (see release.py).

Two files differ from those of the folder: the card names the repository in its example, and the manifest has the hash
of that card. Rejected samples are published only if asked for; otherwise neither of the two files mentions them.
"""

from __future__ import annotations

from pathlib import Path

from coalm_it.dataset.card import list_licence_warnings, render_card
from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.folder import DATA_FOLDERS, FolderError
from coalm_it.dataset.hub import check_name
from coalm_it.dataset.lock import hold_folder
from coalm_it.dataset.manifest import MANIFEST, FileEntry, find_shortfall
from coalm_it.dataset.release import CARD, Published, Release, check_tag, publish_release
from coalm_it.errors import ShortfallError
from coalm_it.extras import require_extra
from coalm_it.files import hash_bytes
from coalm_it.listener import Listener, Silent


class ExpectationError(ShortfallError):
    """The build does not meet what its recipe expects; the message is one line for the user."""


def plan_release(folder: Path, repo: str, tag: str | None = None, with_rejects: bool = False) -> Release:
    """Checks the repository's name and every file of the build.

    The default tag consists of the recipe's version and the first digits of the manifest's sha256, so that it
    identifies the data set. Only files that the manifest lists are published: timings.json and .coalm-it belong
    to this machine and run.
    Raises FolderError: no finished build, a missing or changed file, a data file that the manifest does not list;
    ExpectationError; HubRequestError for an invalid name or tag.
    """
    require_extra("hub", "publishing")
    check_name(repo)
    build = open_build(folder)
    if shortfall := find_shortfall(build.manifest):
        raise ExpectationError(f"{folder} does not meet what its recipe expects: {shortfall}")
    build.check_files(build.manifest.files)
    _refuse_unlisted_files(build)
    rejects = [name for name in build.manifest.files if name.startswith("rejects/") and not with_rejects]
    files = {name: file for name, file in build.manifest.files.items() if name not in rejects}
    manifest = build.manifest.model_copy(update={"files": files})
    version = hash_bytes(manifest.to_json().encode()) if rejects else build.sha256
    tag = tag or f"v{manifest.recipe.version}-{version[:8]}"
    check_tag(tag)
    card = render_card(manifest, repo).encode()
    files |= {CARD: FileEntry(bytes=len(card), sha256=hash_bytes(card))}
    written = {CARD: card, MANIFEST: manifest.model_copy(update={"files": files}).to_json().encode()}
    hashes = {name: file.sha256 for name, file in files.items()} | {MANIFEST: hash_bytes(written[MANIFEST])}
    return Release(
        repo=repo,
        kind="dataset",
        folder=folder,
        manifest=MANIFEST,
        files=hashes,
        written=written,
        tag=tag,
        warnings=tuple(list_licence_warnings(manifest)),
        own_folders=tuple(DATA_FOLDERS),
    )


def _refuse_unlisted_files(build: FinishedBuild) -> None:
    """`load_dataset` reads all files of a data folder except hidden ones, listed or not. Raises FolderError."""
    for path in (path for folder in DATA_FOLDERS for path in sorted((build.folder / folder).rglob("*"))):
        relative = path.relative_to(build.folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_file() and relative.as_posix() not in build.manifest.files and not hidden:
            raise FolderError(f"{path} is not part of this build: {MANIFEST} does not list it; remove it")


def publish_folder(
    folder: Path,
    repo: str,
    *,
    public: bool = False,
    with_rejects: bool = False,
    tag: str | None = None,
    endpoint: str | None = None,
    listener: Listener | None = None,
) -> Published:
    """Publishes a build folder as the data set `repo` (USER/NAME) of the Hub, or of the Hub at `endpoint`.

    Rejected samples are uploaded only `with_rejects`; with `public` the listener is told about licences that may
    forbid it. Raises what plan_release and publish_release raise.
    """
    with hold_folder(folder, f"an upload to {repo}"):
        release = plan_release(folder, repo, tag, with_rejects)
        return publish_release(release, public, endpoint, listener or Silent())
