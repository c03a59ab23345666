"""Days and times of day in arguments, against what a text says of days and times."""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

from coalm_it.checks.text_facts import COMPACT_DAY, DAY, TIME, TextFacts, write_day
from coalm_it.values import read_value

_WHOLE_DAY = ("00:00", "23:59")
_MONTH_ENDS = ("01", "28", "29", "30", "31")
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)")
"""A month and a day in either order, if one of them can be a month: 26-35 is a range."""
_NEAR = datetime.timedelta(days=400)
"""How far from the clock "next year" may lead."""


class Moment(NamedTuple):
    """A day in all its readings, a time of day, or both; what is missing is empty."""

    days: frozenset[str]
    time: str = ""


def read_moment(text: str) -> Moment | None:
    """A text that is a day or a time as a whole: 2024-05-04T18:12, 20/05/2022, 18:12; None for any other."""
    time = TIME.search(text)
    written = f"{int(time['hour']) % 24:02}:{time['minute']}" if time else ""
    if day := DAY.match(text) or COMPACT_DAY.fullmatch(text):
        return Moment(frozenset((write_day(*day.groups()),)), written)
    if time and TIME.fullmatch(text):
        return Moment(frozenset(), written)
    if day := _MONTH_DAY.fullmatch(text):
        readings = {f"--{month}-{date}" for month, date in (day.groups(), day.groups()[::-1]) if _is_day(month, date)}
        return Moment(frozenset(readings)) if readings else None
    days = frozenset(form for form in read_value(text) if DAY.fullmatch(form))
    return Moment(days) if days else None


def _is_day(month: str, day: str) -> bool:
    return "01" <= month <= "12" and "01" <= day <= "31"


def is_dated(moment: Moment, facts: TextFacts, clock: datetime.date | None) -> bool:
    """Whether a text has the day, and the time of day, of a moment: 2024-05-04T18:12 from "4 May at 6:12 pm"."""
    said = moment.time in facts.times and clock is not None  # "at 7:15" is today, or tomorrow
    soon = {str(clock + datetime.timedelta(days)) for days in (0, 1)} if said and clock else set()
    if moment.days.isdisjoint(soon) and moment.days and not any(_has_day(day, facts, clock) for day in moment.days):
        return False
    if not moment.time or moment.time in facts.times or (moment.days and moment.time in _WHOLE_DAY):
        return True
    hour, _, minute = moment.time.partition(":")
    return minute == "00" and not facts.hours.isdisjoint((str(int(hour)), str((int(hour) - 1) % 12 + 1)))


def _has_day(day: str, facts: TextFacts, clock: datetime.date | None) -> bool:
    """A day without a year counts in any year; of a month or a year alone, the first and the last day.

    Without a clock, "tomorrow" may be any day; with one, it is resolved (see `read_facts`), and "next week" is near.
    """
    if day.startswith("--"):
        return any(known.endswith(day[1:]) for known in facts.dates)
    if day in facts.dates or f"-{day[4:]}" in facts.dates or (clock is None and facts.has_near_day):
        return True
    if facts.has_period and (clock is None or _is_near(day, clock)):
        return True
    if day[8:] in _MONTH_ENDS and day[:7] in facts.dates:
        return True
    return day[5:] in ("01-01", "12-31") and day[:4] in facts.dates


def _is_near(day: str, clock: datetime.date) -> bool:
    try:
        return abs(datetime.date.fromisoformat(day) - clock) <= _NEAR
    except ValueError:  # the 31st of a shorter month
        return False
