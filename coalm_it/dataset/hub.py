"""A data set's repository on the Hugging Face Hub, through huggingface_hub, which is imported only here."""

from __future__ import annotations

import glob
import hashlib
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from coalm_it import __version__
from coalm_it.corpora.sources import is_safe_url
from coalm_it.dataset.card import OWN_TAG
from coalm_it.dataset.manifest import MANIFEST
from coalm_it.errors import OutsideError, RequestError
from coalm_it.listener import Listener

BRANCH = "main"
# What comes of an answer that is none of the Hub's; it checks few of them.
_NO_ANSWERS = (KeyError, TypeError, AttributeError, json.JSONDecodeError)
# What else huggingface_hub raises: its own errors, which are also these; of names, of the disk, of the network, of Xet.
_FAILURES = (ValueError, OSError, httpx2.HTTPError, RuntimeError, *_NO_ANSWERS)


class HubRequestError(RequestError):
    """The Hub refuses, or would refuse, what is asked of it; the message is one line for the user."""


class HubError(OutsideError):
    """The Hub fails, or cannot be reached; the message is one line for the user."""


@dataclass(frozen=True)
class Contents:
    """What a repository holds at a commit."""

    commit: str
    private: bool
    ours: bool
    """Whether its card is one of a data set of ours."""
    files: dict[str, str]
    """Path -> sha256 of what lies in large file storage; git's id of what does not."""

    def holds(self, name: str, path: Path, sha256: str) -> bool:
        """Whether the file of that name is the one of that sha256, which lies at `path`."""
        there = self.files.get(name)
        if there is None or len(there) == len(sha256):
            return there == sha256
        content = path.read_bytes()
        same = hashlib.sha256(content).hexdigest() == sha256
        return same and hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == there


