"""The day that a text calls today: in which words, and in which it is another day."""

from __future__ import annotations

import datetime

import pytest

from coalm_it.values.today import find_today, read_day

DAY = datetime.date(2024, 5, 15)


@pytest.mark.parametrize(
    "text",
    [
        "Be kind. Today is 2024-05-15. Never refund.",
        "The current time is 2024-05-15 15:00:00 EST.",
        "**Current Time:** 2024-05-15 16:14:56 CST",
        "Cutting Knowledge Date: December 2023\nToday Date: 15 May 2024",
        "Today's date is Wednesday, May 15, 2024.",
        "It is now 2024-05-15T15:00:00Z",
        "current_date: 2024-05-15",
        "Current date and time: 10:00 on 2024/05/15",
        "The current date is 15/05/2024.",
        "As of today, 2024-05-15, these fares apply.",
        "2024-05-15 is today.",
        "Heute ist Mittwoch, der 15.05.2024.",
        "Nous sommes le 2024-05-15.",
        "La fecha actual es 2024-05-15.",
        "Hoje é 2024-05-15.",
        "今天是2024年5月15日，星期三。",
        "現在の日時は2024-05-15です",
        "오늘은 2024년 5월 15일입니다",
        "Сегодня 2024-05-15",
    ],
)
def test_a_text_says_which_day_it_is(text: str) -> None:
    assert find_today(text) == DAY


@pytest.mark.parametrize(
    "text",
    [
        "Tickets are valid until 2024-05-15.",
        "Today's offer ends on 2024-05-15.",
        "The current promotion ends 2024-05-15.",
        "The policy was changed on 2024-05-15 and is now in force.",
        "Whoever books today before 2024-05-15 pays less.",
        "今天的活动截止到2024-05-15",
        "Knowledge cutoff: 2024-05-15",
        "Today is 05/06/2024.",  # the 5th of June, or the 6th of May
        "Today is 2024-02-30.",
        "Today is 2024-05-15. The current date is 2024-06-01.",
        "Today is a good day.",
        "Snow 2024-05-15",
    ],
)
def test_any_other_date_is_not_today(text: str) -> None:
    assert find_today(text) is None


@pytest.mark.parametrize("text", ["2024-05-15", "2024-05-15T10:00:00+02:00", "2024-05-15 10:00", "May 15, 2024"])
def test_a_day_is_read_with_or_without_a_time(text: str) -> None:
    assert read_day(text) == DAY


@pytest.mark.parametrize("text", ["05/06/2024", "2024-13-01", "next Friday", "", "20240515"])
def test_what_is_no_single_day_is_none(text: str) -> None:
    assert read_day(text) is None
