from __future__ import annotations

import datetime
import re
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.values import find_values, mentions, read_value, same_value

CLOCK = datetime.date(2019, 3, 1)
"""A Friday."""


@pytest.mark.parametrize(
    ("spoken", "canonical"),
    [
        # numbers and money
        ("2", 2),
        ("two", 2),
        ("TWELVE", "12"),
        ("twenty-one", "21"),
        ("4.4", "4.40"),
        ("1,740 dollars", "1740"),
        ("$24", "24"),
        ("$5,118.77", "5118.77"),
        ("950 bucks", "950"),
        ("one thousand three hundred and twenty bucks", "1320"),
        ("a hundred dollars", "100"),
        # yes, no, anything
        ("yes", True),
        ("True", True),
        ("nope", False),
        ("I don't care", "dontcare"),
        ("any is fine", "dontcare"),
        # times
        ("5:30 pm", "17:30"),
        ("6 PM", "18:00"),
        ("6 p.m.", "18:00"),
        ("5:30 in the evening", "17:30"),
        ("evening 5:30", "17:30"),
        ("this evening 6", "18:00"),
        ("half past six", "18:30"),
        ("half past 12 in the afternoon", "12:30"),
        ("quarter to 5", "16:45"),
        ("a quarter to 1 in the afternoon", "12:45"),
        ("twenty minutes past four pm", "16:20"),
        ('1 o"clock in the afternoon', "13:00"),
        ("eleven in the morning", "11:00"),
        ("five thirty pm", "17:30"),
        ("12 am", "00:00"),
        ("noon", "12:00"),
        ("midnight", "24:00"),
        ("9:15", "21:15"),
        ("9:15", "09:15"),
        # dates
        ("today", "2019-03-01"),
        ("tonight", "2019-03-01"),
        ("tomorrow", "2019-03-02"),
        ("the day after tomorrow", "2019-03-03"),
        ("next Friday", "2019-03-08"),
        ("next Monday", "2019-03-04"),
        ("Monday next week", "2019-03-04"),
        ("this Saturday", "2019-03-02"),
        ("Sunday this week", "2019-03-03"),
        ("the 9th", "2019-03-09"),
        ("9th of this month", "2019-03-09"),
        ("the ninth", "2019-03-09"),
        ("March 4th", "2019-03-04"),
        ("4th of march", "2019-03-04"),
        ("mar 4", "2019-03-04"),
        ("Monday, March 4th", "2019-03-04"),
        ("march the twenty-first", "2019-03-21"),
        ("10th of March 2019", "2019-03-10"),
        ("3/4/2019", "2019-03-04"),
        ("2019-03-04", "2019-03-04"),
        ("January 2nd", "2020-01-02"),
        ("in three days", "2019-03-04"),
        ("a week from today", "2019-03-08"),
        # names
        ("mcdonalds", "Mcdonald's"),
        ("the Fillmore Philadelphia", "The Fillmore Philadelphia"),
        ("Brix Restaurant & Gardens", "Brix Restaurant And Gardens"),
        ("Paris, France", "Paris"),
        ("(415) 555-0123", "415-555-0123"),
        ("+1 415-555-0123", "415-555-0123"),
    ],
)
def test_what_was_said_denotes_the_value(spoken: str, canonical: Any) -> None:
    assert same_value(spoken, canonical, CLOCK)


@pytest.mark.parametrize(
    ("spoken", "canonical"),
    [
        ("two", 3),
        ("twenty", "21"),
        ("4.4", "4.41"),
        ("4.4", "44"),
        ("-5", 5),
        ("5:30", "530"),
        ("$24", "240"),
        ("yes", False),
        ("1", True),
        ("5:30 pm", "05:30"),
        ("quarter to 5", "17:15"),
        ("17:30", "05:30"),
        ("13:00 am", "01:00"),
        ("noon", "00:00"),
        ("tomorrow", "2019-03-01"),
        ("next Friday", "2019-03-01"),
        ("Monday next week", "2019-03-11"),
        ("March 4th", "2019-04-03"),
        ("the 9th", "2019-03-19"),
        ("February 30th", "2019-03-02"),
        ("Chi-town", "Chicago"),  # only an annotation knows
        ("Paris, France", "France"),
        ("Chili's Grill", "Chili's Grill & Bar"),
        ("", ""),
        ("?", "!"),
    ],
)
def test_what_was_said_denotes_another_value(spoken: str, canonical: Any) -> None:
    assert spoken == canonical or not same_value(spoken, canonical, CLOCK)


