"""The description of each corpus: `sources/NAME.yaml`, or a YAML file of the user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from coalm_it.assets import asset
from coalm_it.configs.validation import describe_errors, name_nearest
from coalm_it.configs.yaml_files import YamlError, read_yaml
from coalm_it.corpora.columns import Columns
from coalm_it.errors import RequestError


class SourceError(RequestError):
    """A source, a folder or a file cannot be used; the message is one line for the user."""


_OF_DATA = (".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".csv", ".txt", ".gz", ".zst", ".zip")
"""Endings of names that people take for sources."""


# --- the content of a YAML file ---


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _check_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ValueError("should be a plain name: at most 100 letters, digits, _ . -, with a letter or digit first")
    return name


PlainName = Annotated[str, AfterValidator(_check_name)]
"""A name that is part of paths and ids."""


class Layout(_Model):
    """One layout of the files of a corpus, by which it is recognised at any depth of `--data`. A glob matches the last
    components of a path, one by one: `data/train-*.parquet` fits `corpora/harbour/data/train-0.parquet`.
    """

    name: PlainName
    """Name of your choice, for messages and the manifest."""
    splits: dict[str, str]
    """Split (train, validation or test) -> glob of the files with its records."""
    also: tuple[str, ...] = ()
    """Globs of other files that the reader needs."""
    begins: re.Pattern[str] | None = None
    """Regular expression, in ASCII: at least one of the files must begin with a match, or the layout is not recognised.
    For layouts whose file names do not tell."""


class RemoteFile(_Model):
    """A file, or, if its path ends in "/", a folder of a GitHub repository."""

    path: str
    """Relative to the repository or the URL; on the Hub it may be a glob."""
    sha256: str | None = None
    """Hash of the file, which is compared with what was downloaded."""
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

    layout: PlainName
    """The layout that these files make up, one of `layouts`."""
    url: str | None = None
    """HTTPS address of a folder, or of a GitHub repository."""
    hub: str | None = None
    """Or a data set on the Hugging Face Hub, as USER/NAME."""
    revision: str = ""
    """Commit of the repository; needed for GitHub and the Hub."""
    files: tuple[RemoteFile, ...]
    """What to download."""

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


NoCall = Literal["unsaid", "irrelevant"]
"""What it means that a corpus answers a request by no call: nothing is said, or no function fits."""


class Source(_Model):
    """The description of a corpus: what it is, how its files are recognised, where they are published."""

    name: PlainName
    """Short name: in the ids of rows, and in recipes if it comes with the package."""
    title: str
    """Name for people, for the data set card."""
    reader: str
    """How its records are read: `messages` for conversations in the format of OpenAI or ShareGPT; each other reader is
    for one corpus."""
    licence: str
    """Licence of the corpus, an SPDX identifier; part of every row. "" if none is stated: the card then says that
    nobody has permission to use its rows, and `coalm-it publish --public` warns."""
    citation: str = ""
    """BibTeX, for the data set card; without it, the card names title and homepage."""
    homepage: str
    """Address of a page about the corpus, for the data set card."""
    fetch: tuple[Fetch, ...] = ()
    """Where `coalm-it fetch` gets it; without it, it is only looked for in `--data`."""
    layouts: tuple[Layout, ...]
    """The layouts of its files, in order of preference."""
    same_splits: bool = False
    """Whether a split has the same dialogues in all layouts, so that one layout may serve for a split that another
    lacks. Otherwise only one layout is read, as a test dialogue of one may be a train dialogue of another."""
    columns: Columns = Columns()
    """For the reader `messages`: names of columns."""
    no_call: NoCall = "unsaid"
    """What it means that the answer to a request is no call (`[]`). irrelevant: none of its functions fits the request,
    which the replies of layout `varied` then say. unsaid: a value may be missing as well."""
    counts: dict[str, dict[str, int]] = {}
    """Split -> unit -> published number; the unit that the reader makes dialogues of comes first."""
    notes: str = ""
    """Remarks for readers of the file; used nowhere."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes, for the data set card."""
    limits: tuple[str, ...] = ()
    """What users of its rows should know: sentences for the data set card."""
    evaluation: bool = False
    """Whether it is a benchmark: a recipe refuses it, as its test data must not be trained on."""
    gated: bool = False
    """Whether it is available only after accepting its terms; the card says so."""

    def count_dialogues(self, split: str) -> int:
        """The published number of dialogues; 0 if it is unknown."""
        return next(iter(self.counts.get(split, {}).values()), 0)


def load_source(name_or_path: str | Path) -> Source:
    """The source of that name, or the one that a YAML file describes. Raises SourceError."""
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        return _read_source(Path(name_or_path))
    known = _known_names()
    if text not in known and PurePosixPath(text).suffix.lower() in _OF_DATA:
        raise SourceError(f"source {text} is a data file: describe its corpus in a YAML file (docs/own_corpus.md)")
    if text not in known:
        hint = name_nearest(text, known)
        own = "; a corpus of your own is named by the path of its YAML file" if hint.startswith("there are") else ""
        raise SourceError(f"no source is called {text!r}; {hint}{own}")
    return _read_source(asset("sources", f"{text}.yaml"))


def describe_download(sources: Sequence[Source]) -> str:
    """How to get these corpora: the command that downloads them, whose terms must be accepted where, and homepages."""
    fetched = [source.name for source in sources if source.fetch]
    steps = [f"coalm-it fetch {' '.join(fetched)} --data CORPORA"] if fetched else []
    for source in sources:
        if source.gated:
            steps.append(f"first accept the terms of {source.name} at {source.homepage} and set HF_TOKEN")
        if not source.fetch:
            steps.append(f"get {source.name} from {source.homepage}")
    return "; ".join(steps)


def list_sources() -> list[Source]:
    """Every source in the package, sorted by name."""
    return [load_source(name) for name in _known_names()]


def _known_names() -> list[str]:
    return sorted(path.stem for path in asset("sources").glob("*.yaml"))


def _read_source(path: Path) -> Source:
    try:
        raw = read_yaml(path)
    except YamlError as error:
        raise SourceError(f"{path}: {error}") from None
    if isinstance(raw, dict) and "parts" in raw and "reader" not in raw:
        raise SourceError(f"{path}: this is a recipe; the file that describes a corpus has reader and layouts")
    try:
        return Source.model_validate(raw)
    except ValidationError as error:
        raise SourceError(f"{path}: {'; '.join(describe_errors(error, Source))}") from None
