"""What is known of each corpus before it is there: `sources/NAME.yaml`, or a file of one's own."""

from __future__ import annotations

import difflib
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from coalm_it.assets import asset
from coalm_it.errors import RequestError


class SourceError(RequestError):
    """A source, a folder or a file cannot be used; one line for the person who must act."""


# --- what a YAML file says ---


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Layout(_Model):
    """One way in which a corpus is laid out. A glob matches the last components of a path, one by one."""

    name: str
    splits: dict[str, str]
    """Split -> glob of the files that hold its records."""
    also: tuple[str, ...] = ()
    """Globs of the other files that the reader opens."""
    begins: re.Pattern[str] | None = None
    """In ASCII; the layout is there when one of its files begins so."""


class RemoteFile(_Model):
    """A file; or, where its name ends in "/", a folder of a GitHub repository."""

    path: str
    """In the repository or below the address; on the Hub it may be a glob."""
    sha256: str | None = None
    size: int | None = None
    """Bytes; of a folder, those of all its files."""
    tree: str | None = None
    """Git's id of the folder, or of what the archive unpacks to: `git rev-parse COMMIT:FOLDER`."""
    unpack: bool = False
    """A zip or tar file that becomes a folder of its name."""

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if not is_safe_path(path):
            raise ValueError(f"{path!r} is no path below the address")
        return path


class Fetch(_Model):
    """Where a layout of the corpus is published: on GitHub, elsewhere in the web, or on the Hub."""

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
            raise ValueError("a whole folder can come only from GitHub; on the Hub a glob takes its files")
        return self

    @property
    def github(self) -> str | None:
        """OWNER/NAME, where the address is that of a GitHub repository."""
        host, _, name = (self.url or "").rstrip("/").partition("github.com/")
        return name if host == "https://" else None

    @property
    def pinned(self) -> bool:
        """Whether the revision names a commit, which nobody can change."""
        return re.fullmatch("[0-9a-f]{40}", self.revision) is not None


def is_safe_url(url: str) -> bool:
    """HTTPS, or HTTP to this very machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))


def is_safe_path(path: str) -> bool:
    """Whether it leads below the folder that it is relative to, as any system might read it."""
    place = PurePosixPath(path.replace("\\", "/"))
    outside = not place.parts or place.is_absolute() or ".." in place.parts
    return not outside and ":" not in place.parts[0] and "\0" not in path


class Columns(_Model):
    """What the columns of a corpus of messages are called, where not as usual (see readers/messages.py)."""

    messages: str | None = None
    tools: str | None = None
    id: str | None = None
    """Names the records; without it, file and number do."""


class Source(_Model):
    """All that is known of a corpus before it is there."""

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
    """Split -> what is counted -> the published number; what the reader makes a dialogue of comes first."""
    notes: str = ""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes."""
    limits: tuple[str, ...] = ()
    """What whoever trains on its rows should know: sentences for the card."""
    gated: bool = False

    def count_dialogues(self, split: str) -> int:
        """As published; 0 where nobody says."""
        return next(iter(self.counts.get(split, {}).values()), 0)


def load_source(name_or_path: str | Path) -> Source:
    """The source of that name, or the one that a YAML file describes. Raises SourceError."""
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        return _read_source(Path(name_or_path))
    known = _known_names()
    if text not in known:
        near = difflib.get_close_matches(text, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise SourceError(f"no source is called {text!r}; {hint}")
    return _read_source(asset("sources", f"{text}.yaml"))


def list_sources() -> list[Source]:
    """Every source that the package knows, by name."""
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
        raise SourceError(f"{path}: {_describe_errors(error)}") from None


def _describe_errors(error: ValidationError) -> str:
    models = (Source, Layout, Columns, Fetch, RemoteFile)
    known = [key for model in models for key in model.model_fields]
    told = []
    for problem in error.errors():
        where = ".".join(map(str, problem["loc"])) or "the file"
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
            told.append(f"unknown key {where}" + (f" (did you mean {near[0]!r}?)" if near else ""))
        else:
            told.append(f"{where}: {problem['msg']}")
    return "; ".join(told)
