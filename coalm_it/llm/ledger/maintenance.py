"""Maintenance of ledgers: merge several, export the answers of a build, list the contents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from coalm_it.errors import RequestError
from coalm_it.llm.ledger import Ledger, open_ledger
from coalm_it.llm.ledger.database import DamagedError, LedgerError
from coalm_it.llm.ledger.export_format import is_answers_file, read_answers, write_answers
from coalm_it.llm.ledger.salvage import read_damaged
from coalm_it.llm.request import Failure, Outcome

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
            added[str(path)] = 0
            outcomes = read_outcomes(path, say)
            while chunk := list(islice(outcomes, CHUNK)):
                added[str(path)] += ledger.store(chunk).result()
    return added


def read_outcomes(path: Path, say: Say = print) -> Iterator[Outcome]:
    """All outcomes of a ledger or a file of answers; of a damaged one, those that are intact. Raises LedgerError."""
    if is_answers_file(path):
        try:
            yield from read_answers(path, say)
        except (ValueError, OSError) as error:
            raise LedgerError(str(error)) from None
        return
    try:
        with open_ledger(path, readonly=True) as ledger:
            ledger.require_intact()
            yield from ledger.read_all()
    except DamagedError:
        keys = set()
        for outcome in read_damaged(path):
            yield outcome
            keys.add(outcome.key)
        say(f"{path}: the ledger is damaged; {len(keys):,} intact answers were recovered")


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
    groups: dict[tuple[bool, str, str], list[Outcome]] = {}
    for outcome in ledger.read_all():
        result = outcome.reason if isinstance(outcome, Failure) else "answered"
        groups.setdefault((result != "answered", outcome.model, result), []).append(outcome)
    return [
        {
            "model": model,
            "outcome": result,
            "requests": len(outcomes),
            "prompt_tokens": sum(outcome.prompt_tokens or 0 for outcome in outcomes),
            "completion_tokens": sum(outcome.completion_tokens or 0 for outcome in outcomes),
            "first": min(outcome.at for outcome in outcomes),
            "last": max(outcome.at for outcome in outcomes),
        }
        for (_, model, result), outcomes in sorted(groups.items())
    ]


def list_failures(ledger: Ledger) -> list[dict[str, object]]:
    """Every failure: key, model, reason, detail, and the unusable text that was received."""
    names = ("key", "model", "reason", "detail", "text")
    failures = [outcome for outcome in ledger.read_all() if isinstance(outcome, Failure)]
    failures.sort(key=lambda failure: (failure.model, failure.reason, failure.key))
    return [{name: getattr(failure, name) for name in names} for failure in failures]
