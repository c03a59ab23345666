"""A repository on the Hugging Face Hub, of a data set or of a model."""

from __future__ import annotations

import glob
import hashlib
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2

from coalm_it import __version__
from coalm_it.corpora.sources import is_safe_url
from coalm_it.dataset.card import OWN_TAG
from coalm_it.errors import OutsideError, RequestError
from coalm_it.extras import import_hub
from coalm_it.listener import Listener

BRANCH = "main"
Kind = Literal["dataset", "model"]
NOUNS: dict[Kind, str] = {"dataset": "data set", "model": "model"}
"""Kind of a repository -> what people call it."""
# What huggingface_hub raises on responses that are not a Hub's; it validates few of them.
_INVALID_RESPONSES = (KeyError, TypeError, AttributeError, json.JSONDecodeError)
# What else it raises: for invalid names, the disk, the network and Xet. Its own errors are subclasses of these.
_FAILURES = (ValueError, OSError, httpx2.HTTPError, RuntimeError, *_INVALID_RESPONSES)


class HubRequestError(RequestError):
    """The Hub refuses the request, or would refuse it; the message is one line for the user."""


class HubError(OutsideError):
    """The Hub failed, or cannot be reached; the message is one line for the user."""


@dataclass(frozen=True)
class RemoteContents:
    """The files of a repository at a commit."""

    commit: str
    private: bool
    ours: bool
    """Whether its card has our tag."""
    files: dict[str, str]
    """Path -> sha256 of a file in large file storage, git's blob id of any other."""

    def holds(self, name: str, sha256: str, read: Callable[[str], bytes]) -> bool:
        """Whether the file of that name has the content that `read` gives, which has that sha256."""
        digest = self.files.get(name)
        if digest is None or len(digest) == len(sha256):
            return digest == sha256
        content = read(name)
        unchanged = hashlib.sha256(content).hexdigest() == sha256
        return unchanged and hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == digest


