from __future__ import annotations

from typing import Any

import pytest
from dinner import FIND, SERVICE, action, response, with_arguments, with_call, with_turn

from coalm_it.checks.grounding import check_grounding, trace_argument
from coalm_it.schema import Call, Sample, Step, Turn


@pytest.mark.parametrize(
    ("turn", "slot", "origin"),
    [
        (0, "city", "said_now"),
        (0, "cuisine", "said_now"),
        (3, "restaurant_name", "offered"),
        (3, "city", "carried_over"),
        (3, "date", "carried_over"),
        (3, "time", "carried_over"),
        (3, "party_size", "default"),
        (4, "time", "offered"),
    ],
)
def test_an_argument_is_traced_to_its_origin(turn: int, slot: str, origin: str) -> None:
    sample = action(turn)
    assert trace_argument(sample, sample.calls[0], slot) == origin


def test_a_value_of_another_service_is_traced() -> None:
    sample = with_turn(action(3), state={**action(3).current.state, "Weather_1": {"city": ("San Fran",)}})
    call = Call(name="GetWeather", service="Weather_1", arguments={"city": "San Francisco"})
    assert trace_argument(sample, call, "city") == "other_service"


def test_a_value_that_the_state_lacks_may_come_from_an_earlier_result() -> None:
    sample = action(3)
    call = Call(name="GetWeather", service="Weather_1", arguments={"city": "230 Canyon Road"})
    assert trace_argument(sample, call, "city") == "observed"
    assert trace_argument(sample, call.model_copy(update={"arguments": {"city": "Oakland"}}), "city") is None


def test_the_result_of_the_call_itself_is_no_evidence() -> None:
    sample = action(0)
    call = sample.calls[0].model_copy(update={"arguments": {"street_address": "230 Canyon Road"}})
    assert trace_argument(sample, call, "street_address") is None


def test_the_message_names_the_wanted_value() -> None:
    (finding,) = check_grounding(with_arguments(action(0), city="Oakland"))
    assert finding.message == "FindRestaurants.city is 'Oakland', but what the user wants is 'San Fran'"
    (finding,) = check_grounding(with_arguments(action(0), has_live_music=True))
    assert finding.message == (
        "FindRestaurants.has_live_music is 'True', which nobody said, no result holds and is no default"
    )


def test_the_call_before_a_reply_is_checked_too() -> None:
    assert check_grounding(with_arguments(response(0), city="Oakland"))


def plain_sample(user: str, arguments: dict[str, Any]) -> Sample:
    """An action without any annotation, after one turn."""
    call = Call(id="call_1_0", name="FindRestaurants", service=SERVICE, arguments=arguments)
    first = Turn(user="I am in Lisbon for 3 days.", thought="Noted.", reply="Shall I look on March 9th?")
    turns = (first, Turn(user=user, steps=(Step(thought="Search.", calls=(call,), observations=({},)),)))
    return action(0).model_copy(update={"turns": turns, "tools": (FIND,)})


@pytest.mark.parametrize(
    ("arguments", "origins"),
    [
        ({"cuisine": "Mexican"}, ["chosen"]),
        ({"has_live_music": True}, ["chosen"]),
        ({"city": "Lisbon"}, ["carried_over"]),
        ({"date": "2019-03-09"}, ["offered"]),
        ({"time": "19:30"}, ["said_now"]),
        ({"days": 3}, ["carried_over"]),
        ({"names": ["Ana", "Rui"]}, ["said_now"]),
        ({"names": ["Ana", "Eva"]}, [None]),
        ({"city": "Porto"}, [None]),
    ],
)
def test_without_annotation_arguments_are_traced_to_the_text(
    arguments: dict[str, Any], origins: list[str | None]
) -> None:
    sample = plain_sample("A table at half past seven pm for Ana and Rui.", arguments)
    assert [trace_argument(sample, sample.calls[0], slot) for slot in arguments] == origins
    assert bool(check_grounding(sample)) == (None in origins)


def test_a_tracked_value_must_have_been_said() -> None:
    said = Turn(user="play Nina's songs from the nineties", state={"PlayMusic": {"artist": ("Nina",)}})
    sample = response(0).model_copy(update={"task": "state_tracking", "turns": (said,)})
    assert check_grounding(sample) == []
    (finding,) = check_grounding(with_turn(sample, state={"PlayMusic": {"artist": ("Nena",)}}))
    assert finding.message == "PlayMusic.artist is 'Nena', which nobody said"


@pytest.mark.parametrize(
    ("slot", "surface", "known"),
    [
        ("city", "dontcare", True),
        ("has_live_music", "True", True),
        ("cuisine", "Italian", True),
        ("cuisine", "Ruritanian", False),
        ("city", "Strelsau", False),
    ],
)
def test_the_state_of_a_dialogue_may_hold_what_the_schema_names(slot: str, surface: str, known: bool) -> None:
    sample = response(0).model_copy(update={"task": "state_tracking"})
    found = check_grounding(with_turn(sample, user="Hm.", state={SERVICE: {slot: (surface,)}}))
    assert [finding.message for finding in found] == [f"{SERVICE}.{slot} is {surface!r}, which nobody said"] * (
        not known
    )


def test_the_state_of_a_single_request_must_be_in_its_text() -> None:
    turn = Turn(user="Hm.", state={"PlayMusic": {"artist": ("dontcare",)}})
    sample = response(0).model_copy(update={"task": "state_tracking", "turns": (turn,), "tools": ()})
    assert len(check_grounding(sample)) == 1


def test_a_call_with_no_arguments_has_nothing_to_trace() -> None:
    assert check_grounding(with_call(action(0), arguments={})) == []
