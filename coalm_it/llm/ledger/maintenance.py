"""What one does with ledgers beside asking: put them together, hand on what a build used, look inside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from coalm_it.errors import RequestError
from coalm_it.llm.ledger import Ledger, open_ledger
from coalm_it.llm.ledger.database import COLUMNS, TABLES, DamagedError, LedgerError, digest_row
from coalm_it.llm.ledger.export_format import is_answers_file, read_answers, write_lines
from coalm_it.llm.ledger.salvage import read_damaged
from coalm_it.llm.request import Answer, Failure, Outcome

Say = Callable[[str], None]
A_COMMIT = 1_000
"""Outcomes that are stored at once."""


class FileError(RequestError):
    """The file is not one to write answers into; one line for the person who must act."""


def merge_ledgers(into: Path | None, sources: Iterable[Path], say: Say = print) -> dict[str, int]:
    """Stores in `into` (by default the user's ledger) what the others have and it has not.

    `sources` are ledgers, whole or damaged, and files of answers. Where two have an answer to the same request, the one
    that `into` had, or came first, stays. Returns how many answers and failures each source brought that were new.
    Raises LedgerError, before anything is stored where a source is not there.
    """
    sources, brought = list(sources), {}
    for path in sources:
        if not path.is_file():
            raise LedgerError(f"{path}: there is no ledger")
    with open_ledger(into, say=say) as ledger:
        for path in sources:
            before = _count(ledger)
            outcomes = read_outcomes(path, say)
            while some := list(islice(outcomes, A_COMMIT)):
                ledger.store(some).result()
            brought[str(path)] = _count(ledger) - before
    return brought


def _count(ledger: Ledger) -> int:
    count: int = ledger.query("SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM failures)")[0][0]
    return count


def read_outcomes(path: Path, say: Say = print) -> Iterator[Outcome]:
    """Everything in a ledger or a file of answers; of one that is damaged, what is whole. Raises LedgerError."""
    if is_answers_file(path):
        try:
            yield from read_answers(path, say)
        except (ValueError, OSError) as error:
            raise LedgerError(str(error)) from None
        return
    found = 0
    try:
        with open_ledger(path, readonly=True) as ledger:
            for outcome in ledger.read_all():
                yield outcome
                found += 1
    except DamagedError:
        found = 0
        for table, row in read_damaged(path, TABLES, digest_row):
            kind = Answer if table == "answers" else Failure
            yield kind(*row[: len(COLUMNS[kind])])
            found += 1
        say(f"{path}: the ledger is damaged; {found:,} answers in it are whole")


def export_answers(ledger: Ledger, keys: Iterable[str], path: Path) -> int:
    """Writes the outcomes of these requests to a file of answers, to be published beside what was built with them.

    Returns how many. Raises LedgerError: a key that the ledger does not know, a file that cannot be written; FileError:
    a file with something else in it.
    """
    if path.exists() and not _holds_answers(path):
        raise FileError(f"{path} holds something else: name a new file, or an earlier file of answers")
    wanted = sorted(set(keys))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lines(part, (_insist(ledger, key) for key in wanted))
        part.replace(path)
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return len(wanted)


def _holds_answers(path: Path) -> bool:
    try:
        next(read_answers(path, say=lambda line: None), None)
    except (ValueError, OSError):
        return False
    return True


def _insist(ledger: Ledger, key: str) -> Outcome:
    outcome = ledger.find(key)
    if outcome is None:
        raise LedgerError(f"{ledger.path}: no answer to request {key}, which the build used")
    return outcome


def describe_ledger(ledger: Ledger) -> list[dict[str, object]]:
    """A row for each model and each way in which its requests ended: how many, tokens, first and last time."""
    sums = "count(*), sum(prompt_tokens), sum(completion_tokens), min(at), max(at)"
    rows = ledger.query(f"SELECT model, 'answered', {sums} FROM answers GROUP BY model ORDER BY model")
    rows += ledger.query(f"SELECT model, reason, {sums} FROM failures GROUP BY model, reason ORDER BY model, reason")
    names = ("model", "outcome", "requests", "prompt_tokens", "completion_tokens", "first", "last")
    return [dict(zip(names, (value if value is not None else 0 for value in row), strict=True)) for row in rows]


def list_failures(ledger: Ledger) -> list[dict[str, object]]:
    """Every request that has no answer: its key, model, why there is none, and what came all the same."""
    names = ("key", "model", "reason", "detail", "text")
    rows = ledger.query(f"SELECT {', '.join(names)} FROM failures ORDER BY model, reason, key")
    return [dict(zip(names, row, strict=True)) for row in rows]
