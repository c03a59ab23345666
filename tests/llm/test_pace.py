"""Limits of concurrency and rate, against servers of limited capacity."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from coalm_it.llm.pace import ConcurrencyLimiter, RateLimiter


@dataclass
class Busy:
    """A server that accepts `allow` concurrent requests, and works on `slots` of them at a time."""

    allow: int
    slots: int = 1000
    seconds: float = 0.004
    inside: int = 0
    refused: int = 0
    answered: int = 0

    async def ask(self) -> bool:
        if self.inside >= self.allow:
            self.refused += 1
            return False
        self.inside += 1
        await asyncio.sleep(self.seconds * max(1, self.inside / self.slots))
        self.inside -= 1
        self.answered += 1
        return True


async def ask_many(server: Busy, limiter: ConcurrencyLimiter, workers: int, count: int) -> None:
    left = count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            ticket = await limiter.acquire()
            began = asyncio.get_running_loop().time()
            if await server.ask():
                limiter.record_answer(ticket, asyncio.get_running_loop().time() - began)
            else:
                limiter.record_refusal(ticket, 0.01)

    await asyncio.gather(*(work() for _ in range(workers)))


@pytest.mark.parametrize("allow", [1, 3, 16])
def test_it_finds_the_capacity_of_the_server(allow: int) -> None:
    server, limiter = Busy(allow), ConcurrencyLimiter(64)
    asyncio.run(ask_many(server, limiter, 64, 600))
    assert limiter.limit <= allow + 2
    assert server.refused < 100
    assert server.answered + server.refused == 600


def test_a_server_with_enough_capacity_is_used_fully() -> None:
    limiter = ConcurrencyLimiter(32)
    asyncio.run(ask_many(Busy(32), limiter, 32, 500))
    assert limiter.limit == 32


def test_it_recovers_soon_after_the_server_does() -> None:
    server, limiter = Busy(4), ConcurrencyLimiter(64)

    async def run() -> None:
        await ask_many(server, limiter, 64, 400)
        assert limiter.limit <= 6
        server.allow = 64
        await ask_many(server, limiter, 64, 1000)

    asyncio.run(run())
    assert limiter.limit > 40


def test_a_slower_server_gets_fewer_requests_for_a_while_and_never_very_few() -> None:
    limiter = ConcurrencyLimiter(40)

    async def run() -> list[float]:
        limits = []
        for seconds in [0.1] * 80 + [1.0] * 3000:
            limiter.record_answer(await limiter.acquire(), seconds)
            limits.append(limiter.limit)
        return limits

    limits = asyncio.run(run())
    assert limits[79] == 40
    assert min(limits) == 10
    assert limits[-1] == 40  # it may be the answers that are longer now


def test_timeouts_of_requests_in_flight_together_count_once() -> None:
    limiter = ConcurrencyLimiter(20)

    async def run() -> None:
        tickets = [await limiter.acquire() for _ in range(20)]
        for ticket in tickets:
            limiter.record_timeout(ticket)

    asyncio.run(run())
    assert limiter.limit == 18
    assert limiter.in_flight == 0


def test_a_rate_limiter_spreads_units_evenly() -> None:
    async def run() -> list[float]:
        rate = RateLimiter(60)
        delays = [rate.acquire(1) for _ in range(3)]
        rate.refund(2)
        return [*delays, rate.acquire(1)]

    assert asyncio.run(run()) == pytest.approx([0, 1, 2, 1], abs=0.05)


def test_a_rate_limiter_without_a_limit_never_waits() -> None:
    async def run() -> float:
        rate = RateLimiter(None)
        return max(rate.acquire(1_000_000) for _ in range(100))

    assert asyncio.run(run()) == 0
