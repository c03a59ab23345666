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
_OWN_KNOWLEDGE = """algebra anagram antonym area arithmetic average calculate calculator calculus capital chemistry
    chord circle classify compose compute conjugate define definition derivative dictionary disease divide encyclopedia
    equation essay etymology explain fact factorial fibonacci formula geometry grammar greet historical history
    hypotenuse idiom integral itinerary joke knowledge logarithm math mathematics matrix mean median meaning melody
    multiply palindrome paraphrase percentage perimeter philosophy physics plants poem poker prime probability pronounce
    proverb quiz recipe
    recommend regex regression remainder reverse rewrite rhyme riddle root sentiment solve sort spell square statistics
    suggest suitable sum summarize symptom synonym theorem translate translation triangle trivia volume wiki
    wikipedia word"""
"""Words of requests that a model can answer without a function."""
_BOOK_QUESTION = re.compile(
    r"^\W*(?:(?:can|could) you (?:please )?tell me )?(?:who|when|where|why|how) (?:to|is|are|was|were|did|does|do"
    r"|invented|discovered|wrote|won) (?!my|our|i|we)\b|\bwhat (?:does|did) .* mean\b",
    re.IGNORECASE,
)
"""Questions that books answer."""
_CONVERT = re.compile(r"\bconver(?:t|ts|ting|sion)\b", re.IGNORECASE)
_RATES = re.compile(r"\b(?:currenc\w+|exchange|rates?|dollars?|euros?|pounds|yen|rupees|[A-Z]{3} to [A-Z]{3})\b|[$€£]")
_COMMON_PARAMETERS = frozenset("id is_id page limit offset count size name query q format lang language".split())
"""Parameters that functions for quite different purposes have."""
_FREE_TEXT = frozenset(
    """action claim command content data description expression input issue keyword keywords message prompt q query
    question request search sentence statement subject task term text topic""".split()
)
"""Words in names of parameters that may take the request itself, or any part of it."""
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
_OWN_KNOWLEDGE_STEMS = frozenset(map(stem, _OWN_KNOWLEDGE.split()))


@lru_cache(maxsize=1 << 14)
def read_words(text: str) -> Words:
    """The stems of the words that tell the topic of a text; words near in meaning have the same stem."""
    stems = map(stem, set(split_words(text)) - _STOP_WORDS)
    return frozenset(_STEMS.get(word, word) for word in stems)


def read_tool_words(tool: Tool) -> Words:
    """The stems of the words that tell the topic of a function."""
    return read_words(f"{tool.name} {tool.description}")


def read_all_words(tool: Tool) -> Words:
    """The stems of the words of a function and of its parameters, their descriptions and their allowed values."""
    texts = [tool.name, tool.description]
    for name, entry in tool.properties.items():
        choices = entry.get("enum")
        texts += [name, str(entry.get("description", "")), *map(str, choices if isinstance(choices, list) else ())]
    return read_words(" ".join(texts))


def needs_no_function(request: str, tools: Sequence[Tool]) -> bool:
    """Whether a model could answer a request by itself: sums, translations, definitions, jokes, what books tell.

    `tools` are the functions that would serve it.
    """
    if _BOOK_QUESTION.search(request) or (_CONVERT.search(request) and not _RATES.search(request)):
        return True
    texts = [request, *(f"{tool.name} {tool.description}" for tool in tools)]
    return not _OWN_KNOWLEDGE_STEMS.isdisjoint(stem(word) for text in texts for word in split_words(text))


def may_serve(tool: Tool, removed: Sequence[Tool], excluded_words: Words) -> bool:
    """Whether a function may answer the request that the `removed` ones answered.

    It may if one of the `excluded_words` (of the removed functions and of the request) is in its name, in its
    description or in those of its parameters, or a word of general-purpose functions, or if it has the same parameters.
    """
    words = read_all_words(tool)
    if not words.isdisjoint(excluded_words) or not words.isdisjoint(_GENERAL_PURPOSE_STEMS):
        return True
    names = tool.properties.keys()
    return not names <= _COMMON_PARAMETERS and any(names == other.properties.keys() for other in removed)


def read_parameter_words(tool: Tool, name: str) -> Words:
    """The stems of the words of a parameter: of its name and of its description."""
    entry = tool.properties.get(name, {})
    return read_words(f"{name} {entry.get('description', '')}")


def is_free_text(name: str) -> bool:
    """Whether a parameter takes free text, by its name."""
    return not _FREE_TEXT.isdisjoint(split_words(name))


def is_callable(tool: Tool, values: Words, said: Words) -> bool:
    """Whether a request may state all values that a function requires, as far as words tell.

    `values` are the words of the values that the request is known to state; `said` are all its words, where it may
    state other values too, else none. A parameter that takes free text may take the request itself.
    """
    for name in tool.required:
        words = read_words(name)
        if not is_free_text(name) and words.isdisjoint(values) and words.isdisjoint(said):
            return False
    return True


_TOKEN = re.compile(r"[A-Za-z][\w'’-]*|[^\sA-Za-z]")
_BOUNDARIES = frozenset(
    """. ? ! , ; and are at be between by during for from has have in is like of on or so that to using was were when
    where which who with you""".split()
)
_NO_ENDINGS = ("ed", "ing", "ly", "est")
_SENTENCES = re.compile(r"[.?!]\s+\w")
_TAILS = frozenset(("data", "details", "information"))


def find_topic(query: str, topics: Words, names: Words) -> str:
    """A noun phrase of the query, with its article, that names the topic of a function: "the stock price".

    `topics` are the stems of the function, `names` those of its name; at least two words of the phrase must be among
    the first, one of them among the second. "" if there is no such phrase, or if the query has several sentences: then
    the phrase may be in passing.
    """
    if _SENTENCES.search(query):
        return ""
    tokens = [(match[0], match.start(), match.end()) for match in _TOKEN.finditer(query)]
    best, most = "", 1
    for index, (article, start, _) in enumerate(tokens):
        if article not in ("a", "an", "the"):
            continue
        known, last, is_named = 0, index, False
        for next_index in range(index + 1, len(tokens)):
            words = read_words(tokens[next_index][0]) if not tokens[next_index][0].istitle() else Words()
            if not words.isdisjoint(topics):
                known, last, is_named = known + 1, next_index, is_named or not words.isdisjoint(names)
            elif tokens[next_index][0] in _TAILS and last == next_index - 1:
                last = next_index
            elif tokens[next_index][0] != "of" or last != next_index - 1:
                break
        after = tokens[last + 1][0] if last + 1 < len(tokens) else "."
        if known > most and is_named and after in _BOUNDARIES and not tokens[last][0].endswith(_NO_ENDINGS):
            best, most = query[start : tokens[last][2]], known
    return best
