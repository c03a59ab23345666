"""How many requests are under way, against servers that take only so many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from coalm_it.llm.pace import Meter, Pace


@dataclass
class Busy:
    """A server that takes `allow` requests at a time, and works on `slots` of them at a time."""

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


async def ask_many(server: Busy, pace: Pace, workers: int, count: int) -> None:
    left = count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            ticket = await pace.enter()
            began = asyncio.get_running_loop().time()
            if await server.ask():
                pace.answered(ticket, asyncio.get_running_loop().time() - began)
            else:
                pace.refused(ticket, 0.01)

    await asyncio.gather(*(work() for _ in range(workers)))


@pytest.mark.parametrize("allow", [1, 3, 16])
def test_it_finds_what_the_server_takes(allow: int) -> None:
    server, pace = Busy(allow), Pace(64)
    asyncio.run(ask_many(server, pace, 64, 600))
    assert pace.limit <= allow + 2
    assert server.refused < 100
    assert server.answered + server.refused == 600


def test_a_server_that_takes_all_gets_all() -> None:
    pace = Pace(32)
    asyncio.run(ask_many(Busy(32), pace, 32, 500))
    assert pace.limit == 32


def test_it_comes_back_soon_after_the_server_does() -> None:
    server, pace = Busy(4), Pace(64)

    async def run() -> None:
        await ask_many(server, pace, 64, 400)
        assert pace.limit <= 6
        server.allow = 64
        await ask_many(server, pace, 64, 1000)

    asyncio.run(run())
    assert pace.limit > 40


def test_a_server_that_gets_slower_is_asked_less_for_a_while_and_never_much_less() -> None:
    pace = Pace(40)

    async def run() -> list[float]:
        limits = []
        for seconds in [0.1] * 80 + [1.0] * 3000:
            pace.answered(await pace.enter(), seconds)
            limits.append(pace.limit)
        return limits

    limits = asyncio.run(run())
    assert limits[79] == 40
    assert min(limits) == 10
    assert limits[-1] == 40  # it may be the answers that are longer now


def test_an_answer_that_does_not_come_counts_once_for_all_that_were_under_way() -> None:
    pace = Pace(20)

    async def run() -> None:
        tickets = [await pace.enter() for _ in range(20)]
        for ticket in tickets:
            pace.timed_out(ticket)

    asyncio.run(run())
    assert pace.limit == 18
    assert pace.in_flight == 0


def test_a_meter_spaces_things_out() -> None:
    async def run() -> list[float]:
        meter = Meter(60)
        delays = [meter.take(1) for _ in range(3)]
        meter.give_back(2)
        return [*delays, meter.take(1)]

    assert asyncio.run(run()) == pytest.approx([0, 1, 2, 1], abs=0.05)


def test_a_meter_without_a_limit_never_waits() -> None:
    async def run() -> float:
        meter = Meter(None)
        return max(meter.take(1_000_000) for _ in range(100))

    assert asyncio.run(run()) == 0
