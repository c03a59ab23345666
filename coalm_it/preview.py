"""What a build whose thoughts a model writes would come to, before it is paid for: an estimate, and a few dialogues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from coalm_it.engine import start_engine
from coalm_it.errors import RequestError
from coalm_it.listener import Listener, Silent
from coalm_it.questions import Means, Selection, ask_model, make_budgets, outline_shard, read_asked
from coalm_it.reasoning.estimate import Estimate, estimate_run
from coalm_it.reasoning.judge import plan_judgement
from coalm_it.reasoning.ledger import open_ledger
from coalm_it.reasoning.request import Request
from coalm_it.reasoning.transcript import read_thoughts
from coalm_it.reasoning.writing import Reasoned, plan_writing, read_ledger, reason
from coalm_it.recipe import Recipe
from coalm_it.shards import ShardTask
from coalm_it.supplies import find_supplies, hash_inputs, plan_tasks, prepare_recipe


class Previewed(NamedTuple):
    """A dialogue of a part with the model's thoughts, and with those that the annotation gives."""

    part: str
    reasoned: Reasoned
    grounded: Reasoned


def estimate(
    recipe: str | Recipe,
    *,
    data: str | Path | None = None,
    workers: int = 1,
    changes: Sequence[str] = (),
    means: Means | None = None,
    listener: Listener | None = None,
) -> dict[str, Estimate]:
    """What a build would ask: `thoughts`, and `judgements` where the recipe has a judge. Nothing is asked.

    What a failed check asks again is not foreseen. Raises RequestError (also where no model writes anything),
    OutsideError (the ledger).
    """
    recipe, tasks = _plan(prepare_recipe(recipe, changes), data, listener or Silent())
    with start_engine(workers) as run_tasks:
        selection = Selection(recipe, tasks, dict(run_tasks(outline_shard, tasks)))
    chosen, judge = selection.choose(), recipe.reasoning.judge
    with open_ledger((means or Means()).path) as ledger:
        estimates = {"thoughts": estimate_run(_first_requests(chosen), recipe.reasoning, ledger)}
        if judge is not None:
            estimates["judgements"] = estimate_run(_judge_requests(chosen), judge, ledger)
    return estimates


def preview(
    recipe: str | Recipe,
    dialogues: int,
    *,
    data: str | Path | None = None,
    changes: Sequence[str] = (),
    means: Means | None = None,
    listener: Listener | None = None,
) -> Iterator[Previewed]:
    """The first so many dialogues of each part whose thoughts a model writes; it is asked for what is missing.

    Raises what pipeline.build raises.
    """
    means, listener = means or Means(), listener or Silent()
    limited = prepare_recipe(recipe, changes).model_copy(update={"limit": dialogues})
    limited, tasks = _plan(limited, data, listener)
    selection = Selection(limited, tasks, dict(map(outline_shard, tasks)))
    answers = ask_model(selection, means, make_budgets(limited.reasoning, means), listener)
    for task in answers.tasks:
        with read_ledger(task.ledger) as ledger:
            for asked in read_asked(task):
                yield Previewed(task.part, reason(asked, limited, ledger), reason(asked, limited, None))


def _plan(recipe: Recipe, data: str | Path | None, listener: Listener) -> tuple[Recipe, list[ShardTask]]:
    """The shards of the parts whose thoughts a model writes."""
    asking = {name: part for name, part in recipe.parts.items() if recipe.asks_model(part)}
    if not asking:
        raise RequestError(f"{recipe.name}: no model writes thoughts: --set reasoning.writer=annotate and a model")
    recipe = recipe.model_copy(update={"parts": asking})
    supplies = find_supplies(recipe, data, listener)
    return recipe, plan_tasks(recipe, supplies, hash_inputs(recipe, supplies), Path())


def _first_requests(tasks: Sequence[ShardTask]) -> Iterator[Request]:
    for task in tasks:
        for asked in read_asked(task):
            for inquiry in plan_writing(asked, task.recipe.reasoning):
                yield next(inquiry)


def _judge_requests(tasks: Sequence[ShardTask]) -> Iterator[Request]:
    """As they would be if the model wrote what the annotation gives."""
    for task in tasks:
        for asked in read_asked(task):
            grounded = reason(asked, task.recipe, None)
            thoughts = {
                place: thought
                for place, thought in read_thoughts(grounded.dialogue, grounded.origins).items()
                if thought is not None
            }
            for inquiry in plan_judgement(asked, thoughts, task.recipe.reasoning.turns_a_request):
                yield next(inquiry)
