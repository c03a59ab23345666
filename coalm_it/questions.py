"""The first pass of a build whose thoughts a model writes: every answer that the rows need into the ledger.

One process walks the dialogues, asks, and takes what comes back through the checks; nothing else comes of it but the
ledger, which the second pass, the ordinary one, only reads. Where a part has a quota, a model is asked about no more
dialogues than fill it: those that are drawn first.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from coalm_it.listener import Listener
from coalm_it.mixture import allot_rows, order_dialogues
from coalm_it.models import Settings
from coalm_it.reasoning.annotate import Asked
from coalm_it.reasoning.budget import Budget, make_budget
from coalm_it.reasoning.inquiries import Inquiry, serve_all
from coalm_it.reasoning.ledger import Ledger, default_path, open_ledger
from coalm_it.reasoning.request import Outcome, Request
from coalm_it.reasoning.writing import plan_judging, plan_writing
from coalm_it.recipe import Reasoning, Recipe
from coalm_it.shards import ShardTask, count_samples, frame_dialogue, read_shard

if TYPE_CHECKING:
    from coalm_it.reasoning.attempts import Tally

Plan = Callable[[Asked], Iterator[Inquiry[Any]]]


@dataclass(frozen=True)
class Means:
    """How answers are come by."""

    ledger: Path | None = None
    """None: the user's own."""
    offline: bool = False
    """Whether the ledger must have them all."""
    batch: bool = False
    """Whether they are ordered through the Batch API: cheaper, within a day."""

    @property
    def path(self) -> Path:
        return self.ledger or default_path()


# --- which dialogues ---


class Outline(NamedTuple):
    """What is to be known of a dialogue before anything is asked about it."""

    name: str
    """Source, split and id: what it is drawn by."""
    id: str
    samples: int
    requests: int
    """Before any is repeated."""


def outline_shard(task: ShardTask) -> tuple[Path, list[Outline]]:
    """The dialogues of a shard, and the path of the table that tells whose they are."""
    outlines = []
    for dialogue in read_shard(task).dialogues:
        name = f"{dialogue.source}/{dialogue.split}/{dialogue.id}"
        requests = sum(1 for _ in plan_writing(Asked(dialogue, (), ()), task.recipe.reasoning))
        outlines.append(Outline(name, dialogue.id, count_samples(task, dialogue), requests))
    return task.path, outlines


class Selection:
    """Which dialogues of each part a model is asked about: in the order of the draw, as many as are needed."""

    def __init__(self, recipe: Recipe, tasks: Sequence[ShardTask], outlines: Mapping[Path, list[Outline]]) -> None:
        self.recipe, self._tasks, self._outlines = recipe, tasks, outlines
        found: dict[str, dict[str, Outline]] = {task.part: {} for task in tasks}
        for task in tasks:
            found[task.part] |= {one.name: one for one in outlines[task.path]}
        self._drawn = {part: [of[name] for name in order_dialogues(of, recipe.seed)] for part, of in found.items()}
        self._have = {name: sum(one.samples for one in self._drawn.get(name, ())) for name in recipe.parts}
        self._taken = dict.fromkeys(self._drawn, 0)
        wanted = self._want({})
        for part, drawn in self._drawn.items():
            if wanted[part] < self._have[part] * (1 - recipe.validation):
                self._take(part, wanted[part] / (1 - recipe.validation) * (1 + recipe.expect.rejects_at_most))
            else:
                self._taken[part] = len(drawn)

    def _want(self, rejects: Mapping[str, int]) -> dict[str, int]:
        """How many train rows each part is to give, as far as is known before all is asked."""
        good = {part: have - rejects.get(part, 0) for part, have in self._have.items()}
        return allot_rows(
            self.recipe, {part: round(rows * (1 - self.recipe.validation)) for part, rows in good.items()}
        )

    def _take(self, part: str, samples: float) -> None:
        """Takes further dialogues that give so many samples."""
        drawn = self._drawn[part]
        while samples > 0 and self._taken[part] < len(drawn):
            samples -= drawn[self._taken[part]].samples
            self._taken[part] += 1

    def widen(self, kept: Mapping[str, int], rejects: Mapping[str, int]) -> bool:
        """Takes more where a part has kept too few train rows; whether there was more to take."""
        before, wanted = dict(self._taken), self._want(rejects)
        for part in self._drawn:
            self._take(part, 1.1 * (wanted[part] - kept[part]))
        return self._taken != before

    def _chosen(self, part: str) -> list[Outline]:
        return self._drawn[part][: self._taken[part]]

    @property
    def requests(self) -> int:
        """Before any is repeated."""
        return sum(one.requests for part in self._drawn for one in self._chosen(part))

    def choose(self) -> list[ShardTask]:
        """The tasks, each with those of its dialogues that become rows."""
        chosen = {part: {one.name for one in self._chosen(part)} for part in self._drawn}
        return [self._choose_of(task, chosen[task.part]) for task in self._tasks]

    def _choose_of(self, task: ShardTask, chosen: set[str]) -> ShardTask:
        outlines = self._outlines[task.path]
        ids = frozenset(one.id for one in outlines if one.name in chosen)
        return task if len(ids) == len(outlines) else replace(task, dialogues=ids)


# --- the asking ---


