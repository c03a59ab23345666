"""The spellings of slots, values and utterances in the versions of MultiWOZ, normalised to one form.

Every rule is a line of RULES, with its source: EVALUATION is the usual evaluation script (MultiWOZ_Evaluation,
normalization.py and database.py), TRADE the preprocessing that state trackers share (create_data.py of MultiWOZ 2.1 and
2.4), CONVLAB the databases of ConvLab-2 and ConvLab-3, SCHEMA the schema.json of 2.2, COUNTED counts in the validation
split of 2.1. Rules correct spelling; they do not interpret words (a church is architecture).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from coalm_it.schema import DONT_CARE
from coalm_it.values import read_value

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TIMES = frozenset({"leave_at", "arrive_by", "time"})
COUNTS = frozenset({"stars", "people", "stay"})
"""Slots with integer values."""

# --- slots ---

_SLOTS = {
    **{"addr": "address", "post": "postcode", "ref": "reference", "choice": "count", "car": "type"},
    **{"price": "price_range", "pricerange": "price_range", "price range": "price_range"},
    **{"fee": "entrance_fee", "entrancefee": "entrance_fee", "entrance fee": "entrance_fee"},
    **{"open": "open_hours", "openhours": "open_hours", "open hours": "open_hours"},
    **{"leave": "leave_at", "leaveat": "leave_at", "leave at": "leave_at"},
    **{"arrive": "arrive_by", "arriveby": "arrive_by", "arrive by": "arrive_by"},
    **{"depart": "departure", "dest": "destination", "ticket": "price"},
    **{"id": "train_id", "trainid": "train_id", "train id": "train_id", "none": ""},
}
_TRAIN_SLOTS = {"price": "price", "time": "duration"}


@lru_cache(maxsize=1 << 10)
def name_slot(domain: str, raw: str) -> str:
    """The common name of a slot in arguments, states and records, from the state, acts or database of any version.

    `pricerange`, `Price`, `hotel-pricerange` -> price_range; `book day`, `bookday`, `Day` -> day; `none` -> "".
    """
    plain = raw.lower().removeprefix(f"{domain}-").removeprefix("book").strip()
    if domain == "train" and plain in _TRAIN_SLOTS:
        return _TRAIN_SLOTS[plain]
    return _SLOTS.get(plain, plain)


# --- values: one rule after the other ---


class Rule(NamedTuple):
    """One normalisation of values: its name, its source, the slots that it applies to (none: all)."""

    name: str
    source: str
    slots: frozenset[str]
    apply: Callable[[str], str]


ABSENT = frozenset({"", "not mentioned", "none", "not given", "n/a", "?"})
_ANY = frozenset(
    f"{DONT_CARE}|dont care|don't care|do n't care|do not care|doesn't care|does not care|doesn't matter|any|anything|"
    "anytime|anywhere|no preference|no particular".split("|")
)
_FOODS = {
    **{"portugese": "portuguese", "sea food": "seafood", "gastropod": "gastropub", "steak house": "steakhouse"},
    **{"italain": "italian", "intalian": "italian", "brutish": "british", "bristish": "british"},
    **{"europeon": "european", "barbecue": "barbeque", "asian or oriental": "asian oriental"},
}
_TYPES = {
    **{"swimming pool": "swimmingpool", "pool": "swimmingpool", "night club": "nightclub", "club": "nightclub"},
    **{"guest house": "guesthouse", "concert hall": "concerthall", "theater": "theatre", "churche": "church"},
    **{"mutliple sport": "multiple sports", "multiple sport": "multiple sports", "sport": "multiple sports"},
    **{"architectural": "architecture", "boating": "boat"},
    **{kind: kind for kind in "hotel guesthouse museum college park theatre cinema boat church nightclub".split()},
}
"""The spellings of a type, without the s of the plural."""
_AREA = re.compile(r"(?<![a-z])(?:(north|south|east|west)(?:ern)?|(cent(?:re|er)|central|downtown))(?![a-z])")
_PRICE_RANGE = re.compile(r"(?<![a-z])(?:(moderate|mid)|(cheap|inexpensive|low)|(expensive))")
_DAY = re.compile(
    r"(?<![a-z])(?:(mon)|(tue)s?|(wed)(?:s|nes)?|(thu)(?:rs?)?|(fri)|(sat)(?:ur)?|(sun))(?:day)?s?(?![a-z])"
)
_TIME = re.compile(
    r"(?:(?:at|by|after|afer|before|around|about|from|until|till|past|approximately|exactly|just) )*"
    r"(\d{1,2})(?: ?[:.;] ?(\d\d)|(?<=\d\d)(\d\d))?(?: ?([ap])\.?m\b\.?)?(?: hours| o'?clock)?"
)
_NAMED_TIMES = {"noon": "12:00", "midday": "12:00", "midnight": "00:00", "lunch": "12:00"}
_FREE = re.compile(r"\bfree\b|\bno (?:\w+ )?(?:fee|charge|cost)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_HOURS = re.compile(r"(\d+|an?|one|two) ?-?h(?:ou)?rs?")
_STATIONS = {"birmingham": "birmingham new street", "stansted": "stansted airport"} | {
    "london liverpool": "london liverpool street",
    "liverpool street": "london liverpool street",
    "kings cross": "london kings cross",
}


def _join(text: str) -> str:
    """Lower case, single spaces, and tokens of 2.1 joined: do n't, it 's."""
    plain = " ".join(text.lower().replace("’", "'").split())
    return re.sub(r" (n't|'(?:s|m|re|ve|ll|d))\b", r"\1", plain).strip(" .,;!")


def _read_absent(text: str) -> str:
    return "" if text in ABSENT else text


def _read_any(text: str) -> str:
    return DONT_CARE if text in _ANY else text


def _read_area(text: str) -> str:
    found = _AREA.search(text)
    return (found[1] or "centre") if found else text


def _read_price_range(text: str) -> str:
    found = _PRICE_RANGE.search(text)
    return ("moderate", "cheap", "expensive")[(found.lastindex or 1) - 1] if found else text


def _read_type(text: str) -> str:
    return _TYPES.get(text) or _TYPES.get(text.removesuffix("s")) or text


def _read_food(text: str) -> str:
    return _FOODS.get(text, text)


def _read_yes(text: str) -> str:
    words = set(re.findall(r"[a-z]+", text))
    if words & {"no", "not", "without", "n"}:
        return "no"
    return "yes" if words & {"yes", "free", "y", "included", "available"} else text


def _read_count(text: str) -> str:
    numbers = [form for word in re.findall(r"\w+", text) for form in read_value(word) if form.isdecimal()]
    return str(int(numbers[0])) if numbers else text


def _read_day(text: str) -> str:
    found = _DAY.search(text)
    return DAYS[(found.lastindex or 1) - 1] if found else text


def _read_time(text: str) -> str:
    """HH:MM, as in the databases; hours above 24 are kept, since late trains arrive at 24:07."""
    found = _TIME.fullmatch(text)
    if found is None:
        return _NAMED_TIMES.get(text, text)
    hour, minute = int(found[1]), found[2] or found[3] or "00"
    if found[4] == "p" and hour < 12:
        hour += 12
    elif found[4] == "a" and hour == 12:
        hour = 0
    return f"{hour:02}:{minute}"


def _read_station(text: str) -> str:
    plain = text.replace("'", "").removesuffix(" train station").removesuffix(" station")
    plain = re.sub(r" st$", " street", plain)
    return _STATIONS.get(plain, plain)


def _read_money(text: str) -> str:
    found = _NUMBER.search(text.replace(",", ""))
    return "free" if _FREE.search(text) else format_pounds(float(found[0])) if found else text


def format_pounds(amount: float) -> str:
    """An amount of money as in the databases: 10.10 pounds, 5 pounds, 1 pound."""
    number = f"{amount:.0f}" if amount == int(amount) else f"{amount:.2f}"
    return f"{number} pound{'s' * (number != '1')}"


def _read_minutes(text: str) -> str:
    """88 minutes, from `1 hour 28 minutes` and `88 mins`."""
    hours = _HOURS.search(text)
    whole = {"a": 1, "an": 1, "one": 1, "two": 2}.get(hours[1]) or int(hours[1]) if hours else 0
    rest = re.search(r"\d+", text[hours.end() :] if hours else text)
    return f"{60 * whole + int(rest[0] if rest else 0)} minutes" if hours or rest else text


def _keep_digits(text: str) -> str:
    return re.sub(r"\D", "", text) or text


def _keep_letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text) or text


def _read_reference(text: str) -> str:
    return _keep_letters(text).upper()


def _read_train_id(text: str) -> str:
    """TR2001, from `train 2001` and `tr 2001`."""
    digits = re.sub(r"\D", "", text)
    return f"TR{digits}" if len(digits) == 4 else _read_reference(text)


RULES = (
    Rule("tokens joined", "COUNTED", frozenset(), _join),
    Rule("not mentioned is absent", "TRADE, EVALUATION", frozenset(), _read_absent),
    Rule("one spelling of dontcare", "TRADE, EVALUATION, CONVLAB", frozenset(), _read_any),
    Rule("center is centre", "CONVLAB, SCHEMA", frozenset({"area"}), _read_area),
    Rule("three price ranges", "SCHEMA", frozenset({"price_range"}), _read_price_range),
    Rule("spellings of types", "EVALUATION, SCHEMA", frozenset({"type"}), _read_type),
    Rule("spellings of food", "EVALUATION", frozenset({"food"}), _read_food),
    Rule("free is yes", "EVALUATION", frozenset({"internet", "parking"}), _read_yes),
    Rule("numbers as digits", "COUNTED", COUNTS, _read_count),
    Rule("weekdays", "COUNTED", frozenset({"day"}), _read_day),
    Rule("times as HH:MM", "EVALUATION", TIMES, _read_time),
    Rule("money as in the databases", "COUNTED", frozenset({"price", "entrance_fee", "total_price"}), _read_money),
    Rule("durations in minutes", "COUNTED", frozenset({"duration"}), _read_minutes),
    Rule("phone numbers as digits", "TRADE", frozenset({"phone"}), _keep_digits),
    Rule("postcodes without blanks", "TRADE", frozenset({"postcode"}), _keep_letters),
    Rule("references in capitals", "COUNTED", frozenset({"reference"}), _read_reference),
    Rule("train ids with TR", "COUNTED", frozenset({"train_id"}), _read_train_id),
)
"""In the order in which they are applied."""
TRAIN_RULES = (Rule("stations by their full names", "SCHEMA", frozenset({"departure", "destination"}), _read_station),)
"""For trains only, as a taxi goes from anywhere to anywhere."""


@lru_cache(maxsize=1 << 16)
def normalise(domain: str, slot: str, text: str) -> str:
    """A value in the common form of states, arguments and databases; "" if it means that there is none."""
    for rule in (*RULES, *TRAIN_RULES) if domain == "train" else RULES:
        if text != DONT_CARE and (not rule.slots or slot in rule.slots):
            text = rule.apply(text)
    return text


def read_surfaces(domain: str, slot: str, raw: str | Iterable[str]) -> tuple[str, ...]:
    """Every value that the annotation allows, normalised, without duplicates: of a list (2.2), or of a text with `|`,
    `<` or `>` between alternatives (2.0, 2.1; as in TRADE). Empty if the slot is not set."""
    if isinstance(raw, str):
        return () if raw in ABSENT else _split_surfaces(domain, slot, raw)
    return _normalise_each(domain, slot, raw)


@lru_cache(maxsize=1 << 14)
def _split_surfaces(domain: str, slot: str, raw: str) -> tuple[str, ...]:
    return _normalise_each(domain, slot, re.split(r"[|<>]", raw))


def _normalise_each(domain: str, slot: str, texts: Iterable[str]) -> tuple[str, ...]:
    given = (text for text in texts if isinstance(text, str))
    return tuple(dict.fromkeys(value for text in given if (value := normalise(domain, slot, text))))


# --- utterances ---

_ATTACHED = re.compile(r" (?=(?:n't|'(?:s|m|d|re|ll|ve))\b|[.,?!;:)](?:[\s\"')]|$)|\.\.+)", re.IGNORECASE)
_OPENED = re.compile(r"(?<=\() ")
_WORD_PAIRS = re.compile(r"\b(gon|wan|got) (na|ta)\b", re.IGNORECASE)


def join_tokens(text: str) -> str:
    """An utterance as people write it: runs of white space become one space, and the tokens of 2.1 are joined
    ("I do n't know ." -> "I don't know.")."""
    plain = " ".join(text.split())
    return _WORD_PAIRS.sub(r"\1\2", _OPENED.sub("", _ATTACHED.sub("", plain)))
