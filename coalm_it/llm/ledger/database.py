"""The ledger's SQLite file: its tables and rows, how it is opened, and what its errors mean."""

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
from coalm_it.llm.ledger.salvage import is_database
from coalm_it.llm.request import ASKED_AGAIN, Answer, Failure, Outcome

VERSION = 1
APPLICATION_ID = 0x0C0A1317
"""Tells a ledger from other SQLite files."""
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
"""Both in one statement: each has to lock the file."""
IS_SETTLED = (
    "SELECT 1 FROM answers WHERE key = ?1 UNION ALL "
    f"SELECT 1 FROM failures WHERE key = ?1 AND reason NOT IN ({', '.join(map(repr, sorted(ASKED_AGAIN)))})"
)


class LedgerError(OutsideError):
    """The ledger cannot be read or written; one line for the person who must act."""


class DamagedError(LedgerError):
    """The file is not whole."""


def commit(db: sqlite3.Connection, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    db.execute("BEGIN IMMEDIATE")
    try:
        results = [work(db) for work in works]
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    return results


def run(db: sqlite3.Connection, statement: str, values: Sequence[Any]) -> None:
    db.execute(statement, values)


# --- rows ---


def digest_row(values: Sequence[Any]) -> str:
    """By which a row that was changed on the disk is told."""
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()


def insert_outcomes(db: sqlite3.Connection, outcomes: Iterable[Outcome]) -> None:
    """Stores them and takes their claims away. An answer takes the place of a failure, nothing that of an answer."""
    for outcome in outcomes:
        values = VALUES[type(outcome)](outcome)
        row = (*values, digest_row(values))
        if isinstance(outcome, Answer):
            insert_row(db, "answers", row)
            run(db, "DELETE FROM failures WHERE key = ?", (outcome.key,))
        elif not db.execute("SELECT 1 FROM answers WHERE key = ?", (outcome.key,)).fetchone():
            run(db, "DELETE FROM failures WHERE key = ?", (outcome.key,))
            insert_row(db, "failures", row)
        run(db, "DELETE FROM claims WHERE key = ?", (outcome.key,))


def insert_row(db: sqlite3.Connection, table: str, row: Sequence[Any]) -> None:
    columns = TABLES[table]
    marks = ", ".join("?" * len(columns))
    run(db, f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", row)


# --- files ---


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Raises LedgerError, sqlite3.Error."""
    if readonly and not path.is_file():
        raise LedgerError(f"{path}: there is no ledger")
    # Even to read a write-ahead log takes a file beside it; where none can be made, nobody writes either.
    mode = "mode=rwc" if not readonly else "mode=rw" if os.access(path.parent, os.W_OK) else "immutable=1"
    uri = f"{path.absolute().as_uri()}?{mode}"
    db = sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None, check_same_thread=False)
    if readonly:
        db.execute("PRAGMA query_only = ON")
    else:
        db.execute("PRAGMA synchronous = FULL")
    return db


def prepare(path: Path, db: sqlite3.Connection, *, readonly: bool) -> None:
    """Makes the tables of a new file, or sees that those of an old one are ours and whole."""
    if not readonly and _is_empty(db):
        db.execute("PRAGMA journal_mode = WAL")
        commit(db, [_make_tables])
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


def make_file(path: Path) -> None:
    """A new ledger at `path`, if there is none: it appears whole, for whoever else is about to make it."""
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    with closing(connect(fresh, readonly=False)) as db:
        prepare(fresh, db, readonly=False)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # another process was quicker
    except OSError:  # a file system without hard links
        if not path.exists():
            fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _make_tables(db: sqlite3.Connection) -> None:
    if _is_empty(db):  # another process may have been quicker
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
