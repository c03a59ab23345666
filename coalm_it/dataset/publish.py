"""A finished build becomes a data set on the Hub: what travels is checked first, and the manifest goes last.

In order: every file but the manifest, and with that what is left of an earlier version is taken away, its manifest
too; a look at what the Hub holds now; the manifest; the tag; with --public the whole shown to all. Whatever is cut
off, the repository holds no manifest, which is no data set, and the same command sends only what is still missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.folder import DATA_FOLDERS, FolderError
from coalm_it.dataset.hub import Contents, HubError, HubRequestError, Repository, check_name
from coalm_it.dataset.manifest import MANIFEST, find_shortfall
from coalm_it.errors import ShortfallError
from coalm_it.listener import Listener, Silent

_TAG = re.compile(r"(?!main$)[A-Za-z0-9](?:[A-Za-z0-9._+-]*[A-Za-z0-9])?")


class ExpectationError(ShortfallError):
    """The build does not meet what its recipe expects; the message is one line for the user."""


@dataclass(frozen=True)
class Release:
    """What is to travel, and where to: a build folder whose files are all as its manifest says."""

    repo: str
    folder: Path
    files: dict[str, str]
    """Name -> sha256, the manifest's own among them."""
    tag: str

    def measure(self, name: str) -> int:
        """Bytes."""
        return (self.folder / name).stat().st_size

    def list_missing(self, there: Contents) -> list[str]:
        """The files that are not there, or not the same."""
        return [name for name, sha256 in self.files.items() if not there.holds(name, self.folder / name, sha256)]


@dataclass(frozen=True)
class Published:
    """What came of it."""

    url: str
    """The page of this very version."""
    repo: str
    tag: str
    commit: str
    private: bool
    sent: tuple[str, ...]
    """The files that were not there yet."""


def plan_release(folder: Path, repo: str, tag: str | None = None) -> Release:
    """Checks the name USER/NAME, and a build folder file by file.

    Without `tag` the version is named by the recipe's version and the beginning of the manifest's sha256: the same
    data set gets the same name, and another does not.
    What the manifest lists travels, and nothing else: .work/, timings.json and .coalm-it are of this machine and run.
    Raises FolderError: no finished build, a file that is missing or changed, a data file that it does not list;
    ExpectationError; HubRequestError for a name or a tag that is none.
    """
    check_name(repo)
    build = open_build(folder)
    if shortfall := find_shortfall(build.manifest):
        raise ExpectationError(f"{folder} is not what its recipe expects: {shortfall}")
    build.check_files(build.files)
    _find_strangers(build)
    tag = tag or f"v{build.manifest['recipe']['version']}-{build.sha256[:8]}"
    if not _TAG.fullmatch(tag) or ".." in tag:
        raise HubRequestError(f"{tag!r} is no tag: letters and digits, between them . _ + - too")
    return Release(repo, folder, {**build.files, MANIFEST: build.sha256}, tag)


def _find_strangers(build: FinishedBuild) -> None:
    """Who loads the data set takes what lies there by its name, but for hidden files. Raises FolderError."""
    files = build.files
    for path in (path for place in DATA_FOLDERS for path in sorted((build.folder / place).rglob("*"))):
        inside = path.relative_to(build.folder)
        if path.is_file() and inside.as_posix() not in files and not any(part[0] == "." for part in inside.parts):
            raise FolderError(f"{path} is not of this build: {MANIFEST} does not list it; take it away")


def publish_folder(
    folder: Path,
    repo: str,
    *,
    public: bool = False,
    tag: str | None = None,
    endpoint: str | None = None,
    listener: Listener | None = None,
) -> Published:
    """Publishes a build folder as the data set `repo` (USER/NAME) of the Hub, or of the one at `endpoint`.

    A repository that is not there is made, private; `public` shows it once it is whole. What is there already is not
    sent again. Raises what plan_release does; HubRequestError (no token, no right, a repository or a tag that holds
    something else, one that all can see); HubError.
    """
    listener = listener or Silent()
    release = plan_release(folder, repo, tag)
    repository = Repository(repo, endpoint, listener)
    there = repository.read_contents() or repository.create()
    _check_place(repository, there, public)
    tagged = repository.read_contents(release.tag)
    if tagged and release.list_missing(tagged):
        raise HubRequestError(f"{repository.url}: tag {release.tag} is there and holds another version: name another")
    missing = release.list_missing(there)
    stale = _list_stale(repository, release, there, changed=MANIFEST in missing)
    commit = there.commit
    if missing or stale:
        commit = _send(repository, release, there, missing, stale, listener)
    if not tagged:
        repository.tag(release.tag, commit)
    if public and there.private:
        repository.make_public()
    page = f"{repository.url}/tree/{release.tag}"
    return Published(page, repo, release.tag, tagged.commit if tagged else commit, not public, tuple(missing))


def _check_place(repository: Repository, there: Contents, public: bool) -> None:
    if not there.ours and any(not name.startswith(".") for name in there.files):
        raise HubRequestError(f"{repository.url} holds something else, no data set of coalm-it: name another")
    if not there.private and not public:
        raise HubRequestError(f"{repository.url} can be seen by all: say --public if this is to be seen too")


def _list_stale(repository: Repository, release: Release, there: Contents, changed: bool) -> list[str]:
    """What is left of another version: in the folders of the data, and what a manifest that lies there lists."""
    listed = set(repository.read_manifest(there).get("files") or ()) if changed else set()
    ours = {name for name in there.files if name in listed or name.partition("/")[0] in DATA_FOLDERS}
    return sorted(ours - release.files.keys())


def _send(
    repository: Repository,
    release: Release,
    there: Contents,
    missing: list[str],
    stale: list[str],
    listener: Listener,
) -> str:
    """Brings the repository to hold the release and nothing of another; returns the commit that does."""
    commit, files = there.commit, [name for name in missing if name != MANIFEST]
    if files or stale:
        size = sum(map(release.measure, files))
        listener.say(f"{len(files)} of {len(release.files)} files to send, {size / 1e6:,.1f} MB")
        delete = [*stale, *(name for name in [MANIFEST] if name in there.files)]
        commit = repository.send(release.folder, files, delete, commit, f"Files of {release.tag}")
        now = repository.read_contents(commit)
        lost = [name for name in release.list_missing(now) if name != MANIFEST] if now else files
        if lost:
            raise HubError(f"{repository.url}: {', '.join(lost)} did not arrive as sent: run again")
    return repository.send(release.folder, [MANIFEST], [], commit, f"Manifest of {release.tag}: it is whole")
