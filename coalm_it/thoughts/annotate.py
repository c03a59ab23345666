"""A model writes only the thoughts; utterances, calls, observations and replies remain those of the corpus.

One request covers several turns of a dialogue. Each thought is checked separately; rejected thoughts are requested
again, with the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from coalm_it.checks import check_thought
from coalm_it.llm.json_answers import build_numbered_schema, read_numbered, read_object
from coalm_it.llm.multistep import MultistepRequest
from coalm_it.llm.request import Failure, Outcome, Request
from coalm_it.recipe import Reasoning
from coalm_it.schema import Place
from coalm_it.thoughts.framed import FramedDialogue, ThoughtResult, make_place_samples
from coalm_it.thoughts.prompts import Messages, render_prompt, write_turns_prompt
from coalm_it.thoughts.repair import describe_failure, request_with_repairs
from coalm_it.thoughts.transcript import format_turns, list_places, put_thoughts


def plan_annotation(
    framed: FramedDialogue, reasoning: Reasoning
) -> Iterator[MultistepRequest[dict[Place, ThoughtResult]]]:
    """An independent multistep request for each stretch of `turns_per_request` turns; its result is by place."""
    turns = range(len(framed.dialogue.turns))
    format_turn = cache(lambda turn: format_turns(framed.dialogue, (turn,)))  # each request shows all earlier turns
    for start in turns[:: reasoning.turns_per_request]:
        stretch = turns[start : start + reasoning.turns_per_request]
        places = list_places(framed.dialogue, stretch)
        if places:
            yield _annotate(framed, format_turn, stretch, places, reasoning)


def _annotate(
    framed: FramedDialogue,
    format_turn: Callable[[int], str],
    stretch: range,
    places: Sequence[Place],
    reasoning: Reasoning,
) -> MultistepRequest[dict[Place, ThoughtResult]]:
    before = "\n".join(map(format_turn, range(stretch.start)))
    messages = write_turns_prompt("annotate", framed.dialogue, before, format_turns(framed.dialogue, stretch, places))
    annotation = _Annotation(framed, f"{framed.name}, turns {stretch[0]} to {stretch[-1]}", places)
    yield from request_with_repairs(messages, reasoning.repairs, annotation.make_request, annotation.review)
    return {place: annotation.results[place] for place in places}


class _Annotation:
    """The thoughts of a stretch of turns: a result for each place, and the places without an accepted thought."""

    def __init__(self, framed: FramedDialogue, where: str, places: Sequence[Place]) -> None:
        self.framed, self.where = framed, where
        self.results: dict[Place, ThoughtResult] = {}
        self.open = dict(enumerate(places, 1))
        """Number of a place in the prompt -> place."""

    def make_request(self, messages: Messages, sample: int) -> Request:
        return Request(messages, build_numbered_schema(tuple(self.open), "string"), sample, self.where)

    def review(self, outcome: Outcome, attempt: int) -> str:
        """Records the thoughts of an outcome; what to tell the model about those that are rejected."""
        thoughts: dict[int, str] = {}
        mended = False
        if isinstance(outcome, Failure):
            reasons = {number: [describe_failure(outcome)] for number in self.open}
        else:
            thoughts, mended = _read_thoughts(outcome.text)
            reasons = self._check(thoughts)
        for number, place in self.open.items():
            thought = None if number in reasons else thoughts[number]
            rejection = tuple(reasons.get(number, ()))
            self.results[place] = ThoughtResult(thought, outcome.key, attempt, mended, rejection)
        self.open = {number: place for number, place in self.open.items() if number in reasons}
        return render_prompt("annotate", "again", reasons) if reasons else ""

    def _check(self, thoughts: Mapping[int, str]) -> dict[int, list[str]]:
        """Number -> why its thought is rejected; without the accepted ones."""
        earlier = {place: result.thought for place, result in self.results.items()}
        new = {place: thoughts[number] for number, place in self.open.items() if number in thoughts}
        dialogue = put_thoughts(self.framed.dialogue, {**earlier, **new})
        samples = make_place_samples(dialogue, self.framed.tools, {place.turn for place in self.open.values()})
        reasons = {}
        for number, place in self.open.items():
            if number not in thoughts:
                reasons[number] = [render_prompt("annotate", "absent" if thoughts else "unread")]
            elif findings := check_thought(samples[place], self.framed.checks):
                reasons[number] = [finding.message for finding in findings]
        return reasons


def _read_thoughts(text: str) -> tuple[dict[int, str], bool]:
    """Number -> thought, on one line; and whether the JSON had to be mended."""
    parsed = read_object(text)
    if parsed is None:
        return {}, False
    values = read_numbered(parsed.value)
    thoughts = {
        number: " ".join(value.split()) for number, value in values.items() if isinstance(value, str) and value.strip()
    }
    return thoughts, parsed.mended
