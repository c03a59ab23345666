"""The description of each corpus: `sources/NAME.yaml`, or a YAML file of the user."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from coalm_it.assets import asset
from coalm_it.configs import describe_errors, name_nearest
from coalm_it.errors import RequestError


class SourceError(RequestError):
    """A source, a folder or a file cannot be used; the message is one line for the user."""


# --- the content of a YAML file ---


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Layout(_Model):
    """One layout of the files of a corpus. A glob matches the last components of a path, one by one."""

    name: str
    splits: dict[str, str]
    """Split -> glob of the files with its records."""
    also: tuple[str, ...] = ()
    """Globs of other files that the reader needs."""
    begins: re.Pattern[str] | None = None
    """In ASCII; one of the files must begin with a match, or the layout is not recognised."""


class RemoteFile(_Model):
    """A file, or, if its path ends in "/", a folder of a GitHub repository."""

    path: str
    """Relative to the repository or the URL; on the Hub it may be a glob."""
    sha256: str | None = None
    size: int | None = None
    """Bytes; for a folder, of all its files together."""
    tree: str | None = None
    """Git id of the folder, or of the content of the archive: `git rev-parse COMMIT:FOLDER`."""
    unpack: bool = False
    """Whether this is a zip or tar file, to be unpacked to a folder of the same name."""

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if not is_safe_path(path):
            raise ValueError(f"{path!r} is not a path below the URL")
        return path


class Fetch(_Model):
    """Where a layout of the corpus is published: on GitHub, elsewhere on the web, or on the Hub."""

    layout: str
    url: str | None = None
    hub: str | None = None
    revision: str = ""
    """The commit of the repository."""
    files: tuple[RemoteFile, ...]

    @model_validator(mode="after")
    def _check_place(self) -> Fetch:
        if (self.url is None) == (self.hub is None):
            raise ValueError("either url or hub is needed")
        if self.url is not None and not is_safe_url(self.url):
            raise ValueError(f"{self.url} is not HTTPS")
        if not self.revision and (self.hub or self.github):
            raise ValueError("revision is missing: the commit of the repository")
        if not self.github and any(file.path.endswith("/") for file in self.files):
            raise ValueError("only GitHub offers whole folders; on the Hub use a glob for the files")
        return self

    @property
    def github(self) -> str | None:
        """OWNER/NAME, if the URL is that of a GitHub repository."""
        host, _, name = (self.url or "").rstrip("/").partition("github.com/")
        return name if host == "https://" else None

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return re.fullmatch("[0-9a-f]{40}", self.revision) is not None


def is_safe_url(url: str) -> bool:
    """Whether the URL is HTTPS, or HTTP to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))


def is_safe_path(path: str) -> bool:
    """Whether the path stays below the folder that it is relative to, on any operating system."""
    place = PurePosixPath(path.replace("\\", "/"))
    outside = not place.parts or place.is_absolute() or ".." in place.parts
    return not outside and ":" not in place.parts[0] and "\0" not in path


class Columns(_Model):
    """Where a corpus of messages has what a record consists of, where that is not as usual (see readers/messages).

    A place is a column, or keys with dots between them: `answer.messages.-1`. A number counts in a list, `*` goes
    through all items, and a JSON text on the way is opened.
    """

    records: str | None = None
    """Where a file has its records; without it they are the file."""
    messages: str | tuple[str, ...] | None = None
    """One place, or several, whose messages are joined."""
    query: str | None = None
    """A text that is the only message of the user, in place of `messages`."""
    answer: str | None = None
    """The answer beside the question: calls, a message or a text, which ends the conversation."""
    tools: str | None = None
    tools_file: str | None = None
    """A file with functions for all records, listed under `also`; `{place}` in its name is filled in by a record."""
    tools_used: str | None = None
    """The names of the functions of `tools_file` that a record shows; without it, all."""
    id: str | None = None
    """The column with the ids of records; without it, an id is made of file and index."""
    roles: dict[str, Literal["system", "user", "assistant", "call", "tool", "skip"]] = {}
    """Roles of the corpus -> what they are; messages of the role `skip` are left out."""
    keys: dict[str, str] = {}
    """Keys of messages and calls in the corpus -> the usual ones: {speaker: role, utterance: content}."""


class Source(_Model):
    """The description of a corpus."""

    name: str
    title: str
    reader: str
    licence: str
    """An SPDX identifier."""
    citation: str
    """BibTeX."""
    homepage: str
    fetch: tuple[Fetch, ...] = ()
    layouts: tuple[Layout, ...]
    """In order of preference."""
    columns: Columns = Columns()
    counts: dict[str, dict[str, int]] = {}
    """Split -> unit -> published number; the unit that the reader makes dialogues of comes first."""
    notes: str = ""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes."""
    limits: tuple[str, ...] = ()
    """What users of its rows should know: sentences for the data set card."""
    gated: bool = False

    def count_dialogues(self, split: str) -> int:
        """The published number of dialogues; 0 if it is unknown."""
        return next(iter(self.counts.get(split, {}).values()), 0)


def load_source(name_or_path: str | Path) -> Source:
    """The source of that name, or the one that a YAML file describes. Raises SourceError."""
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        return _read_source(Path(name_or_path))
    known = _known_names()
    if text not in known:
        raise SourceError(f"no source is called {text!r}; {name_nearest(text, known)}")
    return _read_source(asset("sources", f"{text}.yaml"))


def list_sources() -> list[Source]:
    """Every source in the package, sorted by name."""
    return [load_source(name) for name in _known_names()]


def _known_names() -> list[str]:
    return sorted(path.stem for path in asset("sources").glob("*.yaml"))


def _read_source(path: Path) -> Source:
    try:
        return Source.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise SourceError(f"{path}: {'; '.join(describe_errors(error, Source))}") from None
