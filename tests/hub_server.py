"""A Hub on this machine, as far as huggingface_hub and datasets use one: accounts, data sets and models, large
files, branches, tags.

    with serve_hub() as hub:
        hub.accounts["hf_secret"] = Account("ada")
        ...                                     # HF_ENDPOINT or endpoint=: hub.address
        hub.repos["ada/mine"].files()           # path -> bytes, on main; hub.models for models

`hub.tricks` lays what goes wrong in the world: (method, part of the path, what to do instead), each done once. With
`hub.xet` large files come by way of Xet storage, else by Git LFS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from hub_repos import Account as Account
from hub_repos import Commit, Repo
from hub_repos import File as File
from xet_storage import XetStorage

LARGE = (".parquet", ".arrow", ".safetensors")
"""What the .gitattributes of a new repository gives to large file storage, whatever its size."""

Trick = Callable[["HubRequest"], None]


class Hub:
    """What the server holds, does and was asked for."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        """Token -> whose it is."""
        self.repos: dict[str, Repo] = {}
        """The data sets."""
        self.models: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        """Large files by sha256, committed or not."""
        self.xet: XetStorage | None = None
        self.tricks: list[tuple[str, str, Trick]] = []
        self.asked: list[tuple[str, str]] = []
        """Method and path of each request."""
        self.server = _Server(("127.0.0.1", 0), type("Handler", (HubRequest,), {"hub": self}))
        self.server.faults = []
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def sent(self) -> list[str]:
        """The sha256 of the large files that came in, in order, since `asked` was last emptied."""
        return [path.rpartition("/")[2] for method, path in self.asked if (method, path[:5]) == ("PUT", "/lfs/")]

    def add_repo(self, name: str, private: bool = True, kind: str = "dataset", **files: str) -> Repo:
        repo = Repo(private)
        (self.models if kind == "model" else self.repos)[name] = repo
        attributes = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LARGE)
        texts = {".gitattributes": attributes, **{path.replace("__", "."): text for path, text in files.items()}}
        repo.add_commit("initial commit", {path: File(text.encode()) for path, text in texts.items()})
        return repo


@contextmanager
def serve_hub() -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        thread.join()
        hub.server.server_close()
    if hub.server.faults:
        raise hub.server.faults[0]


# --- what goes wrong ---


def cut(asked: HubRequest) -> None:
    """Hangs up in the middle of what comes in."""
    asked.rfile.read(int(asked.headers.get("Content-Length") or 0) // 2)
    asked.connection.shutdown(socket.SHUT_RDWR)
    asked.close_connection = True


def reply(status: int, body: Any = "", **headers: str) -> Trick:
    """Reads what comes in and answers something else."""

    def trick(asked: HubRequest) -> None:
        asked.read_body()
        asked.send(status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return trick


# --- requests ---


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    faults: list[BaseException]

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):  # a client that hangs up is no news
            self.faults.append(error)


class Refusal(Exception):
    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class HubRequest(BaseHTTPRequestHandler):
    """One request, answered by the first route that fits."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the client to acknowledge its headers
    hub: Hub
    kind = "dataset"

    def do_any(self) -> None:
        self.path, _, query = self.path.partition("?")
        self.query = parse_qs(query)
        self.hub.asked.append((self.command, self.path))
        for place, (method, part, trick) in enumerate(self.hub.tricks):
            if method == self.command and part in self.path:
                del self.hub.tricks[place]
                return trick(self)
        self.answer()

    def answer(self) -> None:
        """As a Hub does; as a trick: nothing goes wrong this time."""
        body = self.read_body()
        self.kind, path = split_kind(urlsplit(self.path).path)
        try:
            for method, pattern, answer in ROUTES:
                found = re.fullmatch(pattern, path)
                if found and (method == self.command or (method, self.command) == ("GET", "HEAD")):
                    return answer(self, body, *map(unquote, found.groups("")))
            raise Refusal(404, "Sorry, we can't find the page you are looking for.")
        except Refusal as refusal:
            headers = {"X-Error-Message": str(refusal), "X-Error-Code": refusal.code}
            self.send(refusal.status, {"error": str(refusal)}, {k: v for k, v in headers.items() if v})

    do_GET = do_HEAD = do_POST = do_PUT = do_any

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(self, status: int, body: Any = "", headers: dict[str, str] | None = None) -> None:
        content = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        self.send_response(status, HTTPStatus(status).phrase)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass

    # --- who asks, and what they may ---

    @property
    def account(self) -> Account | None:
        """Raises Refusal for a token that nobody has."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in self.hub.accounts:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return self.hub.accounts.get(token)

    @property
    def repos(self) -> dict[str, Repo]:
        """Those of the kind that the path names."""
        return self.hub.models if self.kind == "model" else self.hub.repos

    def is_member(self, name: str) -> bool:
        account = self.account
        return account is not None and name.partition("/")[0] in (account.name, *account.organisations)

    def read(self, name: str, revision: str = "main") -> tuple[Repo, Commit]:
        repo = self.repos.get(name)
        if repo is None or (repo.private and not self.is_member(name)):
            raise Refusal(404 if self.account else 401, "Repository not found", "RepoNotFound")
        commit = repo.find(revision)
        if commit is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo, commit

    def write(self, name: str) -> Repo:
        repo, _ = self.read(name)
        self.check_right(name)
        return repo

    def check_right(self, name: str) -> None:
        account = self.account
        if account is None:
            raise Refusal(401, "Please log in")
        if not self.is_member(name):
            raise Refusal(
                403,
                f'You don\'t have the rights to create a {self.kind} under the namespace "{name.partition("/")[0]}"',
            )
        if not account.writes:
            raise Refusal(403, "Your token does not have write access to this repository")


def who_am_i(asked: HubRequest, body: bytes) -> None:
    account = asked.account
    if account is None:
        raise Refusal(401, "Invalid username or password.")
    asked.send(200, {"type": "user", "name": account.name, "orgs": [{"name": name} for name in account.organisations]})


def create_repo(asked: HubRequest, body: bytes) -> None:
    wanted = json.loads(body)
    asked.kind = wanted["type"]
    assert asked.kind in ("dataset", "model")
    name = f"{wanted['organization']}/{wanted['name']}"
    asked.check_right(name)
    if name in asked.repos:
        raise Refusal(409, f"You already created this {asked.kind} repo")
    asked.hub.add_repo(name, wanted["visibility"] == "private", asked.kind)
    place = "datasets/" if asked.kind == "dataset" else ""
    asked.send(200, {"url": f"{asked.hub.address}/{place}{name}", "name": name})


def change_settings(asked: HubRequest, body: bytes, name: str) -> None:
    asked.write(name).private = json.loads(body)["visibility"] == "private"
    asked.send(200, {})


def describe(asked: HubRequest, body: bytes, name: str, revision: str = "main") -> None:
    repo, commit = asked.read(name, revision)
    card = commit.files.get("README.md", File(b"")).content.decode()
    head = yaml.safe_load(card.split("---\n")[1]) if card.startswith("---\n") else {}
    siblings: list[dict[str, Any]] = []
    for path, file in sorted(commit.files.items()):
        blob = {"size": len(file.content), "blobId": file.oid, **_point(file, "sha256")}
        siblings.append({"rfilename": path, **(blob if "blobs" in asked.query else {})})
    about = {"id": name, "author": name.partition("/")[0], "sha": commit.oid, "private": repo.private, "gated": False}
    asked.send(200, {**about, "cardData": head, "tags": head.get("tags", []), "siblings": siblings})


def _point(file: File, key: str) -> dict[str, Any]:
    pointer = {key: file.sha256, "size": len(file.content), "pointerSize": 134}
    return {"lfs": pointer} if file.large else {}


def list_tree(asked: HubRequest, body: bytes, name: str, revision: str, folder: str = "") -> None:
    _, commit = asked.read(name, revision)
    inside = f"{folder}/" if folder else ""
    below = [path for path in sorted(commit.files) if path.startswith(inside)]
    if folder and not below:
        raise Refusal(404, f"{folder} does not exist on {revision}", "EntryNotFound")
    everything = asked.query.get("recursive", [""])[0].lower() == "true"
    shown: dict[str, None] = {}
    for path in below:
        folders = [path[:end] for end, letter in enumerate(path) if letter == "/" and end > len(inside)]
        shown |= dict.fromkeys([*folders, path] if everything else [*folders, path][:1])
    asked.send(200, [_describe_entry(commit, path) for path in shown])


def list_paths(asked: HubRequest, body: bytes, name: str, revision: str) -> None:
    _, commit = asked.read(name, revision)
    wanted = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
    there = [path for path in wanted if any(f"{file}/".startswith(f"{path}/") for file in commit.files)]
    asked.send(200, [_describe_entry(commit, path) for path in there])


def _describe_entry(commit: Commit, path: str) -> dict[str, Any]:
    file = commit.files.get(path)
    if file is None:
        return {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0}
    return {"type": "file", "path": path, "oid": file.oid, "size": len(file.content), **_point(file, "oid")}


def resolve(asked: HubRequest, body: bytes, name: str, revision: str, path: str) -> None:
    _, commit = asked.read(name, revision)
    file = commit.files.get(path)
    if file is None:
        raise Refusal(404, "Entry not found", "EntryNotFound")
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.sha256 if file.large else file.oid}"'}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("Range") or "")
    if not wanted:
        return asked.send(200, file.content, headers)
    start, end = int(wanted[1]), int(wanted[2] or len(file.content) - 1)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(file.content)}"
    asked.send(206, file.content[start : end + 1], headers)


# --- what comes in ---

SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"}
LICENCES = {"other", "mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-nd-4.0"}


def validate_card(asked: HubRequest, body: bytes) -> None:
    """The Hub's own rules are not public; these are some that it is known to have."""
    _, opening, rest = json.loads(body)["content"].partition("---\n")
    errors, warnings = [], []
    try:
        head = yaml.safe_load(rest.partition("\n---\n")[0]) if opening else None
        if head is None:
            warnings.append("empty or missing yaml metadata in repo card")
        elif head.get("license", "other") not in LICENCES:
            errors.append('"license" must be one of the licences of the list')
        elif not set(head.get("size_categories", [])) <= SIZES:
            errors.append('"size_categories" must be one of the list')
    except yaml.YAMLError as error:
        errors.append(str(error))
    told = {"errors": [{"message": one} for one in errors], "warnings": [{"message": one} for one in warnings]}
    asked.send(400 if errors else 200, told)


