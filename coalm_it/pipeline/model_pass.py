"""The first pass of a build with a model: gets every answer that the rows need into the ledger.

One process reads the selected dialogues, sends requests about them, and checks the answers. Its only product is the
ledger, which the second pass, the ordinary build, only reads.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coalm_it.extras import require_extra
from coalm_it.listener import Listener
from coalm_it.llm.budget import Budget, make_budget
from coalm_it.llm.ledger import Ledger, default_path, open_ledger
from coalm_it.llm.multistep import MultistepRequest, serve_from_ledger
from coalm_it.llm.request import Outcome, Request
from coalm_it.model_settings import Settings
from coalm_it.pipeline.selection import Selection
from coalm_it.pipeline.shard import ShardTask, frame_dialogue, is_selected, read_shard
from coalm_it.recipe import Reasoning, Recipe
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.writers import plan_judge_requests, plan_writer_requests

if TYPE_CHECKING:
    from coalm_it.llm.retry import RunStats

Plan = Callable[[FramedDialogue], Iterator[MultistepRequest[Any]]]
"""The multistep requests about a dialogue."""


@dataclass(frozen=True)
class AnswerSource:
    """Where model answers come from."""

    ledger: Path | None = None
    """Path of the ledger; None: the user's own."""
    offline: bool = False
    """Whether only the ledger is used; an answer that it lacks is an error."""
    batch: bool = False
    """Whether requests go through the Batch API: cheaper, within a day."""

    @property
    def path(self) -> Path:
        """Path of the ledger."""
        return self.ledger or default_path()


@dataclass(frozen=True)
class ModelPassResult:
    """The shards of a build after the first pass, and the answers that they depend on."""

    tasks: list[ShardTask]
    """Tasks with a model's thoughts have the ledger, and a key that also depends on the answers."""
    keys: Sequence[str] = ()
    """Keys of all requests, sorted."""
    digest: str = ""


def check_model_pass(recipe: Recipe, answer_source: AnswerSource, listener: Listener) -> None:
    """Says which parts the model writes nothing for; raises MissingExtraError if a package for asking it is missing."""
    if any(map(recipe.asks_model, recipe.parts.values())):
        require_extra("llm", "having a model write thoughts", ("json_repair",) if answer_source.offline else None)
        announce_parts_without_thoughts(recipe, listener)


def announce_parts_without_thoughts(recipe: Recipe, listener: Listener) -> None:
    """Names the parts whose calls get no thoughts, although a model writes those of other parts."""
    for name, part in recipe.parts.items():
        if recipe.reasoning.writer != "grounded" and "function_call" in part.task and not part.has_thoughts:
            listener.say(
                f"part {name}: no model writes thoughts for task function_call; "
                "task: [react_action, react_response] with layout: varied has them"
            )


def make_budgets(reasoning: Reasoning, answer_source: AnswerSource) -> dict[str, Budget]:
    """Stage -> its budget for the whole build, however often it asks. Raises PriceError."""
    if answer_source.offline:
        return {}
    budgets = {"thoughts": make_budget(reasoning)}
    if reasoning.judge is not None:
        budgets["judgements"] = make_budget(reasoning.judge)
    return budgets


def ask_model(
    selection: Selection, answer_source: AnswerSource, budgets: Mapping[str, Budget], listener: Listener
) -> ModelPassResult:
    """Sends all requests about the selected dialogues that have no answer in the ledger. `budgets`: see make_budgets.

    Raises RequestError (the openai package is missing), ShortfallError (BudgetError; MissingAnswerError if offline),
    OutsideError (EndpointError, LedgerError).
    """
    reasoning = selection.recipe.reasoning
    tasks = selection.restrict_tasks()
    with (
        _rare_garbage_collection(),
        open_ledger(answer_source.path, readonly=answer_source.offline, say=listener.say) as ledger,
    ):
        model_pass = _ModelPass(tasks, ledger, answer_source, budgets, listener)
        model_pass.ask(
            "thoughts", reasoning, lambda framed: plan_writer_requests(framed, reasoning), selection.multisteps
        )
        if reasoning.judge is not None:
            model_pass.ask(
                "judgements",
                reasoning.judge,
                lambda framed: plan_judge_requests(framed, reasoning, ledger),
                selection.multisteps,
            )
    return model_pass.build_result()


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Runs the garbage collector less often: it takes a tenth of the time, and dialogues have no reference cycles."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


