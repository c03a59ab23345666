"""Decides whether a value that occurs nowhere verbatim follows from what is known.

That is: the same value in another form ("half past six" for 18:30); a name in another spelling or by its initials; a
quotation in another case; today, the weekday and the year of a known date; a count of results; the time between two
known times or dates.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from coalm_it.checks.wording import split_name
from coalm_it.observations import count_matches, read_content
from coalm_it.schema import Sample
from coalm_it.values import Value, find_values, plain_name, read_value, value_text


class Mention(NamedTuple):
    """Something in a thought that needs evidence: its words, and all forms of it that would be evidence."""

    kind: Literal["value", "name", "quote"]
    words: str
    forms: tuple[str, ...]


def follows(sample: Sample, thought: str, mention: Mention, known: Sequence[str]) -> bool:
    """Whether a mention follows from the known texts, the tools, or the counts and dates of the sample."""
    # tools are evidence for names only: nobody has said a number that a parameter may take
    tools = (f"{' '.join(split_name(tool.name))} {tool.service} {tool.signature_json}" for tool in sample.tools)
    named = [*known, *tools]
    if mention.kind == "quote":
        return _is_known_quote(mention.words, named)
    if _is_figure_of_speech(sample, thought, mention.words):
        return True
    if mention.kind == "value":
        values = [value for value in find_values(thought, sample.clock) if mention.words.lower() in value.text.lower()]
        if values:
            return any(_is_known_value(sample, thought, value, known) for value in values)
    for part in re.split(r"[-/& ]+", mention.words):
        if part[:1].isdigit():  # "Top 40"
            value = Value("number", part, thought.find(part), read_value(part, sample.clock))
            if not _is_known_value(sample, thought, value, known) and not _is_known_word(part, named):
                return False
        elif part not in _CALENDAR and not _is_known_word(part.removesuffix("'s").strip("'"), named):
            return False
    return True


def _is_figure_of_speech(sample: Sample, thought: str, words: str) -> bool:
    """Whether a number is not a value of the dialogue: "100% sure", "in 24-hour format", "the 2nd option"."""
    position = thought.find(words)
    if any(thought.startswith(phrase, position) for phrase in _SET_PHRASES):
        return True
    ordinal = _ORDINAL.fullmatch(words)
    if ordinal is None or _next_word(thought, position + len(words)) not in _ORDERED:
        return False
    return int(ordinal[1]) <= max([5, *_read_counts(sample)])


def _next_word(thought: str, end: int) -> str:
    after = thought[end:].split(None, 1)
    return after[0].strip(".,;:!?)").lower() if after else ""


# --- names and quotations ---

_CALENDAR = frozenset(
    "January February March April May June July August September October November December Jan Feb Mar Apr Jun Jul Aug "
    "Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun".split()
)
_SHOUTED = frozenset("not only no and or all any both before after first now new same still must never".split())


def _is_known_word(word: str, known: Sequence[str]) -> bool:
    lowered = word.lower()
    if len(word) < 2 or word == lowered or word in ("ID", "IDs"):
        return True
    if word.isupper() and (lowered in _SHOUTED or len(word) > 6):  # for emphasis
        return True
    written = re.compile(rf"(?<![^\W_]){re.escape(lowered.removesuffix('s'))}s?(?:'?s)?(?![^\W_])")
    if any(written.search(text.lower()) for text in known):
        return True
    if not (word.isupper() and word.isalpha() and len(word) < 6):
        return False
    initials = re.compile(r"\b" + r"\w*[ .-]+".join(word), re.IGNORECASE)
    return any(initials.search(text) for text in known)


def _is_known_quote(quote: str, known: Sequence[str]) -> bool:
    plain = plain_name(quote)
    texts = [f" {plain_name(text)} " for text in known]
    if any(f" {plain} " in text for text in texts):
        return True
    words = [word for word in plain.split() if len(word) > 3]
    return all(any(f" {word} " in text for text in texts) for word in words)


# --- values ---

COUNTED = frozenset(
    "people persons guests seats tickets passengers adults children travellers travelers riders rooms bedrooms "
    "bathrooms baths beds nights days stops stars".split()
)
"""Nouns after a number that counts something requested or returned, never the results."""
_UNITS = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60}
_DAYS = {"day": 1, "days": 1, "night": 1, "nights": 1, "week": 7, "weeks": 7}
_LISTED = frozenset(
    "details values things pieces questions conditions fields arguments parameters items points steps more other "
    "others of left remaining required missing open main key optional possible different".split()
)
"""Nouns after a small number that counts points in the thought itself."""
_WHEN = (" at", " by", " until", " from", " to", " around", " after", " before")
_RANKED = ("option", "result", "number", "choice", "top", "first", "all", "#", "step")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")
_ORDERED = frozenset(
    "option result choice one match place attempt try time search request question hit entry suggestion item call step "
    "restaurant hotel event flight bus train film song".split()
)
_SET_PHRASES = ("24-hour", "100%", "24/7")


def _is_known_value(sample: Sample, thought: str, value: Value, known: Sequence[str]) -> bool:
    clock = sample.clock
    before = thought[: value.start].rstrip().lower()
    unit = _next_word(thought, value.start + len(value.text))
    forms = value.forms
    if value.kind == "number":
        if any(form in ("0", "1") or _counts(sample, form, before, unit) for form in forms):
            return True
        if before.endswith(_WHEN):
            forms |= read_value(f"{value.text}:00")  # "at 5"
    if any(not forms.isdisjoint(other.forms) for text in known for other in find_values(text, clock)):
        return True
    if value.kind == "date":
        return _is_known_day(sample, value, known)
    if value.kind == "time":
        return any(_is_bare_hour(form, sample) for form in forms)
    near = (thought, *known[:4])
    return any(
        (unit in _UNITS and _is_time_between(sample, near, form, _UNITS[unit]))
        or (unit in _DAYS and _is_days_between(sample, near, form, _DAYS[unit]))
        for form in forms
    )


def _counts(sample: Sample, form: str, before: str, unit: str) -> bool:
    """Whether a number counts results, or a few points in the thought itself."""
    if not form.isdecimal() or unit in COUNTED:
        return False
    number, counts = int(form), list(_read_counts(sample))
    if number in counts or number + 1 in counts:
        return True
    if before.endswith(_RANKED) or unit in _LISTED:
        return number <= max([5, *counts])
    return sample.clock is not None and number in (sample.clock.year, sample.clock.year + 1)


def _read_counts(sample: Sample) -> Iterator[int]:
    """The numbers of results that were found, shown and offered so far."""
    for turn in sample.turns:
        steps = turn.steps if turn is not sample.current else sample.steps
        for step in steps:
            for observation in step.observations:
                matches = count_matches(observation)
                if matches is not None:
                    yield matches
                shown = read_content(observation)
                if isinstance(shown, list):
                    yield len(shown)
        if turn is not sample.current:
            yield from (len(act.canonical) for act in turn.labels.system_acts)


def _is_known_day(sample: Sample, value: Value, known: Sequence[str]) -> bool:
    """Whether a date is today, or is given as the weekday of a known date."""
    if value_text(sample.clock) in value.forms:
        return True
    weekdays = {datetime.date.fromisoformat(form).weekday() for form in value.forms if len(form) == 10}
    if len(weekdays) != 1 or any(map(str.isdigit, value.text)):
        return False
    return not weekdays.isdisjoint(day.weekday() for day in _read_days(sample, known))


def _read_days(sample: Sample, texts: Sequence[str]) -> Iterator[datetime.date]:
    for text in texts:
        for value in find_values(text, sample.clock):
            if value.kind == "date":
                yield from (datetime.date.fromisoformat(form) for form in value.forms if len(form) == 10)


def _is_bare_hour(form: str, sample: Sample) -> bool:
    """Whether the user gave the hour as a bare number: "at 5" for 17:00."""
    hour, _, minute = form.partition(":")
    if minute != "00":
        return False
    bare = {str(int(hour)), str((int(hour) - 1) % 12 + 1)}
    return any(
        not bare.isdisjoint(v.forms) for turn in sample.turns for v in find_values(turn.user) if v.kind == "number"
    )


def _is_time_between(sample: Sample, texts: Sequence[str], form: str, unit: int) -> bool:
    """Whether two times in the texts are this many minutes or hours apart."""
    times = {
        int(read[:2]) * 60 + int(read[3:])
        for text in texts
        for value in find_values(text, sample.clock)
        if value.kind == "time"
        for read in value.forms
    }
    return form.isdecimal() and any(one - other == int(form) * unit for one in times for other in times)


def _is_days_between(sample: Sample, texts: Sequence[str], form: str, unit: int) -> bool:
    """Whether two dates in the texts are this many days apart."""
    days = set(_read_days(sample, texts))
    return form.isdecimal() and any((one - other).days == int(form) * unit for one in days for other in days)