def plan_upload(asked: HubRequest, body: bytes, name: str, revision: str) -> None:
    files = asked.write(name).list_commits(revision)[-1].files
    answers = []
    for wanted in json.loads(body)["files"]:
        path, there = wanted["path"], files.get(wanted["path"])
        mode = "lfs" if path.endswith(LARGE) else "regular"
        oid = (there.sha256 if there.large else there.oid) if there else None
        answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **({"oid": oid} if oid else {})})
    asked.send(200, {"files": answers})


def plan_large_files(asked: HubRequest, body: bytes, name: str) -> None:
    asked.write(name)
    objects = []
    for wanted in json.loads(body)["objects"]:
        upload = {"upload": {"href": f"{asked.hub.address}/lfs/{wanted['oid']}"}}
        objects.append({**wanted, **({} if wanted["oid"] in asked.hub.objects else {"actions": upload})})
    asked.send(200, {"transfer": "basic", "objects": objects})


def store_large_file(asked: HubRequest, body: bytes, sha256: str) -> None:
    if hashlib.sha256(body).hexdigest() != sha256:
        raise Refusal(400, "The content is not what its name says")
    asked.hub.objects[sha256] = body
    asked.send(200)


def give_xet_token(asked: HubRequest, body: bytes, name: str, kind: str, revision: str) -> None:
    asked.read(name) if kind == "read" else asked.write(name)
    if asked.hub.xet is None:
        raise Refusal(404, "Not Found")
    given = {"casUrl": f"{asked.hub.address}/xet", "exp": 4_000_000_000, "accessToken": "xet"}
    names = {"casUrl": "X-Xet-Cas-Url", "exp": "X-Xet-Token-Expiration", "accessToken": "X-Xet-Access-Token"}
    asked.send(200, given, {names[key]: str(value) for key, value in given.items()})