class _ModelPass:
    """The stages of one pass, and the outcomes on which each shard depends."""

    def __init__(
        self,
        tasks: Sequence[ShardTask],
        ledger: Ledger,
        answer_source: AnswerSource,
        budgets: Mapping[str, Budget],
        listener: Listener,
    ) -> None:
        self.tasks, self.ledger, self.answer_source = tasks, ledger, answer_source
        self.budgets, self.listener = budgets, listener
        self.outcomes: dict[str, set[tuple[str, str]]] = defaultdict(set)
        """Key of a task -> keys of its requests, each with a digest of the outcome."""
        self.finished = 0
        """Multistep requests of the current stage that are finished."""

    def ask(self, stage: str, settings: Settings, plan: Plan, total: int) -> None:
        """Runs the multistep requests of a stage; `total` is their number, for the progress display."""

        def first_requests() -> Iterator[Request]:  # the Batch API starts them anew in each round
            self.finished = 0
            return self._first_requests(plan)

        def report(stats: RunStats) -> None:
            self.listener.advance(stage, self.finished, total, _describe_usage(stats))

        if self.answer_source.offline:
            serve_from_ledger(first_requests(), settings, self.ledger, self._handle_outcome)
            return
        from coalm_it.llm.batch import ask_in_batches
        from coalm_it.llm.online import ask_all

        asked = (settings, self.ledger, self._handle_outcome)
        say, budget = self.listener.say, self.budgets[stage]
        if self.answer_source.batch:
            stats = ask_in_batches(first_requests, *asked, budget=budget, say=say, on_progress=report)
        else:
            stats = ask_all(first_requests(), *asked, budget=budget, say=say, on_progress=report)
        failed = f", {stats.failed.total():,} without an answer" if stats.failed else ""
        say(f"{stage}: {stats.answered:,} answered, {stats.stored:,} from the ledger{failed}; {_describe_usage(stats)}")

    def _first_requests(self, plan: Plan) -> Iterator[Request]:
        """The first of each; its context is the key of the task and the multistep request."""
        for task in self.tasks:
            for framed in read_framed_dialogues(task):
                for multistep in plan(framed):
                    yield replace(next(multistep), context=(task.key, multistep))

    def _handle_outcome(self, request: Request, outcome: Outcome) -> Request | None:
        """Records an outcome and sends it to its multistep request; returns the next request of that."""
        task_key, multistep = request.context
        self.outcomes[task_key].add((outcome.key, _digest_outcome(outcome)))
        try:
            following: Request = multistep.send(outcome)
        except StopIteration:
            self.finished += 1
            return None
        return replace(following, context=request.context)

    def build_result(self) -> ModelPassResult:
        """The tasks with keys that depend on the recorded outcomes, and the keys of these."""
        digests = {key: _digest([*sorted(outcomes)]) for key, outcomes in self.outcomes.items()}
        tasks = []
        for task in self.tasks:
            selected = sorted(task.dialogues) if task.dialogues is not None else None
            key = f"{task.key}-{_digest([selected, digests.get(task.key)])[:16]}"
            tasks.append(replace(task, key=key, ledger=self.answer_source.path))
        keys = sorted({key for outcomes in self.outcomes.values() for key, _ in outcomes})
        return ModelPassResult(tasks, keys, _digest(sorted(digests.values())))


def read_framed_dialogues(task: ShardTask) -> Iterator[FramedDialogue]:
    """The selected dialogues of a shard."""
    for dialogue in read_shard(task).dialogues:
        if is_selected(task, dialogue):
            yield frame_dialogue(task, dialogue)


def _digest_outcome(outcome: Outcome) -> str:
    detail = getattr(outcome, "detail", None)
    return hashlib.blake2b(json.dumps([outcome.text, detail]).encode(), digest_size=8).hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def _describe_usage(stats: RunStats) -> str:
    dollars = "" if stats.usd is None else f", ${stats.usd:,.4f}"
    flight = f"{stats.in_flight} in flight, " if stats.in_flight else ""
    return f"{flight}{stats.prompt_tokens:,} + {stats.completion_tokens:,} tokens{dollars}"
