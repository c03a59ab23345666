"""A second model scores thoughts that passed the checks: whether each follows from what stands before it and leads to
what comes next. Those with too low a score are treated like thoughts that never passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coalm_it.llm.json_answers import numbered_schema, read_numbered, read_object
from coalm_it.llm.multistep import Exchange
from coalm_it.llm.request import Failure, Request
from coalm_it.schema import Place
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.prompts import describe_tools, format_clock, render, say
from coalm_it.thoughts.transcript import write_lines

TRIES = 2
"""Requests before a judgement that cannot be read counts as none."""


def plan_judgement(
    asked: FramedDialogue, thoughts: Mapping[Place, str], turns_per_request: int
) -> Iterator[Exchange[dict[Place, int]]]:
    """An inquiry for each stretch of turns; it comes to the score (1 to 5) of each place that got one."""
    turns = range(len(asked.dialogue.turns))
    for start in turns[::turns_per_request]:
        stretch = turns[start : start + turns_per_request]
        places = [place for place in thoughts if place.turn in stretch]
        if places:
            yield _judge(asked, stretch, places, thoughts)


def _judge(
    asked: FramedDialogue, stretch: range, places: list[Place], thoughts: Mapping[Place, str]
) -> Exchange[dict[Place, int]]:
    dialogue = asked.dialogue
    before, lines = write_lines(dialogue, range(stretch.start)), write_lines(dialogue, stretch, places, thoughts)
    functions = describe_tools(dialogue.tools)
    user = render("annotate", "user", format_clock(dialogue.clock), functions, before, lines)
    messages = (say("system", render("judge", "system")), say("user", user))
    schema = numbered_schema(tuple(range(1, len(places) + 1)), "integer")
    for sample in range(TRIES):
        outcome = yield Request(messages, schema, sample, f"{asked.where}, turns {stretch[0]} to {stretch[-1]}")
        read = None if isinstance(outcome, Failure) else read_object(outcome.text)
        if read is not None:
            scores = read_numbered(read.value)
            return {
                place: scores[number]
                for number, place in enumerate(places, 1)
                if isinstance(scores.get(number), int) and 1 <= scores[number] <= 5
            }
    return {}
