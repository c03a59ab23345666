"""The ledger's SQLite file: tables, rows, opening and rebuilding the file, error messages."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from coalm_it.errors import OutsideError
from coalm_it.llm.ledger.salvage import is_database, move_aside, read_damaged
from coalm_it.llm.request import RETRIED_LATER, Answer, Failure, Outcome

VERSION = 1
APPLICATION_ID = 0x0C0A1317
"""Distinguishes ledgers from other SQLite files."""
COLUMNS = {kind: tuple(field.name for field in fields(kind)) for kind in (Answer, Failure)}
VALUES = {kind: attrgetter(*columns) for kind, columns in COLUMNS.items()}
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

FIND = (
    f"SELECT 0, {', '.join(TABLES['answers'])}, NULL FROM answers WHERE key = ?1 "
    f"UNION ALL SELECT 1, {', '.join(TABLES['failures'])} FROM failures WHERE key = ?1"
)
"""One statement for both tables, since each statement locks the file."""
COUNT = "SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM failures)"
IS_SETTLED = (
    "SELECT 1 FROM answers WHERE key = ?1 UNION ALL "
    f"SELECT 1 FROM failures WHERE key = ?1 AND reason NOT IN ({', '.join(map(repr, sorted(RETRIED_LATER)))})"
)


class LedgerError(OutsideError):
    """The ledger cannot be read or written; one line for the user."""


class DamagedError(LedgerError):
    """The file is damaged."""


def run_transaction(db: sqlite3.Connection, steps: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    """The results of the steps, run in one transaction; it is rolled back if one of them raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        results = [step(db) for step in steps]
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    return results


def execute(db: sqlite3.Connection, statement: str, values: Sequence[Any]) -> None:
    """For statements without a result."""
    db.execute(statement, values)


# --- rows ---


def digest_row(values: Sequence[Any]) -> str:
    """A checksum that reveals a row that was changed on disk."""
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()


def insert_outcomes(db: sqlite3.Connection, outcomes: Iterable[Outcome]) -> None:
    """Inserts outcomes and deletes their claims. An answer replaces a failure; nothing replaces an answer."""
    for outcome in outcomes:
        values = VALUES[type(outcome)](outcome)
        row = (*values, digest_row(values))
        if isinstance(outcome, Answer):
            insert_row(db, "answers", row)
            execute(db, "DELETE FROM failures WHERE key = ?", (outcome.key,))
        elif not db.execute("SELECT 1 FROM answers WHERE key = ?", (outcome.key,)).fetchone():
            execute(db, "DELETE FROM failures WHERE key = ?", (outcome.key,))
            insert_row(db, "failures", row)
        execute(db, "DELETE FROM claims WHERE key = ?", (outcome.key,))


def insert_row(db: sqlite3.Connection, table: str, row: Sequence[Any]) -> None:
    """Inserts a row, unless there is one with its key."""
    columns = TABLES[table]
    marks = ", ".join("?" * len(columns))
    execute(db, f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", row)


# --- files ---


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """A connection to the file at `path`. Raises LedgerError, sqlite3.Error."""
    if readonly and not path.is_file():
        raise LedgerError(f"{path}: there is no ledger")
    # Reading a write-ahead log creates a file beside it; in a folder that is not writable, nobody else writes either.
    mode = "mode=rwc" if not readonly else "mode=rw" if os.access(path.parent, os.W_OK) else "immutable=1"
    uri = f"{path.absolute().as_uri()}?{mode}"
    db = sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None, check_same_thread=False)
    if readonly:
        db.execute("PRAGMA query_only = ON")
    else:
        db.execute("PRAGMA synchronous = FULL")
    return db


def prepare(path: Path, db: sqlite3.Connection, *, readonly: bool) -> None:
    """Creates the tables of a new file, or checks that an existing file is an intact ledger of this version."""
    if not readonly and _is_empty(db):
        db.execute("PRAGMA journal_mode = WAL")
        run_transaction(db, [_create_tables])
    if _read_pragma(db, "application_id") != APPLICATION_ID:
        raise LedgerError(f"{path}: not a ledger of coalm-it but another database; choose another file with --ledger")
    version = _read_pragma(db, "user_version")
    if version != VERSION:
        raise LedgerError(
            f"{path}: ledger version {version}, but this coalm-it reads version {VERSION}: "
            "use the coalm-it that wrote it, or choose another file with --ledger"
        )
    if not readonly:
        db.execute("PRAGMA journal_mode = WAL")
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedError(f"{path}: the ledger is damaged: {verdict}")


def open_database(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """A connection to the ledger at `path`; unless `readonly`, it is created if there is none. Raises LedgerError."""
    if not readonly:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{path}: its folder cannot be created: {error.strerror}") from None
        if not path.exists():
            create_file(path)
    db = connect(path, readonly=readonly)
    try:
        prepare(path, db, readonly=readonly)
    except BaseException:
        db.close()
        raise
    return db


def create_file(path: Path) -> None:
    """Creates a ledger at `path` if there is none, atomically: another process may be creating it too."""
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    with closing(connect(fresh, readonly=False)) as db:
        prepare(fresh, db, readonly=False)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # another process was faster
    except OSError:  # a file system without hard links
        if not path.exists():
            fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)


def rebuild_damaged(path: Path, say: Callable[[str], None]) -> None:
    """Replaces a damaged ledger by a new one with its intact rows, and keeps the damaged file under another name."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    with errors_in_one_line(path):
        db = connect(fresh, readonly=False)
        prepare(fresh, db, readonly=False)
        db.execute("BEGIN")
        for table, row in read_damaged(path, TABLES, digest_row):
            insert_row(db, table, row)
        db.execute("COMMIT")
        count = count_outcomes(db)
        db.execute("PRAGMA journal_mode = DELETE")
        db.close()
    aside = move_aside(path)
    fresh.replace(path)
    say(f"{path}: the ledger was damaged; {count:,} intact answers were recovered; the damaged file is {aside.name}")


def count_outcomes(db: sqlite3.Connection) -> int:
    """The number of answers and failures."""
    count: int = db.execute(COUNT).fetchone()[0]
    return count


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _create_tables(db: sqlite3.Connection) -> None:
    if _is_empty(db):  # another process may have been faster
        for statement in SCHEMA:
            db.execute(statement)


def _read_pragma(db: sqlite3.Connection, name: str) -> int:
    value: int = db.execute(f"PRAGMA {name}").fetchone()[0]
    return value


# --- errors ---


@contextmanager
def errors_in_one_line(path: Path) -> Iterator[None]:
    """Raises LedgerError, with one line for the user, for any error of SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise describe_error(path, error) from None


def describe_error(path: Path, error: sqlite3.Error) -> LedgerError:
    """An error of SQLite as one line for the user."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB if is_database(path):
            return DamagedError(
                f"{path}: the ledger is damaged ({error}); `coalm-it ledger merge` recovers the intact answers"
            )
        case sqlite3.SQLITE_NOTADB:
            return LedgerError(f"{path}: not a ledger: not an SQLite file; choose another file with --ledger")
        case sqlite3.SQLITE_READONLY:
            return LedgerError(f"{path}: the ledger cannot be written; choose another file with --ledger")
        case sqlite3.SQLITE_CANTOPEN:
            return LedgerError(f"{path}: the ledger cannot be opened; is its folder writable?")
    return LedgerError(f"{path}: error of the ledger: {error}")
