"""Asks through the OpenAI Batch API: cheaper, within a day; one may stop at any moment and come back days later.

    ask_in_batches(requests, settings, ledger, on_outcome, budget=make_budget(settings))

It goes in rounds. Each collects what the endpoint has finished, and then walks all the requests anew: what the ledger
has is passed on, and what neither it nor an open batch has is ordered. It is done when a round finds nothing missing.
So there is nothing to remember but which request lies in which batch, and that the ledger remembers.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from coalm_it.llm.budget import Budget, BudgetError, Tokens
from coalm_it.llm.endpoint import Endpoint, EndpointError, open_endpoint
from coalm_it.llm.ledger import Ledger
from coalm_it.llm.multistep import OnOutcome, find_settled
from coalm_it.llm.online import CHUNK, Say, Watch, run_anywhere, show_life
from coalm_it.llm.request import API, Dialect, Failure, Outcome, Request, bound_prompt, build_body, request_key
from coalm_it.llm.responses import Completion, Result, Trouble, make_outcome, read_completion, read_error
from coalm_it.llm.retry import Tally
from coalm_it.model_settings import Settings

MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000
"""Of one file, as https://platform.openai.com/docs/guides/batch has it."""
TRIES = 3
"""Batches that a request is put into, one after the other, before it counts as failed."""
ORDERED = "ordering:"
"""Begins the name of a batch whose order was sent but, as far as the ledger knows, not answered."""
QUEUE_FULL = "token_limit_exceeded"


def ask_in_batches(
    requests: Callable[[], Iterable[Request]],
    settings: Settings,
    ledger: Ledger,
    on_outcome: OnOutcome,
    *,
    budget: Budget | None = None,
    wait: bool = True,
    every: float = 60.0,
    most_requests: int = MOST_REQUESTS,
    most_bytes: int = MOST_BYTES,
    say: Say = print,
    watch: Watch = lambda tally: None,
) -> Tally:
    """Like ask_all, but `requests` is called for each round, and `on_outcome` is told of each outcome in each round.

    Looks every so many seconds how the batches stand; with `wait` False it returns once all is ordered. What is still
    to come is `in_flight` of what is returned. Raises what ask_all raises.
    """

    async def ask() -> Tally:
        async with open_endpoint(settings, say) as endpoint:
            rounds = _Rounds(settings, ledger, endpoint, budget or Budget(), most_requests, most_bytes, say)
            await asyncio.wrap_future(ledger.stay_alive())
            life = asyncio.create_task(show_life(ledger))
            try:
                while True:
                    await rounds.collect()
                    await rounds.order(iter(requests()), on_outcome)
                    watch(rounds.tally)
                    if not rounds.tally.in_flight or not wait:
                        return rounds.tally
                    await asyncio.sleep(every)
            finally:
                life.cancel()
                ledger.release_all()

    return run_anywhere(ask())


@dataclass
class _File:
    """Requests that are to go out together."""

    path: Path
    keys: list[str] = field(default_factory=list)
    bytes: int = 0
    prompt: int = 0
    answer: int = 0


