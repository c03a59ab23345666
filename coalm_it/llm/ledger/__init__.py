"""The ledger: every answer that was paid for, in one SQLite file, under the key of what was asked.

    with open_ledger(path) as ledger:
        ledger.find(key)                    # Answer, Failure or None
        ledger.store([outcome]).result()    # on disk when this returns

Answers and failures lie in tables of their own; a failure is never served as an answer. One thread a process writes: it
takes all that has come up since its last commit into the next, so that many answers share one fsync. Processes share a
file through SQLite's write-ahead log; a *claim* tells the others that a key is being asked right now.
"""

from __future__ import annotations

import os
import platform
import queue
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_path

from coalm_it.errors import ShortfallError
from coalm_it.llm.ledger.database import (
    COLUMNS,
    FIND,
    IS_SETTLED,
    KINDS,
    SCHEMA,
    TABLES,
    DamagedError,
    LedgerError,
    commit,
    connect,
    digest_row,
    explain_error,
    insert_outcomes,
    insert_row,
    make_file,
    plain_errors,
    prepare,
    run,
)
from coalm_it.llm.ledger.export_format import is_answers_file, read_answers
from coalm_it.llm.ledger.salvage import read_damaged, set_aside
from coalm_it.llm.request import Answer, Failure, Outcome

T = TypeVar("T")
Say = Callable[[str], None]

ALIVE = 60.0
"""Seconds after which the claims of a process that gives no sign of life are void."""
MOST_A_COMMIT = 500


class MissingError(ShortfallError):
    """The ledger has no answer, and none may be asked for; one line that names dialogue and turn."""


def default_path() -> Path:
    """The user's ledger, in the platform's folder for caches: ~/.cache/coalm-it/answers.sqlite on Linux."""
    return user_cache_path("coalm-it", appauthor=False) / "answers.sqlite"


@contextmanager
def open_ledger(path: Path | None = None, *, readonly: bool = False, say: Say = print) -> Iterator[Ledger]:
    """The ledger at `path` (by default the user's), made where there is none; or a file of answers, which is only read.

    One that turns out to be damaged when it is opened for writing is made anew from what is whole in it.
    Raises LedgerError: another version, another kind of file, a folder or a disk that cannot be written; DamagedError.
    """
    path = path or default_path()
    try:
        ledger = Ledger(path, readonly=readonly, say=say)
    except DamagedError:
        if readonly:
            raise
        renew_ledger(path, say)
        ledger = Ledger(path, readonly=False, say=say)
    try:
        with plain_errors(path):
            yield ledger
    finally:
        ledger.close()


