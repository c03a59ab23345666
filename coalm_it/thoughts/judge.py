"""A second model scores accepted thoughts: whether each follows from the dialogue so far and leads to the next action.

Thoughts with a low score are treated like thoughts that were never accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coalm_it.llm.json_answers import build_numbered_schema, read_numbered, read_object
from coalm_it.llm.multistep import MultistepRequest
from coalm_it.llm.request import Failure, Request
from coalm_it.schema import Place
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.prompts import write_turns_prompt
from coalm_it.thoughts.transcript import format_turns

MAX_ATTEMPTS = 2
"""Attempts to get scores that can be read; without any, the thoughts remain without a score."""


def plan_judgement(
    framed: FramedDialogue, thoughts: Mapping[Place, str], turns_per_request: int
) -> Iterator[MultistepRequest[dict[Place, int]]]:
    """A multistep request for each stretch of turns; its result is the score (1 to 5) of each place that got one."""
    turns = range(len(framed.dialogue.turns))
    for start in turns[::turns_per_request]:
        stretch = turns[start : start + turns_per_request]
        places = [place for place in thoughts if place.turn in stretch]
        if places:
            yield _judge(framed, stretch, places, thoughts)


def _judge(
    framed: FramedDialogue, stretch: range, places: list[Place], thoughts: Mapping[Place, str]
) -> MultistepRequest[dict[Place, int]]:
    dialogue = framed.dialogue
    before, lines = format_turns(dialogue, range(stretch.start)), format_turns(dialogue, stretch, places, thoughts)
    messages = write_turns_prompt("judge", dialogue, before, lines)
    schema = build_numbered_schema(tuple(range(1, len(places) + 1)), "integer")
    for sample in range(MAX_ATTEMPTS):
        outcome = yield Request(messages, schema, sample, f"{framed.name}, turns {stretch[0]} to {stretch[-1]}")
        parsed = None if isinstance(outcome, Failure) else read_object(outcome.text)
        if parsed is not None:
            scores = read_numbered(parsed.value)
            return {
                place: scores[number]
                for number, place in enumerate(places, 1)
                if isinstance(scores.get(number), int) and 1 <= scores[number] <= 5
            }
    return {}
