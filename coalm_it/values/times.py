"""Times of day: 5:30 pm, half past five in the evening, evening 5:30, a quarter to 6, 17:30, noon."""

from __future__ import annotations

import re

from coalm_it.values.numbers import NUMBERS, count_words

_NAMED = {"noon": "12:00", "midday": "12:00", "midnight": "00:00", "12 noon": "12:00", "12 midnight": "00:00"}
_HOURS = "twelve|eleven|ten|nine|eight|seven|six|five|four|three|two|one"
_MINUTES = r"(?:oh )?five|ten|fifteen|(?:twenty|thirty|forty|fifty)(?:[ -]five)?"
_PAST = (
    r"(?:half past|(?:a )?quarter (?:past|after|to|till|before)"
    r"|(?:\d{1,2}|five|ten|twenty) minutes (?:past|to|before)|(?:five|ten|twenty|5|10|20) past)"
)
_PART = "morning|afternoon|evening|night"
_AFTER = rf" ?(?:[ap]\.m\.?|[ap]m\b)|,? (?:in the (?:{_PART})|at night)\b"
_OCLOCK = r""" ?o['"’ ]?clock"""
_HOUR = rf"(?:(\d{{1,2}})(?:[:.](\d\d))?|({_HOURS})(?:[ -]({_MINUTES}))?)"
_BARE = rf"(?:({_PAST}) )?{_HOUR}"
_BEFORE = rf"(?:this )?({_PART}),? (?:at )?"

FIND = [
    rf"{_BEFORE}{_BARE}(?:{_OCLOCK})?(?:{_AFTER})?",
    rf"{_BARE}(?:{_OCLOCK})?(?:{_AFTER})",
    rf"{_BARE}{_OCLOCK}",
    rf"{_PAST} (?:\d{{1,2}}|{_HOURS})",
    r"\d{1,2}:\d\d",
    "noon|midday|midnight",
]
"""Patterns of a time in any context; a bare "5" or "ten" is not one."""
STARTS = [*"this half quarter noon midday midnight".split(), *_PART.split("|")]

_READ = re.compile(rf"(?:{_BEFORE})?{_BARE}(?:{_OCLOCK})?({_AFTER})?")
_WINDOWS = {
    **{"am": (0, 720), "pm": (720, 1440), "morning": (0, 721), "afternoon": (720, 1140)},
    **{"evening": (900, 1500), "night": (1020, 1740)},
}
"""Part of the day -> the range of minutes since midnight; night goes on into the next day."""


def read_time(text: str) -> list[str]:
    """HH:MM; an hour up to twelve without a part of the day has two readings: "5:30" is 05:30 and 17:30."""
    if text in _NAMED:
        return [_NAMED[text]]
    match = _READ.fullmatch(text)
    if match is None:
        return []
    before, past, digits, minutes, word, minute_words, after = match.groups()
    hour = int(digits) if digits else NUMBERS[word]
    minute = int(minutes or 0) + count_words(minute_words or "")
    if hour > 24 or minute > 59:
        return []
    moment = hour * 60 + minute + (_offset(past) if past else 0)
    settled = hour > 12 or (digits or "").startswith("0")
    readings = [moment] if settled else [moment % 720, moment % 720 + 720]
    part = before or (after or "").replace(".", "").strip(" ,").split(" ")[-1]
    if part:
        low, high = _WINDOWS[part]
        readings = [m for m in readings if low <= m < high or low <= m + 1440 < high]
    return [f"{m // 60 % 24:02}:{m % 60:02}" for m in readings]


def _offset(past: str) -> int:
    words = past.removeprefix("a ").split()
    minutes = int(words[0]) if words[0].isdecimal() else {"half": 30, "quarter": 15, **NUMBERS}[words[0]]
    return minutes if words[-1] in ("past", "after") else -minutes
