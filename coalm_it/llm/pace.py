"""How many requests may be in flight, learnt from the server's behaviour, and how many may be sent per minute.

The concurrency limit starts at the maximum in the settings. A refusal (429, or another sign of overload) reduces it to
nine tenths of the requests that the server was working on at that moment. From there it rises by one, two, four ... per
round (a round is as many answers as the limit) up to the ceiling, the level of the last refusal; there it stays for a
few rounds without refusals before it tries one more, and twice as long each time this is refused. A median latency of
three times the best reduces the limit by a tenth per round, but never below a quarter of the maximum, since longer
answers are slower too. A timeout also reduces it by a tenth.
"""

from __future__ import annotations

import asyncio
from collections import deque

DECREASE = 0.9
SLOW_FACTOR = 3.0
"""Median latency over best latency from which the server counts as slow."""
SLOW_FLOOR = 0.25
"""Share of the maximum below which slowness does not reduce the limit."""
BEST_LATENCY_GROWTH = 1.02
"""Factor on the best latency per round, so that one lucky round is forgotten in time."""
MAX_PATIENCE = 16
RAMP_SECONDS = 0.001
"""Seconds between the first requests, so that a server can refuse some before all are sent."""


class ConcurrencyLimiter:
    """`ticket = await limiter.acquire()`, then one `record_...(ticket)` or `release()` for each ticket."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.limit = float(maximum)
        self.in_flight = 0
        self._started = 0
        self._tickets = 0
        self._last_cut = 0
        """Refusals of tickets up to this one belong to a reduction that was made already."""
        self._ceiling = float(maximum)
        self._step = 1.0
        self._patience = 1
        self._clean_rounds = 0
        self._latencies: list[float] = []
        self._best_latency: float | None = None
        self._paused_until = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> int:
        """Waits until one more request may be sent; returns its ticket."""
        now = asyncio.get_running_loop().time
        if self._started < self.maximum:
            self._started += 1
            await asyncio.sleep(RAMP_SECONDS * (self._started - 1))
        while True:
            if self.in_flight >= int(self.limit):
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.append(waiter)
                await waiter
            elif self._paused_until > now():
                await asyncio.sleep(self._paused_until - now())
            else:
                break
        self.in_flight += 1
        self._tickets += 1
        return self._tickets

    def release(self) -> None:
        """The request is over, and tells nothing about the server's capacity."""
        self.in_flight -= 1
        free = int(self.limit) - self.in_flight
        while self._waiting and free > 0:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1

    def record_answer(self, ticket: int, seconds: float) -> None:
        """The request was answered within `seconds`."""
        if ticket > self._last_cut:
            self._latencies.append(seconds)
            if len(self._latencies) >= int(self.limit):
                self._end_round()
        self.release()

    def record_timeout(self, ticket: int) -> None:
        """The request was not answered in time: a weaker sign of overload than a refusal."""
        if ticket > self._last_cut:
            self._last_cut = self._tickets
            self.limit = max(1.0, DECREASE * self.limit)
            self._step = 1.0
            self._latencies.clear()
        self.release()

    def record_refusal(self, ticket: int, wait: float) -> None:
        """The server refused the request, and asks for a pause of `wait` seconds."""
        others = max(1.0, self.in_flight - 1.0)
        if ticket > self._last_cut:
            probed = self.limit > self._ceiling - 1
            self._patience = min(2 * self._patience, MAX_PATIENCE) if probed else 1
            self._last_cut = self._tickets
            self._ceiling = others
            self.limit = max(1.0, DECREASE * others)
            self._step, self._clean_rounds = 1.0, 0
            self._latencies.clear()
        else:
            # More refusals of the same burst: the requests that are left are those that the server accepted.
            self._ceiling = min(self._ceiling, others)
            self.limit = min(self.limit, others)
        if self.in_flight == 1:
            self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + wait)
        self.release()

    def _end_round(self) -> None:
        """Adapts the limit after as many answers as the limit, without a refusal."""
        median = sorted(self._latencies)[len(self._latencies) // 2]
        self._latencies.clear()
        best = self._best_latency
        self._best_latency = median if best is None else min(best * BEST_LATENCY_GROWTH, median)
        if median > SLOW_FACTOR * self._best_latency:
            self.limit = min(self.limit, max(1.0, SLOW_FLOOR * self.maximum, DECREASE * self.limit))
            self._step = 1.0
        elif self.limit < self._ceiling:
            self.limit = min(self._ceiling, self.limit + self._step)
            self._step *= 2
        elif self._clean_rounds < self._patience:
            self._clean_rounds += 1
            self._step = 1.0
        else:
            self.limit = self._ceiling = min(self.maximum, self.limit + self._step)
            self._step *= 2


class RateLimiter:
    """Spreads units (requests, tokens) evenly, at most `per_minute`; None: no limit."""

    def __init__(self, per_minute: float | None) -> None:
        self._seconds_per_unit = 60 / per_minute if per_minute else 0.0
        self._free_at = 0.0

    def acquire(self, amount: float) -> float:
        """Books `amount` units; returns the seconds to wait before using them."""
        now = asyncio.get_running_loop().time()
        start = max(now, self._free_at)
        self._free_at = start + amount * self._seconds_per_unit
        return start - now

    def refund(self, amount: float) -> None:
        """Returns units that were booked but not used."""
        self._free_at -= amount * self._seconds_per_unit
