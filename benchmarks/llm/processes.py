"""Starts the server and the clients, each in a process of its own, and measures what a client took. Linux only."""

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

from client import PROC, REPORT, Order, Report, list_session

HERE = Path(__file__).parent
LOG = "client.log"
SAMPLE, WATCH = 0.2, 0.02
"""Seconds between looks at a client's memory; and at the server, where that decides when the client is killed."""
CALM = 0.2
"""Share of the machine that others may use while it counts as calm."""
LONGEST = 100
"""Characters of why a client ended."""
SAID = ("Error", "error", "Exception", "RuntimeError")


@dataclass
class Run:
    """One client's doing of one order."""

    report: Report | None
    """None where it did not come to its end."""
    whole: float
    """Seconds from start to exit, imports and all."""
    peak: int
    """Bytes: PSS of all its processes, in which a page that several share counts once."""
    trouble: str = ""
    """Why there is no report."""


@dataclass(frozen=True)
class Client:
    """How one is started: `command` and the order behind it."""

    name: str
    command: tuple[str, ...]
    """Begins with a Python."""
    environment: tuple[tuple[str, str], ...] = ()

    def start(self, order: Order) -> subprocess.Popen[bytes]:
        """In a session of its own, with the order's folder for its home: what it keeps anywhere, it keeps there."""
        folder = Path(order.folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).unlink(missing_ok=True)
        environment = os.environ | {"HOME": order.folder, "PYTHONDONTWRITEBYTECODE": ""} | dict(self.environment)
        with (folder / LOG).open("wb") as log:
            return subprocess.Popen(
                [*self.command, json.dumps(asdict(order))],
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


def run_client(client: Client, order: Order, limit: float, until: Callable[[], bool] | None = None) -> Run:
    """Waits until it ends, or for `limit` seconds, or until `until`; then all that is left of it is killed."""
    started, peak = time.perf_counter(), 0
    process = client.start(order)
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
    report = Path(order.folder, REPORT)
    if report.exists():
        return Run(Report(**json.loads(report.read_text())), time.perf_counter() - started, peak)
    return Run(None, time.perf_counter() - started, peak, trouble or read_last_words(Path(order.folder, LOG)))


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """kill -9, all of it."""
    for number, _ in list_session(process.pid):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    process.wait()


def read_last_words(log: Path) -> str:
    """The line of a client's output that says best why it ended."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = [line for line in lines if line.split(":")[0].split(".")[-1].endswith(SAID)]
    last = re.sub(r"^[\w.]+\.(?=\w+:)", "", (said or lines or ["no word"])[-1])
    return last if len(last) <= LONGEST else f"{last[: LONGEST - 3]}..."


def watch_others() -> Callable[[], float]:
    """Tells later which share of the machine's processors others used since now, 0 to 1."""
    began, busy, own = time.perf_counter(), read_busy(), read_own()

    def share() -> float:
        seconds = (time.perf_counter() - began) * (os.cpu_count() or 1)
        return max(0.0, (read_busy() - busy - read_own() + own) / seconds)

    return share


def wait_for_calm(patience: float) -> None:
    """Until others use less than a fifth of the machine, or for so many seconds."""
    ends = time.perf_counter() + patience
    while time.perf_counter() < ends:
        share = watch_others()
        time.sleep(1)
        if share() < CALM:
            return


def read_busy() -> float:
    """Seconds of processor time that the machine has spent on anything."""
    user, nice, system, _, _, interrupts, soft, *_ = map(int, (PROC / "stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def read_own() -> float:
    """Seconds that this process and those of its children that have ended have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def read_pss(process: int) -> int:
    """Bytes; 0 where the process has ended."""
    try:
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


@contextmanager
def start_server(options: str) -> Iterator[str]:
    """Its base URL."""
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
