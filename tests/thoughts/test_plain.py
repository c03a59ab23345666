"""Thoughts of dialogues without annotation: what they claim stands in the calls, results and replies."""

from __future__ import annotations

import re

import pytest

from coalm_it.schema import Call, Dialogue, Step, Tool, Turn
from coalm_it.thoughts.grounded import write_thoughts

FERRY = Tool(name="next_ferry", parameters={"type": "object", "properties": {}})


def think(*turns: Turn, seed: int = 1) -> list[str | None]:
    dialogue = Dialogue(id="1", source="own", split="train", licence="", tools=(FERRY,), turns=turns)
    written = write_thoughts(dialogue, seed).turns
    return [thought for turn in written for thought in (*(step.thought for step in turn.steps), turn.thought)]


def calling(arguments: dict[str, object], result: object, reply: str) -> Turn:
    step = Step(calls=(Call(id="c", name="next_ferry", arguments=arguments),), observations=(result,))
    return Turn(user="When does it leave?", steps=(step,), reply=reply)


@pytest.mark.parametrize("seed", range(30))
def test_a_call_is_named_with_its_values_and_a_reply_with_what_it_tells(seed: int) -> None:
    turn = calling({"port": "Fort William", "days": [1, 2]}, {"leaves": "07:40", "pier": "B"}, "At 07:40.")
    before, after = think(turn, seed=seed)
    assert before
    assert after
    assert all(part in before for part in ("next_ferry", 'port "Fort William"', 'days "1 and 2"'))
    assert "leaves 07:40" in after
    assert "pier" not in after, "the reply does not tell it"
    assert not re.search(r"no results|nothing came back|zero", after, re.IGNORECASE)


@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_claimed_of_a_result_that_the_reply_does_not_repeat(seed: int) -> None:
    _, after = think(calling({}, {"ok": True, "ticket": "T-5540"}, "It is done."), seed=seed)
    assert after
    assert "next_ferry" in after
    assert "T-5540" not in after


def test_calls_made_at_once_and_one_after_another_are_told_apart() -> None:
    two = (Call(id="a", name="next_ferry", arguments={"port": "Mallaig"}), Call(id="b", name="next_ferry"))
    steps = (Step(calls=two, observations=("x", "y")), Step(calls=two[:1], observations=("z",)))
    first, second, _ = think(Turn(user="Both?", steps=steps, reply="Here."))
    assert first
    assert "next_ferry with port Mallaig and next_ferry" in first
    assert second
    assert "port Mallaig" in second


def test_a_reply_without_calls_says_so_and_a_question_is_one() -> None:
    told, asked = think(Turn(user="Hi.", reply="Hello!"), Turn(user="A ferry.", reply="From which port?"))
    assert told
    assert re.search(r"call|function|look|words|reply|said", told)
    assert asked
    assert re.search(r"ask|question|say|hear|word|tell", asked)


def test_no_thought_stands_twice_in_a_dialogue() -> None:
    thoughts = think(*(calling({"port": f"P{number}"}, {"leaves": "07:40"}, "At 07:40.") for number in range(6)))
    assert len(set(thoughts)) == len(thoughts)