def test_without_a_clock_only_full_dates_are_read() -> None:
    assert same_value("March 4th 2019", "2019-03-04")
    assert same_value("4th of March", "March 4")
    assert not same_value("tomorrow", "2019-03-02")
    assert read_value("next Friday") == frozenset()


def test_next_may_mean_the_coming_day_or_the_one_of_next_week() -> None:
    monday = datetime.date(2019, 3, 4)
    assert read_value("next Wednesday", monday) == {"2019-03-06", "2019-03-13"}
    assert read_value("Wednesday", monday) == {"2019-03-06"}
    assert read_value("Monday", monday) == {"2019-03-04", "2019-03-11"}


@given(st.times(), st.times())
def test_a_time_with_its_half_of_the_day_is_one_time(said: datetime.time, other: datetime.time) -> None:
    spoken = f"{said.hour % 12 or 12}:{said.minute:02} {'pm' if said.hour > 11 else 'am'}"
    assert same_value(spoken, f"{other:%H:%M}") == ((said.hour, said.minute) == (other.hour, other.minute))


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)), st.sampled_from(["of", "the"]))
def test_a_full_date_is_one_date(day: datetime.date, style: str) -> None:
    month = f"{day:%B}"
    spoken = f"{day.day} of {month} {day.year}" if style == "of" else f"{month} the {day.day}, {day.year}"
    assert read_value(spoken, CLOCK) == {str(day)}


@given(st.integers(0, 999_999_999))
def test_digits_are_read_with_and_without_commas(number: int) -> None:
    assert str(number) in read_value(f"{number:,}") & read_value(str(number)) & read_value(f"${number}")


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert same_value(text, text)
    for found in find_values(text, CLOCK):
        assert found.text == text[found.start : found.start + len(found.text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "A table for 2 on March 8th at half past six in the evening, for $45.",
            [
                ("number", "2", {"2"}),
                ("date", "March 8th", {"2019-03-08", "2020-03-08"}),
                ("time", "half past six in the evening", {"18:30"}),
                ("money", "$45", {"45"}),
            ],
        ),
        ("Call +1 415-555-0123.", [("phone", "+1 415-555-0123", {"4155550123"})]),
        ("She rates 4.5.It costs 1,200 dollars.", [("number", "4.5", {"4.5"}), ("money", "1,200 dollars", {"1200"})]),
        ("I see 10 March 1st.", [("number", "10", {"10"}), ("date", "March 1st", {"2019-03-01", "2020-03-01"})]),
        ("From 3 to 4 on the 16th street", [("number", "3", {"3"}), ("number", "4", {"4"})]),
        ("May I march there? The second one, please.", [("number", "one", {"1"})]),
        ("On day after tomorrow, no later", [("date", "day after tomorrow", {"2019-03-03"})]),
        ("Nothing here at all.", []),
    ],
)
def test_values_are_found_in_a_text(text: str, found: list[tuple[str, str, set[str]]]) -> None:
    values = [(value.kind, value.text, set(value.forms)) for value in find_values(text, CLOCK)]
    assert values == found


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a table at half past 5 pm", "17:30", True),
        ("a table at half past 5 pm", "05:30", False),
        ("Book the nopal and sons now", "Nopal & Sons", True),
        ("play Nina's songs", "Nina", True),
        ("a sonata", "Son", False),
        ("for two people", 2, True),
        ("for two people", 22, False),
        ("我想去北京", "北京", True),
        ("the CAFÉ ROUGE, please", "Café Rouge", True),
    ],
)
def test_a_text_mentions_a_value(text: str, value: Any, expected: bool) -> None:
    assert mentions(text, value, CLOCK) is expected


KINDS = {"date": r"2019-\d\d-\d\d", "time": r"\d\d:\d\d", "number": r"\d+(\.\d+)?"}


@pytest.mark.corpora
def test_values_of_sgd_are_read_as_annotated(corpora: Path) -> None:
    pairs: Counter[tuple[str, str]] = Counter()
    for path in sorted(corpora.glob("sgd/train/dialogues_*.json")):
        for dialogue in orjson.loads(path.read_bytes()):
            for act in (act for turn in dialogue["turns"] for frame in turn["frames"] for act in frame["actions"]):
                pairs.update(zip(act["values"], act["canonical_values"], strict=True))
    missed = Counter[str]()
    for (spoken, canonical), times in pairs.items():
        for kind, pattern in KINDS.items():
            if re.fullmatch(pattern, canonical) and not same_value(spoken, canonical, CLOCK):
                missed[f"{kind} {spoken} {canonical}"] += times
    assert missed == {"time 12 pm 24:00": 9}