def renew_ledger(path: Path, say: Say) -> None:
    """Puts a damaged ledger aside, and in its place a new one with all that is whole in it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    with plain_errors(path):
        db = connect(fresh, readonly=False)
        prepare(fresh, db, readonly=False)
        db.execute("BEGIN")
        for table, row in read_damaged(path, TABLES, digest_row):
            insert_row(db, table, row)
        db.execute("COMMIT")
        saved = db.execute("SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM failures)").fetchone()[0]
        db.execute("PRAGMA journal_mode = DELETE")
        db.close()
    aside = set_aside(path)
    fresh.replace(path)
    say(f"{path}: the ledger was damaged; {saved:,} answers in it are whole and go on; the old file is {aside.name}")


class Ledger:
    """Use `open_ledger`. `find` is for one thread at a time; what writes, for any."""

    def __init__(self, path: Path, *, readonly: bool, say: Say) -> None:
        self.path = path
        self.readonly = readonly or is_answers_file(path)
        self.owner = f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        with plain_errors(path):
            self._db = _load_answers(path, say) if is_answers_file(path) else _open(path, readonly=self.readonly)
            self._writing = self._db if self.readonly else connect(path, readonly=False)
        self._work: queue.SimpleQueue[_Step | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._keep_writing, name="ledger", daemon=True)
        if not self.readonly:
            self._writer.start()

    def close(self) -> None:
        """Waits for what is still to be written, and gives up the claims of this process."""
        if not self.readonly:
            with suppress(LedgerError):
                self.write(self._leave)
            self._work.put(None)
            self._writer.join()
            self._writing.close()
        self._db.close()

    def find(self, key: str) -> Outcome | None:
        """What came of a request. A row that does not fit its digest is as good as none."""
        for row in self._db.execute(FIND, (key,)):
            kind = Failure if row[0] else Answer
            values = row[1 : 1 + len(COLUMNS[kind])]
            if row[1 + len(values)] == digest_row(values):
                return kind(*values)
        return None

    def read_all(self) -> Iterator[Outcome]:
        """Every outcome: answers, then failures, each in the order of their keys."""
        for table, kind in KINDS:
            for row in self._db.execute(f"SELECT {', '.join(TABLES[table])} FROM {table} ORDER BY key"):
                if row[-1] == digest_row(row[:-1]):
                    yield kind(*row[:-1])

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """For what else one wants to know of the tables of database.py."""
        return self._db.execute(statement, values).fetchall()

    def store(self, outcomes: Sequence[Outcome]) -> Future[None]:
        """Done when they are on disk. What is there already stays, unless that is a failure and this an answer."""
        return self.write(lambda db: insert_outcomes(db, outcomes))

    def claim(self, keys: Sequence[str]) -> Future[set[str]]:
        """Those of the keys that are to be asked and that nobody is asking: they are this process's until it stores."""
        return self.write(lambda db: {key for key in keys if self._claim_one(db, key)})

    def release_all(self) -> Future[None]:
        """Gives up all claims of this process."""
        return self.write(lambda db: run(db, "DELETE FROM claims WHERE owner = ?", (self.owner,)))

    def stay_alive(self) -> Future[None]:
        """To be called every few seconds, and before the first claim."""
        row = (self.owner, platform.node(), os.getpid(), time.time())
        return self.write(lambda db: run(db, "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?)", row))

    def write(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Does `work` in the writer's thread, in its next commit; done when that is on disk."""
        if self.readonly:
            raise LedgerError(f"{self.path}: a ledger that can only be read: build --offline, or name another --ledger")
        done: Future[T] = Future()
        self._work.put((work, done))
        return done

    def _claim_one(self, db: sqlite3.Connection, key: str) -> bool:
        select = "SELECT host, pid, seen FROM claims JOIN owners USING (owner) WHERE key = ?"
        row = db.execute(select, (key,)).fetchone()
        if (row and _is_alive(*row)) or db.execute(IS_SETTLED, (key,)).fetchone():
            return False
        run(db, "INSERT OR REPLACE INTO claims VALUES (?, ?)", (key, self.owner))
        return True

    def _leave(self, db: sqlite3.Connection) -> None:
        run(db, "DELETE FROM claims WHERE owner = ?", (self.owner,))
        run(db, "DELETE FROM owners WHERE owner = ?", (self.owner,))

    def _keep_writing(self) -> None:
        closing = False
        while not closing:
            taken = [self._work.get()]
            while len(taken) < MOST_A_COMMIT and not self._work.empty():
                taken.append(self._work.get())
            steps = [step for step in taken if step is not None]
            closing = len(steps) < len(taken)
            # The work is done also where nobody waits for it any more: an answer is stored.
            waiting = [done.set_running_or_notify_cancel() for _, done in steps]
            try:
                results = commit(self._writing, [work for work, _ in steps])
            except Exception as error:
                plain = explain_error(self.path, error) if isinstance(error, sqlite3.Error) else error
                for (_, done), waits in zip(steps, waiting, strict=True):
                    if waits:
                        done.set_exception(plain)
            else:
                for (_, done), waits, result in zip(steps, waiting, results, strict=True):
                    if waits:
                        done.set_result(result)


_Step = tuple[Callable[[sqlite3.Connection], Any], Future[Any]]


def _is_alive(host: str, pid: int, seen: float) -> bool:
    """Whether a process that holds claims still runs. Of one on another machine only its last sign is known."""
    if time.time() - seen > ALIVE:
        return False
    if host != platform.node():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _open(path: Path, *, readonly: bool) -> sqlite3.Connection:
    if not readonly:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{path}: its folder cannot be made: {error.strerror}") from None
        if not path.exists():
            make_file(path)
    db = connect(path, readonly=readonly)
    try:
        prepare(path, db, readonly=readonly)
    except BaseException:
        db.close()
        raise
    return db


def _load_answers(path: Path, say: Say) -> sqlite3.Connection:
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
