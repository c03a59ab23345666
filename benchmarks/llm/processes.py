"""Starts the server and the clients, each in its own process, and measures time and memory of a client. Linux only."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from client import PROC, REPORT, Job, Report, list_session

HERE = Path(__file__).parent
LOG = "client.log"
SAMPLE, WATCH = 0.2, 0.02
"""Seconds between samples of a client's memory, and between polls of the server when that decides when to kill."""
CALM = 0.2
"""Maximum load by other processes on an idle machine, as a share of its processors."""
MAX_REASON = 100
"""Maximum length of the reason why a client failed, characters."""
SAID = ("Error", "error", "Exception", "RuntimeError")


@dataclass
class Run:
    """One client's doing of one job."""

    report: Report | None
    """None if it did not finish."""
    whole: float
    """Seconds from start to exit, including imports."""
    peak: int
    """Peak memory, bytes: PSS of all its processes, in which shared pages count once."""
    trouble: str = ""
    """Why there is no report."""


@dataclass(frozen=True)
class Client:
    """A client: it is started with `command` and the job as last argument."""

    name: str
    command: tuple[str, ...]
    """Starts with the path of a Python."""
    environment: tuple[tuple[str, str], ...] = ()

    def start(self, job: Job) -> subprocess.Popen[bytes]:
        """Starts it in its own session, with the folder of the job as home, so that all its files are there."""
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).unlink(missing_ok=True)
        environment = os.environ | {"HOME": job.folder, "PYTHONDONTWRITEBYTECODE": ""} | dict(self.environment)
        with (folder / LOG).open("wb") as log:
            return subprocess.Popen(
                [*self.command, json.dumps(asdict(job))],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def own_client(name: str) -> Client:
    """A client of clients.py."""
    path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    return Client(name, (sys.executable, "-m", "clients", name), (("PYTHONPATH", path),))


def run_client(client: Client, job: Job, limit: float, until: Callable[[], bool] | None = None) -> Run:
    """Waits until the client ends, for `limit` seconds, or until `until()`; then kills its remaining processes."""
    started, peak = time.perf_counter(), 0
    process = client.start(job)
    trouble = ""
    while process.poll() is None and not trouble:
        peak = max(peak, sum(read_pss(number) for number, _ in list_session(process.pid)))
        if time.perf_counter() - started > limit:
            trouble = f"not done after {limit:.0f} s"
        elif until and until():
            trouble = "killed"
        else:
            with suppress(subprocess.TimeoutExpired):
                process.wait(WATCH if until else SAMPLE)
    kill_session(process)
    report = Path(job.folder, REPORT)
    if report.exists():
        return Run(Report(**json.loads(report.read_text())), time.perf_counter() - started, peak)
    return Run(None, time.perf_counter() - started, peak, trouble or read_last_words(Path(job.folder, LOG)))


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kills all processes of the session (SIGKILL)."""
    for number, _ in list_session(process.pid):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    process.wait()


def read_last_words(log: Path) -> str:
    """The line of a client's output that best explains why it ended."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = [line for line in lines if line.split(":")[0].split(".")[-1].endswith(SAID)]
    last = re.sub(r"^[\w.]+\.(?=\w+:)", "", (said or lines or ["no word"])[-1])
    return last if len(last) <= MAX_REASON else f"{last[: MAX_REASON - 3]}..."


def watch_others() -> Callable[[], float]:
    """A function that returns the share of the processors that other processes have used since now, 0 to 1."""
    began, busy, own = time.perf_counter(), read_busy(), read_own()

    def share() -> float:
        seconds = (time.perf_counter() - began) * (os.cpu_count() or 1)
        return max(0.0, (read_busy() - busy - read_own() + own) / seconds)

    return share


def wait_for_calm(patience: float) -> None:
    """Waits until the machine is idle (see CALM), `patience` seconds at most."""
    ends = time.perf_counter() + patience
    while time.perf_counter() < ends:
        share = watch_others()
        time.sleep(1)
        if share() < CALM:
            return


def read_busy() -> float:
    """Processor time of all processes of the machine, seconds."""
    user, nice, system, _, _, interrupts, soft, *_ = map(int, (PROC / "stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def read_own() -> float:
    """Processor time of this process and of its children that have ended, seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def read_pss(process: int) -> int:
    """PSS of a process, bytes; 0 if it has ended."""
    try:
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


@contextmanager
def start_server(options: str) -> Iterator[str]:
    """Runs the server; gives its base URL."""
    command = [sys.executable, str(HERE / "server.py"), *options.split()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def read_stats(base_url: str) -> dict[str, Any]:
    with urllib.request.urlopen(base_url.replace("/v1", "/stats")) as answer:
        stats: dict[str, Any] = json.load(answer)
        return stats
