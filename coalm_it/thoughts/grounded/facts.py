"""Facts as parts of a sentence: as a list, or as a description of the thing they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from coalm_it.observations import Record
from coalm_it.thoughts.grounded.phrasing import Pen
from coalm_it.thoughts.grounded.situation import Fact
from coalm_it.thoughts.grounded.words import (
    add,
    call_by_name,
    function_words,
    is_plural,
    join_and,
    plain_value,
    read_date,
    short_value,
    slot_words,
    speak,
)

_TIME = re.compile(r"\d\d:\d\d")
_PLAIN_TIME = re.compile(r"\d{1,2}(?::\d\d)? ?[ap]\.?m\.?", re.IGNORECASE)


def list_facts(pen: Pen, service: str, facts: Sequence[Fact], explain: bool = True) -> tuple[str, bool]:
    """The facts as one noun phrase, and whether it takes a plural verb.

    With `explain` a value says what the user called it, and what it takes the place of.
    """
    phrases = []
    plural = len(facts) > 1
    for fact in facts:
        phrase = pen.pick(speak(fact.slot, service, fact.value))
        plural = plural or is_plural(fact.slot, service, fact.value, phrase)
        phrases.append(_explain(pen, service, fact, phrase) if explain else phrase)
    return join_and(phrases), plural


def _explain(pen: Pen, service: str, fact: Fact, phrase: str) -> str:
    if fact.plain:
        return phrase
    if fact.old and fact.value not in ("True", "False"):
        return pen.phrase("facts/changed", {"v": phrase, "old": short_value(fact.slot, service, fact.old)})
    if fact.said and is_odd(fact):
        return pen.phrase("facts/respelled", {"v": phrase, "said": fact.said})
    if len(fact.value) == 10 and read_date(fact.value) and pen.draw(4) == 0:
        return pen.phrase("facts/dated", {"v": phrase, "iso": fact.value})
    return phrase


def is_odd(fact: Fact) -> bool:
    """Whether a reader would wonder how what the user said became the value."""
    said, value = fact.said, fact.value
    if not said or value in ("True", "False") or value.replace(".", "", 1).isdecimal():
        return False
    if len(value) == 10 and read_date(value):
        return not any(letter.isdecimal() for letter in said)
    if _TIME.fullmatch(value):
        return not _PLAIN_TIME.fullmatch(said)
    return value.casefold() not in said.casefold()


def explain_one(pen: Pen, service: str, facts: Sequence[Fact]) -> str:
    """A sentence on the one value that goes by another name than the user's; '' where there is none, or several.

    The fact counts as explained afterwards.
    """
    odd = [fact for fact in facts if is_odd(fact) and not fact.old]
    return _explain_alone(pen, service, odd[0]) if len(odd) == 1 and pen.draw(2) else ""


def explain_rest(pen: Pen, service: str, facts: Sequence[Fact], sentences: Sequence[str]) -> list[str]:
    """A sentence for every value under another name that the sentences so far leave unexplained."""
    return [
        _explain_alone(pen, service, fact)
        for fact in facts
        if not fact.plain and is_odd(fact) and not any(fact.said in sentence for sentence in sentences)
    ]


def _explain_alone(pen: Pen, service: str, fact: Fact) -> str:
    fact.plain = True
    values = {"said": fact.said, "v": plain_value(fact.slot, service, fact.value), "iso": fact.value}
    if read_date(fact.value):
        return pen.write("facts/meaning_day", values)
    return pen.write("facts/meaning_time" if _TIME.fullmatch(fact.value) else "facts/meaning", values)


def list_bare(pen: Pen, service: str, facts: Sequence[Fact]) -> str:
    """The facts as values alone, for a sentence that names the slots as well."""
    phrases = []
    for fact in facts:
        yes_or_no = fact.value in ("True", "False")
        phrase = speak(fact.slot, service, fact.value)[0] if yes_or_no else short_value(fact.slot, service, fact.value)
        phrases.append(_explain(pen, service, fact, phrase))
    return join_and(phrases)


def list_definite(pen: Pen, service: str, slots: Sequence[str]) -> str:
    """The slots as one noun phrase, as known things: "the city and the cuisine"."""
    return join_and([pen.pick(slot_words(slot, service).definite) for slot in slots])


def list_names(pen: Pen, service: str, slots: Sequence[str], joint: str = "and") -> str:
    """The slots as one noun phrase: "the city and a cuisine"."""
    return join_and([pen.pick(slot_words(slot, service).ask) for slot in slots], joint)


# --- descriptions ---


def describe_search(function: str, service: str, facts: Sequence[Fact]) -> str:
    """What a search looks for, in the plural: "Mexican restaurants in San Bruno with alcohol"."""
    words = function_words(function, service)
    before, after = [], []
    for fact in _in_order(service, facts):
        pre = slot_words(fact.slot, service).pre
        if pre:
            before.append(pre.format(v=plain_value(fact.slot, service, fact.value)))
        else:
            after.append(add(fact.slot, service, fact.value))
    text = " ".join([*before, words.things, *after])
    return f"the {text}" if words.sheet else text


def describe_deal(function: str, service: str, facts: Sequence[Fact]) -> str:
    """What a booking is of: "Chili's Grill & Bar in San Bruno on March 9th at 18:30 for six"."""
    ordered = _in_order(service, facts)
    for place, fact in enumerate(ordered):
        name = call_by_name(fact.slot, service, fact.value)
        if name:
            del ordered[place]
            break
    else:
        name = function_words(function, service).head
    return " ".join([name, *(add(fact.slot, service, fact.value) for fact in ordered)])


def describe_thing(service: str, name: str, facts: Sequence[Fact]) -> str:
    """A result with what is said of it: "the 08:30 bus without transfers for $33"."""
    return " ".join([name, *(add(fact.slot, service, fact.value) for fact in _in_order(service, facts))])


def describe_answer(pen: Pen, function: str, service: str, facts: Sequence[Fact]) -> str:
    """The facts that a look-up returned: "a balance of $12", "84 degrees and 4% chance of rain"."""
    answer = function_words(function, service).answer
    if answer:
        return describe_thing(service, answer, facts)
    return join_and([pen.pick(speak(fact.slot, service, fact.value)) for fact in facts])


def _in_order(service: str, facts: Sequence[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: slot_words(fact.slot, service).rank)


def name_record(service: str, record: Record, offer: Mapping[str, str]) -> tuple[str, str]:
    """The slot that names an offered record, and what it is called by it; ('', '') where none does."""
    naming = [
        (words.rank, slot)
        for slot, value in offer.items()
        if (words := slot_words(slot, service)).called and str(record.get(slot)) == value
    ]
    if not naming:
        return "", ""
    slot = min(naming)[1]
    return slot, call_by_name(slot, service, offer[slot])
