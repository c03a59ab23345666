"""What follows from what is known, for values that stand nowhere as they are written.

The same value in another form ("half past six" of 18:30), a name in other letters or by its initials, a quotation with
another case; today, the weekday and the year of a known date; a count of results; how far apart two times or dates are.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from coalm_it.schema import Sample
from coalm_it.values import Value, find_values, plain_name, read_value, value_text


class Item(NamedTuple):
    """Something in a thought that needs a source: its words, and the texts of which one would be a source."""

    kind: Literal["value", "name", "quote"]
    words: str
    forms: tuple[str, ...]


def follows(sample: Sample, thought: str, item: Item, known: Sequence[str]) -> bool:
    """Whether an item follows from the known texts, and from what the sample counts and dates."""
    if item.kind == "quote":
        return _is_known_quote(item.words, known)
    if item.kind == "name":
        return all(_is_known_part(sample, thought, part, known) for part in re.split(r"[-/& ]+", item.words))
    values = [value for value in find_values(thought, sample.clock) if item.words in value.text]
    if values:
        return any(_is_known_value(sample, thought, value, known) for value in values)
    return all(_is_known_part(sample, thought, part, known) for part in item.words.split())


def _is_known_part(sample: Sample, thought: str, word: str, known: Sequence[str]) -> bool:
    """Whether a word of a longer name, or a number among names ("Top 40"), is known by itself."""
    if word[:1].isdigit():
        value = Value("number", word, thought.find(word), read_value(word, sample.clock))
        return _is_known_value(sample, thought, value, known) or _is_known_word(word, known)
    return word in _MONTHS or _is_known_word(word.removesuffix("'s").strip("'-"), known)


# --- names and quotations ---

_MONTHS = "January February March April May June July August September October November December".split()
_SHOUTED = frozenset("not only no and or all any both before after first now new same still must never".split())


def _is_known_word(word: str, known: Sequence[str]) -> bool:
    lowered = word.lower()
    if len(word) < 2 or (word.isupper() and lowered in _SHOUTED):
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

_UNITS = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60}
_DAYS = {"day": 1, "days": 1, "night": 1, "nights": 1, "week": 7, "weeks": 7}
_LISTED = frozenset(
    "details values things pieces questions conditions fields arguments parameters items points more other others "
    "of left remaining".split()
)
_RANKED = ("option", "result", "number", "choice", "top", "first", "#", "step")


def _is_known_value(sample: Sample, thought: str, value: Value, known: Sequence[str]) -> bool:
    if any(not value.forms.isdisjoint(other.forms) for text in known for other in find_values(text, sample.clock)):
        return True
    before = thought[: value.start].rstrip().lower()
    after = thought[value.start + len(value.text) :].split(None, 1)
    unit = after[0].strip(".,;:!?)").lower() if after else ""
    if value.kind == "date":
        return _is_known_day(sample, value, known)
    if value.kind == "time":
        return any(_is_bare_hour(form, sample) for form in value.forms)
    return any(
        form in ("0", "1")
        or (form.isdecimal() and _counts(sample, int(form), before, unit))
        or (unit in _UNITS and _is_apart(sample, thought, known, form, _UNITS[unit]))
        or (unit in _DAYS and _is_days_apart(sample, thought, known, form, _DAYS[unit]))
        for form in value.forms
    )


def _counts(sample: Sample, number: int, before: str, unit: str) -> bool:
    """Whether a number counts results, or a few things of the thought's own making."""
    counts = list(_read_counts(sample))
    if number in counts or number + 1 in counts:
        return True
    if before.endswith(_RANKED) or unit in _LISTED:
        return number <= max([5, *counts])
    return sample.clock is not None and number in (sample.clock.year, sample.clock.year + 1)


def _read_counts(sample: Sample) -> Iterator[int]:
    """How many results came back, were shown and were offered so far."""
    for turn in sample.turns:
        steps = turn.steps if turn is not sample.current else sample.steps
        for step in steps:
            for observation in step.observations:
                if isinstance(observation, dict):
                    if isinstance(observation.get("matches"), int):
                        yield observation["matches"]
                    observation = observation.get("results")
                if isinstance(observation, list):
                    yield len(observation)
        if turn is not sample.current:
            yield from (len(act.canonical) for act in turn.labels.system_acts)


def _is_known_day(sample: Sample, value: Value, known: Sequence[str]) -> bool:
    """Whether a date is today, or names the weekday of a known date."""
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
    """Whether the user said the hour as a bare number: "at 5" of 17:00."""
    hour, _, minute = form.partition(":")
    if minute != "00":
        return False
    bare = {str(int(hour)), str((int(hour) - 1) % 12 + 1)}
    return any(
        not bare.isdisjoint(v.forms) for turn in sample.turns for v in find_values(turn.user) if v.kind == "number"
    )


def _is_apart(sample: Sample, thought: str, known: Sequence[str], form: str, unit: int) -> bool:
    times = {
        int(read[:2]) * 60 + int(read[3:])
        for text in (thought, *known[:4])
        for value in find_values(text, sample.clock)
        if value.kind == "time"
        for read in value.forms
    }
    return any(str((one - other) // unit) == form and (one - other) % unit == 0 for one in times for other in times)


def _is_days_apart(sample: Sample, thought: str, known: Sequence[str], form: str, unit: int) -> bool:
    days = {*_read_days(sample, (thought, *known[:4])), *([sample.clock] if sample.clock else [])}
    return any(
        str((one - other).days // unit) == form and (one - other).days % unit == 0 for one in days for other in days
    )
