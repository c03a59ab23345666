"""Values as people write them: numbers, dates (relative to the dialogue's clock), times, money, yes and no.

A form is the canonical text of a value, as annotations and services write it: `2019-03-04`, `17:30`, `1200`,
`4.4`, `True`, `dontcare`. Where the words are ambiguous ("5:30", "next Monday") every reading is a form, and two
values are the same if they share a form. A date without a year, in a dialogue without a clock, has the truncated
form of ISO 8601: `--03-04`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from coalm_it.schema import DONT_CARE
from coalm_it.values import dates, numbers, times
from coalm_it.values.dates import Clock

Forms = frozenset[str]


class Value(NamedTuple):
    """A value found in a text: its kind (time, date, phone, money, number), its words, their position, its forms."""

    kind: str
    text: str
    start: int
    forms: Forms


def value_text(value: Any) -> str:
    """A typed value as text, spelt as in the corpora: True, 2, 4.5, Chicago."""
    return value if isinstance(value, str) else str(value)


def same_value(spoken: str, canonical: Any, clock: Clock = None) -> bool:
    """Whether the spoken text denotes the value: "half past 5 in the evening" 17:30, "Paris, France" Paris.

    Nicknames and shortened names (Chi-town, "Chili's Grill") are not recognised; only the annotation resolves them.
    """
    text = value_text(canonical)
    return spoken == text or _same_text(spoken, text, clock)


@lru_cache(maxsize=1 << 14)
def _same_text(spoken: str, canonical: str, clock: Clock) -> bool:
    said, meant = plain_name(spoken), plain_name(canonical)
    # digits alone are not a name: "4.4" is not 44, "-5" is not 5
    if any(map(str.isalpha, meant)) and (said == meant or said.replace(" ", "") == meant.replace(" ", "")):
        return True
    if not read_value(spoken, clock).isdisjoint(read_value(canonical, clock)):
        return True
    place, comma, region = spoken.rpartition(",")
    return bool(comma) and region.replace(" ", "").isalpha() and plain_name(place) == meant


_SEPARATORS = re.compile(r"[\W_]+")
_ARTICLE = re.compile(r"^(?:the|a|an) (?=.)")


@lru_cache(maxsize=1 << 12)
def plain_name(text: str) -> str:
    """A name without case, punctuation and leading article: the same for "The Fillmore" and "the fillmore"."""
    joined = text.casefold().replace("&", " and ").replace("'", "").replace("’", "")
    return _ARTICLE.sub("", _SEPARATORS.sub(" ", joined).strip())


# --- a whole text as a value ---

_YES = frozenset("yes|yeah|yep|yup|sure|true|of course|definitely|correct|right".split("|"))
_NO = frozenset("no|nope|nah|false|not at all|not really".split("|"))
_ANY = frozenset(
    f"{DONT_CARE}|don't care|i don't care|doesn't matter|it doesn't matter|any|anything|anywhere|anytime|either|"
    "whatever|no preference|any is fine|anything is fine".split("|")
)
_PHONE = r"(?:\+?\d{1,3}[ -])?(?:\(\d{3}\) ?|\d{3}[ -])\d{3}-\d{4}"
_READ_PHONE = re.compile(_PHONE)


def _join_by_letter(words: Iterable[str]) -> str:
    """Alternatives grouped by first letter, which match five times as fast as one long list of words."""
    letters: dict[str, list[str]] = {}
    for word in sorted(set(words), key=lambda word: (-len(word), word)):
        letters.setdefault(word[0], []).append(word[1:])
    return "|".join(f"{letter}(?:{'|'.join(rest)})" for letter, rest in letters.items())


_WORDS = _join_by_letter([*numbers.STARTS, *times.STARTS, *dates.STARTS])
_START = re.compile(rf"(?<![\w$€£/-])(?<!\d[.,])(?:\d|[$€£+(] ?\d|(?:{_WORDS})(?![a-z]))")
"""Where a value can begin; a text without a match contains no value."""


@lru_cache(maxsize=1 << 14)
def read_value(text: str, clock: Clock = None) -> Forms:
    """Every form that the text as a whole can denote; none for a name."""
    plain = " ".join(text.lower().replace("’", "'").split()).strip(" .,!?;")
    forms = {form for form, words in (("True", _YES), ("False", _NO), (DONT_CARE, _ANY)) if plain in words}
    if _START.search(plain):
        for kind in ("time", "date", "phone", "number"):
            forms.update(_READERS[kind](plain, clock))
    return frozenset(forms)


def _read_phone(text: str) -> list[str]:
    return [re.sub(r"\D", "", text)[-10:]] if _READ_PHONE.fullmatch(text) else []


_READERS: dict[str, Callable[[str, Clock], list[str]]] = {
    "time": lambda text, clock: times.read_time(text),
    "date": dates.read_date,
    "phone": lambda text, clock: _read_phone(text),
    "money": lambda text, clock: numbers.read_number(text),
    "number": lambda text, clock: numbers.read_number(text),
}


# --- the values in a text ---


def _join(patterns: Iterable[str]) -> str:
    """Alternatives with groups made non-capturing, so that the kind is the only group."""
    return re.sub(r"\((?!\?)", "(?:", "|".join(patterns))


_FIND = re.compile(
    rf"(?:(?P<time>{_join(times.FIND)})|(?P<date>{_join(dates.FIND)})|(?P<phone>{_PHONE})"
    rf"|(?P<money>{numbers.MONEY})|(?P<number>{numbers.NUMBER}))(?!\w|[.:/-]\d)"
)


@lru_cache(maxsize=1 << 12)
def find_values(text: str, clock: Clock = None) -> tuple[Value, ...]:
    """The times, dates, phone numbers, amounts of money and numbers in a text, in order."""
    lowered = text.lower()
    found = []
    end = 0
    for place in _START.finditer(lowered):
        start = place.start()
        match = _FIND.match(lowered, start) if start >= end else None
        if match:
            end = match.end()
            kind = str(match.lastgroup)
            forms = _read_kind(kind, match[0], clock)
            if forms:
                found.append(Value(kind, text[start:end], start, forms))
    return tuple(found)


@lru_cache(maxsize=1 << 14)
def _read_kind(kind: str, text: str, clock: Clock) -> Forms:
    return frozenset(_READERS[kind](text, clock))


def contains(text: str, words: str) -> bool:
    """Whether a text contains exactly these words, not as parts of longer words."""
    place = text.find(words)
    while place >= 0:
        end = place + len(words)
        if not ((place and text[place - 1].isalnum()) or text[end : end + 1].isalnum()):
            return True
        place = text.find(words, place + 1)
    return False


def mentions(text: str, value: Any, clock: Clock = None) -> bool:
    """Whether a text mentions a value, as whole words or in another form: "at half past 5 pm" mentions 17:30."""
    plain = value_text(value)
    name = plain_name(plain)
    said = f" {plain_name(text)} "
    if name and (f" {name} " in said or f" {name}s " in said):  # the second in "Nina's songs"
        return True
    if not plain.isascii() and plain in text:  # Chinese has no spaces between words
        return True
    forms = read_value(plain, clock)
    return bool(forms) and any(not found.forms.isdisjoint(forms) for found in find_values(text, clock))
