"""Before a build with a model is paid for: an estimate of its cost, and a preview of a few dialogues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from coalm_it.errors import RequestError
from coalm_it.extras import require_extra
from coalm_it.listener import Listener, Silent
from coalm_it.llm.estimate import Estimate, estimate_run
from coalm_it.llm.ledger import Ledger, MissingAnswerError, open_ledger
from coalm_it.llm.multistep import MultistepRequest, find_settled
from coalm_it.llm.request import Request, request_key
from coalm_it.model_settings import Settings
from coalm_it.pipeline.engine import start_engine
from coalm_it.pipeline.model_pass import (
    AnswerSource,
    announce_parts_without_thoughts,
    ask_model,
    check_model_pass,
    make_budgets,
    read_framed_dialogues,
)
from coalm_it.pipeline.plan import find_part_sources, plan_tasks, prepare_recipe
from coalm_it.pipeline.selection import Selection, outline_shard
from coalm_it.pipeline.shard import ShardTask
from coalm_it.recipe import Part, Reasoning, Recipe
from coalm_it.schema import Place
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.judge import plan_judgement
from coalm_it.thoughts.transcript import read_thoughts
from coalm_it.thoughts.writers import (
    DialogueWithThoughts,
    add_thoughts,
    plan_judge_requests,
    plan_writer_requests,
    read_ledger,
)


class PreviewedDialogue(NamedTuple):
    """A dialogue of a part, with the model's thoughts and with grounded thoughts."""

    part: str
    written: DialogueWithThoughts
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
    """Estimates the requests of a build, without sending any: for `thoughts`, and for `judgements` if it has a judge.

    Repair requests after failed checks are not predicted. Raises RequestError (also if no model writes thoughts),
    OutsideError (the ledger).
    """
    recipe = prepare_recipe(recipe, changes)
    _list_asking(recipe)
    _require_prices(recipe.reasoning)
    listener = listener or Silent()
    announce_parts_without_thoughts(recipe, listener)
    recipe, tasks = _plan_model_tasks(recipe, data, listener)
    with start_engine(workers) as run_tasks:
        selection = Selection(recipe, tasks, dict(run_tasks(outline_shard, tasks)))
    tasks, judge = selection.restrict_tasks(), recipe.reasoning.judge
    with open_ledger((answer_source or AnswerSource()).path) as ledger:
        estimates = {"thoughts": estimate_run(_list_writer_requests(tasks, ledger), recipe.reasoning, ledger)}
        if judge is not None:
            estimates["judgements"] = estimate_run(_list_judge_requests(tasks, judge, ledger), judge, ledger)
    return estimates


def _require_prices(reasoning: Reasoning) -> None:
    """Raises MissingExtraError if stored answers cannot be read, or a price that the recipe lacks not looked up."""
    models = [reasoning] if reasoning.judge is None else [reasoning, reasoning.judge]
    priced = all(model.price is not None for model in models)
    require_extra("llm", "estimating a cost", ("json_repair",) if priced else ("genai_prices", "json_repair"))


def preview(
    recipe: str | Recipe,
    dialogues: int,
    *,
    data: str | Path | None = None,
    changes: Sequence[str] = (),
    answer_source: AnswerSource | None = None,
    listener: Listener | None = None,
) -> Iterator[PreviewedDialogue]:
    """The first `dialogues` dialogues of each part whose thoughts a model writes, whatever the number of rows.

    The model is asked for missing answers. Raises the same errors as build.
    """
    answer_source, listener = answer_source or AnswerSource(), listener or Silent()
    recipe = prepare_recipe(recipe, changes)
    check_model_pass(recipe, answer_source, listener)
    limited, tasks = _plan_model_tasks(_limit(recipe, dialogues), data, listener)
    selection = Selection(limited, tasks, dict(map(outline_shard, tasks)))
    result = ask_model(selection, answer_source, make_budgets(limited.reasoning, answer_source), listener)
    for task in result.tasks:
        with read_ledger(task.ledger) as ledger:
            for framed in read_framed_dialogues(task):
                written, grounded = add_thoughts(framed, limited, ledger), add_thoughts(framed, limited, None)
                yield PreviewedDialogue(task.part, written, grounded)


