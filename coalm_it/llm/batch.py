"""Asks through the OpenAI Batch API: cheaper, within a day; can be stopped at any time and resumed days later.

    ask_in_batches(requests, settings, ledger, on_outcome, budget=make_budget(settings))

Works in rounds. Each round stores the results of finished batches, then goes through all requests again: those with an
outcome in the ledger are served from it, those that are in no open batch either are submitted. It ends when a round
finds every outcome. The only other state is which request is in which batch, and the ledger stores that too.
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
from coalm_it.llm.multistep import OutcomeHandler, find_settled
from coalm_it.llm.online import CHUNK, ProgressHandler, Say, run_coroutine, send_heartbeats
from coalm_it.llm.request import API, Dialect, Failure, Outcome, Request, bound_prompt, build_body, request_key
from coalm_it.llm.responses import AttemptResult, Completion, TransientError, make_outcome, read_completion, read_error
from coalm_it.llm.retry import RunStats
from coalm_it.model_settings import Settings

MAX_REQUESTS, MAX_BYTES = 50_000, 200_000_000
"""Limits of one file; see https://platform.openai.com/docs/guides/batch."""
MAX_BATCHES = 3
"""Batches that a request is submitted in, one after the other, before it counts as failed."""
UNCONFIRMED = "ordering:"
"""Prefix of the name of a batch whose creation was requested but, as far as the ledger knows, not confirmed."""
QUEUE_FULL = "token_limit_exceeded"


def ask_in_batches(
    requests: Callable[[], Iterable[Request]],
    settings: Settings,
    ledger: Ledger,
    on_outcome: OutcomeHandler,
    *,
    budget: Budget | None = None,
    wait: bool = True,
    poll_seconds: float = 60.0,
    max_requests: int = MAX_REQUESTS,
    max_bytes: int = MAX_BYTES,
    say: Say = print,
    on_progress: ProgressHandler = lambda stats: None,
) -> RunStats:
    """Like ask_all, but `requests` is called for each round, and `on_outcome` receives each outcome in each round.

    Checks the batches every `poll_seconds`; with `wait` False it returns once everything is submitted. `in_flight` of
    the returned statistics counts the missing outcomes. Raises the same errors as ask_all.
    """

    async def ask() -> RunStats:
        async with open_endpoint(settings, say) as endpoint:
            run = _BatchRun(settings, ledger, endpoint, budget or Budget(), max_requests, max_bytes, say)
            await asyncio.wrap_future(ledger.send_heartbeat())
            heartbeats = asyncio.create_task(send_heartbeats(ledger))
            try:
                while True:
                    await run.collect()
                    await run.submit(iter(requests()), on_outcome)
                    on_progress(run.stats)
                    if not run.stats.in_flight or not wait:
                        return run.stats
                    await asyncio.sleep(poll_seconds)
            finally:
                heartbeats.cancel()
                ledger.release_claims()

    return run_coroutine(ask())


@dataclass
class _RequestFile:
    """Requests to be submitted as one batch."""

    path: Path
    keys: list[str] = field(default_factory=list)
    size: int = 0
    """Bytes."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Worst case of all requests together."""


