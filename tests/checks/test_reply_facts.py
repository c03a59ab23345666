from __future__ import annotations

import pytest
from dinner import act, action, response, with_acts, with_step, with_turn

from coalm_it.checks.reply_facts import check_reply_facts
from coalm_it.schema import Sample


def messages(sample: Sample) -> list[str]:
    return [finding.message for finding in check_reply_facts(sample)]


def saying(reply: str, turn: int = 1) -> Sample:
    """A reply without annotation."""
    return with_acts(with_turn(response(turn), reply=reply))


@pytest.mark.parametrize(
    "reply",
    [
        "Nopal & Sons is at 230 Canyon Road, 415-555-0178.",
        "There are 2 others, all in San Francisco.",
        "Shall I book it for today?",
        "Anything else?",
    ],
)
def test_what_results_or_people_said_is_a_fact(reply: str) -> None:
    assert messages(saying(reply)) == []


@pytest.mark.parametrize(
    ("reply", "fact"),
    [
        ("They open at 6 pm.", "6 pm"),
        ("They are closed tomorrow.", "tomorrow"),
        ("A dinner is about $45.", "$45"),
        ("It is rated 4.5 stars.", "4.5"),
        ("They were founded in 1974.", "1974"),
        ("Call 415-555-0179.", "415-555-0179"),
    ],
)
def test_what_nobody_said_is_found(reply: str, fact: str) -> None:
    assert messages(saying(reply)) == [f"{fact!r} stands in no result so far and nobody said it"]


def test_a_fact_in_other_words_is_the_same_fact() -> None:
    assert messages(saying("So on the 8th, at a quarter past six pm?", turn=3)) == []


@pytest.mark.parametrize(
    "result", ["open from 9:15 to 17:40", ["9:15", "17:40"], "9:15\n17:40", {"open": "9:15 to 17:40"}]
)
def test_what_a_result_says_as_plain_text_is_a_fact(result: object) -> None:
    sample = with_acts(with_turn(response(3), reply="They are open from 9:15 to 17:40."))
    assert messages(sample), "nothing has said so yet"
    assert messages(with_step(sample, observations=(result,))) == []


def test_a_result_that_is_a_number_is_evidence_too() -> None:
    sample = with_acts(with_turn(response(3), reply="That comes to 451.5 in all."))
    assert messages(with_step(sample, observations=(451.5,))) == []
    assert messages(with_step(sample, observations=(12,))) == ["'451.5' stands in no result so far and nobody said it"]
    assert messages(with_step(sample, observations=(None,)))


def test_an_informed_value_needs_a_result_of_its_service() -> None:
    sample = with_acts(with_turn(response(1), reply="In Oakland."), act("INFORM", "city", "Oakland"))
    assert messages(sample) == ["city 'Oakland' stands in no result or call of Restaurants_1 and nobody gave it"]
    elsewhere = act("INFORM", "city", "Casa Lupita")
    assert messages(with_acts(with_turn(response(1), reply="In Casa Lupita."), elsewhere))


@pytest.mark.parametrize(
    ("value", "reply", "fine"),
    [
        ("moderate", "It is neither cheap nor dear.", True),
        ("None", "Without subtitles.", True),
        ("18:15", "At a quarter past six in the evening.", True),
        ("18:15", "Early in the evening.", False),
        ("2", "For the two of you.", True),
        ("2", "For you both.", True),
        ("2", "For 3 people.", False),
        ("Casa Lupita", "At that place.", False),
    ],
)
def test_what_the_annotation_gives_is_said_in_these_or_other_words(value: str, reply: str, fine: bool) -> None:
    stated = with_step(response(3), observations=({"matches": 1, "results": [{"detail": value}]},))
    sample = with_acts(with_turn(stated, reply=reply), act("INFORM", "detail", value))
    assert (messages(sample) == []) == fine


def test_a_default_may_be_read_back_but_not_offered() -> None:
    confirmed = with_acts(with_turn(response(2), reply="For 2, right?"), act("CONFIRM", "party_size", "2"))
    assert messages(confirmed) == []
    first = with_acts(with_turn(response(1), reply="For 2, right?"), act("OFFER", "party_size", "2"))
    assert messages(first) == ["party_size '2' stands in no result or call of Restaurants_1 and nobody gave it"]


def test_an_offer_from_an_observation_that_this_call_replaced_is_still_there() -> None:
    sample = with_step(response(3), observations=({"matches": 0, "results": []},))
    offer = act("OFFER", "restaurant_name", "The Blue Agave")
    assert messages(with_acts(with_turn(sample, reply="How about The Blue Agave?"), offer)) == []


def test_a_target_that_is_no_reply_is_not_checked() -> None:
    assert messages(with_turn(action(0), reply="They open at 6 pm.")) == []
