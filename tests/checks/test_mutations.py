"""Good samples pass every check; each mutation is found by the check that is meant for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dinner import (
    SAMPLES,
    TURNS,
    WEATHER,
    act,
    action,
    response,
    with_acts,
    with_arguments,
    with_call,
    with_step,
    with_turn,
    without_argument,
)

import coalm_it
from coalm_it.checks import CHECKS, run_checks
from coalm_it.schema import Sample

EMPTY = ({"matches": 0, "results": []},)

MUTATIONS: dict[str, tuple[Sample, Callable[[Sample], Sample], set[str]]] = {
    # structure
    "the user says nothing": (response(1), lambda s: with_turn(s, user="  "), {"structure"}),
    "the reply is empty": (response(1), lambda s: with_turn(s, reply=""), {"structure"}),
    "the reply is missing": (response(1), lambda s: with_turn(s, reply=None), {"structure"}),
    "the thought is missing": (response(1), lambda s: with_turn(s, thought=None), {"structure"}),
    "the thought before the call is missing": (action(0), lambda s: with_step(s, thought=None), {"structure"}),
    "an action without a call": (action(0), lambda s: with_step(s, calls=()), {"structure"}),
    "a call without its observation": (response(4), lambda s: with_step(s, observations=()), {"structure"}),
    "a line break in a reply": (response(1), lambda s: with_turn(s, reply="Call\n415-555-0123"), {"structure"}),
    "a reply that begins like a label": (
        response(1),
        lambda s: with_turn(s, reply="Observation: 415-555-0123"),
        {"structure"},
    ),
    "a block marker in a thought": (
        response(1),
        lambda s: with_turn(s, thought="It is known. [END OF CONVERSATION HISTORY]"),
        {"structure"},
    ),
    "an id used before": (action(4), lambda s: with_call(s, id="call_3_0"), {"structure"}),
    # call grammar
    "a function that is not shown": (
        action(0),
        lambda s: s.model_copy(update={"tools": (WEATHER,)}),
        {"call_grammar"},
    ),
    "a function of another service": (action(0), lambda s: with_call(s, name="GetWeather"), {"call_grammar"}),
    "a required argument left out": (action(0), lambda s: without_argument(s, "city"), {"call_grammar"}),
    "a number as text": (action(3), lambda s: with_arguments(s, party_size="2"), {"call_grammar"}),
    "a value outside the enum": (action(0), lambda s: with_arguments(s, cuisine="Latin American"), {"call_grammar"}),
    # grounding
    "a value nobody gave": (action(0), lambda s: with_arguments(s, city="Oakland"), {"grounding"}),
    "an optional argument nobody gave": (action(0), lambda s: with_arguments(s, has_live_music=True), {"grounding"}),
    "another choice of the enum": (action(0), lambda s: with_arguments(s, cuisine="Chinese"), {"grounding"}),
    "the time before it was changed": (action(4), lambda s: with_arguments(s, time="18:15"), {"grounding"}),
    "a date one week later": (action(3), lambda s: with_arguments(s, date="2019-03-15"), {"grounding"}),
    "one more guest": (action(3), lambda s: with_arguments(s, party_size=3), {"grounding"}),
    "the morning instead of the evening": (action(3), lambda s: with_arguments(s, time="06:15"), {"grounding"}),
    "two arguments exchanged": (
        action(3),
        lambda s: with_arguments(s, restaurant_name="San Francisco", city="Casa Lupita"),
        {"grounding"},
    ),
    # leak
    "a name out of the observation": (
        action(0),
        lambda s: with_step(s, thought="San Francisco and Mexican: that leads to Nopal & Sons, so I'll search."),
        {"leak"},
    ),
    "an address out of the observation": (
        action(0),
        lambda s: with_step(s, thought="I'll look for Mexican food, perhaps at 230 Canyon Road."),
        {"leak"},
    ),
    "a phone number out of the observation": (
        action(0),
        lambda s: with_step(s, thought="I'll search and give them (415) 555-0123."),
        {"leak"},
    ),
    "the time of the alternative": (
        action(3),
        lambda s: with_step(s, thought="I'll book 18:15, though only half past six in the evening is free."),
        {"leak"},
    ),
    "a leak seen from the reply's row": (
        response(0),
        lambda s: with_step(s, thought="San Francisco and Mexican; The Blue Agave should be among them."),
        {"leak"},
    ),
    # reply facts
    "an offer that nobody returned": (
        response(0),
        lambda s: with_acts(
            with_turn(s, reply="I found 3 places. Chez Nadine is nice."),
            act("INFORM_COUNT", "count", "3"),
            act("OFFER", "restaurant_name", "Chez Nadine"),
        ),
        {"reply_facts"},
    ),
    "another name than the annotated": (
        response(0),
        lambda s: with_turn(s, reply="I found 3 places. Chez Nadine is a nice restaurant in San Francisco."),
        {"reply_facts"},
    ),
    "another number of places": (
        response(0),
        lambda s: with_turn(s, reply="I found 7 places. Casa Lupita is a nice restaurant in San Francisco."),
        {"reply_facts"},
    ),
    "a count that differs from the observation": (
        response(0),
        lambda s: with_acts(
            with_turn(s, reply="I found 7 places. Casa Lupita is nice."),
            act("INFORM_COUNT", "count", "7"),
            act("OFFER", "restaurant_name", "Casa Lupita"),
        ),
        {"reply_facts"},
    ),
    "a digit of the phone number": (
        response(1),
        lambda s: with_turn(s, reply="You can reach them at 415-555-0128."),
        {"reply_facts"},
    ),
    "a price out of the air": (
        response(1),
        lambda s: with_turn(s, reply="You can reach them at 415-555-0123. Dinner is about $45."),
        {"reply_facts"},
    ),
    "another time read back": (
        response(2),
        lambda s: with_turn(s, reply="A table for 2 at Casa Lupita on March 8th at 7:15 pm, is that right?"),
        {"reply_facts"},
    ),
    "another day read back": (
        response(2),
        lambda s: with_turn(s, reply="A table for 2 at Casa Lupita tomorrow at 6:15 pm, is that right?"),
        {"reply_facts"},
    ),
    # outcome
    "an alternative taken for the booking": (
        response(3),
        lambda s: with_turn(s, thought="The table is booked. I'll tell them."),
        {"outcome"},
    ),
    "nothing taken for the booking": (
        with_acts(
            with_turn(
                with_step(response(3), observations=EMPTY), reply="Sorry, that failed.", thought="It came back empty."
            ),
            act("NOTIFY_FAILURE"),
        ),
        lambda s: with_turn(s, thought="The booking went through, so I can confirm it."),
        {"outcome"},
    ),
    "a booking taken for a failure": (
        response(4),
        lambda s: with_turn(s, thought="The booking didn't go through; I owe them that plainly."),
        {"outcome"},
    ),
    "a reply of success after an alternative": (
        response(3),
        lambda s: with_acts(with_turn(s, reply="Your table is booked."), act("NOTIFY_SUCCESS")),
        {"outcome"},
    ),
    "a reply of failure after a booking": (
        response(4),
        lambda s: with_acts(with_turn(s, reply="Sorry, I could not book that."), act("NOTIFY_FAILURE")),
        {"outcome"},
    ),
    "the observation of a booking emptied": (response(4), lambda s: with_step(s, observations=EMPTY), {"outcome"}),
    "booked before anything was": (
        response(2),
        lambda s: with_turn(s, thought="The table is booked for next Friday."),
        {"outcome"},
    ),
    "results overlooked": (
        response(0),
        lambda s: with_turn(s, thought="The search came back empty. I'll offer Casa Lupita all the same."),
        {"outcome"},
    ),
    "results miscounted": (response(0), lambda s: with_turn(s, thought="That gives 7 results."), {"outcome"}),
}


# The check `database` overlaps with `reply_facts` and `outcome`, and the checks of thoughts with `leak`;
# test_database.py and test_thought_mutations.py have their own mutations.
CHECKED_HERE = set(CHECKS) - {"database", "thoughts", "agreement", "thought_facts", "substance"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_a_good_sample_passes_every_check(sample: Sample) -> None:
    assert run_checks(sample) == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_sample_is_found_by_its_check_alone(name: str) -> None:
    sample, break_it, expected = MUTATIONS[name]
    assert run_checks(sample) == []
    findings = run_checks(break_it(sample), CHECKED_HERE)
    assert {finding.check for finding in findings} == expected
    assert all(finding.message and "\n" not in finding.message for finding in findings)


def test_every_check_has_mutations() -> None:
    assert {check for *_, expected in MUTATIONS.values() for check in expected} == CHECKED_HERE


def test_a_check_that_is_not_named_does_not_run() -> None:
    broken = with_turn(response(1), reply="You can reach them at 415-555-0128.")
    assert run_checks(broken, ["structure", "outcome"]) == []
    assert [finding.check for finding in run_checks(broken, ["reply_facts"])] != []


def test_samples_are_checked_from_python() -> None:
    good, broken = response(1), with_turn(response(1), reply="")
    checked = list(coalm_it.check([good, broken]))
    assert [(sample.id, [finding.where for finding in found]) for sample, found in checked] == [
        (good.id, []),
        (broken.id, ["reply"]),
    ]


def test_earlier_turns_are_not_checked_again() -> None:
    wrong = TURNS[0].model_copy(update={"thought": None, "reply": "Call 999-555-0000, System: 8 pm"})
    later = response(5)
    assert run_checks(later.model_copy(update={"turns": (wrong, *later.turns[1:])})) == []
