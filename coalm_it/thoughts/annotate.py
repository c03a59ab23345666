"""A model writes the thoughts, and nothing else: utterances, calls, observations and replies stay the corpus's own.

Several turns of a dialogue go into one request. Each thought that comes back is checked by itself; those that do not
pass are asked for again, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from coalm_it.checks import check_thought
from coalm_it.llm.json_answers import numbered_schema, read_numbered, read_object
from coalm_it.llm.multistep import Exchange
from coalm_it.llm.request import RETRIED_LATER, Failure, Request
from coalm_it.recipe import Reasoning
from coalm_it.schema import Dialogue, Place
from coalm_it.thoughts.framed import FramedDialogue, ThoughtResult, sample_places
from coalm_it.thoughts.prompts import Message, describe_tools, format_clock, render, say
from coalm_it.thoughts.transcript import list_places, put_thoughts, write_lines

FINAL = RETRIED_LATER | {"content_filter", "oversized"}
"""Failures after which the same is not tried once more in this run."""
LONGEST_QUOTE = 8_000
"""Characters of an answer that are shown to the model again."""


def plan_annotation(asked: FramedDialogue, reasoning: Reasoning) -> Iterator[Exchange[dict[Place, ThoughtResult]]]:
    """An inquiry for each stretch of `turns_per_request` turns; none depends on another."""
    turns = range(len(asked.dialogue.turns))
    tell = cache(lambda turn: write_lines(asked.dialogue, (turn,)))  # each stretch tells the turns before it again
    for start in turns[:: reasoning.turns_per_request]:
        stretch = turns[start : start + reasoning.turns_per_request]
        places = list_places(asked.dialogue, stretch)
        if places:
            yield _annotate(asked, tell, stretch, places, reasoning)


def _annotate(
    asked: FramedDialogue, tell: Callable[[int], str], stretch: range, places: Sequence[Place], reasoning: Reasoning
) -> Exchange[dict[Place, ThoughtResult]]:
    before = "\n".join(map(tell, range(stretch.start)))
    first = _ask(asked.dialogue, before, stretch, places)
    messages, sample = first, 0
    written: dict[int, ThoughtResult] = {}
    still = dict(enumerate(places, 1))
    for attempt in range(1, reasoning.repairs + 2):
        schema = numbered_schema(tuple(still), "string")
        outcome = yield Request(messages, schema, sample, f"{asked.where}, turns {stretch[0]} to {stretch[-1]}")
        thoughts: dict[int, str] = {}
        mended = False
        if isinstance(outcome, Failure):
            reasons = {number: [f"{outcome.reason}: {outcome.detail}"] for number in still}
            sample += 1
        else:
            thoughts, mended = _read_thoughts(outcome.text)
            kept = {place: written[number].thought for number, place in enumerate(places, 1) if number in written}
            reasons = _find_faults(asked, still, kept, thoughts, bool(thoughts))
            if reasons:
                messages = (*first, say("assistant", outcome.text[:LONGEST_QUOTE]), say("user", _ask_again(reasons)))
        for number in still:
            text = None if number in reasons else thoughts[number]
            written[number] = ThoughtResult(text, outcome.key, attempt, mended, tuple(reasons.get(number, ())))
        still = {number: place for number, place in still.items() if number in reasons}
        if not still or (isinstance(outcome, Failure) and outcome.reason in FINAL):
            break
    return {place: written[number] for number, place in enumerate(places, 1)}


def _ask(dialogue: Dialogue, before: str, stretch: range, places: Sequence[Place]) -> tuple[Message, ...]:
    lines = write_lines(dialogue, stretch, places)
    functions = describe_tools(dialogue.tools)
    user = render("annotate", "user", format_clock(dialogue.clock), functions, before, lines)
    return say("system", render("annotate", "system")), say("user", user)


def _ask_again(reasons: Mapping[int, Sequence[str]]) -> str:
    return render("annotate", "again", reasons)


def _read_thoughts(text: str) -> tuple[dict[int, str], bool]:
    """Number -> thought, on one line; and whether the answer had to be mended."""
    read = read_object(text)
    if read is None:
        return {}, False
    numbered = read_numbered(read.value)
    thoughts = {n: " ".join(one.split()) for n, one in numbered.items() if isinstance(one, str) and one.strip()}
    return thoughts, read.mended


def _find_faults(
    asked: FramedDialogue,
    still: Mapping[int, Place],
    kept: Mapping[Place, str | None],
    thoughts: Mapping[int, str],
    read: bool,
) -> dict[int, list[str]]:
    """Number -> what is wrong with the thought that was given for it; those that pass are not in it."""
    put = {place: thoughts[number] for number, place in still.items() if number in thoughts}
    dialogue = put_thoughts(asked.dialogue, {**kept, **put})
    samples = sample_places(dialogue, asked.tools, {place.turn for place in still.values()})
    faults = {}
    for number, place in still.items():
        if number not in thoughts:
            faults[number] = [render("annotate", "absent" if read else "unread")]
        elif found := check_thought(samples[place], asked.checks):
            faults[number] = [finding.message for finding in found]
    return faults
