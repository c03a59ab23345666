"""What all clients share: the job, the prompts, the report.

A client is a process in a session and an environment of its own; this file needs only the standard library.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
WORDS = "the user asks for a table and the agent looks for one in the list that came back ".split()
PROMPT_WORDS = 400
MAX_TOKENS = 200
"""Maximum tokens per answer; the server's answers are shorter."""
REPORT = "report.json"


@dataclass(frozen=True)
class Job:
    """Number of requests, server and limits for a client."""

    base_url: str
    count: int
    in_flight: int
    folder: str
    """Folder for the client's files; a second job with the same folder resumes the first."""
    max_usd: float | None = None


@dataclass
class Report:
    """Measurements without start and imports, which can take seconds and do not grow with the job."""

    answered: int
    """Rows with an answer in the client's output."""
    seconds: float
    cpu: float
    """Processor time of all its processes, seconds."""


def make_prompt(number: int) -> str:
    return f"{number}: {' '.join(random.Random(number).choices(WORDS, k=PROMPT_WORDS))}"


def run_job(ask: Callable[[Job], int], prepare: Callable[[Job], None] | None = None) -> None:
    """The main function of a client: runs the job on the command line, and writes the report to its folder.

    The time of `prepare` is not measured.
    """
    job = Job(**json.loads(sys.argv[-1]))
    if prepare is not None:
        prepare(job)
    session = os.getsid(0)
    before, started = read_cpu(session), time.perf_counter()
    answered = ask(job)
    report = Report(answered, time.perf_counter() - started, read_cpu(session) - before)
    Path(job.folder, REPORT).write_text(json.dumps(asdict(report)))


def list_session(session: int) -> Iterator[tuple[int, list[str]]]:
    """Process id and fields of /proc/PID/stat of each process of a session. Linux only."""
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended in the meantime
                continue
            if int(fields[3]) == session:
                yield int(entry.name), fields


def read_cpu(session: int) -> float:
    """Processor time of the processes of a session and of their children that have ended, seconds."""
    ticks = sum(int(value) for _, fields in list_session(session) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")
