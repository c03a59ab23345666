"""Runs tasks in a pool of worker processes, or in this process if there is only one worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from coalm_it.errors import OutsideError

T = TypeVar("T")
R = TypeVar("R")


class RunTasks(Protocol):
    def __call__(self, function: Callable[[T], R], tasks: Sequence[T], /) -> Iterator[R]: ...


class EngineError(OutsideError):
    """A worker died: the machine ran out of memory, or the process was killed."""


@contextmanager
def start_engine(workers: int) -> Iterator[RunTasks]:
    """Yields a function that applies a task function to tasks and yields the results in order of completion.

    Leaving the context terminates the workers, even in the middle of a task. Raises EngineError if a worker dies.
    """
    if workers == 1:
        yield map
        return
    # Forked workers do not import the user's script again, so it needs no `if __name__ == "__main__"`.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker, (os.getpid(),))
    try:
        yield partial(_run_tasks, pool)
    finally:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _run_tasks(pool: ProcessPoolExecutor, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
    futures: list[Future[R]] = [pool.submit(function, task) for task in tasks]
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise EngineError("a worker process died (out of memory?); run again with fewer workers") from None


def _start_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()


def _exit_with_parent(parent: int) -> None:
    # A killed parent cannot stop its workers; without this they would wait for work forever.
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
