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
from typing import TYPE_CHECKING, Any

from coalm_it.listener import Listener
from coalm_it.llm.budget import Budget, make_budget
from coalm_it.llm.ledger import Ledger, default_path, open_ledger
from coalm_it.llm.multistep import Inquiry, serve_all
from coalm_it.llm.request import Outcome, Request
from coalm_it.model_settings import Settings
from coalm_it.pipeline.selection import Selection
from coalm_it.pipeline.shard import ShardTask, frame_dialogue, read_shard
from coalm_it.recipe import Reasoning
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.writers import plan_judging, plan_writing

if TYPE_CHECKING:
    from coalm_it.llm.retry import Tally

Plan = Callable[[FramedDialogue], Iterator[Inquiry[Any]]]


@dataclass(frozen=True)
class AnswerSource:
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


def read_asked(task: ShardTask) -> Iterator[FramedDialogue]:
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


def make_budgets(reasoning: Reasoning, answer_source: AnswerSource) -> dict[str, Budget]:
    """What each stage may spend in a whole build, however often it asks. Raises PriceError."""
    if answer_source.offline:
        return {}
    budgets = {"thoughts": make_budget(reasoning)}
    if reasoning.judge is not None:
        budgets["judgements"] = make_budget(reasoning.judge)
    return budgets


def ask_model(
    selection: Selection, answer_source: AnswerSource, budgets: Mapping[str, Budget], listener: Listener
) -> Answers:
    """Asks everything about the chosen dialogues that the ledger has no answer to. `budgets` are of make_budgets.

    Raises RequestError (the openai package is missing), ShortfallError (BudgetError; MissingError where it is offline),
    OutsideError (EndpointError, LedgerError).
    """
    reasoning = selection.recipe.reasoning
    tasks = selection.choose()
    log = _Log()
    with (
        _rare_garbage_collection(),
        open_ledger(answer_source.path, readonly=answer_source.offline, say=listener.say) as ledger,
    ):
        ask = partial(
            _ask, budgets=budgets, tasks=tasks, log=log, ledger=ledger, answer_source=answer_source, listener=listener
        )
        ask("thoughts", reasoning, plan=lambda asked: plan_writing(asked, reasoning), total=selection.requests)
        if reasoning.judge is not None:
            judging = partial(plan_judging, reasoning=reasoning, ledger=ledger)
            ask("judgements", reasoning.judge, plan=judging, total=selection.requests)
    digests = {path: _digest([*sorted(outcomes)]) for path, outcomes in log.outcomes.items()}
    named = []
    for task in tasks:
        chosen = sorted(task.dialogues) if task.dialogues is not None else None
        stem = f"{task.path.stem}-{_digest([chosen, digests.get(task.path)])[:16]}"
        named.append(replace(task, path=task.path.with_stem(stem), ledger=answer_source.path))
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
    answer_source: AnswerSource,
    listener: Listener,
) -> None:
    over = log.inquiries

    def first_requests() -> Iterator[Request]:
        log.inquiries = over
        return log.first_requests(tasks, plan)

    def watch(tally: Tally) -> None:
        listener.advance(stage, log.inquiries - over, total, _describe(tally))

    if answer_source.offline:
        serve_all(first_requests(), settings, ledger, log.take)
        return
    from coalm_it.llm.batch import ask_in_batches
    from coalm_it.llm.online import ask_all

    budget = budgets[stage]
    if answer_source.batch:
        tally = ask_in_batches(first_requests, settings, ledger, log.take, budget=budget, say=listener.say, watch=watch)
    else:
        tally = ask_all(first_requests(), settings, ledger, log.take, budget=budget, say=listener.say, watch=watch)
    failed = f", {tally.failed.total():,} without an answer" if tally.failed else ""
    listener.say(f"{stage}: {tally.answered:,} answered, {tally.stored:,} from the ledger{failed}; {_describe(tally)}")


def _describe(tally: Tally) -> str:
    dollars = "" if tally.usd is None else f", ${tally.usd:,.4f}"
    flight = f"{tally.in_flight} in flight, " if tally.in_flight else ""
    return f"{flight}{tally.prompt_tokens:,} + {tally.completion_tokens:,} tokens{dollars}"
