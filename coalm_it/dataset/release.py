"""Uploads files to the Hub so that nobody finds half of them: a data set or a model, its manifest last.

The steps, for each branch and then for main: upload every file but the manifest, and in the same commit delete the
files of an earlier version, its manifest included; compare with what the Hub now holds; upload the manifest. Then set
the tag and, if it is to be public, make the repository public. If any step is interrupted, the branch has no manifest,
so it is no data set and no model, and the same call uploads only what is still missing.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coalm_it.dataset.hub import BRANCH, NOUNS, HubError, HubRequestError, Kind, RemoteContents, Repository
from coalm_it.listener import Listener

CARD = "README.md"
_TAG = re.compile(r"(?!main$)[A-Za-z0-9](?:[A-Za-z0-9._+-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Release:
    """What is published, and where: a folder whose files have been checked."""

    repo: str
    kind: Kind
    folder: Path
    manifest: str
    """Name of the file that lists the others, and without which they are neither data set nor model."""
    files: dict[str, str]
    """Name -> sha256, the manifest included."""
    written: dict[str, bytes]
    """Name -> content, of the files that differ from those of the folder."""
    tag: str
    warnings: tuple[str, ...] = ()
    """Why the rows may not be for everybody, each in one line."""
    own_folders: tuple[str, ...] = ()
    """Folders of the repository in which every file that this release lacks is deleted."""
    branch: str = BRANCH
    others: tuple[Release, ...] = ()
    """What goes to other branches of the same repository, before this."""

    def measure(self, name: str) -> int:
        """Size of a file in bytes."""
        return len(self.written[name]) if name in self.written else (self.folder / name).stat().st_size

    def read(self, name: str) -> bytes:
        """Content of a file."""
        return self.written[name] if name in self.written else (self.folder / name).read_bytes()

    def list_missing(self, remote: RemoteContents) -> list[str]:
        """The files that the repository lacks, or has with other content."""
        return [name for name, sha256 in self.files.items() if not remote.holds(name, sha256, self.read)]

    @contextmanager
    def stage(self, names: Sequence[str]) -> Iterator[Path]:
        """Yields a temporary folder with these files; large ones are links to those of the folder."""
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                if name in self.written:
                    path.write_bytes(self.written[name])
                else:
                    _link(path, self.folder.absolute() / name)
            yield Path(folder)


def _link(path: Path, target: Path) -> None:
    try:
        path.symlink_to(target)
    except OSError:  # Windows permits this only to some users
        shutil.copyfile(target, path)


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
    """Names of the files that were uploaded, those of another branch as BRANCH:NAME; the others were there already."""


def check_tag(tag: str) -> None:
    """Raises HubRequestError unless the tag is one that the Hub takes."""
    if not _TAG.fullmatch(tag) or ".." in tag:
        raise HubRequestError(f"{tag!r} is not a valid tag: use letters and digits, and between them also . _ + -")


def publish_release(release: Release, public: bool, endpoint: str | None, listener: Listener) -> Published:
    """Uploads a release to the Hub, or to the Hub at `endpoint`.

    Creates the repository if it does not exist, as a private one; `public` makes it public once it is complete, and the
    listener is told what may forbid it. Files that are there already are not uploaded again.
    Raises HubRequestError (no token, no permission, a repository or a tag that holds something else, a public
    repository without `public`); HubError.
    """
    for warning in release.warnings if public else ():
        listener.say(f"WARNING: {warning}")
    repository = Repository(release.repo, endpoint, listener, kind=release.kind)
    remote = repository.read_contents() or repository.create()
    _check_repository(repository, remote, public)
    tagged = repository.read_contents(release.tag)
    if tagged and release.list_missing(tagged):
        raise HubRequestError(f"{repository.url}: tag {release.tag} exists and holds another version: use another")
    sent = []
    for other in release.others:
        there = repository.read_contents(other.branch) or repository.create_branch(other.branch, remote.commit)
        names, _ = _send(repository, other, there, listener)
        sent += [f"{other.branch}:{name}" for name in names]
    names, commit = _send(repository, release, remote, listener)
    if not tagged:
        repository.tag(release.tag, commit)
    if public and remote.private:
        repository.make_public()
    page = f"{repository.url}/tree/{release.tag}"
    return Published(page, release.repo, release.tag, tagged.commit if tagged else commit, not public, (*sent, *names))


def _check_repository(repository: Repository, remote: RemoteContents, public: bool) -> None:
    if not remote.ours and any(not name.startswith(".") for name in remote.files):
        noun = NOUNS[repository.kind]
        raise HubRequestError(f"{repository.url} holds something other than a {noun} of coalm-it: use another name")
    if not remote.private and not public:
        raise HubRequestError(f"{repository.url} is public: add --public if this version is to be public too")


def _send(
    repository: Repository, release: Release, remote: RemoteContents, listener: Listener
) -> tuple[list[str], str]:
    """Makes the branch hold exactly the release; returns the names of the files that were sent, and the last commit."""
    missing = release.list_missing(remote)
    stale = _list_stale(repository, release, remote, changed=release.manifest in missing)
    if not missing and not stale:
        return [], remote.commit
    return missing, _upload(repository, release, remote, missing, stale, listener)


def _list_stale(repository: Repository, release: Release, remote: RemoteContents, changed: bool) -> list[str]:
    """Files of another version: those in the release's own folders, and those that the remote manifest lists."""
    listed = repository.read_listed_files(remote, release.manifest) if changed else set()
    ours = {name for name in remote.files if name in listed or name.partition("/")[0] in release.own_folders}
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
    manifest, title = release.manifest, release.branch if release.branch != BRANCH else release.tag
    commit, files = remote.commit, [name for name in missing if name != manifest]
    if files or stale:
        size = sum(map(release.measure, files))
        where = f"{release.branch}: " if release.branch != BRANCH else ""
        listener.say(f"{where}uploading {len(files)} of {len(release.files)} files, {size / 1e6:,.1f} MB")
        delete = [*stale, *(name for name in [manifest] if name in remote.files)]
        with release.stage(files) as staged:
            commit = repository.upload(staged, files, delete, commit, f"Files of {title}", release.branch)
        uploaded = repository.read_contents(commit)
        lost = [name for name in release.list_missing(uploaded) if name != manifest] if uploaded else files
        if lost:
            raise HubError(f"{repository.url}: {', '.join(lost)} did not arrive intact: run again")
    with release.stage([manifest]) as staged:
        return repository.upload(staged, [manifest], [], commit, f"Manifest of {title}: complete", release.branch)
