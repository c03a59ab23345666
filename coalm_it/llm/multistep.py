"""Multistep requests: requests to a model that depend on each other, and their common result.

A multistep request is a generator that yields requests and is sent their outcomes. It is written once and run twice:
by the first pass of a build, which asks a model (online.py, batch.py), and by the second, which only reads the ledger
(`replay`). So both passes have the same result, whatever the model answered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from coalm_it.llm.ledger import Ledger, MissingAnswerError, is_settled
from coalm_it.llm.request import Outcome, Request, request_key
from coalm_it.model_settings import Settings

T = TypeVar("T")
MultistepRequest = Generator[Request, Outcome, T]

OutcomeHandler = Callable[[Request, Outcome], Request | None]
"""Receives each request with its outcome; returns the request that follows from it, if any."""


def replay(multistep: MultistepRequest[T], ledger: Ledger, settings: Settings) -> T:
    """The result of a multistep request with the answers in the ledger. Raises MissingAnswerError."""
    try:
        request = next(multistep)
        while True:
            request = multistep.send(require_outcome(request, ledger, settings))
    except StopIteration as end:
        result: T = end.value
        return result


def serve_from_ledger(
    requests: Iterable[Request], settings: Settings, ledger: Ledger, on_outcome: OutcomeHandler
) -> int:
    """Like online.ask_all, but only from the ledger; returns the number of outcomes. Raises MissingAnswerError."""
    served = 0
    for first in requests:
        request: Request | None = first
        while request is not None:
            request = on_outcome(request, require_outcome(request, ledger, settings))
            served += 1
    return served


def require_outcome(request: Request, ledger: Ledger, settings: Settings) -> Outcome:
    """The outcome of a request in the ledger. Raises MissingAnswerError."""
    outcome = ledger.find(request_key(request, settings))
    if outcome is None:
        raise MissingAnswerError(f"{request.where}: no answer in {ledger.path}")
    return outcome


def find_settled(ledger: Ledger, key: str) -> Outcome | None:
    """The outcome of a request, unless there is none or it is a failure whose request is to be sent again."""
    outcome = ledger.find(key)
    return outcome if is_settled(outcome) else None
