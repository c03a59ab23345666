"""Whether a text has a value, in any of the forms in which people say it and arguments write it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from coalm_it.checks.free_text import looks_like_id
from coalm_it.checks.moments import Moment, is_dated, read_moment
from coalm_it.checks.text_facts import COMPACT_DAY, TextFacts, read_facts, stem, write_number
from coalm_it.values import read_value
from coalm_it.values.codes import words_for_code

_SCHEME = re.compile(r"^(?:https?://)?(?:www\.)?(?=\S+$)")


def stands_in(slot: str, value: Any, facts: TextFacts, clock: datetime.date | None) -> bool:
    """Whether a text has a value of the parameter `slot`, in some form."""
    if isinstance(value, int | float) and not COMPACT_DAY.fullmatch(str(value)):
        return _is_counted(value, facts)
    text = _SCHEME.sub("", str(value).strip())
    if moment := read_moment(text):
        return is_dated(moment, facts, clock) or _is_written(text, facts)
    return names(text, facts) or _is_said_otherwise(slot, text, facts)


def _is_written(text: str, facts: TextFacts) -> bool:
    """Whether a text has exactly these characters: "12-10", which may be a day, a range or a score."""
    return re.search(rf"(?<![\w-]){re.escape(text)}(?![\w-])", facts.raw) is not None


def _is_counted(value: float, facts: TextFacts) -> bool:
    """Whether a text has a number, also as a percentage or inside a longer word: AS15169."""
    number = Decimal(str(value))
    forms = {write_number(abs(number))} | ({write_number(abs(number) * 100)} if abs(number) < 1 else set())
    if not forms.isdisjoint(facts.numbers):
        return True
    if any(_is_rounded(number, form) for form in facts.numbers if "." in form):
        return True
    digits = write_number(number)
    if len(digits) > 2 and re.search(rf"(?<!\d){re.escape(digits)}(?!\d)", facts.plain):
        return True
    return len(digits) > 6 and any(run.endswith(digits) for run in facts.digits)


def _is_rounded(number: Decimal, form: str) -> bool:
    """Whether a number of at least three digits is a rounding of this one: 0.985 of 0.98531."""
    places = len(form.partition(".")[2])
    return 3 < len(form) < 16 and abs(number) < 10**12 and round(number, places) == Decimal(form)


_WORDLIKE = frozenset(
    "AD AI AL AM AN AS AT BE BY DE DO ES ET GO HE HI ID IF IN IS IT LA MA ME MY NO OF OH OK ON OR "
    "PA SO TO UP US WE".split()
)
"""Codes that are words: a text has them only in capitals."""


def names(text: str, facts: TextFacts) -> bool:
    """Whether a text has these words in this order, or these letters and digits whatever marks stand between them."""
    if text in _WORDLIKE:
        return re.search(rf"(?<![^\W_]){text}(?![^\W_])", facts.raw) is not None
    own = read_facts(text)
    if len(own.plain) > 2 and own.plain in facts.plain:
        return True
    if not own.squeezed or own.squeezed not in facts.squeezed:
        return False
    if NO_BLANKS.search(text):
        return True
    return len(own.squeezed) > 3 and _spell(own.squeezed).search(facts.text) is not None


NO_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Scripts without blanks between words, as of Chinese, Japanese and Thai, or with endings joined to them (Korean)."""


@lru_cache(maxsize=512)
def _spell(squeezed: str) -> re.Pattern[str]:
    """The letters of a value as whole words, with any marks between them: 5550198 is 555-0198, but not 15550198."""
    return re.compile(r"(?<![^\W_])" + r"[\W_]*".join(squeezed) + r"(?![^\W_])")


def _is_said_otherwise(slot: str, text: str, facts: TextFacts) -> bool:
    """A code for its word, a number written as text, a phone number, money, a value of `values`, a symbol of shares."""
    if (
        text in facts.dates
        or text.casefold() in facts.signs
        or any(_says_word(word, facts) for word in words_for_code(text))
    ):
        return True
    if (number := _NUMERAL.fullmatch(text)) and not number["digits"].startswith("00"):
        bare = number["digits"].replace(",", "")
        if write_number(Decimal(bare)) in facts.numbers:
            return True
    if (duration := _DURATION.fullmatch(text)) and {*re.findall(r"\d+", duration[0])} <= facts.numbers:
        return True
    if (locale := _LOCALE.fullmatch(text)) and any(_says_word(word, facts) for word in words_for_code(locale[1])):
        return True
    digits = re.sub(r"\D", "", text)
    if len(digits) >= 7 and not any(map(str.isalpha, text)):
        return any(run.endswith(digits[-9:]) or digits.endswith(run) for run in facts.digits)
    times = read_facts(text).times if NO_BLANKS.search(text) and len(text) < 8 else read_value(text)
    if not times.isdisjoint(facts.times):
        return True
    return text.isupper() and text.isalpha() and len(text) <= 5 and _is_abbreviated(slot, text, facts)


def _says_word(word: str, facts: TextFacts) -> bool:
    # Chinese has no blanks between words
    return f" {word} " in facts.plain or word in facts.signs or (not word.isascii() and word in facts.squeezed)


