"""Against a real server on this machine, which does on demand what servers do: cut off, refuse, send elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.corpora.fetch import Fetched, Hosts, fetch_corpora
from coalm_it.corpora.fetch.archives import ArchiveError, Member, hash_tree, unpack
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import SourceError, list_sources, load_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = bytes(range(256)) * 4_000
SHA256 = hashlib.sha256(LARGE).hexdigest()

Trick = Callable[["Answer", bytes], None]


class Answer(BaseHTTPRequestHandler):
    """Serves the site's files, ranges too, unless a trick is laid for the path."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.site.asked.append((self.path, self.headers["Range"]))
        tricks = self.site.tricks[self.path]
        if tricks:
            tricks.pop(0)(self, self.site.files.get(self.path, b""))
        elif self.path in self.site.files:
            self.send_file(self.site.files[self.path])
        else:
            self.send(404, b"")

    def send_file(self, content: bytes, ranges: bool = True) -> None:
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if self.headers["Range"] else 0
        if not ranges or not start:
            self.send(200, content)
        elif start >= len(content):
            self.send(416, b"")
        else:
            self.send(206, content[start:], area=f"bytes {start}-{len(content) - 1}/{len(content)}")

    def send(
        self, status: int, content: bytes, length: int = -1, area: str = "", headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length < 0 else length))
        # What a data set on the Hub says of its files.
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        if area:
            self.send_header("Content-Range", area)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is no news


