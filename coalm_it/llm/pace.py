"""How many requests may be under way, learnt from what the server does; and how many may start in a minute.

It starts with as many as the recipe allows. A refusal (429, or a server that says it is overloaded) takes the limit to
nine tenths of what the server was working on at that moment. From there it comes back by one, two, four ... a round (a
round: as many answers as the limit), up to where it was refused; there it stays a few clean rounds before it tries one
more, and each time that this is refused it stays twice as long. An answer time three times the best takes the limit
down too, by a tenth a round, though never below a quarter: slowness may also come from longer answers. So does an
answer that does not come in time.
"""

from __future__ import annotations

import asyncio
from collections import deque

DOWN = 0.9
SLOW = 3.0
SLOW_FLOOR = 0.25
FORGET = 1.02
"""By how much the best answer time is raised a round, so that one lucky round does not count for ever."""
MOST_PATIENCE = 16
RAMP = 0.001
"""Seconds between the first requests: a server that refuses some says so before all are sent."""


class Pace:
    """`ticket = await pace.enter()`, and once for each ticket: `answered`, `refused`, `timed_out` or `left`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.in_flight = 0
        self._started = 0
        self._tickets = 0
        self._cut_at = 0
        """Refusals of tickets up to this one belong to a cut that was made already."""
        self._ceiling = float(most)
        self._step = 1.0
        self._patience = 1
        self._clean_rounds = 0
        self._seconds: list[float] = []
        self._best: float | None = None
        self._closed_until = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Waits until one more may be sent."""
        now = asyncio.get_running_loop().time
        if self._started < self.most:
            self._started += 1
            await asyncio.sleep(RAMP * (self._started - 1))
        while True:
            if self.in_flight >= int(self.limit):
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.append(waiter)
                await waiter
            elif self._closed_until > now():
                await asyncio.sleep(self._closed_until - now())
            else:
                break
        self.in_flight += 1
        self._tickets += 1
        return self._tickets

    def left(self) -> None:
        """It is over, and says nothing about the server."""
        self.in_flight -= 1
        free = int(self.limit) - self.in_flight
        while self._waiting and free > 0:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1

    def answered(self, ticket: int, seconds: float) -> None:
        if ticket > self._cut_at:
            self._seconds.append(seconds)
            if len(self._seconds) >= int(self.limit):
                self._end_round()
        self.left()

    def timed_out(self, ticket: int) -> None:
        """No answer came; that says less of the server than a refusal."""
        if ticket > self._cut_at:
            self._cut_at = self._tickets
            self.limit = max(1.0, DOWN * self.limit)
            self._step = 1.0
            self._seconds.clear()
        self.left()

    def refused(self, ticket: int, wait: float) -> None:
        """The server would not take it, and wants `wait` seconds' peace."""
        others = max(1.0, self.in_flight - 1.0)
        if ticket > self._cut_at:
            probed = self.limit > self._ceiling - 1
            self._patience = min(2 * self._patience, MOST_PATIENCE) if probed else 1
            self._cut_at = self._tickets
            self._ceiling = others
            self.limit = max(1.0, DOWN * others)
            self._step, self._clean_rounds = 1.0, 0
            self._seconds.clear()
        else:
            # More of the same burst: what is left of it is what the server took.
            self._ceiling = min(self._ceiling, others)
            self.limit = min(self.limit, others)
        if self.in_flight == 1:
            self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + wait)
        self.left()

    def _end_round(self) -> None:
        """As many answers as the limit came, and no refusal."""
        median = sorted(self._seconds)[len(self._seconds) // 2]
        self._seconds.clear()
        self._best = median if self._best is None else min(self._best * FORGET, median)
        if median > SLOW * self._best:
            self.limit = min(self.limit, max(1.0, SLOW_FLOOR * self.most, DOWN * self.limit))
            self._step = 1.0
        elif self.limit < self._ceiling:
            self.limit = min(self._ceiling, self.limit + self._step)
            self._step *= 2
        elif self._clean_rounds < self._patience:
            self._clean_rounds += 1
            self._step = 1.0
        else:
            self.limit = self._ceiling = min(self.most, self.limit + self._step)
            self._step *= 2


class Meter:
    """Spaces things out so that no more than `a_minute` of them happen in a minute."""

    def __init__(self, a_minute: float | None) -> None:
        self._seconds_each = 60 / a_minute if a_minute else 0.0
        self._free_at = 0.0

    def take(self, amount: float) -> float:
        """Takes its share, and returns how many seconds from now it begins."""
        now = asyncio.get_running_loop().time()
        begins = max(now, self._free_at)
        self._free_at = begins + amount * self._seconds_each
        return begins - now

    def give_back(self, amount: float) -> None:
        """Less was used than taken."""
        self._free_at -= amount * self._seconds_each
