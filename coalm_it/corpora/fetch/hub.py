"""Downloads from the Hugging Face Hub by huggingface_hub."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import httpx2
from pydantic import ValidationError

from coalm_it.configs.validation import explain_error
from coalm_it.corpora.fetch.download import describe_mismatch
from coalm_it.corpora.fetch.job import FetchError, Job
from coalm_it.corpora.sources import Fetch, RemoteFile
from coalm_it.extras import import_hub

PURPOSE = "downloading from the Hub"
GLOB = set("*?[")
# The errors of huggingface_hub, most of which are subclasses of these: names, disk, network, Xet.
_FAILURES = (ValueError, OSError, httpx2.HTTPError, RuntimeError)


def list_files(fetch: Fetch, endpoint: str | None) -> list[RemoteFile]:
    """The files of an entry; a glob stands for the matching files of the repository. Raises FetchError."""
    files = []
    names: list[str] | None = None
    for file in fetch.files:
        if not GLOB & set(file.path):
            files.append(file)
            continue
        if names is None:
            names = _list_names(fetch, endpoint)
        fitting = sorted(name for name in names if fnmatchcase(name, file.path))
        if not fitting:
            there = ", ".join(names[:10])
            raise FetchError(f"{fetch.hub}: no file {file.path} at revision {fetch.revision}; there are {there}")
        try:
            files += [RemoteFile(path=name) for name in fitting]
        except ValidationError as error:
            raise FetchError(f"{fetch.hub}: {explain_error(error.errors()[0])}") from None
    return files


def _list_names(fetch: Fetch, endpoint: str | None) -> list[str]:
    hub = import_hub(PURPOSE)
    try:
        names: list[str] = hub.HfApi(endpoint=endpoint, library_name="coalm-it").list_repo_files(
            fetch.hub, revision=fetch.revision, repo_type="dataset"
        )
    except _FAILURES as error:
        raise _describe_failure(error, fetch, "", endpoint) from None
    return names


def fetch_hub_file(fetch: Fetch, file: RemoteFile, folder: Path, endpoint: str | None, job: Job) -> None:
    """Downloads one file of a data set to `folder`, unless it is there already. Raises FetchError."""
    target = folder / file.path
    if target.is_file():
        mismatch = describe_mismatch(target, file)
        if not mismatch and (file.sha256 or fetch.pinned):
            job.skip()
            return
        if mismatch:
            job.notes.append(f"{target} is downloaded again: {mismatch}")
            target.unlink()
    hub = import_hub(PURPOSE)
    try:
        hub.hf_hub_download(
            fetch.hub,
            file.path,
            repo_type="dataset",
            revision=fetch.revision,
            local_dir=folder,
            endpoint=endpoint,
            library_name="coalm-it",
            tqdm_class=cast(Any, lambda **bar: _Bar(job, **bar)),
        )
    except _FAILURES as error:
        raise _describe_failure(error, fetch, file.path, endpoint) from None
    mismatch = describe_mismatch(target, file)
    if mismatch:
        target.unlink()
        raise FetchError(f"{fetch.hub}: {file.path}: {mismatch}")


class _Bar:
    """Replaces the tqdm of huggingface_hub, and reports to the job instead."""

    def __init__(self, job: Job, total: int | None = None, initial: int = 0, **_: Any) -> None:
        self._job = job
        self._count = initial
        job.total = job.total or total

    def update(self, count: float = 1) -> None:
        # For a file in chunks (Xet), one bar counts the bytes received and another the bytes written.
        self._count += int(count)
        self._job.advance(max(0, self._count - self._job.done))

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        pass

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _describe_failure(error: BaseException, fetch: Fetch, path: str, endpoint: str | None) -> FetchError:
    """The error with a message of one line for the user."""
    from huggingface_hub import constants, errors, get_token

    hub = endpoint or constants.ENDPOINT
    page = f"{hub}/datasets/{fetch.hub}"
    if isinstance(error, errors.GatedRepoError):
        refused = " and the current token has no access" if get_token() else ""
        account = f"set HF_TOKEN to a token of the account that accepted ({hub}/settings/tokens)"
        return FetchError(f"{fetch.hub} is gated{refused}: accept its terms at {page} and {account}")
    if isinstance(error, errors.RepositoryNotFoundError):
        return FetchError(f"{page}: does not exist, or is private and HF_TOKEN has no access")
    if isinstance(error, errors.RevisionNotFoundError):
        return FetchError(f"{page}: there is no revision {fetch.revision}")
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__  # the reason why the Hub could not be asked for the file
    elif isinstance(error, errors.EntryNotFoundError):
        return FetchError(f"{page}: there is no file {path} at revision {fetch.revision}")
    if isinstance(error, errors.HfHubHTTPError):
        answer = f"the server answers {error.response.status_code} {error.response.reason_phrase}"
        said = f": {error.server_message}" if error.server_message else ""
        token = "; is the token in HF_TOKEN still valid?" if error.response.status_code == 401 else ""
        return FetchError(f"{page}: {answer}{said}{token}")
    return FetchError(f"{page}: {_one_line(error)}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
