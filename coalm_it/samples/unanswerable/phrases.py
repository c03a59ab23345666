"""Removes a value from a request so that the sentence stays complete, and names the missing value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from coalm_it.samples.unanswerable.cuts import list_cuts
from coalm_it.samples.unanswerable.places import QUOTES, Place, Span, widen
from coalm_it.samples.unanswerable.topics import read_tool_words, read_words, split_words, stem
from coalm_it.schema import Sample, Tool
from coalm_it.values import find_values, mentions, read_value, value_text


class Cut(NamedTuple):
    """A request without the value of a parameter: the rest, the removed words, their position, and what stands there
    instead."""

    name: str
    rest: str
    words: str
    position: int
    instead: str


_ASSUMED = frozenset("currency format lang language limit offset page size timezone unit units".split())
"""Words in names of parameters for which a sensible agent assumes a value instead of asking."""
_PRESENT = frozenset("current daily latest now today tonight".split())
_BACK = re.compile(
    r"\b(?:these|those|there|(?:the|that|this) (?:same|one)|(?:this|that) (?!is\b|are\b|was\b|the\b|my\b|i\b)\w+)\b",
    re.IGNORECASE,
)
"""What may point back to the value."""
_PRONOUN = re.compile(r"\b(?:he|her|him|his|it|its|she|their|them|they)\b", re.IGNORECASE)
_GIVEN = re.compile(r"\b(?:given|following|specified|mentioned|provided|above|below)\b", re.IGNORECASE)
"""What says that the request has the value."""
_BROKEN = re.compile(
    r"\s[.,;?!]|[.,;:]\s*[.,;]|  |(?:^|\s)(?:a|an|and|at|by|for|from|in|of|or|the|to|with|is|are)\s*(?:[.,;?!]|$)"
    r"|\b(?:a|an|the) (?:a|an|the|and|of|in|for|with|to)\b|\b(\w+) \1\b|^\W|\(\s*\)",
    re.IGNORECASE,
)
"""Traces of a bad cut: two marks in a row, or a sentence that ends with a preposition."""


def cut_value(sample: Sample, tool: Tool, name: str) -> Cut | None:
    """The current request without the value of a parameter of its only call; None if the value cannot be removed.

    It can be removed if it is a text or a number, required, without a default in the schema or in the description, and
    occurs once in the request and nowhere else in the sample.
    """
    arguments, query = sample.calls[0].arguments, sample.current.user
    value, entry = arguments[name], tool.properties.get(name, {})
    described = str(entry.get("description", "")).lower()
    if name not in tool.required or "default" in entry or "default" in described or "optional" in described:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value_text(value).strip()
    if not text or text.lower() in _PRESENT or not _ASSUMED.isdisjoint(split_words(name)):
        return None
    span = _find_value(query, text)
    if span is None:
        return None
    known = frozenset(stem(word) for word in split_words(f"{name} {described}"))
    topics = read_tool_words(tool)
    history = " ".join(turn.user for turn in sample.history)
    for cut in list_cuts(Place(query, *span, known)):
        rest = query[: cut.start] + cut.instead + query[cut.stop :]
        if (
            _reads_well(rest, cut, query, name)
            and not topics.isdisjoint(read_words(f"{history} {rest}"))
            and not _occurs_elsewhere(text, rest, name, sample)
        ):
            return Cut(name, rest, query[cut.start : cut.stop], cut.start, cut.instead)
    return None


def _find_value(query: str, text: str) -> tuple[int, int] | None:
    """Where a request says a value, in the same letters or as a date, time or number; None unless it does once."""
    pattern = rf"(?<![\w.]){re.escape(text)}(?!\w|[.:/-]\w)"
    spans = [match.span() for match in re.finditer(pattern, query, re.IGNORECASE)]
    if not spans and query.lower().count(text.lower()):
        return None  # a part of another word
    if not spans:
        forms = read_value(text.removesuffix(" 00:00:00"))
        found = [one for one in find_values(query) if not one.forms.isdisjoint(forms)]
        spans = [(one.start, one.start + len(one.text)) for one in found]
    if len(spans) != 1 or query.lower().count(text.lower()) > 1:
        return None
    start, stop = widen(query, *spans[0])
    has_half_quotes = start > 0 and query[start - 1] in QUOTES
    return None if has_half_quotes or (query[stop : stop + 1] in QUOTES[:2] and query[stop:]) else (start, stop)


def _reads_well(rest: str, cut: Span, query: str, name: str) -> bool:
    """Whether the rest is a sentence in which nothing points to what was cut."""
    after = rest[cut.start + len(cut.instead) :]
    if _BROKEN.search(rest) and not _BROKEN.search(query):
        return False
    if _GIVEN.search(rest) or _BACK.search(after) or not any(map(str.isalpha, rest)):
        return False
    if not cut.instead and _PRONOUN.search(after):  # where a noun stays, the pronoun means that noun
        return False
    labels = {stem(word) for word in split_words(name)}
    return not any(stem(noun.lower()) in labels for noun in re.findall(r"\bthe (\w+)", after))


def has_more_values(rest: str, known: list[str]) -> bool:
    """Whether a request seems to state values besides the known ones: numbers, texts in quotes, names."""
    for value in known:
        place = rest.lower().find(value.lower())
        if place >= 0:
            rest = rest[:place] + rest[place + len(value) :]
    return bool(find_values(rest)) or re.search(r"""["“]\w|(?<=[a-z,] )'?[A-Z][a-z]""", rest) is not None


def _occurs_elsewhere(text: str, rest: str, name: str, sample: Sample) -> bool:
    """Whether a value can be found in the rest of the request, the other arguments, the history or the system text."""
    said = [
        rest,
        sample.system,
        *(value_text(other) for key, other in sample.calls[0].arguments.items() if key != name),
    ]
    for turn in sample.history:
        said += (turn.user, turn.reply or "")
        said += (str(step) for step in turn.steps)
    return any(mentions(other, text) for other in said)


_CLAUSE_END = re.compile(r"[,;:(\[\n]|\.(?:\s|$)| e\.?g\b| i\.?e\b| such as | in the format| in format")
_NO_STARTS = frozenset("if in optional set specify this to use when whether".split())
_BARE_NOUN = re.compile(
    r"^((?:the )?(?:id|name|password|username|code|title|time|date) of )(?!the |a |an )(\w+(?<!s))$", re.I
)
"""What needs an article: "the name of patient"."""
MAX_WORDS = 14


def name_parameter(name: str, entry: Mapping[str, Any]) -> str:
    """A noun phrase for a parameter, with an article: the first clause of its description, or the words of its name."""
    words = _CLAUSE_END.split(str(entry.get("description", "")).strip())[0].split()
    if not words or len(words) > MAX_WORDS or words[0].lower() in _NO_STARTS:
        words = split_words(name) or [name]
    if not words[0].isupper() or len(words[0]) == 1:
        words[0] = words[0].lower()
    phrase = " ".join(word for word in words if word != "given")
    phrase = _BARE_NOUN.sub(r"\1the \2", phrase)
    return phrase if words[0] in ("a", "an", "the") else f"the {phrase}"
