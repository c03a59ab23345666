"""Dates, resolved by the dialogue's clock: today, next Friday, the 9th, March 4th, the day after tomorrow."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from coalm_it.values.numbers import NUMBERS

Clock = datetime.date | None

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_MONTH = (
    r"jan(?:uary|\.)?|feb(?:ruary|\.)?|mar(?:ch|\.)?|apr(?:il|\.)?|may|june?|july?|aug(?:ust|\.)?|sept?(?:ember|\.)?"
    r"|oct(?:ober|\.)?|nov(?:ember|\.)?|dec(?:ember|\.)?"
)
_DAY = "|".join(_DAYS)
_ORDINAL = rf"\d{{1,2}}(?:st|nd|rd|th)|(?:(?:twenty|thirty)[ -])?(?:thirtieth|{'|'.join(_ORDINALS[::-1])})"
_YEAR = r"(?:,? ((?:19|20)\d\d))?"
_ON = rf"(?:(?:{_DAY}),? )?"
_TODAY = {
    **{"today": 0, "later today": 0, "tonight": 0, "this morning": 0, "this afternoon": 0, "this evening": 0},
    **{"tomorrow": 1, "day after tomorrow": 2, "yesterday": -1, "day before yesterday": -2},
    **{"in a week": 7, "a week from today": 7, "a week from tomorrow": 8},
}
_PATTERNS = {
    "iso": r"(\d{4})-(\d\d)-(\d\d)",
    "numeric": r"(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}|\d\d))?",
    "month_day": rf"{_ON}({_MONTH}) (?:the )?({_ORDINAL}|\d{{1,2}})\b{_YEAR}",
    "day_month": rf"{_ON}(?:the )?({_ORDINAL}|\d{{1,2}}) (?:day )?(?:of )?({_MONTH})(?! \d{{1,2}}[a-z]){_YEAR}",
    "day": rf"{_ON}(?:the )?({_ORDINAL})( of (?:this|the|next) month)?",
    "week_day": rf"(?:(this|next|coming|this coming|on) )?({_DAY})(?:,? (this|next) week)?",
    "from_now": r"(?:in )?(\d{1,2}|one|two|three|four|five|six|seven|ten) (day|week)s?(?: from (?:now|today))?",
}
_READ = {name: re.compile(pattern) for name, pattern in _PATTERNS.items()}

_STREET = "st|street|ave|avenue|floor|century|anniversary"
FIND = [
    *(_PATTERNS[name] for name in ("iso", "month_day", "day_month", "week_day")),
    r"\d{1,2}/\d{1,2}/\d{2,4}",
    rf"(?:{_ORDINAL}) of (?:this|the|next) month",
    rf"(?<=the )\d{{1,2}}(?:st|nd|rd|th)(?! (?:{_STREET})\b)",
    r"(?:\d{1,2}|one|two|three|four|five|six|seven|ten) (?:day|week)s? from (?:now|today)",
    *sorted(_TODAY, key=len, reverse=True),
]
"""Patterns of a date in any context; a bare "9th" may be a street, "in 5 days" a duration."""
STARTS = [
    *"this next today later tonight tomorrow yesterday day thirtieth".split(),
    *"january february march april june july august sept september october november december".split(),
    *_MONTHS,
    *_DAYS,
    *_ORDINALS,
]


def read_date(text: str, clock: Clock) -> list[str]:
    """YYYY-MM-DD for every reading; --MM-DD if neither the text nor the clock gives a year."""
    text = text.removeprefix("the ")
    if clock is not None and text in _TODAY:
        return [str(clock + datetime.timedelta(_TODAY[text]))]
    for name, pattern in _READ.items():
        match = pattern.fullmatch(text)
        if match:
            return list(_read_match(name, match, clock))
    return []


def _read_match(name: str, match: re.Match[str], clock: Clock) -> Iterator[str]:
    first, second = match[1], match[2]
    if name == "iso":
        yield from (match[0], match[0][4:].replace("-", "--", 1))
    elif name == "numeric":
        for month, day in {(int(first), int(second)), (int(second), int(first))}:
            yield from _build_dates(match[3], month, day, clock)
    elif name == "month_day":
        yield from _build_dates(match[3], _MONTHS.index(first[:3]) + 1, _day_number(second), clock)
    elif name == "day_month":
        yield from _build_dates(match[3], _MONTHS.index(second[:3]) + 1, _day_number(first), clock)
    elif clock is None:
        return
    elif name == "day":
        for ahead in (0, 1) if second is None else (1,) if "next" in second else (0,):
            year, month = divmod(clock.year * 12 + clock.month - 1 + ahead, 12)
            yield from _build_dates(str(year), month + 1, _day_number(first), clock)
    elif name == "week_day":
        for days in _days_ahead(_DAYS.index(second) - clock.weekday(), first, match[3]):
            yield str(clock + datetime.timedelta(days))
    elif name == "from_now":
        count = int(first) if first.isdecimal() else NUMBERS[first]
        yield str(clock + datetime.timedelta(count * (7 if second == "week" else 1)))


def _days_ahead(days: int, before: str | None, week: str | None) -> set[int]:
    """Days from the clock to a weekday: "next Monday" may be the coming one or the one of next week."""
    if week:
        return {days + 7 if week == "next" else days}
    coming = (days - 1) % 7 + 1
    return {coming, days + 7} if before == "next" else {days % 7, coming}


def _build_dates(year: str | None, month: int, day: int, clock: Clock) -> Iterator[str]:
    """The date in its year; without one, in the clock's year and the next; without a clock, truncated."""
    if not 1 <= month <= 12:
        return
    if not year and clock is None:
        yield f"--{month:02}-{day:02}"
    years = [int(year) % 100 + 2000 if len(year) == 2 else int(year)] if year else []
    for number in years or ([clock.year, clock.year + 1] if clock else []):
        try:
            yield str(datetime.date(number, month, day))
        except ValueError:  # the 31st of a shorter month, or the year 0
            continue


def _day_number(text: str) -> int:
    if text[0].isdecimal():
        return int(text.rstrip("stndrh"))
    tens, _, rest = text.replace("-", " ").rpartition(" ")
    return (NUMBERS[tens] if tens else 0) + (30 if rest == "thirtieth" else _ORDINALS.index(rest) + 1)