def describe_previewed(previewed: PreviewedDialogue) -> dict[str, Any]:
    """Every thought of a dialogue by its place, with its provenance and the grounded thought, for JSON."""
    part, written, grounded = previewed
    dialogue = written.dialogue
    grounded_thoughts = read_thoughts(grounded.dialogue, grounded.provenance)
    thoughts = [
        {
            "turn": place.turn,
            "step": place.step,
            "thought": thought,
            "missing": written.missing.get(place),
            "grounded": grounded_thoughts.get(place),
            "provenance": written.provenance[place],
        }
        for place, thought in read_thoughts(dialogue, written.provenance).items()
    ]
    return {"part": part, "dialogue": dialogue.full_name, "thoughts": thoughts}


def _limit(recipe: Recipe, dialogues: int) -> Recipe:
    """The recipe without quotas, limited to the first `dialogues` dialogues of each part."""
    no_quota = {"rows": None, "share": None}
    parts = {name: part.model_copy(update=no_quota) for name, part in recipe.parts.items()}
    return recipe.model_copy(update={"parts": parts, "scale": 1.0, "limit": dialogues})


def _plan_model_tasks(recipe: Recipe, data: str | Path | None, listener: Listener) -> tuple[Recipe, list[ShardTask]]:
    """The recipe with only the parts whose thoughts a model writes, and their shards. Raises RequestError."""
    recipe = recipe.model_copy(update={"parts": _list_asking(recipe)})
    return recipe, plan_tasks(recipe, find_part_sources(recipe, data, listener))


def _list_asking(recipe: Recipe) -> dict[str, Part]:
    """The parts whose thoughts a model writes. Raises RequestError if there are none."""
    parts = {name: part for name, part in recipe.parts.items() if recipe.asks_model(part)}
    if not parts:
        raise RequestError(
            f"{recipe.name}: no model writes thoughts: --set reasoning.writer=annotate --set reasoning.model=NAME"
        )
    return parts


def _list_writer_requests(tasks: Sequence[ShardTask], ledger: Ledger) -> Iterator[Request]:
    for task in tasks:
        reasoning = task.recipe.reasoning
        for framed in read_framed_dialogues(task):
            yield from _follow_requests(plan_writer_requests(framed, reasoning), reasoning, ledger)


def _list_judge_requests(tasks: Sequence[ShardTask], judge: Settings, ledger: Ledger) -> Iterator[Request]:
    """Requests about the thoughts in the ledger; if some are missing, about grounded thoughts instead."""
    for task in tasks:
        for framed in read_framed_dialogues(task):
            try:
                multisteps = plan_judge_requests(framed, task.recipe.reasoning, ledger)
            except MissingAnswerError:
                multisteps = _judge_grounded(framed, task.recipe)
            yield from _follow_requests(multisteps, judge, ledger)


def _follow_requests(
    multisteps: Iterator[MultistepRequest[Any]], settings: Settings, ledger: Ledger
) -> Iterator[Request]:
    """The requests of each up to the first one that has no outcome in the ledger."""
    for multistep in multisteps:
        with suppress(StopIteration):
            request = next(multistep)
            yield request
            while (outcome := find_settled(ledger, request_key(request, settings))) is not None:
                request = multistep.send(outcome)
                yield request


def _judge_grounded(framed: FramedDialogue, recipe: Recipe) -> Iterator[MultistepRequest[dict[Place, int]]]:
    grounded = add_thoughts(framed, recipe, None)
    thoughts = read_thoughts(grounded.dialogue, grounded.provenance)
    written = {place: thought for place, thought in thoughts.items() if thought is not None}
    return plan_judgement(framed, written, recipe.reasoning.turns_per_request)
