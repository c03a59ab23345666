"""The ledger: every answer of a model, in one SQLite file, under the key of its request.

    with open_ledger(path) as ledger:
        ledger.find(key)                    # Answer, Failure or None
        ledger.store([outcome]).result()    # on disk when this returns

Answers and failures are in separate tables; a failure is never served as an answer. Each process writes in one thread
(writer.py). Several processes can share a file, through SQLite's write-ahead log; a *claim* tells the others that this
process is asking a request right now.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from coalm_it.errors import ShortfallError
from coalm_it.files import cache_folder
from coalm_it.llm.ledger.database import (
    SCHEMA,
    DamagedError,
    LedgerError,
    errors_in_one_line,
    open_database,
    rebuild_damaged,
    require_intact,
)
from coalm_it.llm.ledger.export_format import is_answers_file, read_answers
from coalm_it.llm.ledger.rows import find_outcome, insert_outcomes, read_outcomes
from coalm_it.llm.ledger.writer import Writer
from coalm_it.llm.request import RETRIED_LATER, Failure, Outcome

T = TypeVar("T")
Say = Callable[[str], None]

CLAIM_TIMEOUT = 60.0
"""Seconds without a heartbeat after which the claims of a process are void."""


class MissingAnswerError(ShortfallError):
    """The ledger has no answer, and no model may be asked; one line that names dialogue and turns."""


def default_path() -> Path:
    """The user's ledger, in the cache folder: ~/.cache/coalm-it/answers.sqlite on Linux."""
    return cache_folder() / "answers.sqlite"


@contextmanager
def open_ledger(path: Path | None = None, *, readonly: bool = False, say: Say = print) -> Iterator[Ledger]:
    """The ledger at `path` (by default the user's), created if there is none; or a file of answers, read-only.

    A ledger that is found damaged when it is opened for writing is rebuilt from its intact rows.
    Raises LedgerError: another version, another kind of file, a folder or disk that cannot be written; DamagedError.
    """
    path = path or default_path()
    try:
        ledger = Ledger(path, readonly=readonly, say=say)
    except DamagedError:
        if readonly:
            raise
        rebuild_damaged(path, say)
        ledger = Ledger(path, readonly=False, say=say)
    try:
        with errors_in_one_line(path):
            yield ledger
    finally:
        ledger.close()


class Ledger:
    """A ledger that is open; see `open_ledger`. One thread at a time may read, any thread may write."""

    def __init__(self, path: Path, *, readonly: bool, say: Say) -> None:
        answers_file = is_answers_file(path)
        self.path = path
        self.readonly = readonly or answers_file
        self.owner = f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        with errors_in_one_line(path):
            self._db = _load_answers(path, say) if answers_file else open_database(path, readonly=self.readonly)
            self._writer = None if self.readonly else Writer(path)

    def close(self) -> None:
        """Waits for pending writes, and releases the claims of this process."""
        if self._writer is not None:
            with suppress(LedgerError):
                self.write(self._delete_owner)
            self._writer.close()
        self._db.close()

    # --- reading ---

    def find(self, key: str) -> Outcome | None:
        """The outcome of a request. A row that does not match its digest is ignored."""
        return find_outcome(self._db, key)

    def read_all(self) -> Iterator[Outcome]:
        """Every outcome: answers, then failures, each in the order of their keys."""
        return read_outcomes(self._db)

    def require_intact(self) -> None:
        """Raises DamagedError if any damage is found, as when a ledger is opened for writing."""
        require_intact(self.path, self._db)

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of any SELECT on the tables of database.SCHEMA."""
        return self._db.execute(statement, values).fetchall()

    # --- writing ---

    @property
    def full(self) -> LedgerError | None:
        """Why the last outcomes could be stored only in the space set aside for them; None if there was enough."""
        return self._writer.full if self._writer else None

    def set_space_aside(self, requests: int) -> None:
        """Makes sure that the outcomes of so many requests can be stored even if the disk becomes full meanwhile.

        Raises LedgerError if it is full already.
        """
        if self._writer is not None:
            self._writer.set_space_aside(requests)

    def store(self, outcomes: Sequence[Outcome]) -> Future[int]:
        """Stores outcomes; done once they are on disk. An existing one stays, unless an answer replaces a failure.

        Returns the number of requests that had no outcome before.
        """
        return self.write(lambda db: insert_outcomes(db, outcomes))

    def claim(self, keys: Sequence[str]) -> Future[set[str]]:
        """Claims requests for this process. Returns the keys that have no settled outcome and no other claim."""
        return self.write(lambda db: {key for key in keys if self._claim_key(db, key)})

    def release_claims(self) -> Future[None]:
        """Releases all claims of this process."""
        return self.write(lambda db: _run(db, "DELETE FROM claims WHERE owner = ?", (self.owner,)))

    def send_heartbeat(self) -> Future[None]:
        """Keeps the claims of this process valid; needed every few seconds, and before the first claim."""
        row = (self.owner, platform.node(), os.getpid(), time.time())
        return self.write(lambda db: _run(db, "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?)", row))

    def write(self, step: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Runs `step` in the writer's next transaction; done once that is on disk. Raises LedgerError if read-only."""
        if self._writer is None:
            raise LedgerError(f"{self.path}: read-only ledger: build with --offline, or choose another with --ledger")
        return self._writer.write(step)

    def _claim_key(self, db: sqlite3.Connection, key: str) -> bool:
        select = "SELECT host, pid, seen FROM claims JOIN owners USING (owner) WHERE key = ?"
        row = db.execute(select, (key,)).fetchone()
        if (row and _is_alive(*row)) or is_settled(find_outcome(db, key)):
            return False
        _run(db, "INSERT OR REPLACE INTO claims VALUES (?, ?)", (key, self.owner))
        return True

    def _delete_owner(self, db: sqlite3.Connection) -> None:
        _run(db, "DELETE FROM claims WHERE owner = ?", (self.owner,))
        _run(db, "DELETE FROM owners WHERE owner = ?", (self.owner,))


def _run(db: sqlite3.Connection, statement: str, values: Sequence[Any]) -> None:
    db.execute(statement, values)


def is_settled(outcome: Outcome | None) -> bool:
    """Whether there is an outcome, and not a failure whose request is to be sent again."""
    return outcome is not None and not (isinstance(outcome, Failure) and outcome.reason in RETRIED_LATER)


def _is_alive(host: str, pid: int, seen: float) -> bool:
    """Whether a process that holds claims is still running; on another host, only its last heartbeat is known."""
    if time.time() - seen > CLAIM_TIMEOUT:
        return False
    if host != platform.node():
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _load_answers(path: Path, say: Say) -> sqlite3.Connection:
    """A file of answers as a database in memory."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    for statement in SCHEMA:
        db.execute(statement)
    try:
        db.execute("BEGIN")
        insert_outcomes(db, read_answers(path, say))
        db.execute("COMMIT")
    except (ValueError, OSError) as error:
        raise LedgerError(str(error)) from None
    return db