def store_xorb(asked: HubRequest, body: bytes, name: str) -> None:
    assert asked.hub.xet is not None
    asked.hub.xet.add_xorb(name, body)
    asked.send(200, {"was_inserted": True})


def store_shard(asked: HubRequest, body: bytes) -> None:
    assert asked.hub.xet is not None
    for content in asked.hub.xet.read_files(body):
        asked.hub.objects[hashlib.sha256(content).hexdigest()] = content
    asked.send(200, {"result": 1})


def commit_files(asked: HubRequest, body: bytes, name: str, revision: str) -> None:
    repo = asked.write(name)
    tip = repo.list_commits(revision)[-1]
    head, *changes = [json.loads(line) for line in body.splitlines()]
    if head["value"].get("parentCommit") not in (None, tip.oid):
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    files = dict(tip.files)
    for change in changes:
        value = change["value"]
        if change["key"] == "file":
            files[value["path"]] = File(base64.b64decode(value["content"]))
        elif change["key"] == "lfsFile":
            if value["oid"] not in asked.hub.objects:
                raise Refusal(400, f"LFS pointer points to a file that does not exist: {value['path']}")
            files[value["path"]] = File(asked.hub.objects[value["oid"]], large=True)
        else:
            assert change["key"] == "deletedFile"
            del files[value["path"]]
    oid = repo.add_commit(head["value"]["summary"], files, revision).oid
    asked.send(200, {"commitOid": oid, "commitUrl": f"{asked.hub.address}/datasets/{name}/commit/{oid}"})


