from __future__ import annotations

import pytest

from coalm_it.readers.multiwoz.values import RULES, TRAIN_RULES, join_tokens, name_slot, normalise, read_surfaces

# Rule -> domain, slot, what a version writes, what it becomes. Every rule has at least one case.
CASES = {
    "tokens joined": [
        ("hotel", "name", " Rosa 's  Bed and Breakfast .", "rosa's bed and breakfast"),
        ("hotel", "name", "Queen’s House", "queen's house"),
    ],
    "not mentioned is absent": [("hotel", "area", "not mentioned", ""), ("hotel", "area", "none", "")],
    "one spelling of dontcare": [
        ("hotel", "area", "do n't care", "dontcare"),
        ("train", "leave_at", "dont care", "dontcare"),
        ("restaurant", "food", "Any", "dontcare"),
    ],
    "center is centre": [
        ("hotel", "area", "center", "centre"),
        ("hotel", "area", "the north side", "north"),
        ("hotel", "area", "southern part", "south"),
        ("hotel", "area", "cambridge", "cambridge"),
    ],
    "three price ranges": [
        ("hotel", "price_range", "moderately priced", "moderate"),
        ("hotel", "price_range", "inexpensive", "cheap"),
        ("restaurant", "price_range", "$100", "$100"),
    ],
    "spellings of types": [
        ("hotel", "type", "guest houses", "guesthouse"),
        ("attraction", "type", "night club", "nightclub"),
        ("attraction", "type", "mutliple sports", "multiple sports"),
        ("attraction", "type", "museums", "museum"),
        ("attraction", "type", "concerthall", "concerthall"),
    ],
    "spellings of food": [("restaurant", "food", "portugese", "portuguese")],
    "free is yes": [("hotel", "parking", "free", "yes"), ("hotel", "internet", "no wifi", "no")],
    "numbers as digits": [
        ("hotel", "people", "six", "6"),
        ("hotel", "stars", "4 star", "4"),
        ("train", "people", "3.", "3"),
    ],
    "weekdays": [("hotel", "day", "Saturday night", "saturday"), ("hotel", "day", "thurs", "thursday")],
    "times as HH:MM": [
        ("train", "leave_at", "9:15", "09:15"),
        ("train", "leave_at", "0915", "09:15"),
        ("train", "leave_at", "after 17:00", "17:00"),
        ("train", "arrive_by", "5:45pm", "17:45"),
        ("restaurant", "time", "8 p.m.", "20:00"),
        ("restaurant", "time", "12 am", "00:00"),
        ("train", "leave_at", "9", "09:00"),
        ("train", "arrive_by", "24:07", "24:07"),
        ("train", "leave_at", "noon", "12:00"),
        ("train", "leave_at", "every 2 hours starting at 5:35", "every 2 hours starting at 5:35"),
    ],
    "money as in the databases": [
        ("train", "price", "10.1 GBP", "10.10 pounds"),
        ("attraction", "entrance_fee", "£5", "5 pounds"),
        ("attraction", "entrance_fee", "no entrance fee", "free"),
        ("train", "total_price", "1,001.50 pounds", "1001.50 pounds"),
    ],
    "durations in minutes": [
        ("train", "duration", "38 min", "38 minutes"),
        ("train", "duration", "an hour and 19 minutes", "79 minutes"),
        ("train", "duration", "2 hours", "120 minutes"),
    ],
    "phone numbers as digits": [("hotel", "phone", "01223 315-702", "01223315702")],
    "postcodes without blanks": [("hotel", "postcode", "CB1 2DP", "cb12dp")],
    "references in capitals": [("hotel", "reference", "w53sqqn6", "W53SQQN6")],
    "train ids with TR": [("train", "train_id", "train 2001", "TR2001"), ("train", "train_id", "tr0796", "TR0796")],
    "stations by their full names": [
        ("train", "departure", "king's lynn", "kings lynn"),
        ("train", "destination", "stansted", "stansted airport"),
        ("train", "destination", "Liverpool St.", "london liverpool street"),
        ("taxi", "destination", "stansted", "stansted"),
    ],
}


def test_every_rule_has_its_cases_and_its_source() -> None:
    assert [rule.name for rule in (*RULES, *TRAIN_RULES)] == list(CASES)
    for rule in (*RULES, *TRAIN_RULES):
        assert set(rule.source.split(", ")) <= {"EVALUATION", "TRADE", "CONVLAB", "SCHEMA", "COUNTED"}


@pytest.mark.parametrize(("domain", "slot", "raw", "value"), [case for cases in CASES.values() for case in cases])
def test_a_value_is_normalised(domain: str, slot: str, raw: str, value: str) -> None:
    assert normalise(domain, slot, raw) == value
    assert normalise(domain, slot, value) == value, "a rule leaves alone what it has made"


@pytest.mark.parametrize(
    ("raw", "surfaces"),
    [
        ("17:30|16:30", ("17:30", "16:30")),
        ("17:30>16:30", ("17:30", "16:30")),
        ("17:30<5:30pm", ("17:30",)),
        (["02:45", "after 02:30"], ("02:45", "02:30")),
        ("not mentioned", ()),
        ("", ()),
        ([], ()),
        ("do n't care", ("dontcare",)),
    ],
)
def test_alternatives_are_surfaces(raw: str | list[str], surfaces: tuple[str, ...]) -> None:
    assert read_surfaces("taxi", "leave_at", raw) == surfaces


@pytest.mark.parametrize(
    ("domain", "names", "slot"),
    [
        ("hotel", ["pricerange", "Price", "price range", "hotel-pricerange"], "price_range"),
        ("hotel", ["day", "Day", "book day", "bookday", "hotel-bookday"], "day"),
        ("restaurant", ["time", "booktime", "Time"], "time"),
        ("train", ["Time", "duration", "train-duration"], "duration"),
        ("train", ["price", "Ticket"], "price"),
        ("train", ["leaveAt", "Leave", "train-leaveat"], "leave_at"),
        ("train", ["trainID", "Id", "train-trainid"], "train_id"),
        ("attraction", ["entrance fee", "Fee", "entrancefee"], "entrance_fee"),
        ("taxi", ["Car", "type"], "type"),
        ("hotel", ["Ref", "reference"], "reference"),
        ("hotel", ["none"], ""),
    ],
)
def test_a_slot_has_one_name_in_all_versions(domain: str, names: list[str], slot: str) -> None:
    assert {name_slot(domain, name) for name in names} == {slot}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("I do n't know , it 's full .", "I don't know, it's full."),
        ("Reference number is : BMUKPTG6 .   \n Anything else ?", "Reference number is: BMUKPTG6. Anything else?"),
        ("That ca n't be ( can it ? ) !", "That can't be (can it?)!"),
        ("Are you gon na eat ?", "Are you gonna eat?"),
        ("Already written as people write, isn't it?", "Already written as people write, isn't it?"),
        ("It leaves at 5:45 .", "It leaves at 5:45."),
    ],
)
def test_an_utterance_is_joined_again(raw: str, text: str) -> None:
    assert join_tokens(raw) == text
