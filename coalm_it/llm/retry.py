"""The one retry layer: attempts at a request until it has an outcome, as fast as server, recipe and budget allow."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from coalm_it.llm.budget import Budget, BudgetError, Tokens
from coalm_it.llm.endpoint import Endpoint, EndpointError
from coalm_it.llm.pace import Meter, Pace
from coalm_it.llm.request import Answer, Outcome, Reason, Request, bound_prompt
from coalm_it.llm.responses import Completion, Rejection, Result, Trouble, make_outcome
from coalm_it.model_settings import Settings

TRIES = 8
"""Attempts at one request. Refusals are none: they say nothing about it."""
FIRST_TRIES = 3
"""Attempts to reach an endpoint that never answered yet."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
"""Seconds before the next attempt; each further pause is twice as long, and up to a half of it is left out."""
LONGEST_WAIT = 300.0
"""Seconds that a server may ask to wait."""
PATIENCE = 600.0
"""Seconds of nothing but refusals."""
STRIKES = 20
"""Requests that come to nothing one after the other, without an answer between them."""
CHARACTERS_A_TOKEN = 3
"""A guess on the safe side, for tokens_per_minute; what was taken too much is given back."""


@dataclass
class Tally:
    """How it goes."""

    stored: int = 0
    """Outcomes that the ledger had already: they cost nothing."""
    answered: int = 0
    failed: Counter[Reason] = field(default_factory=Counter)
    refused: int = 0
    """Times that the server had too much to do."""
    retried: int = 0
    """Other attempts that came to nothing."""
    in_flight: int = 0
    limit: int = 0
    """Requests that may be in flight just now."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = None
    """Spent in this run, what nobody knows at its worst case; None where no price is known."""

    def add(self, outcome: Outcome) -> None:
        """Counts what was asked and has come to its end."""
        if isinstance(outcome, Answer):
            self.answered += 1
        else:
            self.failed[outcome.reason] += 1

    @property
    def done(self) -> int:
        return self.stored + self.answered + self.failed.total()


class Attempts:
    """`obtain` for many requests at a time, in one event loop; `stop` ends them all."""

    def __init__(self, settings: Settings, endpoint: Endpoint, budget: Budget, first_pause: float) -> None:
        self.settings, self.endpoint, self.budget = settings, endpoint, budget
        self.first_pause = first_pause
        self.tally = Tally()
        self.error: BaseException | None = None
        self._pace = Pace(settings.max_in_flight)
        self._requests, self._tokens = Meter(settings.requests_per_minute), Meter(settings.tokens_per_minute)
        self._stopped = asyncio.Event()
        self._settled = asyncio.Event()
        self._strikes = 0
        self._good_at: float | None = None
        """When the last answer came."""

    @property
    def stopped(self) -> bool:
        return self.error is not None

    def stop(self, error: BaseException) -> None:
        """Nothing more is sent; what is under way may come to its end."""
        self.error = self.error or error
        self._stopped.set()
        self._free_budget()

    async def pause(self, seconds: float) -> None:
        """Sleeps, but not when it is to stop."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def count(self) -> Tally:
        tally, budget = self.tally, self.budget
        tally.in_flight, tally.limit = self._pace.in_flight, int(self._pace.limit)
        tally.prompt_tokens, tally.completion_tokens, tally.usd = *budget.spent, budget.usd
        return tally

    async def obtain(self, request: Request, key: str) -> Outcome | None:
        """What comes of it in the end; None where it is to stop before. Raises EndpointError, BudgetError."""
        tries = refusals = 0
        refused_since = None
        while not self.stopped:
            result = await self._attempt(request)
            if not isinstance(result, Trouble):
                return None if result is None else self._conclude(key, result)
            if self.stopped:
                break
            if result.changed:
                continue
            if result.refused:
                refusals += 1
                self.tally.refused += 1
                refused_since = refused_since or time.monotonic()
                self._check_patience(result, refused_since)
            else:
                tries += 1
                self.tally.retried += 1
                if not result.reached and self._good_at is None and tries >= FIRST_TRIES:
                    raise EndpointError(result.detail)
                if tries >= TRIES:
                    return self._conclude(key, result)
            pause = min(self.first_pause * 2.0 ** (max(tries, refusals) - 1), LONGEST_PAUSE) * random.uniform(0.5, 1)
            await self.pause(max(pause, (result.wait or 0) * random.uniform(1, 1.25)))
        return None

    async def _attempt(self, request: Request) -> Result | None:
        """One, once budget, rates and server have room for it. None where it is to stop."""
        prompt, answer = bound_prompt(request), self.settings.max_tokens
        held = await self._reserve(prompt, answer)
        if held is None:
            return None
        taken = prompt // CHARACTERS_A_TOKEN + answer
        await self.pause(max(self._requests.take(1), self._tokens.take(taken)))
        ticket = await self._pace.enter()
        began = time.monotonic()
        result: Result = Trouble("not sent", charged=False)
        try:
            if not self.stopped:
                result = Trouble("cut off", charged=True)
                result = await self.endpoint.ask(request)
        except EndpointError:
            result = Trouble("turned down", charged=False)
            raise
        finally:
            self._account(result, ticket, time.monotonic() - began, held, taken)
        return result

    def _account(self, result: Result, ticket: int, seconds: float, held: Tokens, taken: int) -> None:
        """Tells pace, budget and rates how an attempt went."""
        match result:
            case Completion(prompt_tokens=prompt, completion_tokens=answer):
                self._pace.answered(ticket, seconds)
                self.budget.settle(held, prompt, answer)
                if prompt is not None and answer is not None:
                    self._tokens.give_back(taken - prompt - answer)
            case Trouble(refused=True):
                self._pace.refused(ticket, result.wait or self.first_pause)
            case Trouble(timed_out=True):
                self._pace.timed_out(ticket)
            case _:
                self._pace.left()
        if not isinstance(result, Completion):
            if result.charged:
                self.budget.settle(held)
            else:
                self.budget.release(held)
        self._free_budget()

    async def _reserve(self, prompt: int, answer: int) -> Tokens | None:
        """Waits until the worst case fits beside what is under way. Raises BudgetError where it never will."""
        while not self.stopped:
            held = self.budget.reserve(prompt, answer)
            if held is not None:
                return held
            if not any(self.budget.held):
                raise BudgetError(self.budget.explain())
            await self._settled.wait()
        return None

    def _free_budget(self) -> None:
        self._settled.set()
        self._settled = asyncio.Event()

    def _check_patience(self, trouble: Trouble, refused_since: float) -> None:
        if (trouble.wait or 0) > LONGEST_WAIT:
            raise EndpointError(
                f"{self.endpoint.address}: asks to come back in {trouble.wait:,.0f} s ({trouble.detail})"
            )
        if time.monotonic() - max(refused_since, self._good_at or 0) > PATIENCE:
            raise EndpointError(
                f"{self.endpoint.address}: has refused everything for {PATIENCE / 60:.0f} minutes ({trouble.detail})"
            )

    def _conclude(self, key: str, result: Completion | Rejection | Trouble) -> Outcome:
        """The outcome, counted. Raises EndpointError where too many came to nothing."""
        if isinstance(result, Completion):
            self._good_at, self._strikes = time.monotonic(), 0
        elif isinstance(result, Trouble) or not result.filtered:
            self._strikes += 1
            if self._strikes >= STRIKES:
                raise EndpointError(
                    f"{self.endpoint.address}: {STRIKES} requests in a row came to nothing, the last: {result.detail}"
                )
        outcome = make_outcome(key, result, self.settings.model)
        self.tally.add(outcome)
        return outcome
