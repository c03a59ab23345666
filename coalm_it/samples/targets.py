"""Dialogue -> Samples: the targets of a dialogue by task, and the tools and observations that they show."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from typing import Any

from coalm_it.draw import draw_items
from coalm_it.observations import read_content, replace_results
from coalm_it.recipe import Filter, Part
from coalm_it.schema import (
    Act,
    ActName,
    Call,
    Dialogue,
    Inventory,
    Place,
    Sample,
    Step,
    Task,
    Tool,
    Turn,
    format_sample_id,
)

ThoughtProvenances = Mapping[Place, Mapping[str, Any]]
"""Where each thought of a dialogue comes from, for the provenance of its sample."""
_STATING: tuple[ActName, ...] = ("OFFER", "INFORM")


def passes_filter(dialogue: Dialogue, wanted: Filter) -> bool:
    """Whether a part takes this dialogue."""
    services = {tool.service for tool in dialogue.tools}
    return not (
        (wanted.services and services.isdisjoint(wanted.services))
        or not services.isdisjoint(wanted.exclude_services)
        or (wanted.max_turns is not None and len(dialogue.turns) > wanted.max_turns)
        or (wanted.max_tools is not None and len(dialogue.tools) > wanted.max_tools)
    )


def make_samples(
    dialogue: Dialogue,
    name: str,
    part: Part,
    tools: tuple[Tool, ...],
    provenances: ThoughtProvenances | None = None,
    *,
    turns: Container[int] | None = None,
    has_inventory: bool = True,
) -> Iterator[Sample]:
    """Every target of a part's tasks, in turn order: each step, each reply, each annotated state.

    `tools` are the tools that the samples show (see `show_tools`). `provenances` says where the thought of each
    ReAct target comes from. `turns` are the indexes of the wanted turns, by default all.
    Ids are SOURCE/SPLIT/DIALOGUE/TURN/TASK, followed by .STEP unless it is the first target of its task in the turn.
    State tracking of dialogues with tools has the layout `varied`, since published rows track single turns only; so
    have ReAct rows of a corpus whose records have functions of their own (not `has_inventory`), since published rows
    list those of the corpus.
    """
    full_name = dialogue.full_name
    plain: dict[str, Any] = {"file": dialogue.file, "record": dialogue.record}
    shared: dict[int, dict[str, Any]] = {}  # one dict for all thoughts of the same provenance, which is rendered once

    def describe(task: Task, turn: int, step: int | None) -> dict[str, Any]:
        provenance = provenances.get(Place(turn, step)) if provenances and task.startswith("react") else None
        if mended := _list_mended(dialogue, turn, step):
            return {**plain, **(provenance or {}), "mended_arguments": mended}
        return plain if provenance is None else shared.setdefault(id(provenance), {**plain, **provenance})

    def make_sample(task: Task, turn: int, step: int | None) -> Sample:
        place = step if step is not None else len(dialogue.turns[turn].steps) if task == "function_call" else 0
        unpublished = dialogue.tools if task == "state_tracking" else task != "function_call" and not has_inventory
        is_varied = part.layout == "varied" or unpublished
        layout = "varied" if is_varied else part.layout if task == "function_call" else task
        return Sample(
            id=format_sample_id(full_name, turn, task, place),
            part=name,
            task=task,
            layout=layout,
            source=dialogue.source,
            split=dialogue.split,
            dialogue_id=dialogue.id,
            turn=turn,
            licence=dialogue.licence,
            clock=dialogue.clock,
            system=join_system(dialogue, turn),
            tools=tools,
            turns=dialogue.turns[: turn + 1],
            step=step,
            provenance=describe(task, turn, step),
        )

    for task, turn, step in list_targets(dialogue, part.task):
        if turns is None or turn in turns:
            yield make_sample(task, turn, step)


def _list_mended(dialogue: Dialogue, turn: int, step: int | None) -> list[dict[str, Any]]:
    """The mended values in the row of a target, for its provenance."""
    return [
        mended._asdict()
        for mended in dialogue.mended
        if mended.turn < turn or (mended.turn == turn and (step is None or mended.step <= step))
    ]


def join_system(dialogue: Dialogue, turn: int) -> str:
    """What the system has told the agent when it acts in a turn."""
    later = (one.system for one in dialogue.turns[: turn + 1])
    return "\n\n".join(dict.fromkeys(text for text in (dialogue.system, *later) if text))


def list_targets(dialogue: Dialogue, tasks: Collection[Task]) -> Iterator[tuple[Task, int, int | None]]:
    """Task, turn and step of each target; the step is None if the target is a reply or a state.

    What the corpus marks as context is no target.
    """
    for task, place in _list_places(dialogue, tasks):
        if task == "state_tracking" or place not in dialogue.context_only:
            yield task, *place


def count_context(dialogue: Dialogue, tasks: Collection[Task]) -> int:
    """How many targets the corpus marks as context."""
    if not dialogue.context_only:
        return 0
    return sum(
        task != "state_tracking" and place in dialogue.context_only for task, place in _list_places(dialogue, tasks)
    )


def _list_places(dialogue: Dialogue, tasks: Collection[Task]) -> Iterator[tuple[Task, Place]]:
    of_steps: tuple[Task, ...] = ("react_action", "function_call")
    of_replies: tuple[Task, ...] = ("react_response", "function_call")
    for index, turn in enumerate(dialogue.turns):
        if "state_tracking" in tasks and (any(turn.state.values()) if dialogue.tools else turn.state):
            yield "state_tracking", Place(index, None)
        for task in of_steps:
            if task in tasks:
                for step in range(len(turn.steps)):
                    yield task, Place(index, step)
        for task in of_replies:
            if task in tasks and turn.reply is not None:
                yield task, Place(index, None)


def show_tools(dialogue: Dialogue, inventory: Inventory, distractors: int, seed: int) -> tuple[Tool, ...]:
    """The tools of the dialogue's own services and `distractors` of other services, the same for the whole dialogue.

    No distractor has the name of another tool. The order is drawn too, so that no position gives the right tool away.
    If the inventory has no tools, since each record of the corpus has its own, these are shown unchanged.
    """
    if not inventory.tools:
        return dialogue.tools
    services = {tool.service for tool in dialogue.tools}
    names = {tool.name for tool in dialogue.tools}
    key = (seed, dialogue.source, dialogue.id)
    shown = list(dialogue.tools)
    for tool in draw_items(inventory.tools, len(inventory.tools), "distractors", *key):
        if len(shown) == len(dialogue.tools) + distractors:
            break
        if tool.service not in services and tool.name not in names:
            names.add(tool.name)
            shown.append(tool)
    return tuple(draw_items(shown, len(shown), "order", *key))


def shorten_observations(dialogue: Dialogue, others: int) -> Dialogue:
    """The dialogue with fewer results in each observation: those that it uses, and the first `others` of the rest.

    A result is used if the system's offers and answers agree with it, until the next call of its service, or if this
    next call names it. `matches` still says how many results were found. Observations of another form stay unchanged.
    """
    turns = list(dialogue.turns)
    for index, turn in enumerate(turns):
        if turn.steps:
            steps = tuple(_shorten_step(step, turns[index:], others) for step in turn.steps)
            turns[index] = turn.model_copy(update={"steps": steps})
    return dialogue.model_copy(update={"turns": tuple(turns)})


def _shorten_step(step: Step, turns: Sequence[Turn], others: int) -> Step:
    observations = tuple(
        _shorten_observation(observation, call.service, turns, others) for call, observation in step.exchanges
    )
    return step.model_copy(update={"observations": observations})


def _shorten_observation(observation: Any, service: str, turns: Sequence[Turn], others: int) -> Any:
    results = read_content(observation)
    if results is observation or not isinstance(results, list) or len(results) <= others:
        return observation
    used: set[int] = set()
    for later, turn in enumerate(turns):
        calls = [call for step in turn.steps for call in step.calls if call.service == service]
        used |= _find_named_results(results, calls)
        if later and calls:
            break
        used |= _find_used_results(results, [act for act in turn.labels.system_acts if act.service == service], used)
    rest = [place for place in range(len(results)) if place not in used][:others]
    return replace_results(observation, [results[place] for place in sorted({*used, *rest})])


def _find_named_results(results: list[dict[str, Any]], calls: Sequence[Call]) -> set[int]:
    """The results that calls name: each is the only one that agrees with a call in all slots of both."""
    found: set[int] = set()
    for call in calls:
        agree = [
            place
            for place, result in enumerate(results)
            if (shared := call.arguments.keys() & result.keys()) and all(result[k] == call.arguments[k] for k in shared)
        ]
        if len(agree) == 1:
            found.update(agree)
    return found


def _find_used_results(results: list[dict[str, Any]], acts: list[Act], used: set[int]) -> set[int]:
    """The results that one system turn mentions: for each value of an offer with several values the first result that
    agrees with it and with all other offered or informed values, already mentioned results before new ones."""
    told = [act for act in acts if act.name in _STATING and act.canonical]
    shared = [(act.slot, act.canonical[0]) for act in told if len(act.canonical) == 1]
    listed = [[(act.slot, value)] for act in told if len(act.canonical) > 1 for value in act.canonical]
    found: set[int] = set()
    for facts in [shared + one for one in listed] or [shared] * bool(shared):
        agree = [
            place
            for place, result in enumerate(results)
            if all(str(result[slot]) == value for slot, value in facts if slot in result)
        ]
        known = [place for place in agree if place in used]
        found.update((known or agree)[:1])
    return found