class _Log:
    """What each shard's rows hang on: the requests about its dialogues, and what came of them."""

    def __init__(self) -> None:
        self.outcomes: dict[Path, set[tuple[str, str]]] = defaultdict(set)
        self.inquiries = 0
        """Those that are over."""

    def first_requests(self, tasks: Sequence[ShardTask], plan: Plan) -> Iterator[Request]:
        for task in tasks:
            for asked in read_asked(task):
                for inquiry in plan(asked):
                    yield replace(next(inquiry), context=(task.path, inquiry))

    def take(self, request: Request, outcome: Outcome) -> Request | None:
        """Takes an outcome in; returns what is to be asked because of it."""
        path, inquiry = request.context
        self.outcomes[path].add((outcome.key, _digest_outcome(outcome)))
        try:
            following: Request = inquiry.send(outcome)
        except StopIteration:
            self.inquiries += 1
            return None
        return replace(following, context=request.context)


def read_asked(task: ShardTask) -> Iterator[Asked]:
    """The dialogues of a shard about which a model is asked."""
    for dialogue in read_shard(task).dialogues:
        if task.dialogues is None or dialogue.id in task.dialogues:
            yield frame_dialogue(task, dialogue)


def _digest_outcome(outcome: Outcome) -> str:
    detail = getattr(outcome, "detail", None)
    return hashlib.blake2b(json.dumps([outcome.text, detail]).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Answers:
    """What a build's rows hang on, beside its inputs."""

    tasks: list[ShardTask]
    """Each with the ledger, and with a path that tells its answers too, where a model was asked."""
    keys: Sequence[str] = ()
    """Of every request, sorted."""
    digest: str = ""

    @property
    def summary(self) -> dict[str, Any]:
        """For the manifest."""
        return {"requests": len(self.keys), "digest": self.digest}


def make_budgets(reasoning: Reasoning, means: Means) -> dict[str, Budget]:
    """What each stage may spend in a whole build, however often it asks. Raises PriceError."""
    if means.offline:
        return {}
    budgets = {"thoughts": make_budget(reasoning)}
    if reasoning.judge is not None:
        budgets["judgements"] = make_budget(reasoning.judge)
    return budgets


def ask_model(selection: Selection, means: Means, budgets: Mapping[str, Budget], listener: Listener) -> Answers:
    """Asks everything about the chosen dialogues that the ledger has no answer to. `budgets` are of make_budgets.

    Raises RequestError (the openai package is missing), ShortfallError (BudgetError; MissingError where it is offline),
    OutsideError (EndpointError, LedgerError).
    """
    reasoning = selection.recipe.reasoning
    tasks = selection.choose()
    log = _Log()
    with _rare_garbage_collection(), open_ledger(means.path, readonly=means.offline, say=listener.say) as ledger:
        ask = partial(_ask, budgets=budgets, tasks=tasks, log=log, ledger=ledger, means=means, listener=listener)
        ask("thoughts", reasoning, plan=lambda asked: plan_writing(asked, reasoning), total=selection.requests)
        if reasoning.judge is not None:
            judging = partial(plan_judging, reasoning=reasoning, ledger=ledger)
            ask("judgements", reasoning.judge, plan=judging, total=selection.requests)
    digests = {path: _digest([*sorted(outcomes)]) for path, outcomes in log.outcomes.items()}
    named = []
    for task in tasks:
        chosen = sorted(task.dialogues) if task.dialogues is not None else None
        stem = f"{task.path.stem}-{_digest([chosen, digests.get(task.path)])[:16]}"
        named.append(replace(task, path=task.path.with_stem(stem), ledger=means.path))
    keys = sorted({key for outcomes in log.outcomes.values() for key, _ in outcomes})
    return Answers(named, keys, _digest(sorted(digests.values())))


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Dialogues have no cycles; looking for some among them as often as usual costs a tenth of the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def _ask(
    stage: str,
    settings: Settings,
    *,
    plan: Plan,
    total: int,
    budgets: Mapping[str, Budget],
    tasks: Sequence[ShardTask],
    log: _Log,
    ledger: Ledger,
    means: Means,
    listener: Listener,
) -> None:
    over = log.inquiries

    def first_requests() -> Iterator[Request]:
        log.inquiries = over
        return log.first_requests(tasks, plan)

    def watch(tally: Tally) -> None:
        listener.advance(stage, log.inquiries - over, total, _describe(tally))

    if means.offline:
        serve_all(first_requests(), settings, ledger, log.take)
        return
    from coalm_it.reasoning.asking import ask_all
    from coalm_it.reasoning.batch import ask_in_batches

    budget = budgets[stage]
    if means.batch:
        tally = ask_in_batches(first_requests, settings, ledger, log.take, budget=budget, say=listener.say, watch=watch)
    else:
        tally = ask_all(first_requests(), settings, ledger, log.take, budget=budget, say=listener.say, watch=watch)
    failed = f", {tally.failed.total():,} without an answer" if tally.failed else ""
    listener.say(f"{stage}: {tally.answered:,} answered, {tally.stored:,} from the ledger{failed}; {_describe(tally)}")


def _describe(tally: Tally) -> str:
    dollars = "" if tally.usd is None else f", ${tally.usd:,.4f}"
    flight = f"{tally.in_flight} in flight, " if tally.in_flight else ""
    return f"{flight}{tally.prompt_tokens:,} + {tally.completion_tokens:,} tokens{dollars}"