def add_tag(asked: HubRequest, body: bytes, name: str, revision: str) -> None:
    repo, tag = asked.write(name), json.loads(body)["tag"]
    commit = repo.find(revision)
    if commit is None:
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    if tag in repo.tags:
        raise Refusal(409, f"Reference already exists: {tag}")
    repo.tags[tag] = commit.oid
    asked.send(200, {})


def add_branch(asked: HubRequest, body: bytes, name: str, branch: str) -> None:
    repo = asked.write(name)
    if branch in (*repo.branches, "main"):
        raise Refusal(409, f"Reference already exists: {branch}")
    start = repo.find(json.loads(body)["startingPoint"])
    if start is None:
        raise Refusal(404, "Invalid rev id", "RevisionNotFound")
    repo.branches[branch] = repo.commits[: repo.commits.index(start) + 1]
    asked.send(200, {})


def split_kind(path: str) -> tuple[str, str]:
    """The kind of the repository that a path names, and the path as it would be for a data set."""
    if path.startswith("/api/models/"):
        return "model", path.replace("/models/", "/datasets/", 1)
    if re.match(r"/(?!api/|datasets/|lfs/|xet/)[^/]+/[^/]+(/resolve/|\.git/)", path):
        return "model", f"/datasets{path}"
    return "dataset", path


_REPO = r"/api/datasets/([^/]+/[^/]+)"
ROUTES: list[tuple[str, str, Callable[..., None]]] = [
    ("GET", "/api/whoami-v2", who_am_i),
    ("POST", "/api/repos/create", create_repo),
    ("POST", "/api/validate-yaml", validate_card),
    ("PUT", f"{_REPO}/settings", change_settings),
    ("GET", _REPO, describe),
    ("GET", f"{_REPO}/revision/([^/]+)", describe),
    ("GET", f"{_REPO}/tree/([^/]+)(?:/(.+))?", list_tree),
    ("POST", f"{_REPO}/paths-info/([^/]+)", list_paths),
    ("GET", r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", resolve),
    ("POST", f"{_REPO}/preupload/([^/]+)", plan_upload),
    ("POST", r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", plan_large_files),
    ("PUT", r"/lfs/([0-9a-f]{64})", store_large_file),
    ("GET", f"{_REPO}/xet-(read|write)-token/([^/]+)", give_xet_token),
    ("POST", r"/xet/v1/xorbs/default/([0-9a-f]{64})", store_xorb),
    ("POST", r"/xet/v1/shards", store_shard),
    ("POST", f"{_REPO}/commit/([^/]+)", commit_files),
    ("POST", f"{_REPO}/tag/([^/]+)", add_tag),
    ("POST", f"{_REPO}/branch/([^/]+)", add_branch),
]
