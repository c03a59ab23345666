from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coalm_it.pipeline.engine import EngineError, start_engine


def square(number: int) -> int:
    return number * number


def name_process(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def fail_at_three(number: int) -> int:
    if number == 3:
        raise LookupError("three")
    return number


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_task_is_run_once(workers: int) -> None:
    with start_engine(workers) as run_tasks:
        assert sorted(run_tasks(square, range(20))) == [number * number for number in range(20)]


def test_one_worker_is_this_process_and_several_are_others() -> None:
    with start_engine(1) as run_tasks:
        assert set(run_tasks(name_process, range(3))) == {os.getpid()}
    with start_engine(2) as run_tasks:
        processes = set(run_tasks(name_process, range(8)))
    assert 1 <= len(processes) <= 2
    assert os.getpid() not in processes


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_engine_runs_one_stage_after_another(workers: int) -> None:
    with start_engine(workers) as run_tasks:
        assert sorted(run_tasks(square, [1, 2])) == [1, 4]
        assert list(run_tasks(square, [])) == []
        assert sorted(run_tasks(square, [3])) == [9]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_of_a_task_is_raised_here(workers: int) -> None:
    with pytest.raises(LookupError, match="three"), start_engine(workers) as run_tasks:
        list(run_tasks(fail_at_three, range(6)))
    assert multiprocessing.active_children() == []


def test_a_worker_that_dies_is_one_clear_line() -> None:
    with pytest.raises(EngineError, match=r"^a worker process died \(out of memory\?\)"), start_engine(2) as run_tasks:
        list(run_tasks(die, range(4)))


def test_leaving_terminates_workers_in_the_middle_of_a_task() -> None:
    started = time.monotonic()
    with start_engine(2) as run_tasks:
        results = run_tasks(time.sleep, [0.0, 60.0, 60.0])
        next(results)
    assert time.monotonic() - started < 20
    assert multiprocessing.active_children() == []


WAIT = """
import os, time
from coalm_it.pipeline.engine import start_engine

def work(number):
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(60)

with start_engine(2) as run_tasks:
    list(run_tasks(work, range(2)))
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "wait.py"
    script.write_text(WAIT, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(is_alive(worker) for worker in workers):
        time.sleep(0.05)
    parent.stdout.close()
    assert not any(is_alive(worker) for worker in workers)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A container may have nobody who buries a dead orphan.
    state = Path(f"/proc/{process}/stat")
    return not (state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z")
