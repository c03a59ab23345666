"""Whether a spoken value is the value of a record in the MultiWOZ databases: names, addresses, normalised values."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache

from coalm_it.readers.multiwoz.values import COUNTS, DAYS, TIMES, join_tokens, normalise
from coalm_it.values import plain_name

SLIP = 0.88
"""The minimum similarity of a misspelt name."""

_SAME_WORDS = (
    (re.compile(r"\bguesthouse\b"), "guest house"),
    (re.compile(r"\b(?:b and b|b b|bnb)\b"), "bed and breakfast"),
    (re.compile(r"\bcenter\b"), "centre"),
    (re.compile(r"\bst\b"), "saint"),
    (re.compile(r"\btheater\b"), "theatre"),
)
_ADDRESS_WORDS = re.compile(r"\b(?:street|st|saint|road|rd|in|the|at|on)\b")


@lru_cache(maxsize=1 << 14)
def plain_venue(name: str) -> str:
    """A venue's name without case, punctuation, article and the usual variants: `B&B` and `bed and breakfast`."""
    plain = plain_name(join_tokens(name))
    for pattern, same in _SAME_WORDS:
        plain = pattern.sub(same, plain)
    return plain


@lru_cache(maxsize=1 << 16)
def same_name(said: str, name: str) -> bool:
    """Whether the spoken name denotes the venue: equal, one contained in the other, or misspelt.

    The evaluation script compares the shorter name with its best match inside the longer one, with a threshold of 90 of
    100; here both names are compared as a whole, and the shorter one with as many whole words of the longer one.
    """
    one, other = sorted((plain_venue(said), plain_venue(name)), key=len)
    if len(one) < 3:
        return bool(one) and one == other
    if is_part(one, other) or _is_slip(one, other):
        return True
    words = other.split()
    width = min(len(one.split()), len(words))
    return any(_is_slip(one, " ".join(words[start : start + width])) for start in range(len(words) - width + 1))


def is_part(one: str, other: str) -> bool:
    """Whether a text is contained in another as whole words: european in modern european."""
    return f" {one} " in f" {other} "


def _is_slip(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 3:
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= SLIP and matcher.ratio() >= SLIP


@lru_cache(maxsize=1 << 14)
def _plain_address(text: str) -> str:
    """Without spaces and often shortened words: the same for `2 G Bridge St` and `2G Bridge Street`."""
    return _ADDRESS_WORDS.sub("", plain_name(join_tokens(text))).replace(" ", "")


def _same_address(said: str, address: str) -> bool:
    one, other = sorted((_plain_address(said), _plain_address(address)), key=len)
    if len(one) > 3 and one in other:
        return True
    return re.findall(r"\d", one) == re.findall(r"\d", other) and _is_slip(one, other)


def agrees(domain: str, slot: str, said: str, value: str) -> bool:
    """Whether the spoken value of a slot is the value of a record."""
    if slot in ("name", "department"):
        return same_name(said, value)
    if slot in ("address", "open_hours"):
        return _same_address(said, value)
    one, other = normalise(domain, slot, said), normalise(domain, slot, value)
    if slot in ("departure", "destination"):
        return same_name(one, other)
    if slot == "food" and (is_part(one, other) or is_part(other, one)):
        return True
    return one == other or (slot in ("type", "food") and _is_slip(one, other))


_FORMS = {
    "area": re.compile("centre|north|east|south|west"),
    "price_range": re.compile("cheap|moderate|expensive|free"),
    "day": re.compile("|".join(DAYS)),
    **dict.fromkeys(TIMES, re.compile(r"\d\d:\d\d")),
    **dict.fromkeys(COUNTS, re.compile(r"\d+")),
    **dict.fromkeys(("price", "total_price"), re.compile(r"[\d.]+ pounds?")),
    "entrance_fee": re.compile(r"[\d.]+ pounds?|free"),
    "duration": re.compile(r"\d+ minutes"),
    "phone": re.compile(r"\d{6,}"),
    "postcode": re.compile(r"(?=.*\d)[a-z\d]{5,7}"),
    "internet": re.compile("yes|no"),
    "parking": re.compile("yes|no"),
    "train_id": re.compile(r"TR\d+"),
}


def is_exact(slot: str, value: str) -> bool:
    """Whether a record can have this normalised value: not the time `throughout the day`, not the area `the city`."""
    return slot not in _FORMS or _FORMS[slot].fullmatch(value) is not None
