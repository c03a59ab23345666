"""What a build whose thoughts a model writes would come to, before it is paid for: an estimate, and a few dialogues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from coalm_it.errors import RequestError
from coalm_it.listener import Listener, Silent
from coalm_it.llm.estimate import Estimate, estimate_run
from coalm_it.llm.ledger import Ledger, MissingError, open_ledger
from coalm_it.llm.multistep import Inquiry, find_settled
from coalm_it.llm.request import Request, request_key
from coalm_it.model_settings import Settings
from coalm_it.pipeline.engine import start_engine
from coalm_it.pipeline.model_pass import AnswerSource, ask_model, make_budgets, read_asked
from coalm_it.pipeline.plan import find_part_sources, hash_inputs, plan_tasks, prepare_recipe
from coalm_it.pipeline.selection import Selection, outline_shard
from coalm_it.pipeline.shard import ShardTask
from coalm_it.recipe import Recipe
from coalm_it.schema import Place
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.judge import plan_judgement
from coalm_it.thoughts.transcript import read_thoughts
from coalm_it.thoughts.writers import DialogueWithThoughts, plan_judging, plan_writing, read_ledger, reason


class Previewed(NamedTuple):
    """A dialogue of a part with the model's thoughts, and with those that the annotation gives."""

    part: str
    reasoned: DialogueWithThoughts
    grounded: DialogueWithThoughts


def estimate(
    recipe: str | Recipe,
    *,
    data: str | Path | None = None,
    workers: int = 1,
    changes: Sequence[str] = (),
    answer_source: AnswerSource | None = None,
    listener: Listener | None = None,
) -> dict[str, Estimate]:
    """What a build would ask: `thoughts`, and `judgements` where the recipe has a judge. Nothing is asked.

    What a failed check will ask again is not foreseen. Raises RequestError (also where no model writes anything),
    OutsideError (the ledger).
    """
    recipe, tasks = _plan(prepare_recipe(recipe, changes), data, listener or Silent())
    with start_engine(workers) as run_tasks:
        selection = Selection(recipe, tasks, dict(run_tasks(outline_shard, tasks)))
    chosen, judge = selection.choose(), recipe.reasoning.judge
    with open_ledger((answer_source or AnswerSource()).path) as ledger:
        estimates = {"thoughts": estimate_run(_ask_writer(chosen, ledger), recipe.reasoning, ledger)}
        if judge is not None:
            estimates["judgements"] = estimate_run(_ask_judge(chosen, judge, ledger), judge, ledger)
    return estimates


def preview(
    recipe: str | Recipe,
    dialogues: int,
    *,
    data: str | Path | None = None,
    changes: Sequence[str] = (),
    answer_source: AnswerSource | None = None,
    listener: Listener | None = None,
) -> Iterator[Previewed]:
    """The first so many dialogues of each part whose thoughts a model writes; it is asked for what is missing.

    As many, however few rows the recipe wants. Raises what build raises.
    """
    answer_source, listener = answer_source or AnswerSource(), listener or Silent()
    limited, tasks = _plan(_limit(prepare_recipe(recipe, changes), dialogues), data, listener)
    selection = Selection(limited, tasks, dict(map(outline_shard, tasks)))
    answers = ask_model(selection, answer_source, make_budgets(limited.reasoning, answer_source), listener)
    for task in answers.tasks:
        with read_ledger(task.ledger) as ledger:
            for asked in read_asked(task):
                yield Previewed(task.part, reason(asked, limited, ledger), reason(asked, limited, None))


def describe_previewed(previewed: Previewed) -> dict[str, Any]:
    """Every thought of a dialogue by its place, with where it comes from, and the grounded one beside it."""
    part, reasoned, grounded = previewed
    dialogue = reasoned.dialogue
    beside = read_thoughts(grounded.dialogue, grounded.origins)
    thoughts = [
        {
            "turn": place.turn,
            "step": place.step,
            "thought": thought,
            "missing": reasoned.missing.get(place),
            "grounded": beside.get(place),
            "provenance": reasoned.origins[place],
        }
        for place, thought in read_thoughts(dialogue, reasoned.origins).items()
    ]
    return {"part": part, "dialogue": dialogue.full_name, "thoughts": thoughts}


def _limit(recipe: Recipe, dialogues: int) -> Recipe:
    """The recipe without its quotas, for the first so many dialogues of each part."""
    no_quota = {"rows": None, "share": None}
    parts = {name: part.model_copy(update=no_quota) for name, part in recipe.parts.items()}
    return recipe.model_copy(update={"parts": parts, "scale": 1.0, "limit": dialogues})


def _plan(recipe: Recipe, data: str | Path | None, listener: Listener) -> tuple[Recipe, list[ShardTask]]:
    """The shards of the parts whose thoughts a model writes."""
    asking = {name: part for name, part in recipe.parts.items() if recipe.asks_model(part)}
    if not asking:
        raise RequestError(f"{recipe.name}: no model writes thoughts: --set reasoning.writer=annotate and a model")
    recipe = recipe.model_copy(update={"parts": asking})
    part_sources = find_part_sources(recipe, data, listener)
    return recipe, plan_tasks(recipe, part_sources, hash_inputs(recipe, part_sources), Path())


def _ask_writer(tasks: Sequence[ShardTask], ledger: Ledger) -> Iterator[Request]:
    for task in tasks:
        reasoning = task.recipe.reasoning
        for asked in read_asked(task):
            yield from _follow(plan_writing(asked, reasoning), reasoning, ledger)


def _ask_judge(tasks: Sequence[ShardTask], judge: Settings, ledger: Ledger) -> Iterator[Request]:
    """About the thoughts in the ledger; where it has none yet, as if the model wrote what the annotation gives."""
    for task in tasks:
        for asked in read_asked(task):
            try:
                inquiries = plan_judging(asked, task.recipe.reasoning, ledger)
            except MissingError:
                inquiries = _judge_grounded(asked, task.recipe)
            yield from _follow(inquiries, judge, ledger)


def _follow(inquiries: Iterator[Inquiry[Any]], settings: Settings, ledger: Ledger) -> Iterator[Request]:
    """What is asked as far as the ledger has answers, and what is to be asked then."""
    for inquiry in inquiries:
        with suppress(StopIteration):
            request = next(inquiry)
            yield request
            while (outcome := find_settled(ledger, request_key(request, settings))) is not None:
                request = inquiry.send(outcome)
                yield request


def _judge_grounded(asked: FramedDialogue, recipe: Recipe) -> Iterator[Inquiry[dict[Place, int]]]:
    grounded = reason(asked, recipe, None)
    thoughts = read_thoughts(grounded.dialogue, grounded.origins)
    given = {place: thought for place, thought in thoughts.items() if thought is not None}
    return plan_judgement(asked, given, recipe.reasoning.turns_a_request)