class _BatchRun:
    """The shared state of the rounds of one run."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        endpoint: Endpoint,
        budget: Budget,
        max_requests: int,
        max_bytes: int,
        say: Say,
    ) -> None:
        self.settings, self.ledger, self.endpoint, self.budget, self.say = settings, ledger, endpoint, budget, say
        self.max_requests, self.max_bytes = max_requests, max_bytes
        self.stats = RunStats()
        self.reserved: dict[str, Tokens] = {}
        """Open batch -> tokens reserved for it."""
        self.errors: dict[str, str] = {}
        """Key -> why its last batch had no answer to it."""
        self.failed: set[str] = set()
        """Keys of requests that failed in this run, and are not submitted again."""
        self.queue_full = False

    # --- results of batches ---

    async def collect(self) -> None:
        """Stores the results of the batches that the endpoint has finished."""
        rows = "SELECT batch, prompt_tokens, completion_tokens FROM batches WHERE server = ? ORDER BY rowid"
        for name, prompt_tokens, completion_tokens in self.ledger.query(rows, (self.endpoint.address,)):
            if name not in self.reserved:
                self.reserved[name] = self.budget.reserve_unchecked(prompt_tokens, completion_tokens)
            if name.startswith(UNCONFIRMED):
                await self._confirm(name)
            else:
                await self._check(name)

    async def _confirm(self, name: str) -> None:
        """Finds out whether a batch exists whose creation was requested before the run was interrupted."""
        found = await self.endpoint.find_batch(name.removeprefix(UNCONFIRMED))
        if found is None:
            await self._close(name)
        else:
            await self._rename(name, found)
            await self._check(found)

    async def _check(self, name: str) -> None:
        """Stores the results of a batch if it is over. Raises EndpointError if it was rejected."""
        batch = await self.endpoint.read_batch(name)
        if batch is None:
            self.say(f"{self.endpoint.address}: batch {name} no longer exists; its requests are submitted again")
            await self._close(name)
        elif batch.status == "failed":
            await self._close(name)
            errors = (batch.errors.data if batch.errors else None) or []
            reasons = "; ".join(f"{error.code}: {error.message}" for error in errors)
            if not self.reserved or QUEUE_FULL not in reasons:
                raise EndpointError(
                    f"{self.endpoint.address}: batch {name} was rejected: {self.endpoint.clean(reasons)}"
                )
            self.queue_full = True
        elif batch.status in ("completed", "expired", "cancelled"):
            await self._receive(name, [file for file in (batch.output_file_id, batch.error_file_id) if file])

    async def _receive(self, name: str, files: list[str]) -> None:
        """Downloads the result files of a batch, stores the outcomes, and closes it."""
        sent, used, unknown = self.endpoint.dialect, Tokens(0, 0), False
        seen: set[str] = set()
        with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder:
            for file in files:
                path = Path(folder) / "lines"
                await self.endpoint.download(file, path)
                with path.open("rb") as lines:
                    while chunk := list(islice(lines, CHUNK)):
                        results = dict(self._read_line(line, sent, file) for line in chunk)
                        results = {key: result for key, result in results.items() if key not in seen}
                        seen |= results.keys()
                        await self._store(results)
                        for result in results.values():
                            if isinstance(result, Completion):
                                prompt, completion = result.prompt_tokens, result.completion_tokens
                                unknown |= prompt is None or completion is None
                                used = Tokens(used.prompt + (prompt or 0), used.completion + (completion or 0))
        await self._close(name, self.reserved[name] if unknown else used)
        self.queue_full = False

    def _read_line(self, line: bytes, sent: Dialect, file: str) -> tuple[str, AttemptResult]:
        """Key and result of a request. Raises EndpointError, also for a malformed line: it can be downloaded again."""
        try:
            entry = json.loads(line)
            key, response = str(entry["custom_id"]), entry.get("response") or {}
            status, body = response.get("status_code", 500), response.get("body") or entry.get("error")
        except (ValueError, LookupError, TypeError, AttributeError):
            raise EndpointError(
                f"{self.endpoint.address}: file {file} is malformed; run again to download it again"
            ) from None
        if status != 200:
            return key, self.endpoint.classify_error(read_error(status, body), sent)
        try:
            return key, read_completion(body, 0.0)
        except (ValueError, LookupError, TypeError, AttributeError):
            return key, TransientError("not a completion")

    async def _store(self, results: dict[str, AttemptResult]) -> None:
        """Stores answers and rejections, and remembers the transient errors."""
        outcomes = []
        for key, result in results.items():
            if not isinstance(result, TransientError):
                outcome = make_outcome(key, result, self.settings.model)
                if isinstance(outcome, Failure):
                    self.failed.add(key)
                outcomes.append(outcome)
                self.stats.add(outcome)
            else:
                self.stats.retried += 1
                self.errors[key] = result.detail
        await asyncio.wrap_future(self.ledger.store(outcomes))

    async def _close(self, name: str, used: Tokens | None = None) -> None:
        """The batch is over; those of its requests that have no outcome may be submitted again.

        `used` None: it was never processed, and does not count as an attempt.
        """
        reserved, processed = self.reserved.pop(name), used is not None
        if used is None:
            self.budget.release(reserved)
        else:
            self.budget.settle(reserved, *used)

        def close(db: sqlite3.Connection) -> list[str]:
            db.execute("UPDATE batched SET batch = NULL, tries = tries + ? WHERE batch = ?", (processed, name))
            db.execute("DELETE FROM batched WHERE batch IS NULL AND key IN (SELECT key FROM answers)")
            db.execute("DELETE FROM batches WHERE batch = ?", (name,))
            return [
                key
                for (key,) in db.execute("SELECT key FROM batched WHERE batch IS NULL AND tries >= ?", (MAX_BATCHES,))
            ]

        for key in await asyncio.wrap_future(self.ledger.write(close)):
            if self._find(key) is None:
                detail = f"{self.errors.get(key, 'it expired')} (in {MAX_BATCHES} batches)"
                self.failed.add(key)
                failure = make_outcome(key, TransientError(detail), self.settings.model)
                self.stats.add(failure)
                await asyncio.wrap_future(self.ledger.store([failure]))

    async def _rename(self, old: str, new: str) -> None:
        def rename(db: sqlite3.Connection) -> None:
            db.execute("UPDATE batches SET batch = ? WHERE batch = ?", (new, old))
            db.execute("UPDATE batched SET batch = ? WHERE batch = ?", (new, old))

        await asyncio.wrap_future(self.ledger.write(rename))
        self.reserved[new] = self.reserved.pop(old)

    def _find(self, key: str) -> Outcome | None:
        """The outcome of a request that is not to be submitted again in this run."""
        return self.ledger.find(key) if key in self.failed else find_settled(self.ledger, key)

    # --- missing requests ---

    async def submit(self, requests: Iterator[Request], on_outcome: OutcomeHandler) -> None:
        """Serves outcomes from the ledger; submits requests without one that are in no batch. Raises BudgetError."""
        served = waiting = 0
        exhausted = False
        with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder:
            file = _RequestFile(Path(folder) / "requests.jsonl")
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
                        served += 1
                        request = on_outcome(request, outcome)
                for key, request in (await self._choose(missing)).items():
                    exhausted = exhausted or not await self._add(file, key, request)
            if file.keys:
                await self._send(file)
        await asyncio.wrap_future(self.ledger.release_claims())
        self.stats.stored = served - self.stats.answered - self.stats.failed.total()
        self.stats.in_flight = waiting
        self.stats.prompt_tokens, self.stats.completion_tokens, self.stats.usd = *self.budget.spent, self.budget.usd
        if exhausted and not self.reserved:
            raise BudgetError(self.budget.describe_exhaustion())

    async def _choose(self, missing: dict[str, Request]) -> dict[str, Request]:
        """Those that are in no open batch, of this or another process."""
        if not missing or (self.queue_full and self.reserved):
            return {}
        batched = {
            key
            for key in missing
            if self.ledger.query("SELECT 1 FROM batched WHERE key = ? AND batch IS NOT NULL", (key,))
        }
        claimed = await asyncio.wrap_future(self.ledger.claim([key for key in missing if key not in batched]))
        return {key: missing[key] for key in missing if key in claimed}

    async def _add(self, file: _RequestFile, key: str, request: Request) -> bool:
        """Adds a request to the file; a full file is sent and emptied first. False: the budget does not allow it."""
        body = build_body(request, self.settings, self.endpoint.dialect)
        entry = {"custom_id": key, "method": "POST", "url": f"/v1/{API}", "body": body}
        line = json.dumps(entry).encode() + b"\n"
        if len(file.keys) == self.max_requests or file.size + len(line) > self.max_bytes:
            await self._send(file)
        prompt_tokens, max_tokens = bound_prompt(request), self.settings.max_tokens
        if self.budget.reserve(prompt_tokens, max_tokens) is None:
            return False
        with file.path.open("ab") as lines:
            lines.write(line)
        file.keys.append(key)
        file.size += len(line)
        file.prompt_tokens += prompt_tokens
        file.completion_tokens += max_tokens
        return True

    async def _send(self, file: _RequestFile) -> None:
        """Creates a batch of the file, and empties the file."""
        name = UNCONFIRMED + await self.endpoint.upload(file.path)
        keys, row = list(file.keys), (name, self.endpoint.address, file.prompt_tokens, file.completion_tokens)

        def record(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO batches VALUES (?, ?, ?, ?)", row)
            insert = "INSERT INTO batched VALUES (?, ?, 0) ON CONFLICT (key) DO UPDATE SET batch = excluded.batch"
            db.executemany(insert, [(key, name) for key in keys])
            db.executemany("DELETE FROM claims WHERE key = ?", [(key,) for key in keys])

        await asyncio.wrap_future(self.ledger.write(record))
        self.reserved[name] = Tokens(file.prompt_tokens, file.completion_tokens)
        await self._rename(name, await self.endpoint.create_batch(name.removeprefix(UNCONFIRMED)))
        file.path.unlink()
        file.keys.clear()
        file.size = file.prompt_tokens = file.completion_tokens = 0
