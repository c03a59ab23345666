"""The only retry layer: sends a request until it has an outcome, as fast as server, settings, and budget allow."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from coalm_it.llm.budget import Budget, BudgetError, Tokens
from coalm_it.llm.endpoint import Endpoint, EndpointError
from coalm_it.llm.pace import ConcurrencyLimiter, RateLimiter
from coalm_it.llm.request import Answer, Outcome, Reason, Request, bound_prompt
from coalm_it.llm.responses import AttemptResult, Completion, TransientError, make_outcome
from coalm_it.model_settings import Settings

MAX_ATTEMPTS = 8
"""Attempts per request. Refusals by an overloaded server do not count: they say nothing about the request."""
MAX_FIRST_ATTEMPTS = 3
"""Attempts to reach an endpoint that has not answered yet."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
"""Seconds before the next attempt: exponential backoff, reduced by up to a half at random."""
LONGEST_WAIT = 300.0
"""Longest Retry-After that is accepted, seconds."""
REFUSAL_TIMEOUT = 600.0
"""Seconds without anything but refusals after which the run stops."""
MAX_CONSECUTIVE_FAILURES = 20
"""Failed requests in a row, without an answer between them, after which the run stops."""
CHARACTERS_PER_TOKEN = 3
"""A conservative estimate, for tokens_per_minute; what was booked too much is refunded."""


