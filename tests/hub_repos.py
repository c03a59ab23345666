"""What a Hub holds: accounts, and repositories with their commits, branches and tags (see hub_server.py)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    name: str
    organisations: tuple[str, ...] = ()
    writes: bool = True
    """Whether the token may do more than read."""


@dataclass(frozen=True)
class File:
    content: bytes
    large: bool = False

    @property
    def oid(self) -> str:
        """Git's id of what git holds: the content, or a pointer to it."""
        held = self.content
        if self.large:
            about = f"oid sha256:{self.sha256}\nsize {len(self.content)}\n"
            held = f"version https://git-lfs.github.com/spec/v1\n{about}".encode()
        return hashlib.sha1(b"blob %d\0" % len(held) + held).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Commit:
    oid: str
    message: str
    files: dict[str, File]


@dataclass
class Repo:
    private: bool
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    branches: dict[str, list[Commit]] = field(default_factory=dict)
    """The other branches; each has the commits of main until it began."""

    def list_commits(self, branch: str) -> list[Commit]:
        return self.commits if branch == "main" else self.branches[branch]

    def add_commit(self, message: str, files: dict[str, File], branch: str = "main") -> Commit:
        commits = self.list_commits(branch)
        parent = commits[-1].oid if commits else ""
        said = json.dumps([parent, message, sorted((path, file.oid) for path, file in files.items())])
        commits.append(Commit(hashlib.sha1(said.encode()).hexdigest(), message, files))
        return commits[-1]

    def find(self, revision: str) -> Commit | None:
        if revision == "main" or revision in self.branches:
            return self.list_commits(revision)[-1]
        oid = self.tags.get(revision, revision)
        everything = [*self.commits, *(commit for commits in self.branches.values() for commit in commits)]
        return next((commit for commit in everything if commit.oid == oid), None)

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Path -> content, without the .gitattributes that every new data set has."""
        commit = self.find(revision)
        assert commit, f"no revision {revision}"
        return {path: file.content for path, file in commit.files.items() if path != ".gitattributes"}
