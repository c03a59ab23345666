"""What all clients have in common: the order that one gets, the prompts that all ask, the report of how it went.

A client is a process of its own, in a session of its own, and in its own environment: this file needs Python alone.
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
"""Of an answer; the server's are shorter."""
REPORT = "report.json"


@dataclass(frozen=True)
class Order:
    """What a client is to ask."""

    base_url: str
    count: int
    in_flight: int
    folder: str
    """Where it may keep what it keeps; a second order for the same folder finds it there."""
    max_usd: float | None = None


@dataclass
class Report:
    """How it went. Start and imports are not in it: some take seconds, and they do not grow with the work."""

    answered: int
    """Rows with an answer, as the client hands them over."""
    seconds: float
    cpu: float
    """Seconds of processor time, of all its processes."""


def make_prompt(number: int) -> str:
    return f"{number}: {' '.join(random.Random(number).choices(WORDS, k=PROMPT_WORDS))}"


def carry_out(ask: Callable[[Order], int], prepare: Callable[[Order], None] | None = None) -> None:
    """What a client's main is: does the order on the command line, and leaves its report in the order's folder. What
    `prepare` takes is not in it."""
    order = Order(**json.loads(sys.argv[-1]))
    if prepare is not None:
        prepare(order)
    session = os.getsid(0)
    before, started = read_cpu(session), time.perf_counter()
    answered = ask(order)
    report = Report(answered, time.perf_counter() - started, read_cpu(session) - before)
    Path(order.folder, REPORT).write_text(json.dumps(asdict(report)))


def list_session(session: int) -> Iterator[tuple[int, list[str]]]:
    """Number and state of each process of a session. Linux only."""
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            if int(fields[3]) == session:
                yield int(entry.name), fields


def read_cpu(session: int) -> float:
    """Seconds of processor time that a session's processes have used, and those children of theirs that have ended."""
    ticks = sum(int(value) for _, fields in list_session(session) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")
