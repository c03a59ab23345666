"""Where a value stands in a request, and what replaces it."""

from __future__ import annotations

import re
from typing import NamedTuple

from coalm_it.samples.unanswerable.topics import Words, split_words, stem

QUOTES = "\"'“”‘’"
WORD = r"[A-Za-z][A-Za-z'’-]*"
_NAMED = frozenset("a an code id identifier my name named number our the their title".split())
_UNIT = re.compile(
    r"\s?(?:%|percent|°[CF]?|(?:(?:square|cubic) )?(?:pixels|meters|metres|kilometers|miles|feet|inches|cm|km|mm|mg|kg"
    r"|grams|kilograms|pounds|liters|degrees(?: Celsius| Fahrenheit)?|years|months|weeks|days|hours|minutes|seconds"
    r"|dollars|euros|USD|EUR|calories|people|guests|participants)(?: per (?:second|hour|minute|day))?)(?!\w)"
)


class Place(NamedTuple):
    """Where a value stands in a request, its quotes and unit included."""

    query: str
    start: int
    stop: int
    known: Words
    """Stems of the words that name the parameter or describe it."""

    @property
    def value(self) -> str:
        return self.query[self.start : self.stop]

    @property
    def left(self) -> str:
        return self.query[: self.start]

    @property
    def right(self) -> str:
        return self.query[self.stop :]

    @property
    def is_quoted(self) -> bool:
        return self.value[0] in QUOTES

    @property
    def is_name(self) -> bool:
        """Whether it is in quotes, or a name or code: no common word, which may describe instead of naming."""
        return self.is_quoted or any(mark.isdigit() or mark.isupper() for mark in self.value)

    @property
    def is_code(self) -> bool:
        """Whether it is in quotes or has digits: no word of the sentence."""
        return self.is_quoted or any(map(str.isdigit, self.value))

    def is_label(self, words: str) -> bool:
        """Whether all words name the parameter: "the user ID"."""
        return all(word in _NAMED or stem(word) in self.known for word in split_words(words))


class Span(NamedTuple):
    """The part of a request that is replaced, and by what."""

    start: int
    stop: int
    instead: str = ""


def widen(query: str, start: int, stop: int) -> tuple[int, int]:
    """The span of a value with the quotes around it and the unit after it."""
    if unit := _UNIT.match(query, stop):
        stop = unit.end()
    if start and query[start - 1] in QUOTES and query[stop : stop + 1] and query[stop] in QUOTES:
        return start - 1, stop + 1
    return start, stop
