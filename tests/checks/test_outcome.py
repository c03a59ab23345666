from __future__ import annotations

import pytest
from dinner import RESERVE, response, with_acts, with_step, with_turn

from coalm_it.checks.claims import read_claims, says_booked
from coalm_it.checks.outcome import check_outcome
from coalm_it.schema import Sample


@pytest.mark.parametrize(
    "text",
    [
        "The table is booked.",
        "It's booked for you.",
        "Your reservation has been successfully made.",
        "The booking went through; I'll pass that on.",
        "I've bought the tickets.",
        "That worked.",
        "The record agrees, so the car is reserved.",
        "I'll tell them that it's confirmed.",
        "Success: two seats.",
        "The cab is on its way.",
        "Everything came back as asked.",
        'The song "Nothing Else" is playing.',
        "Booked for two.",
    ],
)
def test_words_of_success(text: str) -> None:
    assert read_claims(text) == {"success"}


@pytest.mark.parametrize(
    "text",
    [
        "The booking didn't go through.",
        "It failed, for no reason given.",
        "Sorry, I was unable to make the reservation.",
        "I wasn't able to get a table.",
        "The service came back empty, so there is nothing to confirm.",
        "The table is not booked.",
        "The appointment could not be made.",
        "Their time wasn't possible.",
        "No booking for six, then.",
        "Nothing is booked yet.",
        "They are fully booked.",
    ],
)
def test_words_of_failure(text: str) -> None:
    assert read_claims(text) == {"failure"}


@pytest.mark.parametrize(
    "text",
    [
        "I'll read it back before anything is booked.",
        "Once it is confirmed I can book.",
        "Shall the table be booked?",
        "They want it booked for six.",
        "If the table is booked, they will be glad.",
        "I should ask whether it can be reserved.",
        "They've confirmed, so I can book the table now.",
        "18:30 is what the service has; I'll offer it.",
        "Live music isn't offered there.",
        "There are no seats outdoors and no movie tickets.",
    ],
)
def test_words_that_claim_nothing(text: str) -> None:
    assert read_claims(text) == set()


def test_two_bookings_may_have_different_outcomes() -> None:
    assert read_claims("The flight is booked, but the hotel failed.") == {"success", "failure"}


def messages(sample: Sample) -> list[str]:
    return [finding.message for finding in check_outcome(sample)]


def test_the_message_names_what_differs() -> None:
    assert messages(with_turn(response(3), thought="The table is booked.")) == [
        "the thought claims success, but ReserveRestaurant was asked for time '18:15' and returned '18:30'"
    ]


def test_an_argument_that_the_record_does_not_repeat_is_no_difference() -> None:
    record = {"restaurant_name": "Casa Lupita", "time": "18:30"}
    assert messages(with_step(response(4), observations=({"matches": 1, "results": [record]},))) == []


def test_an_argument_of_any_value_is_no_difference() -> None:
    call = response(4).current.steps[0].calls[0]
    free = call.model_copy(update={"arguments": {**call.arguments, "time": "dontcare"}})
    assert messages(with_step(response(4), calls=(free,))) == []


def test_a_name_claims_nothing() -> None:
    call = response(4).current.steps[0].calls[0]
    named = call.model_copy(update={"arguments": {**call.arguments, "restaurant_name": "Nothing Failed"}})
    sample = with_turn(with_step(response(4), calls=(named,)), thought="Nothing Failed is booked.")
    sample = with_step(sample, observations=({"matches": 1, "results": [named.arguments]},))
    assert messages(sample) == []


def test_a_search_commits_to_nothing() -> None:
    search = RESERVE.model_copy(update={"transactional": False})
    sample = response(3).model_copy(update={"tools": (search,)})
    assert messages(with_turn(sample, thought="The table is booked for 18:30.")) == [
        "the thought takes something for booked, and nothing has been booked so far"
    ]


def test_without_annotation_the_words_of_the_reply_are_read() -> None:
    sample = with_turn(with_acts(response(3)), reply="Your table is booked!")
    assert messages(sample) == [
        "the reply claims success, but ReserveRestaurant was asked for time '18:15' and returned '18:30'"
    ]


def test_an_earlier_booking_may_be_mentioned_later() -> None:
    assert says_booked(response(5).current.thought or "")
    assert messages(response(5)) == []


@pytest.mark.parametrize(
    ("thought", "fine"),
    [
        ("There are 3 results, and I'll name the first.", True),
        ("Three matches: one to name and two results besides.", True),
        ("There are five matches.", False),
        ("No results. I'll say so.", False),
        ("There is nothing in the results on parking.", True),
    ],
)
def test_what_a_thought_says_of_a_search(thought: str, fine: bool) -> None:
    assert (messages(with_turn(response(0), thought=thought)) == []) == fine
