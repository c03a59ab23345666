"""The thread that writes to a ledger's file: everything that is pending goes into one transaction, with one fsync."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from coalm_it.llm.ledger.database import connect, describe_error, run_transaction

T = TypeVar("T")
Step = tuple[Callable[[sqlite3.Connection], Any], Future[Any]]

MAX_STEPS = 500
"""Maximum steps of one transaction."""


class Writer:
    """Writes to the file at `path`, which exists, in a thread of its own. Raises LedgerError, sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = connect(path, readonly=False)
        self._steps: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def write(self, step: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Runs `step` in the next transaction; done once that is on disk."""
        done: Future[T] = Future()
        self._steps.put((step, done))
        return done

    def close(self) -> None:
        """Waits for pending steps."""
        self._steps.put(None)
        self._thread.join()
        self._db.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            taken = [self._steps.get()]
            while len(taken) < MAX_STEPS and not self._steps.empty():
                taken.append(self._steps.get())
            steps = [step for step in taken if step is not None]
            closing = len(steps) < len(taken)
            self._commit(steps)

    def _commit(self, steps: Sequence[Step]) -> None:
        # A step runs even if its future was cancelled: an answer is always stored.
        waiting = [done.set_running_or_notify_cancel() for _, done in steps]
        try:
            results = run_transaction(self._db, [step for step, _ in steps])
        except Exception as error:
            described = describe_error(self.path, error) if isinstance(error, sqlite3.Error) else error
            for (_, done), waits in zip(steps, waiting, strict=True):
                if waits:
                    done.set_exception(described)
        else:
            for (_, done), waits, result in zip(steps, waiting, results, strict=True):
                if waits:
                    done.set_result(result)
