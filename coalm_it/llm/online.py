"""Asks a model many requests concurrently, each of them once: a stream of requests in, outcomes into the ledger.

    ask_all(requests, settings, ledger, on_outcome, budget=make_budget(settings))

A fixed number of workers takes requests from the stream as they become free, so memory does not grow with its length.
Requests whose outcome is in the ledger are not sent. An outcome is on disk before anyone receives it.
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
from coalm_it.llm.multistep import OutcomeHandler, find_settled
from coalm_it.llm.request import Outcome, Request, request_key
from coalm_it.llm.retry import FIRST_PAUSE, Retrier, RunStats
from coalm_it.model_settings import Settings

Say = Callable[[str], None]
ProgressHandler = Callable[[RunStats], None]

CHUNK = 32
"""Requests that are taken from the stream, and claimed, together."""
HEARTBEAT_SECONDS, REPORT_SECONDS, POLL_SECONDS = 5.0, 0.5, 0.1
"""Intervals between heartbeats, between reports, and between checks of a request that another process is asking."""


def ask_all(
    requests: Iterable[Request],
    settings: Settings,
    ledger: Ledger,
    on_outcome: OutcomeHandler,
    *,
    budget: Budget | None = None,
    first_pause: float = FIRST_PAUSE,
    say: Say = print,
    on_progress: ProgressHandler = lambda stats: None,
) -> RunStats:
    """Sends all requests, and those that `on_outcome` returns; returns once every one has an outcome.

    `requests` is consumed as needed. `budget` is make_budget(settings), or one that several calls share; None: no
    limit. `first_pause` is the pause before a second attempt, seconds. `on_progress` is called every half second.
    Also works inside a running event loop, as in a notebook.
    Raises EndpointError, BudgetError, LedgerError, and whatever `requests` and `on_outcome` raise; before that it waits
    for the requests in flight and stores their outcomes. Ctrl-C does not wait.
    """
    budget = budget or Budget()
    return run_coroutine(_ask_all(iter(requests), settings, ledger, on_outcome, budget, first_pause, say, on_progress))


def run_coroutine(coroutine: Coroutine[Any, Any, RunStats]) -> RunStats:
    """Runs it to completion, in another thread if an event loop is running in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine)
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
    on_outcome: OutcomeHandler,
    budget: Budget,
    first_pause: float,
    say: Say,
    on_progress: ProgressHandler,
) -> RunStats:
    async with open_endpoint(settings, say) as endpoint:
        retrier = Retrier(settings, endpoint, budget, first_pause)
        run = _Run(requests, ledger, retrier, on_outcome)
        await asyncio.wrap_future(ledger.send_heartbeat())
        ledger.set_space_aside(settings.max_in_flight)
        workers = [asyncio.create_task(run.work()) for _ in range(settings.max_in_flight)]
        helpers = [asyncio.create_task(send_heartbeats(ledger)), asyncio.create_task(_report(retrier, on_progress))]
        try:
            await asyncio.gather(*workers)
        finally:
            for task in (*workers, *helpers):
                task.cancel()
            await asyncio.gather(*workers, *helpers, return_exceptions=True)
            run.close()
    on_progress(retrier.update_stats())
    if retrier.error is not None:
        raise retrier.error
    return retrier.stats


async def send_heartbeats(ledger: Ledger) -> None:
    """Keeps the claims of this process valid until it is cancelled."""
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        await asyncio.wrap_future(ledger.send_heartbeat())


async def _report(retrier: Retrier, on_progress: ProgressHandler) -> None:
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        on_progress(retrier.update_stats())


class _Pending(NamedTuple):
    """A request without an outcome."""

    request: Request
    key: str
    claimed: bool = False
    """Whether this process has claimed it."""


class _Run:
    """The shared state of the workers of one run."""

    def __init__(
        self, requests: Iterator[Request], ledger: Ledger, retrier: Retrier, on_outcome: OutcomeHandler
    ) -> None:
        self.requests, self.ledger, self.retrier, self.on_outcome = requests, ledger, retrier, on_outcome
        self.ready: deque[_Pending] = deque()
        self.taking = asyncio.Lock()
        self.unstored: list[tuple[Outcome, asyncio.Future[None]]] = []
        self.storing: asyncio.Task[None] | None = None
        self.kept: list[Outcome] = []
        """Outcomes that could not be stored; tried once more at the end."""

    async def work(self) -> None:
        """Sends requests until there are no more, or the run stops."""
        try:
            while (pending := await self._take()) is not None:
                while pending is not None:
                    outcome = await self._obtain(pending)
                    if outcome is None:
                        return
                    pending = self._serve(self.on_outcome(pending.request, outcome))
        except Exception as error:
            self.retrier.stop(error)

    async def _take(self) -> _Pending | None:
        """The next request to send."""
        async with self.taking:
            while not self.ready and not self.retrier.stopped:
                chunk = list(islice(self.requests, CHUNK))
                if not chunk:
                    return None
                served = [self._serve(request) for request in chunk]
                await self._claim([pending for pending in served if pending is not None])
            return None if self.retrier.stopped else self.ready.popleft()

    def _serve(self, request: Request | None) -> _Pending | None:
        """Serves a request, and those that follow from it, from the ledger; returns the first one that is missing."""
        while request is not None:
            key = request_key(request, self.retrier.settings)
            outcome = find_settled(self.ledger, key)
            if outcome is None:
                return _Pending(request, key)
            self.retrier.stats.stored += 1
            request = self.on_outcome(request, outcome)
        return None

    async def _claim(self, chunk: list[_Pending]) -> None:
        claimed = await asyncio.wrap_future(self.ledger.claim([pending.key for pending in chunk]))
        for pending in chunk:
            self.ready.append(pending._replace(claimed=pending.key in claimed))
            claimed.discard(pending.key)  # a duplicate waits for the first

    async def _obtain(self, pending: _Pending) -> Outcome | None:
        """The outcome, once it is on disk; None if the run stops."""
        key, claimed = pending.key, pending.claimed
        while not claimed:
            claimed = key in await asyncio.wrap_future(self.ledger.claim([key]))
            stored = None if claimed else find_settled(self.ledger, key)
            if stored is not None:
                self.retrier.stats.stored += 1
                return stored
            if not claimed:
                await self.retrier.pause(POLL_SECONDS)
            if self.retrier.stopped:
                return None
        outcome = await self.retrier.obtain(pending.request, key)
        if outcome is not None:
            await self._store(outcome)
        return outcome

    async def _store(self, outcome: Outcome) -> None:
        """Returns when it is on disk, together with the others that arrived in the same iteration of the loop.

        There is no need to wait for more: outcomes that arrive while the ledger is writing share its next commit.
        """
        done = asyncio.get_running_loop().create_future()
        self.unstored.append((outcome, done))
        if self.storing is None:
            self.storing = asyncio.create_task(self._store_together())
        await done

    async def _store_together(self) -> None:
        await asyncio.sleep(0)
        batch, self.unstored, self.storing = self.unstored, [], None
        try:
            await asyncio.wrap_future(self.ledger.store([outcome for outcome, _ in batch]))
        except Exception as error:
            self.kept += [outcome for outcome, _ in batch]
            for _, done in batch:
                done.set_exception(error)
        else:
            if self.ledger.full is not None:
                self.retrier.stop(self.ledger.full)  # what is left of the space is for the requests in flight
            for _, done in batch:
                done.set_result(None)

    def close(self) -> None:
        """Stores outcomes that no worker waits for any more or that could not be stored; releases the claims."""
        self.ledger.store([*self.kept, *(outcome for outcome, _ in self.unstored)])
        self.ledger.release_claims()
