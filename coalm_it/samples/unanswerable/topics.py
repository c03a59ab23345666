"""Compares the words of functions and requests to tell which function may answer a request.

The rules are for English and for text in Latin letters. They err on the safe side: words that only look alike count as
equal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from coalm_it.schema import Tool

Words = frozenset[str]

_STOP_WORDS = frozenset(
    """a about all also am an and any are as at be been being between both but by can could did do does each for from
    had has have help her his how i if in into is it its just know let like may me more most must my need no not now of
    off on one only or other our out over please should so some such than that the their them then there these they
    this those three to two up us via want was we were what when where which while who will with would you your
    check fetch find get give list look make obtain provide query request retrieve return search show tell use
    checks fetches finds gets gives lists looks makes obtains provides queries requests retrieves returns searches
    shows tells uses fetching finding getting listing making providing retrieving returning searching showing using
    allow allowed allows associated available based certain current currently detailed different following given
    include included includes including latest multiple new optional optionally particular recent related returned
    several single specific specified unique used various
    api apis data detail details endpoint format function functions id identifier identifiers ids info information
    input item items json name named names number numbers object objects output parameter parameters rapidapi result
    results service services set string strings tool toolbench tools type types value values""".split()
)
"""Words that do not tell the topic of a function or a request."""
_SYNONYMS = (
    "account profile user username",
    "address coordinates geocode latitude location place",
    "airline airplane airport flight",
    "apartment estate home house property",
    "article headline journal magazine news publication story",
    "author writer",
    "automobile car vehicle",
    "boat cruise ship vessel",
    "book literature novel",
    "business company corporation firm organization",
    "cinema film movie",
    "city town",
    "climate forecast temperature weather",
    "clip video youtube",
    "clock date time timezone today",
    "club team",
    "coin cryptocurrency token",
    "college school university",
    "competition league tournament",
    "conversion currency exchange",
    "country nation",
    "definition dictionary synonym word",
    "dish food meal recipe",
    "doctor physician",
    "domain link page site url website",
    "drug medication medicine",
    "email mail",
    "episode series television tv",
    "equity share stock ticker",
    "fixture game match",
    "hotel accommodation lodging room",
    "humor joke",
    "image photo photograph picture",
    "job position vacancy",
    "language translation",
    "lyrics music playlist song track",
    "phone telephone",
)
"""Words near in meaning, which count as equal."""
_GENERAL_PURPOSE = "ask bing browse chatbot chatgpt duckduckgo execute google gpt prompt question web wikipedia wolfram"
"""Words of functions that may answer any request."""
_COMMON_PARAMETERS = frozenset("id is_id page limit offset count size name query q format lang language".split())
"""Parameters that functions for quite different purposes have."""
_FREE_TEXT = frozenset(
    "content description input keyword keywords message prompt q query question search subject term text topic".split()
)
_OTHER_LETTER = re.compile(r"[^\W\d_\u0000-\u024f]")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[a-z][a-z0-9]+")


def is_readable(text: str) -> bool:
    """Whether the rules apply to a text: all its letters are Latin."""
    return _OTHER_LETTER.search(text) is None


def split_words(text: str) -> list[str]:
    """The words of a text or identifier in lower case: `cityName`, `city_name` and "City name" all give city, name."""
    return _WORD.findall(_HUMP.sub(" ", text).replace("_", " ").lower())


def stem(word: str) -> str:
    """The first five letters of a word, without the s of a plural."""
    plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    return (word[:-1] if plural else word)[:5]


_STEMS = {stem(word): stem(group.split()[0]) for group in _SYNONYMS for word in group.split()}
_GENERAL_PURPOSE_STEMS = frozenset(map(stem, _GENERAL_PURPOSE.split()))


@lru_cache(maxsize=1 << 14)
def read_words(text: str) -> Words:
    """The stems of the words that tell the topic of a text; words near in meaning have the same stem."""
    stems = map(stem, set(split_words(text)) - _STOP_WORDS)
    return frozenset(_STEMS.get(word, word) for word in stems)


def read_tool_words(tool: Tool) -> Words:
    """The stems of the words that tell the topic of a function."""
    return read_words(f"{tool.name} {tool.description}")


def may_serve(tool: Tool, removed: Sequence[Tool], excluded_words: Words) -> bool:
    """Whether a function may answer the request that the `removed` ones answered.

    It may if it has one of the `excluded_words` (of the removed functions and of the request), a word of
    general-purpose functions, or the same parameters.
    """
    words = read_tool_words(tool)
    if not words.isdisjoint(excluded_words) or not words.isdisjoint(_GENERAL_PURPOSE_STEMS):
        return True
    names = tool.properties.keys()
    return not names <= _COMMON_PARAMETERS and any(names == other.properties.keys() for other in removed)


def read_parameter_words(tool: Tool, name: str) -> Words:
    """The stems of the words of a parameter: of its name and of its description."""
    entry = tool.properties.get(name, {})
    return read_words(f"{name} {entry.get('description', '')}")


def is_callable(tool: Tool, values: Words, said: Words) -> bool:
    """Whether a request may state all values that a function requires, as far as words tell.

    `values` are the words of the values that the request is known to state; `said` are all its words, where it may
    state other values too, else none. A parameter that takes free text may take the request itself.
    """
    for name in tool.required:
        words = read_words(name)
        if _FREE_TEXT.isdisjoint(split_words(name)) and words.isdisjoint(values) and words.isdisjoint(said):
            return False
    return True


_TOKEN = re.compile(r"[A-Za-z][\w'’-]*|[^\sA-Za-z]")
_BOUNDARIES = frozenset(
    "and are at be between by during for from has have in is like of on or so that to using was were when where which "
    "who with you".split()
)
_TAILS = frozenset(("data", "details", "information"))


def find_topic(query: str, topics: Words) -> str:
    """A noun phrase of the query, with its article, that names the topic of a function: "the stock price".

    `topics` are the stems of the function; at least two words of the phrase must be among them. "" if there is no such
    phrase.
    """
    tokens = [(match[0], match.start(), match.end()) for match in _TOKEN.finditer(query)]
    best, most = "", 1
    for index, (article, start, _) in enumerate(tokens):
        if article not in ("a", "an", "the"):
            continue
        known, last = 0, index
        for next_index in range(index + 1, len(tokens)):
            word = tokens[next_index][0]
            if not read_words(word).isdisjoint(topics):
                known, last = known + 1, next_index
            elif word in _TAILS and last == next_index - 1:
                last = next_index
            elif word != "of" or last != next_index - 1:
                break
        after = tokens[last + 1][0] if last + 1 < len(tokens) else "."
        if known > most and (after in _BOUNDARIES or not after.isalnum()):
            best, most = query[start : tokens[last][2]], known
    return best
