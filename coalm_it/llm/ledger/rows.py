"""The rows of a ledger: outcomes as SQLite stores them, each with a digest that reveals damage.

A row that does not match its digest counts as absent everywhere: it is not served, does not stop its request from being
asked again, and is replaced when that has an outcome.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from coalm_it.llm.request import Answer, Failure, Outcome

COLUMNS = {kind: tuple(field.name for field in fields(kind)) for kind in (Answer, Failure)}
VALUES = {kind: attrgetter(*columns) for kind, columns in COLUMNS.items()}
KINDS: dict[str, type[Answer] | type[Failure]] = {"answers": Answer, "failures": Failure}
TABLES = {table: (*COLUMNS[kind], "digest") for table, kind in KINDS.items()}

FIND = (
    f"SELECT 'answers', {', '.join(TABLES['answers'])}, NULL FROM answers WHERE key = ?1 "
    f"UNION ALL SELECT 'failures', {', '.join(TABLES['failures'])} FROM failures WHERE key = ?1"
)
"""One statement for both tables, since each statement locks the file."""


def digest_row(values: Sequence[Any]) -> str:
    """A checksum that reveals a row that was changed on disk."""
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()


def read_row(table: str, row: Sequence[Any]) -> Outcome | None:
    """The outcome in a row of a table, whose last value is its digest; None if the row is damaged."""
    values = row[:-1]
    if any(isinstance(value, bytes) for value in values) or row[-1] != digest_row(values):
        return None
    return KINDS[table](*values)


def find_outcome(db: sqlite3.Connection, key: str) -> Outcome | None:
    """The outcome of a request."""
    for table, *row in db.execute(FIND, (key,)):
        outcome = read_row(table, row[: len(TABLES[table])])
        if outcome is not None:
            return outcome
    return None


def read_outcomes(db: sqlite3.Connection) -> Iterator[Outcome]:
    """Every outcome: answers, then failures, each in the order of their keys."""
    for table, columns in TABLES.items():
        for row in db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY key"):
            outcome = read_row(table, row)
            if outcome is not None:
                yield outcome


def insert_outcomes(db: sqlite3.Connection, outcomes: Iterable[Outcome]) -> int:
    """Inserts outcomes and deletes their claims; returns the number of requests that had no outcome before.

    An answer replaces a failure, a failure an earlier failure; nothing replaces an answer.
    """
    added = 0
    for outcome in outcomes:
        present = find_outcome(db, outcome.key)
        if not isinstance(present, Answer):
            for table in TABLES:
                db.execute(f"DELETE FROM {table} WHERE key = ?", (outcome.key,))
            insert_outcome(db, outcome)
        added += present is None
        db.execute("DELETE FROM claims WHERE key = ?", (outcome.key,))
    return added


def insert_outcome(db: sqlite3.Connection, outcome: Outcome) -> None:
    """Inserts the row of an outcome, unless its table has one with that key."""
    table = next(table for table, kind in KINDS.items() if isinstance(outcome, kind))
    values = VALUES[type(outcome)](outcome)
    columns = TABLES[table]
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    db.execute(statement, (*values, digest_row(values)))
