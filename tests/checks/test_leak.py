from __future__ import annotations

import pytest
from dinner import PLACES, action, response, with_step, with_turn

from coalm_it.checks.leak import check_leak
from coalm_it.schema import Call, Sample, Step


def values(sample: Sample) -> list[str]:
    return [finding.message for finding in check_leak(sample)]


def thinking(thought: str, turn: int = 0) -> Sample:
    return with_step(action(turn), thought=thought)


@pytest.mark.parametrize(
    "thought",
    [
        "San Francisco and Mexican, as they said; FindRestaurants needs no more.",
        "Today is 2019-03-01 and they are hungry.",
        "One or two, at most 3 places, would be enough.",
        "I wonder whether Chinese would do as well.",
        "The casa they look for is somewhere on a street by the harbor.",
    ],
)
def test_what_the_agent_can_know_is_no_leak(thought: str) -> None:
    assert values(thinking(thought)) == []


def test_earlier_results_are_known() -> None:
    assert values(thinking("I'll book Casa Lupita, 18 Harbor Street, for 18:15; not Nopal & Sons.", 3)) == []


@pytest.mark.parametrize(
    ("thought", "leaked"),
    [
        ("That will be Nopal & Sons.", "'Nopal & Sons', which only its observation brings"),
        ("Nopal & Sons will be among them.", "'Nopal & Sons', which only its observation brings"),
        ("The phone is 4155550178? No: 415-555-0178.", "'415-555-0178', which only its observation brings"),
    ],
)
def test_later_values_are_leaks(thought: str, leaked: str) -> None:
    assert f"the thought already knows {leaked}" in values(thinking(thought))


@pytest.mark.parametrize(
    ("name", "thought", "leaks"),
    [
        ("Little", "I'd take Little for tonight.", True),
        ("Little", "Little is known of their taste.", False),
        ("Little", "They know little of it.", False),
        ("Us", "Two letters prove nothing: Us.", False),
        ("moderate", "I expect moderate prices.", False),
        ("True", "It is True.", False),
        ("4.60", "I expect a rating of 4.6 there.", True),
        ("60", "It should take 60 minutes.", False),
        ("160", "It should take 160 minutes.", True),
        ("$1,200", "That is about 1200 dollars.", True),
    ],
)
def test_short_and_common_values_are_no_leak(name: str, thought: str, leaks: bool) -> None:
    record = {**PLACES[0], "restaurant_name": name}
    sample = with_step(thinking(thought), observations=({"matches": 1, "results": [record]},))
    assert bool(values(sample)) == leaks


def test_a_second_step_knows_the_results_of_the_first() -> None:
    first = action(0).current.steps[0]
    call = Call(id="call_0_1", name="GetWeather", service="Weather_1", arguments={"city": "San Francisco"})
    second = Step(
        thought="Nopal & Sons is there; is it dry on Canyon Road?", calls=(call,), observations=({"sky": "Clear Blue"},)
    )
    sample = with_turn(action(0, step=1), steps=(first, second))
    assert values(sample) == []
    knowing = with_turn(sample, steps=(first, second.model_copy(update={"thought": "It must be Clear Blue."})))
    assert values(knowing) == ["the thought already knows 'Clear Blue', which only its observation brings"]


def test_the_thought_before_the_reply_may_know_everything() -> None:
    assert values(with_turn(response(0), thought="Nopal & Sons, 230 Canyon Road, could be an alternative.")) == []
