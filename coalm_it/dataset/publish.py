"""Publishes a finished build on the Hub: the build is checked first, and its manifest is uploaded last.

The steps: upload every file but the manifest, and in the same commit delete the files of an earlier version, its
manifest included; compare with what the Hub now holds; upload the manifest; set the tag; with --public, make the
repository public. If any step is interrupted, the repository has no manifest, so it is no data set, and the same
command uploads only what is still missing.

Two files differ from those of the folder: the card names the repository in its example, and the manifest has the hash
of that card. Rejected samples are published only if asked for; otherwise neither of the two files mentions them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coalm_it.dataset.card import list_licence_warnings, render_card
from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.folder import DATA_FOLDERS, FolderError
from coalm_it.dataset.hub import HubError, HubRequestError, RemoteContents, Repository, check_name
from coalm_it.dataset.lock import hold_folder
from coalm_it.dataset.manifest import MANIFEST, FileEntry, find_shortfall
from coalm_it.errors import ShortfallError
from coalm_it.extras import require_extra
from coalm_it.files import hash_bytes
from coalm_it.listener import Listener, Silent

CARD = "README.md"
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
    written: dict[str, bytes]
    """Name -> content, of the files that differ from those of the folder."""
    tag: str
    warnings: tuple[str, ...] = ()
    """Why the rows may not be for everybody, each in one line."""

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
        """Yields a temporary folder with these files; large ones are links to those of the build."""
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
    """Names of the files that were uploaded; the others were there already."""


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
    if not _TAG.fullmatch(tag) or ".." in tag:
        raise HubRequestError(f"{tag!r} is not a valid tag: use letters and digits, and between them also . _ + -")
    card = render_card(manifest, repo).encode()
    files |= {CARD: FileEntry(bytes=len(card), sha256=hash_bytes(card))}
    written = {CARD: card, MANIFEST: manifest.model_copy(update={"files": files}).to_json().encode()}
    hashes = {name: file.sha256 for name, file in files.items()} | {MANIFEST: hash_bytes(written[MANIFEST])}
    return Release(repo, folder, hashes, written, tag, tuple(list_licence_warnings(manifest)))


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

    Creates the repository if it does not exist, as a private one; `public` makes it public once it is complete, and the
    listener is told about licences that may forbid it. Files that are there already are not uploaded again; rejected
    samples are uploaded only `with_rejects`.
    Raises what plan_release raises; HubRequestError (no token, no permission, a repository or a tag that holds
    something else, a public repository without `public`); HubError.
    """
    listener = listener or Silent()
    with hold_folder(folder, f"an upload to {repo}"):
        release = plan_release(folder, repo, tag, with_rejects)
        for warning in release.warnings if public else ():
            listener.say(f"WARNING: {warning}")
        return _publish(release, repo, public, endpoint, listener)


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
        with release.stage(files) as staged:
            commit = repository.upload(staged, files, delete, commit, f"Files of {release.tag}")
        uploaded = repository.read_contents(commit)
        lost = [name for name in release.list_missing(uploaded) if name != MANIFEST] if uploaded else files
        if lost:
            raise HubError(f"{repository.url}: {', '.join(lost)} did not arrive intact: run again")
    with release.stage([MANIFEST]) as staged:
        return repository.upload(staged, [MANIFEST], [], commit, f"Manifest of {release.tag}: complete")
