"""Downloads by HTTPS: resumable files, and folders of a repository from its archive.

A download is verified by a sha256 (of a file) or a git id (of a folder), not by what the server says. So a partial
file is resumed only if there is a sha256 to verify the result.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from coalm_it import __version__
from coalm_it.corpora.fetch.archives import (
    CHUNK,
    ArchiveError,
    Member,
    hash_tree,
    read_tar,
    unpack,
    unpack_file,
)
from coalm_it.corpora.fetch.job import FetchError, Job
from coalm_it.corpora.sources import RemoteFile, is_safe_url
from coalm_it.corpora.zip_files import MAX_BYTES, limit_unpacked
from coalm_it.retry_after import read_retry_after

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TRIES = 5
"""Attempts without progress before a download fails."""
LONGEST_WAIT = 120.0
BUSY = {408, 425, 429, 500, 502, 503, 504}


class _RetryLater(Exception):
    """The attempt may succeed later, after `wait` seconds if the server gives a time."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def open_client() -> httpx2.Client:
    """The client for all threads: with the proxies and certificates of the machine; redirects only to HTTPS."""
    return httpx2.Client(
        follow_redirects=True,
        timeout=httpx2.Timeout(30, connect=10),
        # Without compression: a range of a compressed response would belong to another file.
        headers={"User-Agent": f"coalm-it/{__version__}", "Accept-Encoding": "identity"},
        event_hooks={"request": [_refuse_unsafe]},
    )


def _refuse_unsafe(request: httpx2.Request) -> None:
    if not is_safe_url(str(request.url)):
        raise FetchError(f"{request.url}: a redirect to a URL without HTTPS")


# --- files ---


