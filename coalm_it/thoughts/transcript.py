"""A dialogue as a model is shown it: labelled lines, with numbered places where its thoughts belong.

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
    """Every place of these turns (of all, where none are named), in order."""
    places = []
    for number in range(len(dialogue.turns)) if turns is None else turns:
        turn = dialogue.turns[number]
        places += [Place(number, step) for step in range(len(turn.steps))]
        places += [Place(number, None)] * (turn.reply is not None)
    return places


def write_lines(
    dialogue: Dialogue, turns: Iterable[int], places: Sequence[Place] = (), thoughts: Mapping[Place, str] | None = None
) -> str:
    """The lines of these turns, with the places among them numbered from 1, and their thoughts where some are given."""
    numbers = {place: f"<{number}>" for number, place in enumerate(places, 1)}
    if thoughts:
        numbers = {place: f"{number} {thoughts[place]}" for place, number in numbers.items() if place in thoughts}
    return "\n".join(line for number in turns for line in _write_turn(number, dialogue.turns[number], numbers))


def write_speech(dialogue: Dialogue) -> str:
    """What was said, and nothing else."""
    return "\n".join(line for turn in dialogue.turns for line in (f"User: {turn.user}", *_write_reply(turn)))


def put_thoughts(dialogue: Dialogue, thoughts: Mapping[Place, str | None]) -> Dialogue:
    """The dialogue with these thoughts in their places; what else there is stays as it is."""
    turns = list(dialogue.turns)
    for number in {place.turn for place in thoughts}:
        turn = turns[number]
        steps = tuple(
            step.model_copy(update={"thought": thoughts.get(Place(number, place), step.thought)})
            for place, step in enumerate(turn.steps)
        )
        turns[number] = turn.model_copy(
            update={"steps": steps, "thought": thoughts.get(Place(number, None), turn.thought)}
        )
    return dialogue.model_copy(update={"turns": tuple(turns)})


def _write_turn(number: int, turn: Turn, numbers: Mapping[Place, str]) -> list[str]:
    lines = [f"User: {turn.user}"]
    for place, step in enumerate(turn.steps):
        mark = numbers.get(Place(number, place))
        lines += [mark] if mark else []
        lines += [f"Call: {line}" for line in format_calls(step.calls, "python").split("\n")]
        lines += [f"Result: {format_value(observation)}" for observation in step.observations]
    mark = numbers.get(Place(number, None))
    lines += [mark] if mark else []
    return lines + _write_reply(turn)


def _write_reply(turn: Turn) -> list[str]:
    return [] if turn.reply is None else [f"Answer: {turn.reply}"]


def read_thoughts(dialogue: Dialogue, places: Iterable[Place]) -> dict[Place, str | None]:
    """The thoughts in these places."""
    turns = dialogue.turns
    return {
        place: turns[place.turn].thought if place.step is None else turns[place.turn].steps[place.step].thought
        for place in places
    }