_NUMERAL = re.compile(
    r"[$€£¥₹]?\s?(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)(?:\s?%|\s?[^\W\dA-Z_]{0,12}|\s[^\W\d]{1,12}|\s?[^\W\d]{1,3}/[^\W\d]{1,3})"
)
"""A number with a sign or a unit: $20, 5 km, 30%."""
_DURATION = re.compile(r"P(?:\d+[YMWD])*(?:T(?:\d+[HMS])+)?")
"""As in ISO 8601: PT30M."""
_LOCALE = re.compile(r"([a-z]{2})[-_][A-Z]{2}")
_SYMBOLS = frozenset("symbol symbols ticker tickers stock code codes abbreviation abbr".split())


def _is_abbreviated(slot: str, text: str, facts: TextFacts) -> bool:
    """Whether a short name in capitals stands for words: initials (NYC), or of shares the letters of a word (MSFT)."""
    words, letters = facts.plain.split(), text.lower()
    initials = "".join(word[0] for word in words)
    if len(letters) > 2 and letters in initials:
        return True
    if _SYMBOLS.isdisjoint(re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", slot).lower().split()):
        return False
    return any(len(word) > 3 and set(letters) <= set(word) for word in words)


# --- words from several places ---

_SMALL = frozenset("a an and of in on at for to the with by or is de la el asc desc".split())
_RANGE = re.compile(r"\d+(?:\.\d+)?(?:\s?[-–~/x:,]\s?\d+(?:\.\d+)?)+")
"""Numbers with a mark between them: 1966-1976, 120/80."""
_ZONE = re.compile(r"(?:Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)/(?:\w+/)?(\w+)")
"""A time zone, named after a city: Europe/London."""
_UNTIL = re.compile(r"\s+(?:-|–|to|until)\s+")
_LOWER_WORD = re.compile(r"(?<![^\W_])[a-z]+(?![^\W_])")
"""Words that are no names."""
_ADJECTIVE = re.compile("n|an|ian|ese|ic")
"""Endings of adjectives that name a country or a party: African, Peruvian, Democratic."""


def _has_characters(squeezed: str, said: str) -> bool:
    """Whether most neighbouring characters of a value were said, and each of them: 北京天气 from 北京的天气."""
    pairs = [squeezed[start : start + 2] for start in range(len(squeezed) - 1)]
    return all(character in said for character in squeezed) and 2 * sum(pair in said for pair in pairs) >= max(
        len(pairs), 1
    )


def _is_inflected(one: str, said: frozenset[str]) -> bool:
    """Whether another form of a word was said: summary and summarized, weekly and week, run and running."""
    for other in said:
        shorter, longer = sorted((one, other), key=len)
        same = next((n for n, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
        if (same >= 5 and same >= 0.6 * len(longer)) or (same >= 3 and same == len(shorter) >= len(longer) - 2):
            return True
    return False


def _names_adjective(one: str, said: frozenset[str]) -> bool:
    """Whether the adjective of a name was said: African for Africa."""
    return len(one) > 3 and any(other.startswith(one) and _ADJECTIVE.fullmatch(other[len(one) :]) for other in said)


def is_composed(text: str, known: Sequence[TextFacts], clock: datetime.date | None) -> bool:
    """Whether all that a value consists of was said, though not in one place: "Oban, Scotland", "netflix,hulu"."""
    moment = read_moment(text)
    if moment and not any(day.startswith("--") for day in moment.days):  # "10-12" may be a range as well
        parts = [Moment(moment.days), Moment(frozenset(), moment.time)]
        return all(any(is_dated(part, facts, clock) for facts in known) for part in parts)
    ends = [read_moment(end) for end in _UNTIL.split(text)]
    if len(ends) > 1 and None not in ends:
        return all(any(end and is_dated(end, facts, clock) for facts in known) for end in ends)
    if text in _WORDLIKE:
        return False
    if (zone := _ZONE.fullmatch(text)) and any(names(zone[1].replace("_", " "), one) for one in known):
        return True
    place, comma, region = text.partition(", ")
    if (
        comma
        and region.replace(" ", "").isalpha()
        and len(region.split()) < 4
        and any(names(place, one) for one in known)
    ):
        return True  # "Paris, France" where they say Paris
    if looks_like_id(text) and not any(mark in text for mark in ",;|") and not _RANGE.fullmatch(text):
        return False
    own = read_facts(text)
    if _RANGE.fullmatch(text):
        numbers = frozenset[str]().union(*(facts.numbers for facts in known))
        return all(write_number(Decimal(part)) in numbers for part in re.findall(r"\d+(?:\.\d+)?", text))
    if NO_BLANKS.search(text) and not re.search(r"[a-zA-Z]{3}", text):
        return _has_characters(own.squeezed, "\n".join(facts.squeezed for facts in known))
    wanted = own.stems - _SMALL
    said = frozenset[str]().union(*(facts.stems for facts in known))
    if text.istitle() and text.isalpha() and _names_adjective(text.casefold(), said):
        return True
    lower = {stem(word) for word in _LOWER_WORD.findall(text)} | {one for one in own.stems if not one.isascii()}
    missing = [one for one in wanted if one not in said and not (one in lower and _is_inflected(one, said))]
    if any(any(map(str.isdecimal, one)) for one in missing):
        return False
    return bool(wanted) and len(missing) <= len(wanted) // 4
