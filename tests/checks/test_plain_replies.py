"""The facts in replies of dialogues without annotation."""

from __future__ import annotations

from typing import Any

import pytest

from coalm_it.checks.outcome import check_outcome
from coalm_it.checks.reply_facts import check_reply_facts
from coalm_it.schema import Call, Sample, Step, Task, Tool, Turn


def make_sample(reply: str, *results: Any, user: str = "Please.", task: Task = "function_call") -> Sample:
    steps = tuple(Step(calls=(Call(id=f"c{n}", name="get"),), observations=(one,)) for n, one in enumerate(results))
    return Sample(
        id="own/train/1/0/function_call",
        part="own",
        task=task,
        layout="varied",
        source="own",
        split="train",
        dialogue_id="1",
        turn=0,
        licence="CC0-1.0",
        tools=(Tool(name="get", parameters={}),),
        turns=(Turn(user=user, steps=steps, thought="The room is booked.", reply=reply),),
    )


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ("At 06:10.", "High water is at 06:10."),
        ("At 6:10 am.", "06:10"),
        ("At 06:10.", 610),
        ("At 06:10.", "<high>06:10</high>"),
        ("At 06:10.", [{"high": "06:10"}]),
        ("At 2:20 pm on March 11th, 2023.", {"time": "2023-03-11 14:20:00"}),
        ("7.07 square metres.", {"area": 7.0686}),
        ("$23.33B in all.", {"revenue": 23329000000}),
        ("A share of 45.5%.", {"share": 0.455}),
        ("Flight HAT136 costs $152.", {"HAT136": {"price": 152}}),
        ("Your appointment is 45678901.", {"45678901": {"doctor": "Wang"}}),
        ("Call 555-019-8234.", {"phone": "+15550198234"}),
    ],
)
def test_a_fact_counts_in_every_form_in_which_a_result_has_it(reply: str, result: Any) -> None:
    assert check_reply_facts(make_sample(reply, result)) == []


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ("At 06:10.", ""),
        ("At 06:10.", None),
        ("At 06:10.", True),
        ("At 06:10.", []),
        ("At 06:10.", 620),
        ("It costs $153.", {"price": 152}),
        ("On March 12th, 2023.", {"time": "2023-03-11 14:20:00"}),
        ("7.08 square metres.", {"area": 7.0686}),
    ],
)
def test_a_fact_that_stands_nowhere_is_a_reject(reply: str, result: Any) -> None:
    assert len(check_reply_facts(make_sample(reply, result))) == 1


def test_without_a_call_a_bare_number_is_common_knowledge_and_a_price_is_none() -> None:
    assert check_reply_facts(make_sample("Gravity is 9.81 m/s².")) == []
    assert [finding.message for finding in check_reply_facts(make_sample("It costs $185.20."))] == [
        "'$185.20' stands in no result so far and nobody said it"
    ]


def test_which_calls_book_is_unknown_without_annotation() -> None:
    assert check_outcome(make_sample("Done.", "ok", task="react_response")) == []