class Repository:
    """A repository, and the account that accesses it.

    The token comes from the environment (HF_TOKEN) or from `hf auth login`; it is sent to the Hub and nowhere else.
    """

    def __init__(
        self,
        name: str,
        endpoint: str | None,
        listener: Listener,
        only_read: bool = False,
        kind: Kind = "dataset",
    ) -> None:
        """A public repository can be read without a token.

        Raises HubRequestError: insecure address, no token, invalid token; HubError: the Hub cannot be reached.
        """
        hub = import_hub("the Hub")
        self.name = name
        self.kind: Kind = kind
        self.endpoint = (endpoint or hub.constants.ENDPOINT).rstrip("/")
        self._listener = listener
        self._token: str | None = None
        self.account = "this account"
        if not is_safe_url(self.endpoint):
            raise HubRequestError(f"{self.endpoint}: not HTTPS; the token must not be sent there")
        with self._plain_errors():
            self._token = hub.get_token()
        if self._token is None and not only_read:
            raise HubRequestError("no token for the Hub: set HF_TOKEN, or run: hf auth login")
        if self._token is not None and not re.fullmatch(r"[!-~]+", self._token):
            raise HubRequestError("the token for the Hub contains invalid characters")
        token = self._token is not None
        self._api = hub.HfApi(self.endpoint, token=token, library_name="coalm-it", library_version=__version__)
        if only_read:
            return
        with self._plain_errors():
            self.account = str(self._api.whoami()["name"])

    @property
    def url(self) -> str:
        return f"{self.endpoint}/{'datasets/' if self.kind == 'dataset' else ''}{self.name}"

    def read_contents(self, revision: str = BRANCH) -> RemoteContents | None:
        """The files at a branch, tag or commit; None if the repository or the revision does not exist."""
        errors = import_hub("publishing").errors
        with self._plain_errors():
            try:
                info = self._api.repo_info(self.name, repo_type=self.kind, revision=revision, files_metadata=True)
            except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
                return None
            card = info.card_data or {}
            files = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings}
            return RemoteContents(info.sha, info.private, OWN_TAG in (card.get("tags") or ()), files)

    def create(self) -> RemoteContents:
        """Creates the repository, private. Raises HubRequestError if the account has no permission."""
        with self._plain_errors():
            self._api.create_repo(self.name, repo_type=self.kind, private=True)
        contents = self.read_contents()
        if contents is None:
            raise HubError(f"{self.url}: was created, but does not exist")
        return contents

    def create_branch(self, branch: str, commit: str) -> RemoteContents:
        """Creates a branch that begins at a commit."""
        with self._plain_errors():
            self._api.create_branch(self.name, repo_type=self.kind, branch=branch, revision=commit)
        contents = self.read_contents(branch)
        if contents is None:
            raise HubError(f"{self.url}: branch {branch} was created, but does not exist")
        return contents

    def read_listed_files(self, contents: RemoteContents, manifest: str) -> set[str]:
        """Names of the files that the remote manifest of that name lists, whichever version wrote it; empty without
        one."""
        if manifest not in contents.files:
            return set()
        with self._plain_errors(), tempfile.TemporaryDirectory() as folder:
            self.download([manifest], Path(folder), contents.commit)
            with suppress(ValueError):
                listed = json.loads(Path(folder, manifest).read_bytes())
                return set(listed.get("files") or ()) if isinstance(listed, dict) else set()
        return set()

    def download(self, names: Iterable[str], folder: Path, commit: str) -> None:
        """Downloads files as they are at a commit into a folder."""
        with self._plain_errors():
            for name in names:
                self._api.hf_hub_download(self.name, name, repo_type=self.kind, revision=commit, local_dir=folder)

    def upload(
        self,
        folder: Path,
        names: Sequence[str],
        delete: Sequence[str],
        parent: str,
        message: str,
        branch: str = BRANCH,
    ) -> str:
        """Uploads files of the folder and deletes others, on top of commit `parent` of a branch; returns the new
        commit.

        Raises HubError if something else was committed in the meantime.
        """
        with self._plain_errors(), self._choose_transfer(branch):
            info = self._api.upload_folder(
                repo_id=self.name,
                repo_type=self.kind,
                revision=branch,
                folder_path=folder,
                allow_patterns=[glob.escape(name) for name in names],
                delete_patterns=[glob.escape(name) for name in delete] or None,
                parent_commit=parent,
                commit_message=message,
            )
            return str(info.oid)

    def tag(self, tag: str, commit: str) -> None:
        with self._plain_errors():
            self._api.create_tag(self.name, repo_type=self.kind, tag=tag, revision=commit)

    def make_public(self) -> None:
        with self._plain_errors():
            self._api.update_repo_settings(self.name, repo_type=self.kind, private=False)

    @contextmanager
    def _choose_transfer(self, branch: str) -> Iterator[None]:
        """Uploads large files through Git LFS, which every Hub has, if this Hub has no Xet storage.

        huggingface_hub uses Xet whenever the library for it is installed. The switch is a constant that it reads from
        the environment at import time, before the Hub's address is known.
        """
        hub = import_hub("publishing")
        address = f"{self.endpoint}/api/{self.kind}s/{self.name}/xet-write-token/{branch}"
        response = hub.utils.get_session().get(address, headers=hub.utils.build_hf_headers(token=True))
        without_xet = response.status_code in (404, 405, 501)
        if not without_xet:
            hub.utils.hf_raise_for_status(response)
        before = hub.constants.HF_HUB_DISABLE_XET
        hub.constants.HF_HUB_DISABLE_XET = before or without_xet
        try:
            yield
        finally:
            hub.constants.HF_HUB_DISABLE_XET = before

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Turns errors into one line without the token, and reports warnings of the Hub."""
        utils = import_hub("publishing").utils
        with ExitStack() as stack:
            warned = stack.enter_context(warnings.catch_warnings(record=True))
            if not sys.stderr.isatty():
                stack.enter_context(utils.disable_progress_bars())
            try:
                yield
            except _FAILURES as error:
                raise self._describe_failure(error) from None
            finally:
                for warning in warned:
                    if issubclass(warning.category, UserWarning):  # the others are meant for programmers
                        self._listener.say(f"warning of the Hub: {self._redact(warning.message)}")

    def _describe_failure(self, error: BaseException) -> HubRequestError | HubError:
        """The error that is shown to the user, in one line."""
        errors = import_hub("publishing").errors
        refusal: Any = error
        while refusal is not None and not isinstance(refusal, errors.HfHubHTTPError):
            refusal = refusal.__cause__
        if isinstance(error, _INVALID_RESPONSES):
            return HubError(f"{self.url}: not the response of a Hub ({type(error).__name__}: {self._redact(error)})")
        if refusal is None:
            return HubError(f"{self.url}: {self._redact(error)}")
        status, path = refusal.response.status_code, refusal.response.url.path
        context = "" if refusal is error else f"{self._redact(error).rstrip('.')}: "
        detail = f": {self._redact(refusal.server_message)}" if refusal.server_message else ""
        line = f"{self.url}: {context}the Hub answers {status} {refusal.response.reason_phrase}{detail}"
        from_hub = "/api/" in path or "/info/lfs/" in path  # not from the storage behind it
        if status == 401 and from_hub:
            return HubRequestError(f"{line}; is the token (HF_TOKEN, or hf auth login) still valid?")
        if status == 403 and from_hub:
            return HubRequestError(f"{line}; the token of {self.account} has no write permission there")
        if status == 409 and path.endswith("/repos/create"):
            return HubRequestError(f"{line}; a repository of this name exists, but {self.account} has no access to it")
        if status == 412:
            return HubError(f"{line}; the repository changed in the meantime: run again")
        return HubError(line)

    def _redact(self, message: object) -> str:
        """The message on one line, without the token."""
        text = " ".join(str(message).split()) or type(message).__name__
        return text.replace(self._token, "(token)") if self._token else text


def check_name(name: str) -> None:
    """Raises HubRequestError unless the name has the form USER/NAME."""
    hub = import_hub("publishing")
    if name.count("/") != 1:
        raise HubRequestError(f"{name!r} is not a repository name: write it as USER/NAME")
    try:
        hub.utils.validate_repo_id(name)
    except hub.errors.HFValidationError as error:
        raise HubRequestError(f"{name!r} is not a repository name: {' '.join(str(error).split())}") from None
