"""Dialogues as text for prompts: labelled lines, with numbered places for the thoughts.

User: Any other suggestions? Specifically places that serve alcohol.
<3>
Call: FindRestaurants(city='San Bruno', cuisine='Mexican', serves_alcohol=True)
Result: {'matches': 1, 'results': [...]}
<4>
Answer: I found 1 restaurants. Chili's Grill & Bar is a nice restaurant located in San Bruno.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from coalm_it.calls import format_calls, format_value
from coalm_it.schema import Dialogue, Place, Turn


def list_places(dialogue: Dialogue, turns: Iterable[int] | None = None) -> list[Place]:
    """Every place of these turns (None: of all), in order."""
    places = []
    for index in range(len(dialogue.turns)) if turns is None else turns:
        turn = dialogue.turns[index]
        places += [Place(index, step) for step in range(len(turn.steps))]
        places += [Place(index, None)] * (turn.reply is not None)
    return places


def format_turns(
    dialogue: Dialogue, turns: Iterable[int], places: Sequence[Place] = (), thoughts: Mapping[Place, str] | None = None
) -> str:
    """The lines of these turns; `places` are marked <1>, <2>, ..., followed by their thought, if `thoughts` has it."""
    marks = {place: f"<{number}>" for number, place in enumerate(places, 1)}
    if thoughts:
        marks = {place: f"{mark} {thoughts[place]}" for place, mark in marks.items() if place in thoughts}
    return "\n".join(line for index in turns for line in _format_turn(index, dialogue.turns[index], marks))


def format_utterances(dialogue: Dialogue) -> str:
    """Only the utterances of user and assistant, and what the system says between them."""
    return "\n".join(
        line for turn in dialogue.turns for line in (*_format_told(turn), f"User: {turn.user}", *_format_reply(turn))
    )


def put_thoughts(dialogue: Dialogue, thoughts: Mapping[Place, str | None]) -> Dialogue:
    """The dialogue with these thoughts in their places; everything else is unchanged."""
    turns = list(dialogue.turns)
    for index in {place.turn for place in thoughts}:
        turn = turns[index]
        steps = tuple(
            step.model_copy(update={"thought": thoughts.get(Place(index, number), step.thought)})
            for number, step in enumerate(turn.steps)
        )
        turns[index] = turn.model_copy(
            update={"steps": steps, "thought": thoughts.get(Place(index, None), turn.thought)}
        )
    return dialogue.model_copy(update={"turns": tuple(turns)})


def _format_turn(index: int, turn: Turn, marks: Mapping[Place, str]) -> list[str]:
    lines = [*_format_told(turn), f"User: {turn.user}"]
    for number, step in enumerate(turn.steps):
        mark = marks.get(Place(index, number))
        lines += [mark] if mark else []
        lines += [f"Call: {line}" for line in format_calls(step.calls, "python").split("\n")]
        lines += [f"Result: {format_value(observation)}" for observation in step.observations]
    mark = marks.get(Place(index, None))
    lines += [mark] if mark else []
    return lines + _format_reply(turn)


def _format_told(turn: Turn) -> list[str]:
    return [f"System: {turn.system}"] if turn.system else []


def _format_reply(turn: Turn) -> list[str]:
    return [] if turn.reply is None else [f"Answer: {turn.reply}"]


def read_thoughts(dialogue: Dialogue, places: Iterable[Place]) -> dict[Place, str | None]:
    """The thoughts in these places."""
    turns = dialogue.turns
    return {
        place: turns[place.turn].thought if place.step is None else turns[place.turn].steps[place.step].thought
        for place in places
    }