class Repository:
    """A data set's repository, and the account that speaks to it.

    The token is the one of the environment (HF_TOKEN) or of the Hub's own login; it goes to the Hub and nowhere else.
    """

    def __init__(self, name: str, endpoint: str | None, listener: Listener) -> None:
        """Raises HubRequestError: an address that is not safe, no token, one that is not valid; HubError where the
        Hub cannot be reached."""
        hub = import_hub()
        self.name = name
        self.endpoint = (endpoint or hub.constants.ENDPOINT).rstrip("/")
        self._listener = listener
        self._token: str | None = None
        self.account = "this account"
        if not is_safe_url(self.endpoint):
            raise HubRequestError(f"{self.endpoint}: not HTTPS; a token must not go there")
        with self._speak():
            self._token = hub.get_token()
        if self._token is None:
            raise HubRequestError("no token for the Hub: set HF_TOKEN, or run: hf auth login")
        if not re.fullmatch(r"[!-~]+", self._token):
            raise HubRequestError("the token for the Hub has characters in it that no token has")
        self._api = hub.HfApi(self.endpoint, token=True, library_name="coalm-it", library_version=__version__)
        with self._speak():
            self.account = str(self._api.whoami()["name"])

    @property
    def url(self) -> str:
        return f"{self.endpoint}/datasets/{self.name}"

    def read_contents(self, revision: str = BRANCH) -> Contents | None:
        """What is there at a branch, tag or commit; None where the repository or the revision is not."""
        errors = import_hub().errors
        with self._speak():
            try:
                info = self._api.dataset_info(self.name, revision=revision, files_metadata=True)
            except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
                return None
            card = info.card_data or {}
            files = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings}
            return Contents(info.sha, info.private, OWN_TAG in (card.get("tags") or ()), files)

    def create(self) -> Contents:
        """Makes the repository, private. Raises HubRequestError where the account may not."""
        with self._speak():
            self._api.create_repo(self.name, repo_type="dataset", private=True)
        contents = self.read_contents()
        if contents is None:
            raise HubError(f"{self.url}: was made and is not there")
        return contents

    def read_manifest(self, contents: Contents) -> dict[str, Any]:
        """The manifest that lies there; nothing where none does, or none that can be read."""
        if MANIFEST not in contents.files:
            return {}
        with self._speak(), tempfile.TemporaryDirectory() as folder:
            path = self._api.hf_hub_download(
                self.name, MANIFEST, repo_type="dataset", revision=contents.commit, local_dir=folder
            )
            with suppress(ValueError):
                manifest = json.loads(Path(path).read_bytes())
                return manifest if isinstance(manifest, dict) else {}
        return {}

    def send(self, folder: Path, names: Sequence[str], delete: Sequence[str], parent: str, message: str) -> str:
        """Sends files of the folder and deletes others, on top of commit `parent`; returns the new commit.

        Raises HubError where something else was committed meanwhile.
        """
        with self._speak(), self._choose_transfer():
            info = self._api.upload_folder(
                repo_id=self.name,
                repo_type="dataset",
                folder_path=folder,
                allow_patterns=[glob.escape(name) for name in names],
                delete_patterns=[glob.escape(name) for name in delete] or None,
                parent_commit=parent,
                commit_message=message,
            )
            return str(info.oid)

    def tag(self, tag: str, commit: str) -> None:
        with self._speak():
            self._api.create_tag(self.name, repo_type="dataset", tag=tag, revision=commit)

    def make_public(self) -> None:
        with self._speak():
            self._api.update_repo_settings(self.name, repo_type="dataset", private=False)

    @contextmanager
    def _choose_transfer(self) -> Iterator[None]:
        """Where the Hub has no Xet storage, large files go the way that every Hub knows (Git LFS).

        huggingface_hub takes Xet wherever the library for it is installed. Its switch is a constant that it reads from
        the environment when it is imported; by then it is not known which Hub is meant.
        """
        hub = import_hub()
        address = f"{self.endpoint}/api/datasets/{self.name}/xet-write-token/{BRANCH}"
        answer = hub.utils.get_session().get(address, headers=hub.utils.build_hf_headers(token=True))
        without = answer.status_code in (404, 405, 501)
        if not without:
            hub.utils.hf_raise_for_status(answer)
        before = hub.constants.HF_HUB_DISABLE_XET
        hub.constants.HF_HUB_DISABLE_XET = before or without
        try:
            yield
        finally:
            hub.constants.HF_HUB_DISABLE_XET = before

    @contextmanager
    def _speak(self) -> Iterator[None]:
        """Raises what goes wrong as one line without the token; says what the Hub warns of."""
        utils = import_hub().utils
        verbosity = utils.logging.get_verbosity()
        utils.logging.set_verbosity_error()  # it tells of every try and address
        with ExitStack() as stack:
            warned = stack.enter_context(warnings.catch_warnings(record=True))
            if not sys.stderr.isatty():
                stack.enter_context(utils.disable_progress_bars())
            try:
                yield
            except _FAILURES as error:
                raise self._explain(error) from None
            finally:
                utils.logging.set_verbosity(verbosity)
                for warning in warned:
                    if issubclass(warning.category, UserWarning):  # the others are for who writes programs
                        self._listener.say(f"the Hub says: {self._tell(warning.message)}")

    def _explain(self, error: BaseException) -> HubRequestError | HubError:
        """One line for the person who must act."""
        errors = import_hub().errors
        refusal: Any = error
        while refusal is not None and not isinstance(refusal, errors.HfHubHTTPError):
            refusal = refusal.__cause__
        if isinstance(error, _NO_ANSWERS):
            return HubError(f"{self.url}: what answers there is no Hub ({type(error).__name__}: {self._tell(error)})")
        if refusal is None:
            return HubError(f"{self.url}: {self._tell(error)}")
        status, path = refusal.response.status_code, refusal.response.url.path
        about = "" if refusal is error else f"{self._tell(error).rstrip('.')}: "
        said = f": {self._tell(refusal.server_message)}" if refusal.server_message else ""
        line = f"{self.url}: {about}the Hub answers {status} {refusal.response.reason_phrase}{said}"
        asked_hub = "/api/" in path or "/info/lfs/" in path  # and not the storage behind it
        if status == 401 and asked_hub:
            return HubRequestError(f"{line}; is the token (HF_TOKEN, or hf auth login) still good?")
        if status == 403 and asked_hub:
            return HubRequestError(f"{line}; the token of {self.account} has no right to write there")
        if status == 409 and path.endswith("/repos/create"):
            return HubRequestError(f"{line}; the name is taken by what the token of {self.account} does not see")
        if status == 412:
            return HubError(f"{line}; somebody else changed it meanwhile: run again")
        return HubError(line)

    def _tell(self, thing: object) -> str:
        """On one line, without the token, whoever may have put it there."""
        text = " ".join(str(thing).split()) or type(thing).__name__
        return text.replace(self._token, "(token)") if self._token else text


def check_name(name: str) -> None:
    """Raises HubRequestError for what is no USER/NAME."""
    hub = import_hub()
    if name.count("/") != 1:
        raise HubRequestError(f"{name!r} is no repository: write it as USER/NAME")
    try:
        hub.utils.validate_repo_id(name)
    except hub.errors.HFValidationError as error:
        raise HubRequestError(f"{name!r} is no repository: {' '.join(str(error).split())}") from None


def import_hub() -> Any:
    """huggingface_hub with the modules of it that are used. Raises HubRequestError where it is not installed."""
    try:
        import huggingface_hub.constants
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError:
        raise HubRequestError("publishing needs: pip install 'coalm-it[hub]'") from None
    return huggingface_hub
