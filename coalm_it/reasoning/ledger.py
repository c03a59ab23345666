"""The ledger: every answer that was paid for, in one SQLite file, under the key of what was asked.

    with open_ledger(path) as ledger:
        ledger.find(key)                    # Answer, Failure or None
        ledger.store(outcome).result()      # on disk when this returns

Answers and failures lie in tables of their own; a failure is never served as an answer. One thread a process writes: it
takes all that has come up since its last commit into the next, so that many answers share one fsync. Processes share a
file through SQLite's write-ahead log; a *claim* tells the others that a key is being asked right now.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import queue
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, TypeVar

from coalm_it.reasoning.answers_file import is_answers_file, read_answers
from coalm_it.reasoning.request import ASKED_AGAIN, Answer, Failure, Outcome
from coalm_it.reasoning.salvage import is_database, read_damaged, set_aside

T = TypeVar("T")
Say = Callable[[str], None]

VERSION = 1
APPLICATION_ID = 0x0C0A1317
"""Tells a ledger from other SQLite files."""
ALIVE = 60.0
"""Seconds after which the claims of a process that gives no sign of life are void."""
MOST_A_COMMIT = 500

COLUMNS = {kind: tuple(field.name for field in fields(kind)) for kind in (Answer, Failure)}
KINDS: tuple[tuple[str, type[Answer] | type[Failure]], ...] = (("answers", Answer), ("failures", Failure))
TABLES = {table: (*COLUMNS[kind], "digest") for table, kind in KINDS}

SCHEMA = (
    *(
        f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, {', '.join(columns[1:])})"
        for table, columns in TABLES.items()
    ),
    "CREATE TABLE owners (owner TEXT PRIMARY KEY, host TEXT, pid INTEGER, seen REAL)",
    "CREATE TABLE claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE batches (batch TEXT PRIMARY KEY, server TEXT, prompt_tokens INTEGER, completion_tokens INTEGER)",
    "CREATE TABLE batched (key TEXT PRIMARY KEY, batch TEXT, tries INTEGER NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)

_FIND = (
    f"SELECT 0, {', '.join(TABLES['answers'])}, NULL FROM answers WHERE key = ?1 "
    f"UNION ALL SELECT 1, {', '.join(TABLES['failures'])} FROM failures WHERE key = ?1"
)
"""Both in one statement: each has to lock the file."""
_IS_SETTLED = (
    "SELECT 1 FROM answers WHERE key = ?1 UNION ALL "
    f"SELECT 1 FROM failures WHERE key = ?1 AND reason NOT IN ({', '.join(map(repr, sorted(ASKED_AGAIN)))})"
)


class LedgerError(RuntimeError):
    """The ledger cannot be read or written; one line for the person who must act."""


class DamagedError(LedgerError):
    """The file is not whole."""


def default_path() -> Path:
    """The user's ledger: in $XDG_CACHE_HOME, else where the platform keeps caches."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):
        cache = Path(named)
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path.home() / ".cache"
    return cache / "coalm-it" / "answers.sqlite"


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
        _prepare(fresh, db, readonly=False)
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
        self._work: queue.SimpleQueue[_Step | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
        if not self.readonly:
            self._writer.start()

    def close(self) -> None:
        """Waits for what is still to be written, and gives up the claims of this process."""
        if not self.readonly:
            with suppress(LedgerError):
                self.run(self._leave)
            self._work.put(None)
            self._writer.join()
        self._db.close()

    def find(self, key: str) -> Outcome | None:
        """What came of a request. A row that does not fit its digest is as good as none."""
        for row in self._db.execute(_FIND, (key,)):
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
        return self._db.execute(statement, values).fetchall()

    def store(self, outcome: Outcome) -> Future[None]:
        """Done when it is on disk. What is there already stays, unless that is a failure and this an answer."""
        return self.run(lambda db: insert_outcome(db, outcome))

    def claim(self, keys: Sequence[str]) -> Future[set[str]]:
        """Those of the keys that are to be asked and that nobody is asking: they are this process's until it stores."""
        return self.run(lambda db: {key for key in keys if self._claim_one(db, key)})

    def release_all(self) -> Future[None]:
        """Gives up all claims of this process."""
        return self.run(lambda db: _run(db, "DELETE FROM claims WHERE owner = ?", (self.owner,)))

    def stay_alive(self) -> Future[None]:
        """To be called every few seconds, and before the first claim."""
        row = (self.owner, platform.node(), os.getpid(), time.time())
        return self.run(lambda db: _run(db, "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?)", row))

    def run(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Does `work` in the writer's thread, in its next commit; done when that is on disk."""
        if self.readonly:
            raise LedgerError(f"{self.path}: this ledger is only read; name one to write with --ledger")
        done: Future[T] = Future()
        self._work.put((work, done))
        return done

    def _claim_one(self, db: sqlite3.Connection, key: str) -> bool:
        select = "SELECT host, pid, seen FROM claims JOIN owners USING (owner) WHERE key = ?"
        row = db.execute(select, (key,)).fetchone()
        if (row and _is_alive(*row)) or db.execute(_IS_SETTLED, (key,)).fetchone():
            return False
        _run(db, "INSERT OR REPLACE INTO claims VALUES (?, ?)", (key, self.owner))
        return True

    def _leave(self, db: sqlite3.Connection) -> None:
        _run(db, "DELETE FROM claims WHERE owner = ?", (self.owner,))
        _run(db, "DELETE FROM owners WHERE owner = ?", (self.owner,))

    def _write(self) -> None:
        db = connect(self.path, readonly=False)
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
                results = _commit(db, [work for work, _ in steps])
            except Exception as error:
                plain = explain_error(self.path, error) if isinstance(error, sqlite3.Error) else error
                for (_, done), waits in zip(steps, waiting, strict=True):
                    if waits:
                        done.set_exception(plain)
            else:
                for (_, done), waits, result in zip(steps, waiting, results, strict=True):
                    if waits:
                        done.set_result(result)
        db.close()


_Step = tuple[Callable[[sqlite3.Connection], Any], Future[Any]]


def _commit(db: sqlite3.Connection, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    db.execute("BEGIN IMMEDIATE")
    try:
        results = [work(db) for work in works]
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    return results


def _run(db: sqlite3.Connection, statement: str, values: Sequence[Any]) -> None:
    db.execute(statement, values)


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


# --- rows ---


def digest_row(values: Sequence[Any]) -> str:
    """By which a row that was changed on the disk is told."""
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()


def insert_outcome(db: sqlite3.Connection, outcome: Outcome) -> None:
    """Stores it and takes its claim away. An answer takes the place of a failure, and nothing that of an answer."""
    values = astuple(outcome)
    row = (*values, digest_row(values))
    if isinstance(outcome, Answer):
        insert_row(db, "answers", row)
        _run(db, "DELETE FROM failures WHERE key = ?", (outcome.key,))
    elif not db.execute("SELECT 1 FROM answers WHERE key = ?", (outcome.key,)).fetchone():
        _run(db, "DELETE FROM failures WHERE key = ?", (outcome.key,))
        insert_row(db, "failures", row)
    _run(db, "DELETE FROM claims WHERE key = ?", (outcome.key,))


def insert_row(db: sqlite3.Connection, table: str, row: Sequence[Any]) -> None:
    columns = TABLES[table]
    marks = ", ".join("?" * len(columns))
    _run(db, f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", row)


# --- files ---


def _load_answers(path: Path, say: Say) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    for statement in SCHEMA:
        db.execute(statement)
    try:
        db.execute("BEGIN")
        for outcome in read_answers(path, say):
            insert_outcome(db, outcome)
        db.execute("COMMIT")
    except (ValueError, OSError) as error:
        raise LedgerError(str(error)) from None
    return db


def _open(path: Path, *, readonly: bool) -> sqlite3.Connection:
    if not readonly:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{path}: its folder cannot be made: {error.strerror}") from None
    db = connect(path, readonly=readonly)
    try:
        _prepare(path, db, readonly=readonly)
    except BaseException:
        db.close()
        raise
    return db


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    if not readonly:
        db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA synchronous = FULL")
        return db
    if not path.is_file():
        raise LedgerError(f"{path}: there is no ledger")
    # A write-ahead log needs a file beside it; where none can be written nobody writes, and `immutable` holds.
    writable = os.access(path.parent, os.W_OK)
    uri = f"{path.absolute().as_uri()}?{'mode=ro' if writable else 'immutable=1'}"
    return sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None, check_same_thread=False)


def _prepare(path: Path, db: sqlite3.Connection, *, readonly: bool) -> None:
    """Makes the tables of a new file, or sees that those of an old one are ours and whole."""
    if not readonly and not _read_pragma(db, "application_id"):
        db.execute("PRAGMA journal_mode = WAL")
        _commit(db, [_make_tables])
    if _read_pragma(db, "application_id") != APPLICATION_ID:
        raise LedgerError(f"{path}: no ledger of coalm-it but some other database; name another with --ledger")
    version = _read_pragma(db, "user_version")
    if version != VERSION:
        raise LedgerError(
            f"{path}: a ledger of version {version}, and this coalm-it reads version {VERSION}: "
            "use the coalm-it that wrote it, or name another with --ledger"
        )
    if not readonly:
        db.execute("PRAGMA journal_mode = WAL")
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedError(f"{path}: the ledger is damaged: {verdict}")


def _make_tables(db: sqlite3.Connection) -> None:
    if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
        for statement in SCHEMA:
            db.execute(statement)


def _read_pragma(db: sqlite3.Connection, name: str) -> int:
    value: int = db.execute(f"PRAGMA {name}").fetchone()[0]
    return value


# --- errors ---


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """What SQLite raises, in one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain_error(path, error) from None


def explain_error(path: Path, error: sqlite3.Error) -> LedgerError:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB if is_database(path):
            return DamagedError(f"{path}: the ledger is damaged ({error}); `coalm-it ledger merge` saves what is whole")
        case sqlite3.SQLITE_NOTADB:
            return LedgerError(f"{path}: no ledger: it is no SQLite file; name another with --ledger")
        case sqlite3.SQLITE_READONLY:
            return LedgerError(f"{path}: the ledger cannot be written; name another with --ledger")
        case sqlite3.SQLITE_CANTOPEN:
            return LedgerError(f"{path}: the ledger cannot be opened; may its folder be written?")
    return LedgerError(f"{path}: the ledger fails: {error}")
