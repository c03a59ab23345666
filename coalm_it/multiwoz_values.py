"""How MultiWOZ writes slots and values in its versions, and the one form that they take here.

Every rule is a line of RULES, with its source: EVALUATION is the field's evaluation script (MultiWOZ_Evaluation,
normalization.py and database.py), TRADE the preprocessing that state trackers share (create_data.py of MultiWOZ 2.1 and
2.4), CONVLAB the databases of ConvLab-2 and ConvLab-3, SCHEMA the schema.json of 2.2, COUNTED what the validation split
of 2.1 holds. Rules mend spelling; what a word means (a church is architecture) they leave alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from coalm_it.values import plain_name, read_value

DONT_CARE = "dontcare"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

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
    """A slot by the name that arguments, states and records share, from any version's state, acts or database.

    `pricerange`, `Price`, `hotel-pricerange` -> price_range; `book day`, `bookday`, `Day` -> day; `none` -> "".
    """
    plain = raw.lower().removeprefix(f"{domain}-").strip()
    plain = re.sub(r"^book ?(?=day|people|stay|time|\w)", "", plain)
    if domain == "train" and plain in _TRAIN_SLOTS:
        return _TRAIN_SLOTS[plain]
    return _SLOTS.get(plain, plain)


# --- values: one rule after the other ---


class Rule(NamedTuple):
    """One mending of values: what it is called, where it comes from, which slots it is for (none: all)."""

    name: str
    source: str
    slots: frozenset[str]
    apply: Callable[[str], str]


ABSENT = frozenset({"", "not mentioned", "none", "not given", "n/a", "?"})
_ANY = frozenset(
    "dontcare|dont care|don't care|do n't care|do not care|doesn't care|does not care|doesn't matter|any|anything|"
    "anytime|anywhere|no preference|no particular".split("|")
)
_SPELLINGS = {
    "food": {"portugese": "portuguese", "sea food": "seafood", "gastropod": "gastropub", "steak house": "steakhouse"}
    | {"italain": "italian", "intalian": "italian", "brutish": "british", "bristish": "british"}
    | {"europeon": "european", "barbecue": "barbeque", "asian or oriental": "asian oriental"},
    "type": {"swimming pool": "swimmingpool", "night club": "nightclub", "guest house": "guesthouse"}
    | {"concert hall": "concerthall", "mutliple sports": "multiple sports", "theater": "theatre"}
    | {"churche": "church"},
}
_AREA = re.compile(r"(?<![a-z])(?:(north|south|east|west)(?:ern)?|(cent(?:re|er)|central|downtown))(?![a-z])")
_PRICE_RANGE = re.compile(r"(?<![a-z])(?:(moderate|mid)|(cheap|inexpensive)|(expensive))")
_DAY = re.compile(rf"(?<![a-z])({'|'.join(DAYS)})s?(?![a-z])")
_TIME = re.compile(r"(?<!\d)(\d{1,2})(?: ?[:.] ?(\d\d)|(?<=\d\d)(\d\d))?(?: ?([ap])\.?m\b\.?)?(?!\d)")
_NAMED_TIMES = {"noon": "12:00", "midday": "12:00", "midnight": "00:00", "lunch": "12:00"}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_STATIONS = {"birmingham": "birmingham new street", "stansted": "stansted airport"} | {
    "london liverpool": "london liverpool street",
    "liverpool street": "london liverpool street",
    "kings cross": "london kings cross",
}


def _join_tokens(text: str) -> str:
    """Lower case, single blanks, and what the tokeniser of 2.1 took apart: do n't, it 's."""
    plain = " ".join(text.lower().replace("’", "'").split())
    return re.sub(r" (n't|'(?:s|m|re|ve|ll|d))\b", r"\1", plain).strip(" .,;!")


def _read_any(text: str) -> str:
    return DONT_CARE if text in _ANY else text


def _read_absent(text: str) -> str:
    return "" if text in ABSENT else text


def _read_area(text: str) -> str:
    found = _AREA.search(text)
    return (found[1] or "centre") if found else text


def _read_price_range(text: str) -> str:
    found = _PRICE_RANGE.search(text)
    return "moderate" if found and found[1] else "cheap" if found and found[2] else "expensive" if found else text


def _read_spelling(slot: str) -> Callable[[str], str]:
    def mend(text: str) -> str:
        spellings = _SPELLINGS[slot]
        return spellings.get(text) or spellings.get(text.removesuffix("s")) or text

    return mend


def _read_plural(text: str) -> str:
    singular = text.removesuffix("s")
    return singular if singular in _SINGULARS else text


_SINGULARS = frozenset("hotel guesthouse museum college park theatre cinema boat church nightclub swimmingpool".split())


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
    return found[1] if found else text


def _read_time(text: str) -> str:
    """HH:MM, as the databases have it; hours past 24 stay, since late trains arrive at 24:07."""
    for word, time in _NAMED_TIMES.items():
        if word in text:
            return time
    found = _TIME.search(text)
    if found is None:
        return text
    hour, minute = int(found[1]), found[2] or found[3] or "00"
    if found[4] == "p" and hour < 12:
        hour += 12
    elif found[4] == "a" and hour == 12:
        hour = 0
    return f"{hour:02}:{minute}"


def _read_station(text: str) -> str:
    plain = text.replace("'", "").removesuffix(" train station").removesuffix(" station")
    return _STATIONS.get(plain, plain)


def _read_money(text: str) -> str:
    found = _NUMBER.search(text.replace(",", ""))
    if found is None:
        return "free" if "free" in text else text
    return format_pounds(float(found[0]))


def format_pounds(amount: float) -> str:
    """An amount of money as the databases write it: 10.10 pounds, 5 pounds, 1 pound."""
    number = f"{amount:.0f}" if amount == int(amount) else f"{amount:.2f}"
    return f"{number} pound{'s' * (number != '1')}"


def _read_minutes(text: str) -> str:
    """88 minutes, from `1 hour 28 minutes`, `88 mins`, `1:28 hours`."""
    hours = re.search(r"(\d+|an?|one|two) ?-?h(?:ou)?rs?", text)
    if hours:
        whole = {"a": 1, "an": 1, "one": 1, "two": 2}.get(hours[1]) or int(hours[1])
        rest = re.search(r"(\d+)", text[hours.end() :])
        return f"{60 * whole + int(rest[1] if rest else 0)} minutes"
    found = re.search(r"\d+", text)
    return f"{found[0]} minutes" if found else text


def _keep_digits(text: str) -> str:
    return re.sub(r"\D", "", text) or text


def _keep_letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text) or text


def _to_upper(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text).upper() or text


_TIMES = frozenset({"leave_at", "arrive_by", "time"})
RULES = (
    Rule("tokens joined", "COUNTED", frozenset(), _join_tokens),
    Rule("not mentioned is absent", "TRADE, EVALUATION", frozenset(), _read_absent),
    Rule("one spelling of dontcare", "TRADE, EVALUATION, CONVLAB", frozenset(), _read_any),
    Rule("center is centre", "CONVLAB, SCHEMA", frozenset({"area"}), _read_area),
    Rule("three price ranges", "SCHEMA", frozenset({"price_range"}), _read_price_range),
    Rule("spellings of types", "EVALUATION, SCHEMA", frozenset({"type"}), _read_spelling("type")),
    Rule("types in the singular", "SCHEMA", frozenset({"type"}), _read_plural),
    Rule("spellings of food", "EVALUATION", frozenset({"food"}), _read_spelling("food")),
    Rule("free is yes", "EVALUATION", frozenset({"internet", "parking"}), _read_yes),
    Rule("numbers as digits", "COUNTED", frozenset({"stars", "people", "stay"}), _read_count),
    Rule("weekdays", "COUNTED", frozenset({"day"}), _read_day),
    Rule("times as HH:MM", "EVALUATION", _TIMES, _read_time),
    Rule("money as in the databases", "COUNTED", frozenset({"price", "entrance_fee", "total_price"}), _read_money),
    Rule("durations in minutes", "COUNTED", frozenset({"duration"}), _read_minutes),
    Rule("phone numbers as digits", "TRADE", frozenset({"phone"}), _keep_digits),
    Rule("postcodes without blanks", "TRADE", frozenset({"postcode"}), _keep_letters),
    Rule("references in capitals", "COUNTED", frozenset({"reference", "train_id"}), _to_upper),
)
"""In the order in which they are applied."""

STATIONS = Rule("stations by their full names", "SCHEMA", frozenset({"departure", "destination"}), _read_station)
"""Of trains only: a taxi goes from anywhere to anywhere."""


@lru_cache(maxsize=1 << 16)
def normalise(domain: str, slot: str, text: str) -> str:
    """One value in the form that states, arguments and databases share; "" where it says that there is none."""
    for rule in (*RULES, STATIONS) if domain == "train" else RULES:
        if text == DONT_CARE:
            break
        if not rule.slots or slot in rule.slots:
            text = rule.apply(text)
    return text


def read_surfaces(domain: str, slot: str, raw: str | Iterable[str]) -> tuple[str, ...]:
    """Every value that the annotation allows, normalised, each once: a list (2.2), or one text in which `|`, `<` or `>`
    stands between alternatives (2.0, 2.1; TRADE reads these so). Empty where the slot is not set."""
    if isinstance(raw, str):
        return () if raw in ABSENT else _split_surfaces(domain, slot, raw)
    return _normalise_each(domain, slot, raw)


@lru_cache(maxsize=1 << 14)
def _split_surfaces(domain: str, slot: str, raw: str) -> tuple[str, ...]:
    return _normalise_each(domain, slot, re.split(r"[|<>]", raw))


def _normalise_each(domain: str, slot: str, texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for text in texts if (value := normalise(domain, slot, text))))


# --- utterances ---

_ATTACHED = re.compile(r" (?=(?:n't|'(?:s|m|d|re|ll|ve))\b|[.,?!;:)](?:[\s\"')]|$)|\.\.+)", re.IGNORECASE)
_OPENED = re.compile(r"(?<=\() ")
_WORD_PAIRS = re.compile(r"\b(gon|wan|got) (na|ta)\b", re.IGNORECASE)


def join_tokens(text: str) -> str:
    """An utterance as people write it: runs of white space are one blank, and what the tokeniser of 2.1 took apart is
    joined ("I do n't know ." -> "I don't know.")."""
    plain = " ".join(text.split())
    return _WORD_PAIRS.sub(r"\1\2", _OPENED.sub("", _ATTACHED.sub("", plain)))


# --- names ---

_SAME_WORDS = (
    (re.compile(r"\bguesthouse\b"), "guest house"),
    (re.compile(r"\b(?:b and b|bed and breakfast|b b)\b"), "bnb"),
    (re.compile(r"\bcenter\b"), "centre"),
    (re.compile(r"\bst\b"), "saint"),
    (re.compile(r"\btheater\b"), "theatre"),
)
SLIP = 0.88
"""The least similarity of a name with a slip of spelling."""


@lru_cache(maxsize=1 << 14)
def plain_venue(name: str) -> str:
    """A venue's name without case, punctuation, article and the usual variants: `B&B` and `bed and breakfast`."""
    plain = plain_name(_join_tokens(name))
    for pattern, same in _SAME_WORDS:
        plain = pattern.sub(same, plain)
    return plain


@lru_cache(maxsize=1 << 16)
def same_name(said: str, name: str) -> bool:
    """Whether what was said names the venue: equal, the one a part of the other, or with a slip of spelling.

    EVALUATION compares names by the best match of the shorter one inside the longer, from 90 of 100; here it is the
    best match of the shorter one with as many whole words of the longer.
    """
    one, other = sorted((plain_venue(said), plain_venue(name)), key=len)
    if len(one) < 3:
        return bool(one) and one == other
    if f" {one} " in f" {other} ":
        return True
    words = other.split()
    width = min(len(one.split()), len(words))
    return any(_is_slip(one, " ".join(words[start : start + width])) for start in range(len(words) - width + 1))


def _is_slip(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 3:
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= SLIP and matcher.ratio() >= SLIP


def agrees(domain: str, slot: str, said: str, value: str) -> bool:
    """Whether what an act says of a slot is the value that a record has."""
    if slot == "name" or slot == "department":
        return same_name(said, value)
    if slot in ("address", "open_hours"):
        one, other = plain_venue(said), plain_venue(value)
        return bool(one) and (f" {one} " in f" {other} " or f" {other} " in f" {one} ")
    return normalise(domain, slot, said) == normalise(domain, slot, value)
