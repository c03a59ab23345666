"""An inquiry: what is asked about a dialogue, one request after the other, and what comes of it in the end.

It is written once, as a generator that yields requests and is sent their outcomes, and run twice: by the first pass of
a build, which asks a model (online.py), and by the second, which only reads the ledger (`replay`). So both come to the
same, whatever the model answered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from coalm_it.llm.ledger import Ledger, MissingError
from coalm_it.llm.request import ASKED_AGAIN, Failure, Outcome, Request, request_key
from coalm_it.model_settings import Settings

T = TypeVar("T")
Inquiry = Generator[Request, Outcome, T]


OnOutcome = Callable[[Request, Outcome], Request | None]
"""Is told of each outcome; returns what is to be asked next because of it, if anything."""


def replay(inquiry: Inquiry[T], ledger: Ledger, settings: Settings) -> T:
    """What comes of an inquiry by the answers in the ledger. Raises MissingError where one is not there."""
    try:
        request = next(inquiry)
        while True:
            request = inquiry.send(find_answer(request, ledger, settings))
    except StopIteration as end:
        result: T = end.value
        return result


def serve_all(requests: Iterable[Request], settings: Settings, ledger: Ledger, on_outcome: OnOutcome) -> int:
    """Like online.ask_all, but from the ledger alone; returns how many outcomes were served. Raises MissingError."""
    served = 0
    for first in requests:
        request: Request | None = first
        while request is not None:
            request = on_outcome(request, find_answer(request, ledger, settings))
            served += 1
    return served


def find_answer(request: Request, ledger: Ledger, settings: Settings) -> Outcome:
    """What the ledger has of a request. Raises MissingError."""
    outcome = ledger.find(request_key(request, settings))
    if outcome is None:
        raise MissingError(f"{request.where}: there is no answer for it in {ledger.path}")
    return outcome


def find_settled(ledger: Ledger, key: str) -> Outcome | None:
    """The outcome of a request that is not to be asked again."""
    outcome = ledger.find(key)
    return None if isinstance(outcome, Failure) and outcome.reason in ASKED_AGAIN else outcome
