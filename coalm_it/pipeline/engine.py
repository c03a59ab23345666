"""Where shards run: a pool of processes on this machine, or this process when one worker is asked for."""

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
    """A worker died: the machine ran out of memory, or somebody killed it."""


@contextmanager
def start_engine(workers: int) -> Iterator[RunTasks]:
    """Gives a function that runs a task function over tasks and yields its results as they are done.

    Results come in no particular order. Leaving the context ends the workers, whatever they are at.
    """
    if workers == 1:
        yield map
        return
    # Workers are forked where that is to be had: a script of the user's need not guard its main part.
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
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    # A parent that is killed can't tell its workers; without this they would wait for work for ever.
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
