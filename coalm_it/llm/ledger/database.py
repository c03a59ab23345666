"""The ledger's SQLite file: its tables, opening and rebuilding it, error messages."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from coalm_it.errors import OutsideError
from coalm_it.llm.ledger.rows import TABLES, insert_outcomes
from coalm_it.llm.ledger.salvage import has_valid_header, holds_outcomes, is_database, move_aside, read_damaged

VERSION = 1
APPLICATION_ID = 0x0C0A1317
"""Distinguishes ledgers from other SQLite files."""

READ_SCHEMA = "SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
CREATE_TABLES = (
    *(
        f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, {', '.join(columns[1:])})"
        for table, columns in TABLES.items()
    ),
    "CREATE TABLE owners (owner TEXT PRIMARY KEY, host TEXT, pid INTEGER, seen REAL)",
    "CREATE TABLE claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE batches (batch TEXT PRIMARY KEY, server TEXT, prompt_tokens INTEGER, completion_tokens INTEGER)",
    "CREATE TABLE batched (key TEXT PRIMARY KEY, batch TEXT, tries INTEGER NOT NULL) WITHOUT ROWID",
)
SCHEMA = (*CREATE_TABLES, f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {VERSION}")

DAMAGED_STATE = {
    "owners": "typeof(pid) <> 'integer' OR typeof(seen) <> 'real'",
    "batches": "typeof(batch) <> 'text' OR batch GLOB '*[^!-~]*' OR typeof(server) <> 'text' "
    "OR typeof(prompt_tokens) <> 'integer' OR typeof(completion_tokens) <> 'integer'",
    "batched": "typeof(batch) NOT IN ('text', 'null') OR batch GLOB '*[^!-~]*' OR typeof(tries) <> 'integer'",
}
"""Table -> which of its rows cannot be used. These tables only say what is being asked: such a row is deleted."""


class LedgerError(OutsideError):
    """The ledger cannot be read or written; one line for the user."""


class DamagedError(LedgerError):
    """The file is damaged."""


class FullError(LedgerError):
    """There is no space for further rows."""


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


# --- files ---


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """A connection to the file at `path`. Raises LedgerError, sqlite3.Error."""
    if readonly and not path.is_file():
        raise LedgerError(f"{path}: there is no ledger")
    # Reading a write-ahead log creates a file beside it; in a folder that is not writable, nobody else writes either.
    mode = "mode=rwc" if not readonly else "mode=rw" if os.access(path.parent, os.W_OK) else "immutable=1"
    uri = f"{path.absolute().as_uri()}?{mode}"
    db = sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None, check_same_thread=False)
    db.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")  # a damaged text is no error
    if readonly:
        db.execute("PRAGMA query_only = ON")
    else:
        db.execute("PRAGMA synchronous = FULL")
    return db


def prepare(path: Path, db: sqlite3.Connection, *, readonly: bool) -> None:
    """Creates the tables of a new file, or checks that an existing file is an intact ledger of this version."""
    if not readonly and _is_new(db):
        db.execute("PRAGMA journal_mode = WAL")
        run_transaction(db, [_create_tables])
    application, version = _read_pragma(db, "application_id"), _read_pragma(db, "user_version")
    if not (application == APPLICATION_ID and 0 < version < 100) and holds_outcomes(path):
        raise _damaged(path, "its header")
    if application != APPLICATION_ID:
        raise LedgerError(f"{path}: not a ledger of coalm-it but another database; choose another file with --ledger")
    if version != VERSION:
        raise LedgerError(
            f"{path}: ledger version {version}, but this coalm-it reads version {VERSION}: "
            "use the coalm-it that wrote it, or choose another file with --ledger"
        )
    if tuple(statement for (statement,) in db.execute(READ_SCHEMA)) != CREATE_TABLES:
        raise _damaged(path, "its list of tables")
    if not readonly:
        db.execute("PRAGMA journal_mode = WAL")
        require_intact(path, db)
        for table, condition in DAMAGED_STATE.items():
            db.execute(f"DELETE FROM {table} WHERE {condition}")


def require_intact(path: Path, db: sqlite3.Connection) -> None:
    """Raises DamagedError if SQLite finds any damage; reads the whole file, two seconds for a million answers."""
    verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _damaged(path, " ".join(str(verdict).split()))


def open_database(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """A connection to the ledger at `path`; unless `readonly`, it is created if there is none. Raises LedgerError."""
    try:
        return _open_database(path, readonly=readonly)
    except UnicodeDecodeError:  # Python cannot read the message of SQLite's error: it quotes the damaged text
        raise _damaged(path, "its list of tables") from None


def _open_database(path: Path, *, readonly: bool) -> sqlite3.Connection:
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
        (count,) = run_transaction(db, [lambda db: insert_outcomes(db, read_damaged(path))])
        db.execute("PRAGMA journal_mode = DELETE")
        db.close()
    aside = move_aside(path)
    fresh.replace(path)
    say(f"{path}: the ledger was damaged; {count:,} intact answers were recovered; the damaged file is {aside.name}")


def _is_new(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever written to the file; of a damaged ledger, the list of tables alone may be empty."""
    return not _read_pragma(db, "application_id") and db.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _create_tables(db: sqlite3.Connection) -> None:
    if _is_new(db):  # another process may have been faster
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
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_READONLY if has_valid_header(path):
            return LedgerError(f"{path}: the ledger cannot be written; choose another file with --ledger")
        case sqlite3.SQLITE_CANTOPEN:
            return LedgerError(f"{path}: the ledger cannot be opened; is its folder writable?")
        case sqlite3.SQLITE_FULL:
            return FullError(f"{path}: the ledger cannot grow: {error}; free some space and run again")
        case sqlite3.SQLITE_CORRUPT if is_database(path):
            return _damaged(path, str(error))
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_READONLY if holds_outcomes(path):
            return _damaged(path, str(error))
        case sqlite3.SQLITE_NOTADB if is_database(path):
            return _damaged(path, str(error))
        case sqlite3.SQLITE_NOTADB:
            return LedgerError(f"{path}: not a ledger: not an SQLite file; choose another file with --ledger")
        case sqlite3.SQLITE_ERROR if not has_valid_header(path) and holds_outcomes(path):
            return _damaged(path, str(error))
    return LedgerError(f"{path}: error of the ledger: {error}")


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"{path}: the ledger is damaged ({why}); `coalm-it ledger merge` recovers the intact answers")
