"""The thread that writes to a ledger's file: everything that is pending goes into one transaction, with one fsync."""

from __future__ import annotations

import os
import queue
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from coalm_it.llm.ledger.database import FullError, LedgerError, connect, describe_error, run_transaction

T = TypeVar("T")
Step = tuple[Callable[[sqlite3.Connection], Any], Future[Any]]

MAX_STEPS = 500
"""Maximum steps of one transaction."""
SPACE = 1 << 14
"""Bytes set aside for an outcome: most have two pages, and some pages of the index are written with them."""
NO_SPACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
"""How SQLite says that a disk or a quota is used up."""


class Writer:
    """Writes to the file at `path`, which exists, in a thread of its own. Raises LedgerError, sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.full: LedgerError | None = None
        """The error of the first write for which only the space set aside was left."""
        self._aside: IO[bytes] | None = None
        self._db = connect(path, readonly=False)
        self._steps: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def write(self, step: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Runs `step` in the next transaction; done once that is on disk."""
        done: Future[T] = Future()
        self._steps.put((step, done))
        return done

    def set_space_aside(self, requests: int) -> None:
        """Occupies space beside the ledger that is given up when a write finds the disk full. Raises LedgerError."""
        if self._aside is not None or self.full is not None:
            return
        try:
            # Without a name, so that nothing is left of it if the process is killed.
            self._aside = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115
            for _ in range(requests):
                self._aside.write(os.urandom(SPACE))  # zeros may take no space
            self._aside.flush()
        except OSError as error:
            self._give_up_space()
            raise FullError(f"{self.path}: no space for the answers ({error.strerror}); nothing was asked") from None

    def _give_up_space(self) -> bool:
        """Whether there was any."""
        aside, self._aside = self._aside, None
        if aside is not None:
            with suppress(OSError):  # what is still buffered cannot be written
                aside.close()
        return aside is not None

    def close(self) -> None:
        """Waits for pending steps."""
        self._steps.put(None)
        self._thread.join()
        self._give_up_space()
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
            results = self._run_steps([step for step, _ in steps])
        except Exception as error:
            described = describe_error(self.path, error) if isinstance(error, sqlite3.Error) else error
            for (_, done), waits in zip(steps, waiting, strict=True):
                if waits:
                    done.set_exception(described)
        else:
            for (_, done), waits, result in zip(steps, waiting, results, strict=True):
                if waits:
                    done.set_result(result)

    def _run_steps(self, steps: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        """One transaction; if there is no space for it, once more in the space set aside."""
        try:
            return run_transaction(self._db, steps)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in NO_SPACE or not self._give_up_space():
                raise
            self.full = describe_error(self.path, error)
            return run_transaction(self._db, steps)