def fetch_file(client: httpx2.Client, url: str, target: Path, file: RemoteFile, job: Job) -> None:
    """Downloads one file to `target` and verifies it; after an interruption, a part remains. Raises FetchError."""
    if target.is_file():
        mismatch = describe_mismatch(target, file)
        if not mismatch:
            job.skip()
            return
        job.notes.append(f"{target} is downloaded again: {mismatch}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    if part.is_symlink():  # it would be written through
        part.unlink()
    # If a resumed file is wrong, it is downloaded once more from the start: the part may be of another file.
    for _ in range(1 + part.exists()):
        _retry(job, url, lambda: _receive(client, url, part, file, job))
        mismatch = describe_mismatch(part, file)
        if not mismatch:
            part.replace(target)
            return
        part.unlink()
    raise FetchError(f"{url}: {mismatch}")


def describe_mismatch(path: Path, file: RemoteFile) -> str:
    """How the file at `path` differs from what is expected, or ""."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"{size:,} bytes instead of {file.size:,}"
    if file.sha256 is not None:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != file.sha256:
            return f"its sha256 is {digest} instead of {file.sha256}"
    return ""


def _receive(client: httpx2.Client, url: str, part: Path, file: RemoteFile, job: Job) -> None:
    """One attempt: appends to `part` what is missing."""
    size = file.size
    start = part.stat().st_size if file.sha256 and part.exists() else 0
    if start and start == size:
        job.done = start
        return
    with _open(client, url, start) as response:
        if response.status_code == 416:
            part.unlink()
            raise _RetryLater("the partial file is longer than the file", wait=0)
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0  # a server without range requests sends everything
        offered = _count_offered(response, start)
        if size is not None and offered is not None and offered != size:
            raise FetchError(f"{url}: the server offers {offered:,} bytes instead of {size:,}")
        job.total, job.done = size or offered, start
        with part.open("r+b" if start else "wb") as out:
            out.seek(start)
            for chunk in response.iter_bytes():
                job.advance(len(chunk))
                out.write(chunk)
                if size is not None and job.done > size:
                    raise FetchError(f"{url}: the server sends more than {size:,} bytes")


def _count_offered(response: httpx2.Response, start: int) -> int | None:
    """The length of the whole file, if the server gives it."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None


# --- folders ---


def fetch_folders(client: httpx2.Client, url: str, folder: Path, wanted: list[RemoteFile], job: Job) -> None:
    """Extracts folders of a repository to `folder` from the tar file at `url`, which has one top-level folder.

    The archive is unpacked while it is received. Folders that are complete are not replaced. Raises FetchError.
    """
    missing = [file for file in wanted if not _is_complete(folder / file.path, file, job)]
    if not missing:
        job.skip()
        return
    most_bytes = sum(file.size if file.size is not None else MAX_BYTES for file in missing)
    staging = folder / ".unpacking"

    def receive() -> None:
        job.done = complete = sum(file.size or 0 for file in wanted if file not in missing)
        shutil.rmtree(staging, ignore_errors=True)
        with _open(client, url) as response:
            body = _Body(response.iter_bytes())
            members = read_tar(io.BufferedReader(body, CHUNK))

            def report(count: int) -> None:
                job.advance(count)
                limit = limit_unpacked(body.received)
                if job.done - complete > limit:
                    raise ArchiveError(f"it unpacks to more than {limit:,} bytes")

            try:
                unpack(_select_members(members, [file.path for file in missing]), staging, report, most_bytes)
            except (tarfile.TarError, zlib.error, EOFError) as error:
                raise _RetryLater(f"the archive is truncated or broken: {error}") from None

    try:
        _retry(job, url, receive)
        for file in missing:
            _install_folder(staging / file.path, folder / file.path, file, url)
    except ArchiveError as error:
        raise FetchError(f"{url}: {error}") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def unpack_fetched(client: httpx2.Client, url: str, target: Path, file: RemoteFile, job: Job) -> None:
    """Downloads an archive and unpacks it to the folder `target`. Raises FetchError."""
    if _is_complete(target, file, job):
        job.skip()
        return
    archive = target.with_name(file.path.rpartition("/")[2])
    fetch_file(client, url, archive, file, job)
    staging = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        unpack_file(archive, staging, lambda _: job.wait(0))
        _install_folder(staging, target, file, url)
    except ArchiveError as error:
        raise FetchError(f"{url}: {error}") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    archive.unlink()


class _Body(io.RawIOBase):
    """A response as a file object, which can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.received = 0
        """Bytes."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        chunk = self._rest
        if not chunk:
            chunk = next(self._chunks, b"")
            self.received += len(chunk)
        count = min(len(view), len(chunk))
        view[:count], self._rest = chunk[:count], chunk[count:]
        return count


def _select_members(members: Iterator[Member], folders: list[str]) -> Iterator[Member]:
    """The members in `folders`, with names relative to the top-level folder."""
    for member in members:
        name = member.name.partition("/")[2]
        if name.startswith(tuple(folders)):
            yield Member(name, member.content)


def _is_complete(folder: Path, file: RemoteFile, job: Job) -> bool:
    if not folder.is_dir():
        return False
    if file.tree is None or hash_tree(folder) == file.tree:
        return True
    job.notes.append(f"{folder} is downloaded again: its files are not those of git tree {file.tree}")
    return False


def _install_folder(staged: Path, folder: Path, file: RemoteFile, url: str) -> None:
    """Verifies an unpacked folder and renames it to its place."""
    if not staged.is_dir():
        raise FetchError(f"{url}: the archive has no folder {file.path}")
    tree = hash_tree(staged)
    if file.tree is not None and tree != file.tree:
        raise FetchError(f"{url}: {file.path} unpacks to git tree {tree} instead of {file.tree}")
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged.rename(folder)


# --- retries ---


def _retry(job: Job, url: str, attempt: Callable[[], None]) -> None:
    """Repeats the attempt until it succeeds, or until TRIES in a row made no progress. Raises FetchError, Stopped."""
    furthest = tries = 0
    while True:
        wait = None
        try:
            attempt()
            return
        except _RetryLater as error:
            reason, wait = str(error), error.wait
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise FetchError(f"{url}: {error}") from None
        if job.done > furthest:
            furthest, tries = job.done, 0
        tries += 1
        if tries == TRIES:
            raise FetchError(f"{url}: {reason} (tried {TRIES} times)")
        if wait is None:
            wait = job.pause * 2 ** (tries - 1)
        elif wait > LONGEST_WAIT:
            raise FetchError(f"{url}: {reason}; the server asks to retry after {wait:,.0f} s")
        job.wait(wait)


@contextmanager
def _open(client: httpx2.Client, url: str, start: int = 0) -> Iterator[httpx2.Response]:
    """The response, from byte `start` if the server can. Raises _RetryLater, FetchError, and the errors of httpx2."""
    with client.stream("GET", url, headers={"Range": f"bytes={start}-"} if start else {}) as response:
        status = f"the server answers {response.status_code} {response.reason_phrase}"
        if response.status_code in BUSY:
            raise _RetryLater(status, read_retry_after(response.headers))
        if not response.is_success and not (start and response.status_code == 416):
            raise FetchError(f"{url}: {status}")
        yield response