@dataclass
class RunStats:
    """Counts of a run so far."""

    stored: int = 0
    """Outcomes that were in the ledger already: they cost nothing."""
    answered: int = 0
    failed: Counter[Reason] = field(default_factory=Counter)
    refused: int = 0
    """Attempts that an overloaded server refused."""
    retried: int = 0
    """Other failed attempts."""
    in_flight: int = 0
    limit: int = 0
    """Current limit of requests in flight."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = None
    """US dollars spent in this run, unknown usage at its worst case; None if the price is unknown."""

    def add(self, outcome: Outcome) -> None:
        """Counts the outcome of a request that was sent."""
        if isinstance(outcome, Answer):
            self.answered += 1
        else:
            self.failed[outcome.reason] += 1

    @property
    def done(self) -> int:
        """Requests that have an outcome."""
        return self.stored + self.answered + self.failed.total()


class Retrier:
    """Sends requests with retries: `obtain`, concurrently in one event loop; `stop` ends all of them."""

    def __init__(self, settings: Settings, endpoint: Endpoint, budget: Budget, first_pause: float) -> None:
        self.settings, self.endpoint, self.budget = settings, endpoint, budget
        self.first_pause = first_pause
        self.stats = RunStats()
        self.error: BaseException | None = None
        self._concurrency = ConcurrencyLimiter(settings.max_in_flight)
        self._request_rate = RateLimiter(settings.requests_per_minute)
        self._token_rate = RateLimiter(settings.tokens_per_minute)
        self._stopped = asyncio.Event()
        self._budget_freed = asyncio.Event()
        self._consecutive_failures = 0
        self._last_answer_at: float | None = None

    @property
    def stopped(self) -> bool:
        return self.error is not None

    def stop(self, error: BaseException) -> None:
        """No further request is sent; those in flight may finish. The first error is kept."""
        self.error = self.error or error
        self._stopped.set()
        self._signal_budget()

    async def pause(self, seconds: float) -> None:
        """Sleeps, until `stop` at the latest."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def update_stats(self) -> RunStats:
        """The statistics, with the current requests in flight, tokens and dollars."""
        stats, budget = self.stats, self.budget
        stats.in_flight, stats.limit = self._concurrency.in_flight, int(self._concurrency.limit)
        stats.prompt_tokens, stats.completion_tokens, stats.usd = *budget.spent, budget.usd
        return stats

    async def obtain(self, request: Request, key: str) -> Outcome | None:
        """The outcome of a request; None if the run stops before. Raises EndpointError, BudgetError."""
        attempts = refusals = 0
        refused_since = None
        while not self.stopped:
            result = await self._attempt(request)
            if not isinstance(result, TransientError):
                return None if result is None else self._conclude(key, result)
            if self.stopped:
                break
            if result.adapted:
                continue
            if result.refused:
                refusals += 1
                self.stats.refused += 1
                refused_since = refused_since or time.monotonic()
                self._check_refusals(result, refused_since)
            else:
                attempts += 1
                self.stats.retried += 1
                if not result.reached and self._last_answer_at is None and attempts >= MAX_FIRST_ATTEMPTS:
                    raise EndpointError(result.detail)
                if attempts >= MAX_ATTEMPTS:
                    return self._conclude(key, result)
            backoff = min(self.first_pause * 2.0 ** (max(attempts, refusals) - 1), LONGEST_PAUSE)
            await self.pause(max(backoff * random.uniform(0.5, 1), (result.wait or 0) * random.uniform(1, 1.25)))
        return None

    async def _attempt(self, request: Request) -> AttemptResult | None:
        """One attempt, once budget, rate limits and concurrency limit allow it. None if the run stops before."""
        prompt_tokens, max_tokens = bound_prompt(request), self.settings.max_tokens
        reserved = await self._reserve(prompt_tokens, max_tokens)
        if reserved is None:
            return None
        booked = prompt_tokens // CHARACTERS_PER_TOKEN + max_tokens
        await self.pause(max(self._request_rate.acquire(1), self._token_rate.acquire(booked)))
        ticket = await self._concurrency.acquire()
        started = time.monotonic()
        result: AttemptResult = TransientError("not sent", charged=False)
        try:
            if not self.stopped:
                result = TransientError("cancelled", charged=True)
                result = await self.endpoint.ask(request)
        except EndpointError:
            result = TransientError("endpoint error", charged=False)
            raise
        finally:
            self._account(result, ticket, time.monotonic() - started, reserved, booked)
        return result

    def _account(self, result: AttemptResult, ticket: int, seconds: float, reserved: Tokens, booked: int) -> None:
        """Reports the result of an attempt to concurrency limit, budget and rate limits."""
        match result:
            case Completion(prompt_tokens=prompt, completion_tokens=completion):
                self._concurrency.record_answer(ticket, seconds)
                self.budget.settle(reserved, prompt, completion)
                if prompt is not None and completion is not None:
                    self._token_rate.refund(booked - prompt - completion)
            case TransientError(refused=True):
                self._concurrency.record_refusal(ticket, result.wait or self.first_pause)
            case TransientError(timed_out=True):
                self._concurrency.record_timeout(ticket)
            case _:
                self._concurrency.release()
        if not isinstance(result, Completion):
            if result.charged:
                self.budget.settle(reserved)
            else:
                self.budget.release(reserved)
        self._signal_budget()

    async def _reserve(self, prompt_tokens: int, max_tokens: int) -> Tokens | None:
        """Waits until the worst case fits beside the requests in flight. Raises BudgetError if it never will."""
        while not self.stopped:
            reserved = self.budget.reserve(prompt_tokens, max_tokens)
            if reserved is not None:
                return reserved
            if not any(self.budget.reserved):
                raise BudgetError(self.budget.describe_exhaustion())
            await self._budget_freed.wait()
        return None

    def _signal_budget(self) -> None:
        self._budget_freed.set()
        self._budget_freed = asyncio.Event()

    def _check_refusals(self, error: TransientError, refused_since: float) -> None:
        """Raises EndpointError if waiting any longer is pointless."""
        address = self.endpoint.address
        if (error.wait or 0) > LONGEST_WAIT:
            raise EndpointError(f"{address}: the server asks to retry after {error.wait:,.0f} s ({error.detail})")
        if time.monotonic() - max(refused_since, self._last_answer_at or 0) > REFUSAL_TIMEOUT:
            minutes = REFUSAL_TIMEOUT / 60
            raise EndpointError(f"{address}: all requests of {minutes:.0f} minutes were refused ({error.detail})")

    def _conclude(self, key: str, result: AttemptResult) -> Outcome:
        """The outcome, counted. Raises EndpointError after too many failures in a row."""
        if isinstance(result, Completion):
            self._last_answer_at, self._consecutive_failures = time.monotonic(), 0
        elif isinstance(result, TransientError) or not result.filtered:
            self._consecutive_failures += 1
            if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
                raise EndpointError(
                    f"{self.endpoint.address}: {MAX_CONSECUTIVE_FAILURES} requests in a row failed, "
                    f"the last: {result.detail}"
                )
        outcome = make_outcome(key, result, self.settings.model)
        self.stats.add(outcome)
        return outcome
