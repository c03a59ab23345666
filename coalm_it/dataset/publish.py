"""Publishes a finished build on the Hub: the build is checked first, and its manifest is uploaded last.

The steps: upload every file but the manifest, and in the same commit delete the files of an earlier version, its
manifest included; compare with what the Hub now holds; upload the manifest; set the tag; with --public, make the
repository public. If any step is interrupted, the repository has no manifest, so it is no data set, and the same
command uploads only what is still missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.folder import DATA_FOLDERS, FolderError
from coalm_it.dataset.hub import HubError, HubRequestError, RemoteContents, Repository, check_name
from coalm_it.dataset.lock import hold_folder
from coalm_it.dataset.manifest import MANIFEST, find_shortfall
from coalm_it.errors import ShortfallError
from coalm_it.listener import Listener, Silent

_TAG = re.compile(r"(?!main$)[A-Za-z0-9](?:[A-Za-z0-9._+-]*[A-Za-z0-9])?")


class ExpectationError(ShortfallError):
    """The build does not meet what its recipe expects; the message is one line for the user."""


@dataclass(frozen=True)
class Release:
    """What is published, and where: a build folder whose files all match its manifest."""

    repo: str
    folder: Path
    files: dict[str, str]
    """Name -> sha256, the manifest included."""
    tag: str

    def measure(self, name: str) -> int:
        """Size of a file in bytes."""
        return (self.folder / name).stat().st_size

    def list_missing(self, remote: RemoteContents) -> list[str]:
        """The files that the repository lacks, or has with other content."""
        return [name for name, sha256 in self.files.items() if not remote.holds(name, self.folder / name, sha256)]


@dataclass(frozen=True)
class Published:
    """Result of publishing."""

    url: str
    """Page of this version."""
    repo: str
    tag: str
    commit: str
    private: bool
    sent: tuple[str, ...]
    """Names of the files that were uploaded; the others were there already."""


def plan_release(folder: Path, repo: str, tag: str | None = None) -> Release:
    """Checks the repository's name and every file of the build.

    The default tag consists of the recipe's version and the first digits of the manifest's sha256, so that it
    identifies the data set. Only files that the manifest lists are published: timings.json and .coalm-it belong
    to this machine and run.
    Raises FolderError: no finished build, a missing or changed file, a data file that the manifest does not list;
    ExpectationError; HubRequestError for an invalid name or tag.
    """
    check_name(repo)
    build = open_build(folder)
    if shortfall := find_shortfall(build.manifest):
        raise ExpectationError(f"{folder} does not meet what its recipe expects: {shortfall}")
    build.check_files(build.manifest.files)
    _refuse_unlisted_files(build)
    tag = tag or f"v{build.manifest.recipe.version}-{build.sha256[:8]}"
    if not _TAG.fullmatch(tag) or ".." in tag:
        raise HubRequestError(f"{tag!r} is not a valid tag: use letters and digits, and between them also . _ + -")
    hashes = {name: file.sha256 for name, file in build.manifest.files.items()}
    return Release(repo, folder, {**hashes, MANIFEST: build.sha256}, tag)


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
    tag: str | None = None,
    endpoint: str | None = None,
    listener: Listener | None = None,
) -> Published:
    """Publishes a build folder as the data set `repo` (USER/NAME) of the Hub, or of the Hub at `endpoint`.

    Creates the repository if it does not exist, as a private one; `public` makes it public once it is complete. Files
    that are there already are not uploaded again.
    Raises what plan_release raises; HubRequestError (no token, no permission, a repository or a tag that holds
    something else, a public repository without `public`); HubError.
    """
    listener = listener or Silent()
    with hold_folder(folder, f"an upload to {repo}"):
        return _publish(plan_release(folder, repo, tag), repo, public, endpoint, listener)


def _publish(release: Release, repo: str, public: bool, endpoint: str | None, listener: Listener) -> Published:
    repository = Repository(repo, endpoint, listener)
    remote = repository.read_contents() or repository.create()
    _check_repository(repository, remote, public)
    tagged = repository.read_contents(release.tag)
    if tagged and release.list_missing(tagged):
        raise HubRequestError(f"{repository.url}: tag {release.tag} exists and holds another version: use another")
    missing = release.list_missing(remote)
    stale = _list_stale(repository, release, remote, changed=MANIFEST in missing)
    commit = remote.commit
    if missing or stale:
        commit = _upload(repository, release, remote, missing, stale, listener)
    if not tagged:
        repository.tag(release.tag, commit)
    if public and remote.private:
        repository.make_public()
    page = f"{repository.url}/tree/{release.tag}"
    return Published(page, repo, release.tag, tagged.commit if tagged else commit, not public, tuple(missing))


def _check_repository(repository: Repository, remote: RemoteContents, public: bool) -> None:
    if not remote.ours and any(not name.startswith(".") for name in remote.files):
        raise HubRequestError(f"{repository.url} holds something other than a data set of coalm-it: use another name")
    if not remote.private and not public:
        raise HubRequestError(f"{repository.url} is public: add --public if this version is to be public too")


def _list_stale(repository: Repository, release: Release, remote: RemoteContents, changed: bool) -> list[str]:
    """Files of another version: those in the data folders, and those that the remote manifest lists."""
    listed = repository.read_listed_files(remote) if changed else set()
    ours = {name for name in remote.files if name in listed or name.partition("/")[0] in DATA_FOLDERS}
    return sorted(ours - release.files.keys())


def _upload(
    repository: Repository,
    release: Release,
    remote: RemoteContents,
    missing: list[str],
    stale: list[str],
    listener: Listener,
) -> str:
    """Uploads the missing files and deletes the stale ones, then uploads the manifest; returns the last commit."""
    commit, files = remote.commit, [name for name in missing if name != MANIFEST]
    if files or stale:
        size = sum(map(release.measure, files))
        listener.say(f"uploading {len(files)} of {len(release.files)} files, {size / 1e6:,.1f} MB")
        delete = [*stale, *(name for name in [MANIFEST] if name in remote.files)]
        commit = repository.upload(release.folder, files, delete, commit, f"Files of {release.tag}")
        uploaded = repository.read_contents(commit)
        lost = [name for name in release.list_missing(uploaded) if name != MANIFEST] if uploaded else files
        if lost:
            raise HubError(f"{repository.url}: {', '.join(lost)} did not arrive intact: run again")
    return repository.upload(release.folder, [MANIFEST], [], commit, f"Manifest of {release.tag}: complete")
