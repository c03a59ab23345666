"""A disk becomes full while a model is asked: nothing more is asked, and every answer that was paid for is kept."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.ledger.database import FullError
from coalm_it.llm.ledger.maintenance import read_outcomes
from coalm_it.llm.online import ask_all
from coalm_it.llm.request import Answer, Request

IN_FLIGHT = 8
ANSWER = Answer("a1" * 16, "The time is missing; I ask.", "small", "stop", 312, 41, 0.8, "2026-11-01T12:00:00Z")
RUN = """
import sys
from pathlib import Path
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.ledger.database import LedgerError
from coalm_it.llm.online import ask_all
from coalm_it.llm.request import Request
from coalm_it.model_settings import Settings

folder, base_url = Path(sys.argv[1]), sys.argv[2]
requests = [Request(({"role": "user", "content": f"What is {n} and {n}?"},)) for n in range(400)]
settings = Settings(model="small", base_url=base_url, max_tokens=100, max_in_flight=8)
told = 0

def fill(request, outcome):
    global told
    told += 1
    if told == 40:
        with (folder / "other").open("wb", buffering=0) as other:
            while True:
                other.write(bytes(4096))

def tell(request, outcome):
    try:
        fill(request, outcome)
    except OSError:
        pass

try:
    with open_ledger(folder / "answers.sqlite") as ledger:
        ask_all(requests, settings, ledger, tell)
except LedgerError as error:
    print(error)
with open_ledger(folder / "answers.sqlite", readonly=True) as ledger:
    print(len(list(ledger.read_all())))
"""


def test_what_could_not_be_stored_is_stored_once_there_is_space(
    server: Any, path: Path, questions: Callable[[int], list[Request]]
) -> None:
    server.behave(latency=0.3, slots=1)
    with open_ledger(path) as ledger:

        def limit(pages: int) -> None:
            ledger.write(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone()).result(10)

        limit(1)  # as many as it has
        others = (replace(ANSWER, key=f"{number:032x}") for number in range(1_000))
        while ledger.store([next(others)]).exception(10) is None:
            pass
        before = len(list(ledger.read_all()))
        later = threading.Timer(1, limit, [1_000_000])  # when some answers were refused and others are on their way
        later.start()
        with pytest.raises(FullError, match=r"answers.sqlite: the ledger cannot grow: .* is full; free some space"):
            ask_all(questions(60), server.settings(max_in_flight=IN_FLIGHT), ledger, lambda request, outcome: None)
        later.join(10)
    assert server.stats["requests"] == IN_FLIGHT
    assert len(list(read_outcomes(path))) - before == server.stats["answered"] == IN_FLIGHT


def may_mount() -> bool:
    try:
        return subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not may_mount(), reason="needs a small disk of its own: Linux, and the right to mount one")
@pytest.mark.parametrize("megabytes", [1, 2, 3])
def test_a_full_disk_costs_no_answer(server: Any, tmp_path: Path, megabytes: int) -> None:
    server.behave(latency=0.02)
    mount = f'mount -t tmpfs -o size={megabytes}m none "$0" && exec "$@"'
    command = [sys.executable, "-c", RUN, str(tmp_path), server.base_url]
    ran = subprocess.run(["unshare", "-rm", "sh", "-c", mount, str(tmp_path), *command], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    line, kept = ran.stdout.splitlines()
    assert line.endswith("the ledger cannot grow: database or disk is full; free some space and run again")
    assert int(kept) == server.stats["answered"] == server.stats["requests"] < 400