class Site:
    """What the server has, does and was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.tricks: dict[str, list[Trick]] = defaultdict(list)
        self.asked: list[tuple[str, str | None]] = []
        handler = type("Handler", (Answer,), {"site": self})
        self.server = Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.hosts = Hosts(raw=f"{self.url}/raw", archives=f"{self.url}/archives", hub=self.url)


def cut(after: int) -> Trick:
    """Sends so many bytes of what is asked for, then hangs up."""

    def trick(answer: Answer, content: bytes) -> None:
        start = int(answer.headers["Range"].removeprefix("bytes=").rstrip("-")) if answer.headers["Range"] else 0
        whole, end = len(content), start + after
        area = f"bytes {start}-{whole - 1}/{whole}" if start else ""
        answer.send(206 if start else 200, content[start:end], length=whole - start, area=area)
        answer.close_connection = True

    return trick


def reply(status: int, **headers: str) -> Trick:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda answer, content: answer.send(status, b"", headers=named)


def without_ranges(answer: Answer, content: bytes) -> None:
    answer.send_file(content, ranges=False)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture(autouse=True)
def _without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stages: list[tuple[str, int, int]] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        self.stages.append((stage, done, total))


def write_source(folder: Path, *files: dict[str, Any], name: str = "mine", **place: str) -> str:
    """The path of a YAML file with one layout, which comes from `place`."""
    fetch = {"layout": "plain", "files": list(files), **place}
    about = {"name": name, "title": name, "reader": "snips", "licence": "CC0-1.0", "citation": "@misc{a}"}
    layouts = [{"name": "plain", "splits": {"train": "train.json"}}]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**about, "homepage": "https://a.b", "layouts": layouts, "fetch": [fetch]}))
    return str(path)


def fetch(site: Site, data: Path, *names: str, heard: Heard | None = None) -> list[Fetched]:
    site.asked.clear()
    return fetch_corpora(names, data, listener=heard, pause=0.01, hosts=site.hosts)


def fetch_one(site: Site, data: Path, name: str, heard: Heard | None = None) -> Fetched:
    (one,) = fetch(site, data, name, heard=heard)
    return one


def tar_up(files: dict[str, bytes], top: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_up(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# --- files ---


@pytest.fixture
def large(site: Site, tmp_path: Path) -> str:
    """A source of one file, pinned."""
    site.files["/large.json"] = LARGE
    return write_source(tmp_path, {"path": "large.json", "sha256": SHA256, "size": len(LARGE)}, url=site.url)


LARGE_PLACE = "mine/plain/large.json"


def test_a_file_is_downloaded_once(site: Site, data: Path, large: str) -> None:
    heard = Heard()
    one = fetch_one(site, data, large, heard)
    assert (one.source, one.layout, one.folder) == ("mine", "plain", data / "mine" / "plain")
    assert (one.bytes, one.status, one.failure) == (len(LARGE), "fetched", "")
    assert (data / LARGE_PLACE).read_bytes() == LARGE
    assert heard.stages[-1] == ("mine/plain, kB", 1024, 1024)
    assert heard.lines == []

    again = fetch_one(site, data, large)
    assert (again.bytes, again.status, site.asked) == (0, "up to date", [])


def test_an_interrupted_download_is_resumed(site: Site, data: Path, large: str) -> None:
    site.tricks["/large.json"] = [cut(100_000), cut(300_000)]
    assert fetch_one(site, data, large).status == "fetched"
    assert [area for _, area in site.asked] == [None, "bytes=100000-", "bytes=400000-"]
    assert list_files(data) == [LARGE_PLACE]
    assert (data / LARGE_PLACE).read_bytes() == LARGE


def test_many_interruptions_are_tolerated_while_there_is_progress(site: Site, data: Path, large: str) -> None:
    site.tricks["/large.json"] = [cut(90_000) for _ in range(9)]
    assert fetch_one(site, data, large).status == "fetched"
    assert len(site.asked) == 10


def test_a_later_run_resumes_a_download(site: Site, data: Path, large: str) -> None:
    site.tricks["/large.json"] = [cut(100_000), reply(403)]
    assert fetch_one(site, data, large).failure == f"{site.url}/large.json: the server answers 403 Forbidden"
    assert list_files(data) == ["mine/plain/.large.json.part"]
    one = fetch_one(site, data, large)
    assert (one.status, one.bytes) == ("fetched", len(LARGE) - 100_000)
    assert site.asked == [("/large.json", "bytes=100000-")]
    assert (data / LARGE_PLACE).read_bytes() == LARGE


def test_a_server_without_ranges_sends_everything_again(site: Site, data: Path, large: str) -> None:
    site.tricks["/large.json"] = [cut(100_000), without_ranges]
    assert fetch_one(site, data, large).status == "fetched"
    assert (data / LARGE_PLACE).read_bytes() == LARGE


@pytest.mark.parametrize("part", [b"x" * 1_000, b"x" * len(LARGE), b"x" * (len(LARGE) + 1)])
def test_a_part_of_another_file_is_discarded(site: Site, data: Path, large: str, part: bytes) -> None:
    (data / "mine" / "plain").mkdir(parents=True)
    (data / "mine" / "plain" / ".large.json.part").write_bytes(part)
    assert fetch_one(site, data, large).status == "fetched"
    assert (data / LARGE_PLACE).read_bytes() == LARGE


def test_without_a_checksum_nothing_is_resumed(site: Site, data: Path, tmp_path: Path) -> None:
    site.files["/large.json"] = LARGE
    site.tricks["/large.json"] = [cut(100_000)]
    name, heard = write_source(tmp_path, {"path": "large.json"}, url=site.url), Heard()
    assert fetch_one(site, data, name, heard).status == "fetched"
    assert [area for _, area in site.asked] == [None, None]
    assert heard.lines == [f"mine: {site.url} is not pinned: its content may change"]


def test_a_wrong_checksum_leaves_nothing(site: Site, data: Path, large: str) -> None:
    site.files["/large.json"] = wrong = LARGE[::-1]
    failure = fetch_one(site, data, large).failure
    digest = hashlib.sha256(wrong).hexdigest()
    assert failure == f"{site.url}/large.json: its sha256 is {digest} instead of {SHA256}"
    assert list_files(data) == []


def test_a_wrong_size_is_detected_before_the_download(site: Site, data: Path, large: str) -> None:
    site.files["/large.json"] = LARGE + b"more"
    one = fetch_one(site, data, large)
    assert one.failure == f"{site.url}/large.json: the server offers 1,024,004 bytes instead of 1,024,000"
    assert one.bytes == 0


def test_a_server_without_a_size_cannot_send_endlessly(site: Site, data: Path, large: str) -> None:
    def send_without_end(answer: Answer, content: bytes) -> None:
        answer.send_response(200)
        answer.send_header("Connection", "close")
        answer.end_headers()
        for _ in range(1_000):
            answer.wfile.write(content)

    site.tricks["/large.json"] = [send_without_end]
    one = fetch_one(site, data, large)
    assert one.failure == f"{site.url}/large.json: the server sends more than 1,024,000 bytes"
    assert one.bytes < 2 * len(LARGE)


def test_a_damaged_file_is_downloaded_again(site: Site, data: Path, large: str) -> None:
    fetch_one(site, data, large)
    (data / LARGE_PLACE).write_bytes(LARGE[:-1])
    heard = Heard()
    assert fetch_one(site, data, large, heard).status == "fetched"
    assert heard.lines == [f"{data / LARGE_PLACE} is downloaded again: 1,023,999 bytes instead of 1,024,000"]
    assert (data / LARGE_PLACE).read_bytes() == LARGE


def test_a_missing_file_is_not_retried(site: Site, data: Path, large: str) -> None:
    del site.files["/large.json"]
    assert fetch_one(site, data, large).failure == f"{site.url}/large.json: the server answers 404 Not Found"
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "busy", [reply(503), reply(429, Retry_After="0"), reply(503, Retry_After=formatdate(usegmt=True))]
)
def test_a_busy_server_is_retried(site: Site, data: Path, large: str, busy: Trick) -> None:
    site.tricks["/large.json"] = [busy, busy]
    assert fetch_one(site, data, large).status == "fetched"
    assert len(site.asked) == 3


def test_the_wait_that_the_server_asks_for_is_kept(site: Site, data: Path, large: str) -> None:
    site.tricks["/large.json"] = [reply(503, Retry_After="1")]
    started = time.monotonic()
    assert fetch_one(site, data, large).status == "fetched"
    assert time.monotonic() - started > 1

    shutil.rmtree(data)
    site.tricks["/large.json"] = [reply(429, Retry_After="3600")]
    failure = fetch_one(site, data, large).failure
    assert failure.endswith("the server answers 429 Too Many Requests; the server asks to retry after 3,600 s")


def test_retries_end_if_the_server_stays_busy(site: Site, data: Path, large: str) -> None:
    site.tricks["/large.json"] = [reply(502) for _ in range(9)]
    failure = fetch_one(site, data, large).failure
    assert failure == f"{site.url}/large.json: the server answers 502 Bad Gateway (tried 5 times)"


def test_no_server_at_all(site: Site, data: Path, tmp_path: Path) -> None:
    name = write_source(tmp_path, {"path": "a"}, url="http://127.0.0.1:1")
    assert "Connection refused (tried 5 times)" in fetch_one(site, data, name).failure


def test_redirects_are_followed(site: Site, data: Path, large: str) -> None:
    site.files["/elsewhere"] = LARGE
    site.tricks["/large.json"] = [reply(302, Location="/elsewhere")]
    assert fetch_one(site, data, large).status == "fetched"


def test_redirects_do_not_lead_out_of_https(site: Site, data: Path, large: str) -> None:
    site.tricks["/large.json"] = [reply(301, Location="http://192.0.2.1/large.json")]
    failure = fetch_one(site, data, large).failure
    assert failure == "http://192.0.2.1/large.json: a redirect to a URL without HTTPS"


def test_two_files_are_downloaded_in_parallel(site: Site, data: Path, tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=3)

    def meet(answer: Answer, content: bytes) -> None:
        both.wait()  # breaks unless the other is asked for meanwhile
        answer.send_file(content)

    for path in "/a", "/b/c%20d":
        site.files[path] = path.encode()
        site.tricks[path] = [meet]
    name = write_source(tmp_path, {"path": "a"}, {"path": "b/c d"}, url=site.url)
    assert fetch_one(site, data, name).status == "fetched"
    assert not both.broken
    assert list_files(data / "mine" / "plain") == ["a", "b/c d"]


def test_a_failure_leaves_the_other_sources_alone(site: Site, data: Path, tmp_path: Path, large: str) -> None:
    broken = write_source(tmp_path, {"path": "a"}, {"path": "b"}, url=site.url, name="broken")
    first, second = fetch(site, data, broken, large)
    assert (first.source, first.status) == ("broken", "failed")
    assert (second.source, second.status) == ("mine", "fetched")


def test_a_disk_that_cannot_be_written(site: Site, data: Path, large: str) -> None:
    data.mkdir()
    (data / "mine").write_text("a file where a folder should be")
    one = fetch_one(site, data, large)
    assert one.status == "failed"
    assert one.failure == f"{data / 'mine' / 'plain'} cannot be written: Not a directory"


# --- archives ---


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil", "C:evil"])
@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_nothing_is_unpacked_outside_the_folder(site: Site, data: Path, tmp_path: Path, kind: str, name: str) -> None:
    pack = zip_up if kind == ".zip" else tar_up
    site.files[f"/x{kind}"] = pack({"good": b"1", name: b"2"})
    one = fetch_one(site, data, write_source(tmp_path, {"path": f"x{kind}", "unpack": True}, url=site.url))
    assert one.failure == f"{site.url}/x{kind}: {name!r} would lie outside the folder that it is unpacked to"
    assert list_files(data) == [f"mine/plain/x{kind}"]
    assert list_files(tmp_path) == [f"data/mine/plain/x{kind}", "mine.yaml"]


def tar_member(kind: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    return buffer.getvalue()


def zip_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("odd")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("path", "archive"),
    [
        ("x.tar", tar_member(tarfile.SYMTYPE)),
        ("x.tar", tar_member(tarfile.LNKTYPE)),
        ("x.tar", tar_member(tarfile.CHRTYPE)),
        ("x.tar", tar_member(tarfile.FIFOTYPE)),
        ("x.zip", zip_link()),
    ],
    ids=["symbolic link", "hard link", "device", "pipe", "link in a zip"],
)
def test_only_plain_files_are_unpacked(site: Site, data: Path, tmp_path: Path, path: str, archive: bytes) -> None:
    site.files[f"/{path}"] = archive
    one = fetch_one(site, data, write_source(tmp_path, {"path": path, "unpack": True}, url=site.url))
    assert one.failure == f"{site.url}/{path}: 'odd' is no plain file but a link or a device"


@pytest.mark.parametrize(
    ("path", "archive", "reason"),
    [
        ("x.zip", b"no archive", "it cannot be read: File is not a zip file"),
        ("x.tar", b"no archive", "it cannot be read: "),
        ("x.zip", zip_up({"a": b"1" * 99}).replace(b"111", b"112", 1), "it cannot be read: Bad CRC-32 for file 'a'"),
        ("x.tgz", tar_up({"a": LARGE})[:-9_00], "it cannot be read: "),
        ("x.tar.gz", tar_up({"a": b"1", "./a": b"2"}), "it holds './a' twice"),
    ],
)
def test_a_broken_archive(site: Site, data: Path, tmp_path: Path, path: str, archive: bytes, reason: str) -> None:
    site.files[f"/{path}"] = archive
    one = fetch_one(site, data, write_source(tmp_path, {"path": path, "unpack": True}, url=site.url))
    assert one.failure.startswith(f"{site.url}/{path}: {reason}")
    assert list_files(data) == [f"mine/plain/{path}"]


def test_an_archive_cannot_fill_the_disk(tmp_path: Path) -> None:
    written: list[int] = []
    bomb = [Member("zeros", io.BytesIO(b"0" * 3_000_000))]
    with pytest.raises(ArchiveError, match="it unpacks to more than 1,000,000 bytes"):
        unpack(iter(bomb), tmp_path / "new", written.append, most_bytes=1_000_000)
    assert sum(written) <= 1_000_000


@pytest.mark.parametrize(("path", "pack"), [("d/x.zip", zip_up), ("d/x.tar.gz", tar_up)])
def test_an_archive_becomes_a_folder_once(
    site: Site, data: Path, tmp_path: Path, path: str, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    site.files[f"/{path}"] = archive = pack({"a/train.json": b"[]", ".hidden": b"", "a/.DS_Store": b""})
    about = {"path": path, "unpack": True, "sha256": hashlib.sha256(archive).hexdigest()}
    name = write_source(tmp_path, about, url=site.url)
    assert fetch_one(site, data, name).status == "fetched"
    assert list_files(data) == ["mine/plain/d/x/a/train.json"]
    assert fetch_one(site, data, name).status == "up to date"
    assert site.asked == []


def test_a_folder_has_the_id_that_git_gives_it(tmp_path: Path) -> None:
    # A folder's name sorts as if it ended in "/": a.c, a, a0.
    files = {"a/b/x.json": "one\n", "a.c/y": "two\n", "a/é.txt": "é\n", "a/empty": "", "a0": "z\n", "a/.hidden": "no"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert hash_tree(tmp_path) == "a3000380e873dc447f5efb75bb6b45f6eb716afc"
    assert hash_tree(tmp_path / "a") == "ef25e99ac2dfc04e0d2e9fc842a2bcce63b757e3"


# --- repositories on GitHub ---

ARCHIVE = f"/archives/owner/repo/tar.gz/{COMMIT}"


@pytest.fixture
def folders(site: Site, tmp_path: Path, bundled: Path) -> str:
    """A source of two folders in the archive of a commit: the bundled dialogues, and other things around them."""
    inside = {path: (bundled / "sgd" / path).read_bytes() for path in list_files(bundled / "sgd")}
    site.files[ARCHIVE] = tar_up({"README.md": b"?", "training/x": b"?", **inside}, top=f"repo-{COMMIT}/")
    about = [
        {
            "path": f"{folder}/",
            "tree": hash_tree(bundled / "sgd" / folder),
            "size": sum(len(content) for path, content in inside.items() if path.startswith(folder)),
        }
        for folder in ("train", "dev")
    ]
    return write_source(tmp_path, *about, url="https://github.com/owner/repo", revision=COMMIT)


def test_folders_are_taken_from_one_archive(site: Site, data: Path, folders: str, bundled: Path) -> None:
    heard = Heard()
    assert fetch_one(site, data, folders, heard).status == "fetched"
    assert list_files(data / "mine" / "plain") == list_files(bundled / "sgd")
    assert len(site.asked) == 1
    assert heard.stages[-1][1] == heard.stages[-1][2]
    (found,) = find_corpora(data, [load_source("sgd")])
    assert found.used

    assert fetch_one(site, data, folders).status == "up to date"
    assert site.asked == []


def test_a_truncated_archive_is_downloaded_again(site: Site, data: Path, folders: str) -> None:
    half = len(site.files[ARCHIVE]) // 2
    site.tricks[ARCHIVE] = [cut(half), lambda answer, content: answer.send(200, content[:half])]
    assert fetch_one(site, data, folders).status == "fetched"
    assert len(site.asked) == 3
    assert not [name for name in list_files(data) if "/." in name]


def test_only_the_wrong_folder_is_replaced(site: Site, data: Path, folders: str) -> None:
    fetch_one(site, data, folders)
    train, dev = (data / "mine" / "plain" / name for name in ("train", "dev"))
    untouched = train.stat().st_mtime_ns
    (dev / "schema.json").write_text("[]")
    heard = Heard()
    assert fetch_one(site, data, folders, heard).status == "fetched"
    assert [line.partition(" is downloaded again")[0] for line in heard.lines] == [str(dev)]
    assert (dev / "schema.json").read_text() != "[]"
    assert train.stat().st_mtime_ns == untouched


def test_another_archive_than_the_pinned(site: Site, data: Path, folders: str) -> None:
    site.files[ARCHIVE] = tar_up({"train/x": b"1", "dev/x": b"2"}, top="repo/")
    failure = fetch_one(site, data, folders).failure
    assert failure.startswith(
        f"{site.url}{ARCHIVE}: train/ unpacks to git tree 4afd8b314a4ae6164c62ff82d7b05b02c33ea683 instead of "
    )
    assert list_files(data) == []


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"train/../../../evil": b"1"}, "'train/../../../evil' would lie outside the folder that it is unpacked to"),
        ({"dev/x": b"2"}, "the archive has no folder train/"),
        ({"train/x": LARGE}, "it unpacks to more than"),
    ],
)
def test_an_invalid_archive_is_rejected(
    site: Site, data: Path, folders: str, members: dict[str, bytes], reason: str
) -> None:
    site.files[ARCHIVE] = tar_up(members, top="repo/")
    assert fetch_one(site, data, folders).failure.startswith(f"{site.url}{ARCHIVE}: {reason}")
    assert list_files(data) == []


def test_single_files_are_downloaded_without_the_archive(site: Site, data: Path, tmp_path: Path) -> None:
    site.files[f"/raw/owner/repo/{COMMIT}/data/train.json"] = b"[]"
    place = {"url": "https://github.com/owner/repo/", "revision": COMMIT}
    heard = Heard()
    assert fetch_one(site, data, write_source(tmp_path, {"path": "data/train.json"}, **place), heard).bytes == 2
    assert list_files(data) == ["mine/plain/data/train.json"]
    assert heard.lines == []


# --- the Hub, by its own client ---


@pytest.fixture
def hub(site: Site, tmp_path: Path) -> Callable[..., str]:
    """Puts a file on the Hub of the site and gives the name of a source that takes it."""

    def publish(path: str = "train.json", revision: str = COMMIT, content: bytes = LARGE, **about: Any) -> str:
        site.files[f"/datasets/owner/set/resolve/{revision}/{path}"] = content
        return write_source(tmp_path, {"path": path, **about}, hub="owner/set", revision=revision)

    return publish


def test_a_file_of_the_hub_is_downloaded_once(site: Site, data: Path, hub: Callable[..., str]) -> None:
    name = hub(sha256=SHA256)
    heard = Heard()
    one = fetch_one(site, data, name, heard)
    assert (one.status, one.bytes, heard.lines) == ("fetched", len(LARGE), [])
    assert heard.stages[-1] == ("mine/plain, kB", 1024, 1024)
    assert (data / "mine/plain/train.json").read_bytes() == LARGE
    assert fetch_one(site, data, name).status == "up to date"
    assert site.asked == []

    (data / "mine/plain/train.json").write_bytes(b"damaged")
    assert fetch_one(site, data, name).status == "fetched"
    assert (data / "mine/plain/train.json").read_bytes() == LARGE


def test_the_client_of_the_hub_resumes_a_download(site: Site, data: Path, hub: Callable[..., str]) -> None:
    name = hub()
    path = f"/datasets/owner/set/resolve/{COMMIT}/train.json"
    site.tricks[path] = [Answer.send_file, cut(100_000)]  # to HEAD, to GET
    assert fetch_one(site, data, name).status == "fetched"
    assert len(site.asked) == 3
    assert (data / "mine/plain/train.json").read_bytes() == LARGE


def test_a_wrong_file_on_the_hub(site: Site, data: Path, hub: Callable[..., str]) -> None:
    failure = fetch_one(site, data, hub(sha256="0" * 64)).failure
    assert failure == f"owner/set: train.json: its sha256 is {SHA256} instead of {'0' * 64}"
    assert not (data / "mine/plain/train.json").exists()


def test_a_gated_set_says_where_to_accept_and_what_to_set(site: Site, data: Path, hub: Callable[..., str]) -> None:
    name = hub()
    refuse = reply(403, X_Error_Code="GatedRepo", X_Error_Message="Access to data set owner/set is restricted.")
    site.tricks[f"/datasets/owner/set/resolve/{COMMIT}/train.json"] = [refuse]
    failure = fetch_one(site, data, name).failure
    assert failure.startswith("owner/set is gated")
    assert f"accept its terms at {site.url}/datasets/owner/set and set HF_TOKEN to a token" in failure
    assert "\n" not in failure


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("RepoNotFound", "does not exist, or is private and HF_TOKEN has no access"),
        ("RevisionNotFound", f"there is no revision {COMMIT}"),
        ("EntryNotFound", f"there is no file train.json at revision {COMMIT}"),
    ],
)
def test_what_the_hub_does_not_have(site: Site, data: Path, hub: Callable[..., str], code: str, reason: str) -> None:
    name = hub()
    site.tricks[f"/datasets/owner/set/resolve/{COMMIT}/train.json"] = [reply(404, X_Error_Code=code)]
    assert fetch_one(site, data, name).failure == f"{site.url}/datasets/owner/set: {reason}"


def test_a_glob_takes_the_matching_files(site: Site, data: Path, tmp_path: Path) -> None:
    names = ["data/train-1.json", "data/train-0.json", "README.md"]
    listed = [{"type": "file", "oid": "0" * 40, "size": 2, "path": name} for name in names]
    site.files[f"/api/datasets/owner/set/tree/{COMMIT}?recursive=true&expand=false"] = json.dumps(listed).encode()
    for name in names:
        site.files[f"/datasets/owner/set/resolve/{COMMIT}/{name}"] = b"[]"
    place = {"hub": "owner/set", "revision": COMMIT}
    assert fetch_one(site, data, write_source(tmp_path, {"path": "data/*.json"}, **place)).status == "fetched"
    came = [name for name in list_files(data / "mine" / "plain") if not name.startswith(".")]
    assert came == ["data/train-0.json", "data/train-1.json"]

    one = fetch_one(site, data, write_source(tmp_path, {"path": "*.parquet"}, **place))
    assert one.failure.startswith(f"owner/set: no file *.parquet at revision {COMMIT}; there are ")


def test_a_branch_is_reported_as_not_pinned(site: Site, data: Path, hub: Callable[..., str]) -> None:
    name, heard = hub(revision="main"), Heard()
    assert fetch_one(site, data, name, heard).status == "fetched"
    assert heard.lines == ["mine: owner/set is not pinned: its content may change"]
    hub(revision="main", content=b"[]")
    assert fetch_one(site, data, name).status == "fetched"
    assert (data / "mine/plain/train.json").read_bytes() == b"[]"


# --- names ---


def test_a_name_selects_the_first_layout_or_the_named_one(site: Site, data: Path) -> None:
    assert [(one.source, one.layout) for one in fetch(site, data, "snips", "snips/joint_slu", "snips/split")] == [
        ("snips", "split"),
        ("snips", "joint_slu"),
    ]


def test_without_names_every_known_source_is_fetched(site: Site, data: Path) -> None:
    fetched = fetch(site, data)
    assert [one.source for one in fetched] == [source.name for source in list_sources() if source.fetch]
    assert {one.status for one in fetched} == {"failed"}, "this site has nothing"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("snip", "no source is called 'snip'; did you mean 'snips'?"),
        ("snips/splt", "snips has no layout 'splt' to fetch; there are: split, original, joint_slu"),
    ],
)
def test_for_an_unknown_name_the_known_ones_are_listed(site: Site, data: Path, name: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        fetch(site, data, "sgd", name)
    assert str(error.value) == message
    assert site.asked == []


@pytest.mark.parametrize(
    ("files", "place", "message"),
    [
        ([{"path": "a"}], {"url": "http://example.org"}, "http://example.org is not HTTPS"),
        ([{"path": "a"}], {"url": "ftp://example.org"}, "ftp://example.org is not HTTPS"),
        ([{"path": "../a"}], {"url": "https://example.org"}, "'../a' is not a path below the URL"),
        ([{"path": "a"}], {}, "either url or hub is needed"),
        ([{"path": "a"}], {"hub": "owner/set"}, "revision is missing: the commit of the repository"),
        ([{"path": "a/"}], {"url": "https://example.org"}, "only GitHub offers whole folders"),
        ([{"path": "a.rar", "unpack": True}], {"url": "https://example.org"}, "a.rar cannot be unpacked"),
        (
            [],
            {"url": "https://example.org", "name": "../mine"},
            "name: should be a plain name: at most 100 letters",
        ),
    ],
)
def test_an_address_that_cannot_be_fetched(
    site: Site, data: Path, tmp_path: Path, files: list[dict[str, Any]], place: dict[str, str], message: str
) -> None:
    name = write_source(tmp_path, *files, **place) if "name" not in place else rename_source(tmp_path, place["name"])
    with pytest.raises(SourceError) as error:
        fetch(site, data, name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def rename_source(folder: Path, name: str) -> str:
    path = write_source(folder, url="https://example.org")
    Path(path).write_text(Path(path).read_text().replace("name: mine", f"name: {name}"))
    return path


def test_the_folder_must_not_be_a_file(site: Site, tmp_path: Path, large: str) -> None:
    with pytest.raises(SourceError, match="is a file; --data takes a folder"):
        fetch(site, Path(large), large)


# --- the command ---


def test_the_command_prints_what_it_did(data: Path, large: str) -> None:
    ran = CliRunner().invoke(app, ["fetch", large, "--data", str(data), "--json"])
    assert ran.exit_code == 0, ran.output
    (one,) = json.loads(ran.stdout)
    assert one["folder"] == str(data / "mine" / "plain")
    assert (one["source"], one["bytes"], one["status"]) == ("mine", len(LARGE), "fetched")
    ran = CliRunner().invoke(app, ["fetch", large, "--data", str(data)])
    assert "up to date" in ran.stdout


def test_the_command_distinguishes_a_wrong_request_from_a_failure(site: Site, data: Path, large: str) -> None:
    ran = CliRunner().invoke(app, ["fetch", "snip", "--data", str(data)])
    assert (ran.exit_code, ran.stderr) == (2, "coalm-it: no source is called 'snip'; did you mean 'snips'?\n")
    del site.files["/large.json"]
    ran = CliRunner().invoke(app, ["fetch", large, "--data", str(data)])
    assert ran.exit_code == 3
    assert ran.stderr.endswith(f"coalm-it: mine: {site.url}/large.json: the server answers 404 Not Found\n")


COMMAND = "import sys; from coalm_it.cli import app; app(sys.argv[1:], prog_name='coalm-it')"


def test_after_ctrl_c_the_next_run_resumes(site: Site, data: Path, large: str) -> None:
    over = threading.Event()

    def stall(answer: Answer, content: bytes) -> None:
        answer.send(200, content[:500_000], length=len(content))
        over.wait(20)
        answer.close_connection = True

    site.tricks["/large.json"] = [stall]
    command = [sys.executable, "-c", COMMAND, "fetch", large, "--data", str(data)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    part = data / "mine" / "plain" / ".large.json.part"
    while not part.exists() or part.stat().st_size < 400_000:
        assert running.poll() is None
        time.sleep(0.02)
    stopped = time.monotonic()
    running.send_signal(signal.SIGINT)
    assert running.wait(10) == 130
    assert time.monotonic() - stopped < 5, "although the server keeps it waiting"
    over.set()
    assert running.stderr
    assert running.stderr.read() == "coalm-it: stopped; run the same command again to resume\n"
    assert list_files(data) == ["mine/plain/.large.json.part"]

    there = part.stat().st_size
    assert fetch_one(site, data, large).bytes == len(LARGE) - there
    assert site.asked == [("/large.json", f"bytes={there}-")]


def test_without_huggingface_hub_the_command_says_what_to_install(
    site: Site, data: Path, hub: Callable[..., str]
) -> None:
    command = "import sys; sys.modules['huggingface_hub'] = None; " + COMMAND
    ran = subprocess.run(
        [sys.executable, "-c", command, "fetch", hub(), "--data", str(data)],
        env={**os.environ, "HF_ENDPOINT": site.url},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2
    install = "pip install 'coalm-it[hub]', or '.[hub]' in a checkout (26 MB)"
    assert ran.stderr == f"coalm-it: downloading from the Hub needs huggingface_hub: {install}\n"


# --- nothing is written outside --data ---


@pytest.mark.parametrize(
    "name", ["/{outside}", "../outside", "a/b", "a\\b", ".hidden", "..", "", "a b", "a\n", "x" * 101]
)
@pytest.mark.parametrize("key", ["source", "layout"])
def test_names_that_lead_elsewhere_are_refused(site: Site, data: Path, tmp_path: Path, key: str, name: str) -> None:
    name = name.format(outside=tmp_path / "outside")
    kept = tmp_path / "outside" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    site.files["/x.zip"] = zip_up({"a": b"1"})
    path = Path(write_source(tmp_path, {"path": "x.zip", "unpack": True}, url=site.url))
    raw = yaml.safe_load(path.read_text())
    if key == "source":
        raw["name"] = name
    else:
        raw["fetch"][0]["layout"] = raw["layouts"][0]["name"] = name
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(SourceError, match="should be a plain name: at most 100 letters"):
        fetch(site, data, str(path))
    assert kept.read_text() == "mine"
    assert not data.exists()
    assert site.asked == []


@pytest.mark.parametrize(
    "link", ["mine", "mine/plain", "mine/plain/sub", "mine/plain/sub/x", "mine/plain/sub/loop.json"]
)
def test_links_that_lead_elsewhere_are_not_followed(site: Site, data: Path, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("mine")
    (data / link).parent.mkdir(parents=True)
    (data / link).symlink_to(data / link if link.endswith("loop.json") else outside)
    site.files["/sub/x.zip"] = zip_up({"a": b"1"})
    files: list[dict[str, Any]] = [{"path": "sub/x.zip", "unpack": True}, {"path": "sub/loop.json"}]
    with pytest.raises(SourceError, match=r"leads out of .*through a link$|cannot be written: Symlink loop"):
        fetch(site, data, write_source(tmp_path, *files, url=site.url))
    assert list_files(outside) == ["kept.txt"]
    assert site.asked == []


def test_the_folder_itself_may_be_a_link(site: Site, data: Path, tmp_path: Path, large: str) -> None:
    (tmp_path / "large disk").mkdir()
    data.symlink_to(tmp_path / "large disk")
    assert fetch_one(site, data, large).status == "fetched"


def test_a_partial_file_that_is_a_link_is_not_written_through(
    site: Site, data: Path, tmp_path: Path, large: str
) -> None:
    (tmp_path / "outside.json").write_bytes(b"mine")
    (data / LARGE_PLACE).parent.mkdir(parents=True)
    (data / LARGE_PLACE).with_name(".large.json.part").symlink_to(tmp_path / "outside.json")
    assert fetch_one(site, data, large).status == "fetched"
    assert (tmp_path / "outside.json").read_bytes() == b"mine"


def test_an_archive_without_a_name_does_not_replace_its_folder(site: Site, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"sub/\.zip cannot be unpacked"):
        fetch(site, data, write_source(tmp_path, {"path": "sub/.zip", "unpack": True}, url=site.url))


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_an_archive_may_unpack_to_a_hundred_times_its_size(site: Site, data: Path, tmp_path: Path, kind: str) -> None:
    """A bomb: 101 MB of zeros in 440 kB, where 100 MB are allowed."""
    zeros = bytes(101_000_000)
    buffer = io.BytesIO()
    if kind == ".zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("zeros", zeros)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
            info = tarfile.TarInfo("zeros")
            info.size = len(zeros)
            tar.addfile(info, io.BytesIO(zeros))
    site.files[f"/x{kind}"] = buffer.getvalue()
    one = fetch_one(site, data, write_source(tmp_path, {"path": f"x{kind}", "unpack": True}, url=site.url))
    assert one.failure == f"{site.url}/x{kind}: it unpacks to more than 100,000,000 bytes"
    assert list_files(data) == [f"mine/plain/x{kind}"]


def test_a_name_on_the_hub_that_leads_elsewhere(site: Site, data: Path, tmp_path: Path) -> None:
    listed = [{"type": "file", "oid": "0" * 40, "size": 2, "path": "../evil.json"}]
    site.files[f"/api/datasets/owner/set/tree/{COMMIT}?recursive=true&expand=false"] = json.dumps(listed).encode()
    one = fetch_one(site, data, write_source(tmp_path, {"path": "*.json"}, hub="owner/set", revision=COMMIT))
    assert one.failure == "owner/set: '../evil.json' is not a path below the URL"
