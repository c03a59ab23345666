"""Downloads the files that sources/*.yaml lists to DATA/SOURCE/LAYOUT/, where a build finds them.

Files are downloaded in parallel. Interrupted downloads are resumed, and complete files are not downloaded again. A
file or a folder gets its name only when it is complete and verified, so that a build never reads a partial one.

A folder on GitHub (SGD) is taken from the archive of its commit, unpacked while it is received: one request and 23 MB
instead of 184 and 400 MB. GitHub generates that archive for each request, not always with the same bytes, so the
pin is not a hash of the archive but the git id of the folder.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import quote

import httpx2

from coalm_it.corpora.fetch.download import fetch_file, fetch_folders, open_client, unpack_fetched
from coalm_it.corpora.fetch.hub import PURPOSE, fetch_hub_file, list_files
from coalm_it.corpora.fetch.job import FIRST_PAUSE, FetchError, Job, Stopped
from coalm_it.corpora.sources import Fetch, RemoteFile, Source, SourceError, list_sources, load_source
from coalm_it.extras import require_extra
from coalm_it.listener import Listener, Silent

MAX_PARALLEL = 4
"""Maximum number of parallel downloads."""


@dataclass(frozen=True)
class Hosts:
    """Base URLs of GitHub and the Hub, which differ for mirrors."""

    raw: str = "https://raw.githubusercontent.com"
    archives: str = "https://codeload.github.com"
    hub: str | None = None
    """None: the default of huggingface_hub, which HF_ENDPOINT changes."""


@dataclass(frozen=True)
class Fetched:
    """The result for one layout of a source."""

    source: str
    layout: str
    folder: Path
    bytes: int
    """Bytes written in this run."""
    status: str
    """"fetched", "up to date" or "failed"."""
    failure: str = ""
    """The reason, in one line."""


@dataclass
class _Batch:
    """The jobs of one layout. After a failure, its other jobs are skipped."""

    source: str
    layout: str
    folder: Path
    jobs: list[Job] = field(default_factory=list)
    failure: str = ""


def fetch_corpora(
    names: Sequence[str],
    data: Path,
    *,
    listener: Listener | None = None,
    parallel: int = MAX_PARALLEL,
    pause: float = FIRST_PAUSE,
    hosts: Hosts | None = None,
) -> list[Fetched]:
    """Downloads sources to `data`, all known ones if no names are given; returns one result each, failures included.

    A name is SOURCE, which means its first layout to fetch, or SOURCE/LAYOUT, or the path of a YAML file. `pause` is
    the time before the first retry, in seconds. Raises SourceError before anything is written, also if a target lies
    outside `data`, be it through a link.
    """
    wanted = [_find_layout(name) for name in names or [source.name for source in list_sources() if source.fetch]]
    if data.exists() and not data.is_dir():
        raise SourceError(f"{data} is a file; --data takes a folder")
    if any(fetch.hub and fetch.layout == layout for source, layout in wanted for fetch in source.fetch):
        require_extra("hub", PURPOSE)
    listener, hosts, stop = listener or Silent(), hosts or Hosts(), threading.Event()
    with open_client() as client:
        batches = {}
        for source, layout in wanted:
            batch = batches[source.name, layout] = _Batch(source.name, layout, data / source.name / layout)
            for fetch in source.fetch:
                if fetch.layout != layout:
                    continue
                if not fetch.pinned and not all(file.sha256 or file.tree for file in fetch.files):
                    listener.say(f"{source.name}: {fetch.hub or fetch.url} is not pinned: its content may change")
                try:
                    works = list(_plan_works(fetch, data, batch.folder, client, hosts))
                except FetchError as error:
                    batch.failure = str(error)
                    continue
                batch.jobs += [Job(work, total, stop, pause) for work, total in works]
        _run(list(batches.values()), parallel, stop, listener)
    return [_summarise(batch) for batch in batches.values()]


def _find_layout(name: str) -> tuple[Source, str]:
    """The source and the layout that a name on the command line refers to."""
    is_path = name.endswith((".yaml", ".yml"))
    source_name, _, layout = (name, "", "") if is_path else name.partition("/")
    source = load_source(source_name)
    layouts = list(dict.fromkeys(fetch.layout for fetch in source.fetch))
    if not layouts:
        raise SourceError(f"{source.name}: its YAML has no section `fetch`; see {source.homepage}")
    if layout and layout not in layouts:
        raise SourceError(f"{source.name} has no layout {layout!r} to fetch; there are: {', '.join(layouts)}")
    return source, layout or layouts[0]


def _plan_works(
    fetch: Fetch, data: Path, folder: Path, client: httpx2.Client, hosts: Hosts
) -> Iterator[tuple[Callable[[Job], None], int | None]]:
    """The work for an entry, each part with its size in bytes if known. Raises SourceError, FetchError."""
    _check_target(data, folder)
    if fetch.hub:
        _check_target(data, folder / ".cache")  # where huggingface_hub keeps its notes
        for file in list_files(fetch, hosts.hub):
            _check_target(data, folder / file.path)
            yield partial(fetch_hub_file, fetch, file, folder, hosts.hub), file.size
        return
    folders = [file for file in fetch.files if file.path.endswith("/")]
    if folders:
        for file in folders:
            _check_target(data, folder / file.path)
        url = f"{hosts.archives}/{fetch.github}/tar.gz/{fetch.revision}"
        sizes = [file.size for file in folders if file.size is not None]
        total = sum(sizes) if len(sizes) == len(folders) else None
        yield partial(fetch_folders, client, url, folder, folders), total
    base = f"{hosts.raw}/{fetch.github}/{fetch.revision}" if fetch.github else str(fetch.url).rstrip("/")
    for file in fetch.files:
        url = f"{base}/{quote(file.path)}"
        target = folder / (_strip_suffix(file) if file.unpack else file.path)
        _check_target(data, target)
        if file.unpack:
            yield partial(unpack_fetched, client, url, target, file), file.size
        elif file not in folders:
            yield partial(fetch_file, client, url, target, file), file.size


def _check_target(data: Path, target: Path) -> None:
    """Raises SourceError if what is written to `target` would lie outside `data`."""
    try:
        place = target.resolve()
        inside = place.is_relative_to(data.resolve())
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        raise SourceError(f"{target} cannot be written: {error}") from None
    if not inside:
        raise SourceError(f"{target} leads out of {data}, to {place}; nothing is downloaded through a link")


def _strip_suffix(file: RemoteFile) -> str:
    name = re.sub(r"(\.tar\.\w+|\.tar|\.tgz|\.zip)$", "", file.path, flags=re.IGNORECASE)
    if name == file.path or not name.rpartition("/")[2]:
        raise SourceError(f"{file.path} cannot be unpacked: only .zip, .tar, .tgz and .tar.SOMETHING can")
    return name


# --- in parallel ---


def _run(batches: Sequence[_Batch], parallel: int, stop: threading.Event, listener: Listener) -> None:
    """Runs all jobs. Ctrl-C stops them at once, even while a server does not respond: the threads are daemons."""
    queue: SimpleQueue[tuple[_Batch, Job]] = SimpleQueue()
    for batch in batches:
        for job in batch.jobs:
            queue.put((batch, job))
    crashes: list[Exception] = []
    work = partial(_work, queue, stop, crashes)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(parallel)]
    for thread in threads:
        thread.start()
    told: dict[str, int] = {}
    try:
        while alive := [thread for thread in threads if thread.is_alive()]:
            alive[0].join(0.1)
            _report(batches, told, listener)
    finally:
        stop.set()
        for thread in threads:
            thread.join(1.0)
    _report(batches, told, listener)
    if crashes:
        raise crashes[0]


def _work(queue: SimpleQueue[tuple[_Batch, Job]], stop: threading.Event, crashes: list[Exception]) -> None:
    while not stop.is_set():
        try:
            batch, job = queue.get_nowait()
        except Empty:
            return
        if batch.failure:
            continue
        try:
            job.work(job)
        except Stopped:
            return
        except FetchError as error:
            batch.failure = str(error)
        except OSError as error:
            batch.failure = f"{error.filename or batch.folder} cannot be written: {error.strerror or error}"
        except Exception as error:
            crashes.append(error)
            stop.set()


def _report(batches: Sequence[_Batch], told: dict[str, int], listener: Listener) -> None:
    """Reports new lines, and the progress of each batch whose total size is known."""
    for batch in batches:
        for job in batch.jobs:
            while job.notes:
                listener.say(job.notes.pop(0))
        sizes = [job.total for job in batch.jobs if job.total is not None]
        stage = f"{batch.source}/{batch.layout}, kB"
        done, total = (-(-count // 1000) for count in (sum(job.done for job in batch.jobs), sum(sizes)))
        if len(sizes) == len(batch.jobs) and total and told.get(stage) != done:
            told[stage] = done
            listener.advance(stage, done, total)


def _summarise(batch: _Batch) -> Fetched:
    written = sum(job.written for job in batch.jobs)
    status = "failed" if batch.failure else "fetched" if written else "up to date"
    return Fetched(batch.source, batch.layout, batch.folder, written, status, batch.failure)