class _Rounds:
    """What the rounds of one run share."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        endpoint: Endpoint,
        budget: Budget,
        most_requests: int,
        most_bytes: int,
        say: Say,
    ) -> None:
        self.settings, self.ledger, self.endpoint, self.budget, self.say = settings, ledger, endpoint, budget, say
        self.most_requests, self.most_bytes = most_requests, most_bytes
        self.tally = Tally()
        self.held: dict[str, Tokens] = {}
        """Open batch -> what is set aside for it."""
        self.troubles: dict[str, str] = {}
        """Key -> why its last batch brought nothing."""
        self.finished: set[str] = set()
        """Keys that came to nothing in this run, for good."""
        self.queue_full = False

    # --- what is there ---

    async def collect(self) -> None:
        """Stores what the endpoint has finished."""
        rows = "SELECT batch, prompt_tokens, completion_tokens FROM batches WHERE server = ? ORDER BY rowid"
        for name, prompt, answer in self.ledger.query(rows, (self.endpoint.address,)):
            if name not in self.held:
                self.held[name] = self.budget.hold(prompt, answer)
            if name.startswith(ORDERED):
                await self._adopt(name)
            else:
                await self._look_at(name)

    async def _adopt(self, name: str) -> None:
        """A batch that was perhaps ordered: its order was sent, and then something broke off."""
        found = await self.endpoint.find_batch(name.removeprefix(ORDERED))
        if found is None:
            await self._close(name)
        else:
            await self._rename(name, found)
            await self._look_at(found)

    async def _look_at(self, name: str) -> None:
        batch = await self.endpoint.read_batch(name)
        if batch is None:
            self.say(f"{self.endpoint.address}: there is no batch {name} any more; its requests are ordered again")
            await self._close(name)
        elif batch.status == "failed":
            await self._close(name)
            errors = (batch.errors.data if batch.errors else None) or []
            said = "; ".join(f"{error.code}: {error.message}" for error in errors)
            if not self.held or QUEUE_FULL not in said:
                raise EndpointError(
                    f"{self.endpoint.address}: batch {name} was turned down: {self.endpoint.clean(said)}"
                )
            self.queue_full = True
        elif batch.status in ("completed", "expired", "cancelled"):
            await self._receive(name, [file for file in (batch.output_file_id, batch.error_file_id) if file])

    async def _receive(self, name: str, files: list[str]) -> None:
        sent, used, unknown = self.endpoint.dialect, Tokens(0, 0), False
        seen: set[str] = set()
        with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder:
            for file in files:
                path = Path(folder) / "lines"
                await self.endpoint.download(file, path)
                with path.open("rb") as lines:
                    while some := list(islice(lines, CHUNK)):
                        read = dict(self._read_line(line, sent, file) for line in some)
                        read = {key: result for key, result in read.items() if key not in seen}
                        seen |= read.keys()
                        await self._store(read)
                        for result in read.values():
                            if isinstance(result, Completion):
                                prompt, answer = result.prompt_tokens, result.completion_tokens
                                unknown |= prompt is None or answer is None
                                used = Tokens(used.prompt + (prompt or 0), used.answer + (answer or 0))
        await self._close(name, self.held[name] if unknown else used)
        self.queue_full = False

    def _read_line(self, line: bytes, sent: Dialect, file: str) -> tuple[str, Result]:
        """Key and result. Raises EndpointError, and so does a line that is none: the file can be had again."""
        try:
            order = json.loads(line)
            key, response = str(order["custom_id"]), order.get("response") or {}
            status, body = response.get("status_code", 500), response.get("body") or order.get("error")
        except (ValueError, LookupError, TypeError, AttributeError):
            raise EndpointError(f"{self.endpoint.address}: file {file} is broken; run again to download it") from None
        if status != 200:
            return key, self.endpoint.sort_error(read_error(status, body), sent)
        try:
            return key, read_completion(body, 0.0)
        except (ValueError, LookupError, TypeError, AttributeError):
            return key, Trouble("not a completion")

    async def _store(self, read: dict[str, Result]) -> None:
        """Stores answers and rejections, and remembers what else there was."""
        outcomes = []
        for key, result in read.items():
            if not isinstance(result, Trouble):
                outcome = make_outcome(key, result, self.settings.model)
                if isinstance(outcome, Failure):
                    self.finished.add(key)
                outcomes.append(outcome)
                self.tally.add(outcome)
            else:
                self.tally.retried += 1
                self.troubles[key] = result.detail
        await asyncio.wrap_future(self.ledger.store(outcomes))

    async def _close(self, name: str, used: Tokens | None = None) -> None:
        """The batch is over; those of its requests that have no outcome may be ordered again.

        `used` None: it was never worked on, and that counts as no try.
        """
        held, tried = self.held.pop(name), used is not None
        if used is None:
            self.budget.release(held)
        else:
            self.budget.settle(held, *used)

        def close(db: sqlite3.Connection) -> list[str]:
            db.execute("UPDATE batched SET batch = NULL, tries = tries + ? WHERE batch = ?", (tried, name))
            db.execute("DELETE FROM batched WHERE batch IS NULL AND key IN (SELECT key FROM answers)")
            db.execute("DELETE FROM batches WHERE batch = ?", (name,))
            return [
                key for (key,) in db.execute("SELECT key FROM batched WHERE batch IS NULL AND tries >= ?", (TRIES,))
            ]

        for key in await asyncio.wrap_future(self.ledger.write(close)):
            if self._find(key) is None:
                detail = f"{self.troubles.get(key, 'it expired')} (in {TRIES} batches)"
                self.finished.add(key)
                failure = make_outcome(key, Trouble(detail), self.settings.model)
                self.tally.add(failure)
                await asyncio.wrap_future(self.ledger.store([failure]))

    async def _rename(self, old: str, new: str) -> None:
        def rename(db: sqlite3.Connection) -> None:
            db.execute("UPDATE batches SET batch = ? WHERE batch = ?", (new, old))
            db.execute("UPDATE batched SET batch = ? WHERE batch = ?", (new, old))

        await asyncio.wrap_future(self.ledger.write(rename))
        self.held[new] = self.held.pop(old)

    def _find(self, key: str) -> Outcome | None:
        """The outcome of what is not to be ordered again in this run."""
        return self.ledger.find(key) if key in self.finished else find_settled(self.ledger, key)

    # --- what is missing ---

    async def order(self, requests: Iterator[Request], on_outcome: OnOutcome) -> None:
        """Passes on what there is, and orders what is neither there nor under way. Raises BudgetError."""
        passed = waiting = 0
        full = False
        with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder:
            file = _File(Path(folder) / "requests.jsonl")
            while chunk := list(islice(requests, CHUNK)):
                missing: dict[str, Request] = {}
                for first in chunk:
                    request: Request | None = first
                    while request is not None:
                        key = request_key(request, self.settings)
                        outcome = self._find(key)
                        if outcome is None:
                            waiting += 1
                            missing[key] = request
                            break
                        passed += 1
                        request = on_outcome(request, outcome)
                for key, request in (await self._choose(missing)).items():
                    full = full or not await self._add(file, key, request)
            if file.keys:
                await self._send(file)
        await asyncio.wrap_future(self.ledger.release_all())
        self.tally.stored = passed - self.tally.answered - self.tally.failed.total()
        self.tally.in_flight = waiting
        self.tally.prompt_tokens, self.tally.completion_tokens, self.tally.usd = *self.budget.spent, self.budget.usd
        if full and not self.held:
            raise BudgetError(self.budget.explain())

    async def _choose(self, missing: dict[str, Request]) -> dict[str, Request]:
        """Those that lie in no open batch, here or in another process."""
        if not missing or (self.queue_full and self.held):
            return {}
        batched = {
            key
            for key in missing
            if self.ledger.query("SELECT 1 FROM batched WHERE key = ? AND batch IS NOT NULL", (key,))
        }
        claimed = await asyncio.wrap_future(self.ledger.claim([key for key in missing if key not in batched]))
        return {key: missing[key] for key in missing if key in claimed}

    async def _add(self, file: _File, key: str, request: Request) -> bool:
        """Puts a request into the file, which is sent and begun anew where it gets too large. False: no budget."""
        body = build_body(request, self.settings, self.endpoint.dialect)
        order = {"custom_id": key, "method": "POST", "url": f"/v1/{API}", "body": body}
        line = json.dumps(order).encode() + b"\n"
        if len(file.keys) == self.most_requests or file.bytes + len(line) > self.most_bytes:
            await self._send(file)
        prompt, answer = bound_prompt(request), self.settings.max_tokens
        if self.budget.reserve(prompt, answer) is None:
            return False
        with file.path.open("ab") as lines:
            lines.write(line)
        file.keys.append(key)
        file.bytes += len(line)
        file.prompt += prompt
        file.answer += answer
        return True

    async def _send(self, file: _File) -> None:
        """Orders the answers to the file, and empties it."""
        name = ORDERED + await self.endpoint.upload(file.path)
        keys, row = list(file.keys), (name, self.endpoint.address, file.prompt, file.answer)

        def enter(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO batches VALUES (?, ?, ?, ?)", row)
            insert = "INSERT INTO batched VALUES (?, ?, 0) ON CONFLICT (key) DO UPDATE SET batch = excluded.batch"
            db.executemany(insert, [(key, name) for key in keys])
            db.executemany("DELETE FROM claims WHERE key = ?", [(key,) for key in keys])

        await asyncio.wrap_future(self.ledger.write(enter))
        self.held[name] = Tokens(file.prompt, file.answer)
        await self._rename(name, await self.endpoint.order_batch(name.removeprefix(ORDERED)))
        file.path.unlink()
        file.keys.clear()
        file.bytes = file.prompt = file.answer = 0
