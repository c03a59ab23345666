"""Maintenance of ledgers: merge several, export the answers of a build, list the contents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from coalm_it.errors import RequestError
from coalm_it.llm.ledger import Ledger, open_ledger
from coalm_it.llm.ledger.database import COLUMNS, COUNT, TABLES, DamagedError, LedgerError, digest_row
from coalm_it.llm.ledger.export_format import is_answers_file, read_answers, write_answers
from coalm_it.llm.ledger.salvage import read_damaged
from coalm_it.llm.request import Answer, Failure, Outcome

Say = Callable[[str], None]
CHUNK = 1_000
"""Outcomes per transaction."""


class FileError(RequestError):
    """The file is not to be overwritten with answers; one line for the user."""


def merge_ledgers(into: Path | None, sources: Iterable[Path], say: Say = print) -> dict[str, int]:
    """Copies the outcomes of other ledgers to `into` (by default the user's ledger).

    `sources` are ledgers, intact or damaged, and files of answers. Of several answers to the same request, that of
    `into`, or else the first, is kept. Returns the number of new answers and failures of each source.
    Raises LedgerError; nothing is stored if a source does not exist.
    """
    sources, added = list(sources), {}
    for path in sources:
        if not path.is_file():
            raise LedgerError(f"{path}: there is no ledger")
    with open_ledger(into, say=say) as ledger:
        for path in sources:
            before = _count(ledger)
            outcomes = read_outcomes(path, say)
            while chunk := list(islice(outcomes, CHUNK)):
                ledger.store(chunk).result()
            added[str(path)] = _count(ledger) - before
    return added


def _count(ledger: Ledger) -> int:
    count: int = ledger.query(COUNT)[0][0]
    return count


def read_outcomes(path: Path, say: Say = print) -> Iterator[Outcome]:
    """All outcomes of a ledger or a file of answers; of a damaged one, those that are intact. Raises LedgerError."""
    if is_answers_file(path):
        try:
            yield from read_answers(path, say)
        except (ValueError, OSError) as error:
            raise LedgerError(str(error)) from None
        return
    count = 0
    try:
        with open_ledger(path, readonly=True) as ledger:
            for outcome in ledger.read_all():
                yield outcome
                count += 1
    except DamagedError:
        count = 0
        for table, row in read_damaged(path, TABLES, digest_row):
            kind = Answer if table == "answers" else Failure
            yield kind(*row[: len(COLUMNS[kind])])
            count += 1
        say(f"{path}: the ledger is damaged; {count:,} intact answers were recovered")


def export_answers(ledger: Ledger, keys: Iterable[str], path: Path) -> int:
    """Writes the outcomes of these requests to a file of answers, to be published with the data set built from them.

    Returns their number. Raises LedgerError: a key that is not in the ledger, a file that cannot be written; FileError:
    `path` is another kind of file.
    """
    if path.exists() and not _is_valid_answers_file(path):
        raise FileError(f"{path} is not a file of answers and is not overwritten: choose another file")
    wanted = sorted(set(keys))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_answers(part, (_require_outcome(ledger, key) for key in wanted))
        part.replace(path)
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return len(wanted)


def _is_valid_answers_file(path: Path) -> bool:
    try:
        next(read_answers(path, say=lambda line: None), None)
    except (ValueError, OSError):
        return False
    return True


def _require_outcome(ledger: Ledger, key: str) -> Outcome:
    outcome = ledger.find(key)
    if outcome is None:
        raise LedgerError(f"{ledger.path}: no answer to request {key}, which the build used")
    return outcome


def describe_ledger(ledger: Ledger) -> list[dict[str, object]]:
    """A row per model and outcome (answered, or the reason of failure): requests, tokens, first and last time."""
    sums = "count(*), sum(prompt_tokens), sum(completion_tokens), min(at), max(at)"
    rows = ledger.query(f"SELECT model, 'answered', {sums} FROM answers GROUP BY model ORDER BY model")
    rows += ledger.query(f"SELECT model, reason, {sums} FROM failures GROUP BY model, reason ORDER BY model, reason")
    names = ("model", "outcome", "requests", "prompt_tokens", "completion_tokens", "first", "last")
    return [dict(zip(names, (value if value is not None else 0 for value in row), strict=True)) for row in rows]


def list_failures(ledger: Ledger) -> list[dict[str, object]]:
    """Every failure: key, model, reason, detail, and the unusable text that was received."""
    names = ("key", "model", "reason", "detail", "text")
    rows = ledger.query(f"SELECT {', '.join(names)} FROM failures ORDER BY model, reason, key")
    return [dict(zip(names, row, strict=True)) for row in rows]
