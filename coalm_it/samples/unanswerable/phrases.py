"""Removes a value from a request so that the sentence stays complete, and names the missing value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from coalm_it.samples.unanswerable.topics import read_tool_words, read_words, split_words, stem
from coalm_it.schema import Sample, Tool
from coalm_it.values import mentions, value_text


class Cut(NamedTuple):
    """A request without the phrase of a value: the rest, the removed words, and their position."""

    rest: str
    words: str
    position: int


_ASSUMED = frozenset("country currency format lang language limit offset page size state timezone unit units".split())
"""Words in names of parameters for which a sensible agent assumes a value instead of asking."""
_PRESENT = frozenset("current daily latest now today tonight".split())
_PREPOSITIONS = ("at", "for", "from", "in", "of", "on", "using", "with")
_DETERMINERS = frozenset("a all an any each every her his its my our some that the their this your".split())
_NAMED = frozenset("a an called code id my named number our the their titled".split())
_NOT_NOUNS = frozenset(
    """a about am an and any apply are arrive as ask at back be been both buy by call can check convert depart did do
    does down for from get give go going had has have he her here him how i if in into is it like listen live lives
    look looks me moving my near of off on only or our out pay play please put read search see send she sign so stay
    stays switch than that the their them there they this those to travel turn up us wait want was watch we were what
    when where which who will with work works write you your""".split()
)
"""Words before a preposition that make the phrase indispensable: "look for", "interested in", "is in"."""
_ANY_PREPOSITION = "|".join(_PREPOSITIONS)
_FRAME = re.compile(
    rf"""(?<=[A-Za-z])\ (?P<words>named|called|titled
        |(?:{_ANY_PREPOSITION})(?:\ (?!(?:{_ANY_PREPOSITION})\ )[A-Za-z]+){{0,3}})\ ["'“‘]?$""",
    re.VERBOSE,
)
_AFTER = re.compile(rf"""["'”’]?(?=[.?!](?:\s|$)|$|\ (?:{_ANY_PREPOSITION}|between|by|during)\ )""", re.VERBOSE)
_PRONOUN = re.compile(r"\b(?:he|her|him|his|it|its|she|their|them|they)\b", re.IGNORECASE)


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
    if query.lower().count(text.lower()) != 1 or text not in query:
        return None
    words = _find_phrase(query, text, name, described)
    if words is None:
        return None
    rest = query[: words.start] + query[words.stop :]
    if read_tool_words(tool).isdisjoint(read_words(rest)) or _occurs_elsewhere(text, rest, name, sample):
        return None
    return Cut(rest, query[words], words.start)


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


def _find_phrase(query: str, text: str, name: str, described: str) -> slice | None:
    """The span of ` in Paris` or ` called Dawn`, at the end of a sentence or before another such phrase."""
    start = query.index(text)
    frame = _FRAME.search(query, max(0, start - 60), start)
    after = _AFTER.match(query, start + len(text))
    if frame is None or after is None:
        return None
    before, (link, *between) = query[: frame.start()].lower().split(), frame["words"].lower().split()
    if before[-1] in _NOT_NOUNS or before[-1].endswith(("ed", "ing")) or _is_incomplete(before):
        return None
    if _PRONOUN.search(query, after.end()):  # a pronoun may refer to the removed value
        return None
    known = {stem(word) for word in split_words(f"{name} {described}")}
    if any(word not in _NAMED and stem(word) not in known for word in between):
        return None
    # "the city of Paris", "a rate of 4.2": there the value belongs to the noun before it
    belongs = before[-1] in split_words(name) or not any(map(str.isalpha, text))
    return None if belongs and not between and link in _PREPOSITIONS else slice(frame.start(), after.end())


def _is_incomplete(words: Sequence[str]) -> bool:
    """Whether words end in a preposition and a noun that needs an article: "the status of device"."""
    for index, word in enumerate(reversed(words[-4:])):
        if word in _DETERMINERS:
            return False
        if word in _PREPOSITIONS:
            return index > 0 and not words[-1].endswith("s")
    return False


_CLAUSE_END = re.compile(r"[,;:(\[\n]|\.(?:\s|$)| e\.?g\b| i\.?e\b| such as | in the format| in format")
_NO_STARTS = frozenset("if in optional set specify this to use when whether".split())
MAX_WORDS = 14


def name_parameter(name: str, entry: Mapping[str, Any]) -> str:
    """A noun phrase for a parameter, with an article: the first clause of its description, or the words of its name."""
    words = _CLAUSE_END.split(str(entry.get("description", "")).strip())[0].split()
    if not words or len(words) > MAX_WORDS or words[0].lower() in _NO_STARTS:
        words = split_words(name) or [name]
    if not words[0].isupper() or len(words[0]) == 1:
        words[0] = words[0].lower()
    phrase = " ".join(word for word in words if word != "given")
    return phrase if words[0] in ("a", "an", "the") else f"the {phrase}"
