"""Asks a model many things at once, and each of them once: from a stream of requests to outcomes in the ledger.

    ask_all(requests, settings, ledger, on_outcome, budget=make_budget(settings))

A fixed number of workers takes requests from the stream as they get free, so memory does not grow with its length.
What the ledger holds is not asked. An outcome is on disk before anybody is told of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

from coalm_it.llm.budget import Budget
from coalm_it.llm.endpoint import open_endpoint
from coalm_it.llm.ledger import Ledger
from coalm_it.llm.multistep import OnOutcome, find_settled
from coalm_it.llm.request import Outcome, Request, request_key
from coalm_it.llm.retry import FIRST_PAUSE, Attempts, Tally
from coalm_it.model_settings import Settings

Say = Callable[[str], None]
Watch = Callable[[Tally], None]

CHUNK = 32
"""Requests that are taken from the stream, and claimed, at once."""
HEARTBEAT, TICK, POLL = 5.0, 0.5, 0.1
"""Seconds between signs of life, between reports, between looks at what another process is asking."""


def ask_all(
    requests: Iterable[Request],
    settings: Settings,
    ledger: Ledger,
    on_outcome: OnOutcome,
    *,
    budget: Budget | None = None,
    first_pause: float = FIRST_PAUSE,
    say: Say = print,
    watch: Watch = lambda tally: None,
) -> Tally:
    """Asks everything, and what `on_outcome` wants asked next; returns when all of it has an outcome.

    `requests` is taken as it is needed. `budget` is make_budget(settings), or one that several calls share; None: no
    ceiling. `first_pause` is that before a second attempt, in seconds. `watch` is told every half second how it goes.
    Works where an event loop runs, as in a notebook.
    Raises EndpointError, BudgetError, LedgerError, and what `requests` and `on_outcome` raise. What is
    under way is waited for and stored before. Ctrl-C waits for nothing.
    """
    budget = budget or Budget()
    return run_anywhere(_ask_all(iter(requests), settings, ledger, on_outcome, budget, first_pause, say, watch))


def run_anywhere(work: Coroutine[Any, Any, Tally]) -> Tally:
    """Runs it to its end, also where an event loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    with closing(loop), ThreadPoolExecutor(1) as thread:
        done = thread.submit(loop.run_until_complete, task)
        try:
            return done.result()
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(task.cancel)
            raise


async def _ask_all(
    requests: Iterator[Request],
    settings: Settings,
    ledger: Ledger,
    on_outcome: OnOutcome,
    budget: Budget,
    first_pause: float,
    say: Say,
    watch: Watch,
) -> Tally:
    async with open_endpoint(settings, say) as endpoint:
        attempts = Attempts(settings, endpoint, budget, first_pause)
        asker = _Asker(requests, ledger, attempts, on_outcome)
        await asyncio.wrap_future(ledger.stay_alive())
        tasks = [asyncio.create_task(asker.work()) for _ in range(settings.max_in_flight)]
        helpers = [asyncio.create_task(show_life(ledger)), asyncio.create_task(_report(attempts, watch))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in (*tasks, *helpers):
                task.cancel()
            await asyncio.gather(*tasks, *helpers, return_exceptions=True)
            asker.leave()
    watch(attempts.count())
    if attempts.error is not None:
        raise attempts.error
    return attempts.tally


async def show_life(ledger: Ledger) -> None:
    """Keeps the claims of this process valid until it is cancelled."""
    while True:
        await asyncio.sleep(HEARTBEAT)
        await asyncio.wrap_future(ledger.stay_alive())


async def _report(attempts: Attempts, watch: Watch) -> None:
    while True:
        await asyncio.sleep(TICK)
        watch(attempts.count())


class _Missing(NamedTuple):
    """A request without an outcome."""

    request: Request
    key: str
    mine: bool = False
    """Whether this process has the claim to it."""


class _Asker:
    """What the workers of one run share."""

    def __init__(self, requests: Iterator[Request], ledger: Ledger, attempts: Attempts, on_outcome: OnOutcome) -> None:
        self.requests, self.ledger, self.attempts, self.on_outcome = requests, ledger, attempts, on_outcome
        self.ready: deque[_Missing] = deque()
        self.taking = asyncio.Lock()
        self.unstored: list[tuple[Outcome, asyncio.Future[None]]] = []
        self.storing: asyncio.Task[None] | None = None

    async def work(self) -> None:
        """Takes requests until there are no more, or it is to stop."""
        try:
            while (missing := await self._take()) is not None:
                while missing is not None:
                    outcome = await self._obtain(missing)
                    if outcome is None:
                        return
                    missing = self._serve(self.on_outcome(missing.request, outcome))
        except Exception as error:
            self.attempts.stop(error)

    async def _take(self) -> _Missing | None:
        async with self.taking:
            while not self.ready and not self.attempts.stopped:
                chunk = list(islice(self.requests, CHUNK))
                if not chunk:
                    return None
                served = [self._serve(request) for request in chunk]
                await self._claim([missing for missing in served if missing is not None])
            return None if self.attempts.stopped else self.ready.popleft()

    def _serve(self, request: Request | None) -> _Missing | None:
        """Goes on with what the ledger has, as far as it goes; returns what must be asked."""
        while request is not None:
            key = request_key(request, self.attempts.settings)
            outcome = find_settled(self.ledger, key)
            if outcome is None:
                return _Missing(request, key)
            self.attempts.tally.stored += 1
            request = self.on_outcome(request, outcome)
        return None

    async def _claim(self, some: list[_Missing]) -> None:
        claimed = await asyncio.wrap_future(self.ledger.claim([missing.key for missing in some]))
        for missing in some:
            self.ready.append(missing._replace(mine=missing.key in claimed))
            claimed.discard(missing.key)  # a second one like it waits for the first

    async def _obtain(self, missing: _Missing) -> Outcome | None:
        """Its outcome, on disk; None where it is to stop."""
        key, mine = missing.key, missing.mine
        while not mine:
            mine = key in await asyncio.wrap_future(self.ledger.claim([key]))
            stored = None if mine else find_settled(self.ledger, key)
            if stored is not None:
                self.attempts.tally.stored += 1
                return stored
            if not mine:
                await self.attempts.pause(POLL)
            if self.attempts.stopped:
                return None
        outcome = await self.attempts.obtain(missing.request, key)
        if outcome is not None:
            await self._store(outcome)
        return outcome

    async def _store(self, outcome: Outcome) -> None:
        """Returns when it is on disk, together with what else came at the same moment.

        It does not wait for more to come: what comes while the ledger is writing, goes to disk together anyway.
        """
        done = asyncio.get_running_loop().create_future()
        self.unstored.append((outcome, done))
        if self.storing is None:
            self.storing = asyncio.create_task(self._store_soon())
        await done

    async def _store_soon(self) -> None:
        await asyncio.sleep(0)
        some, self.unstored, self.storing = self.unstored, [], None
        try:
            await asyncio.wrap_future(self.ledger.store([outcome for outcome, _ in some]))
        except Exception as error:
            for _, done in some:
                done.set_exception(error)
        else:
            for _, done in some:
                done.set_result(None)

    def leave(self) -> None:
        """Stores what nobody waits for any more, and gives up the claims."""
        self.ledger.store([outcome for outcome, _ in self.unstored])
        self.ledger.release_all()
