"""Writes facts as parts of a sentence: as a list, or as a description of what they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from coalm_it.observations import Record
from coalm_it.thoughts.grounded.knowledge import Fact
from coalm_it.thoughts.grounded.phrasing import PhraseWriter
from coalm_it.thoughts.grounded.words import (
    function_words,
    is_plural,
    join_and,
    list_noun_phrases,
    name_by_value,
    plain_value,
    read_date,
    short_value,
    slot_words,
    write_modifier,
)

_TIME = re.compile(r"\d\d:\d\d")
_PLAIN_TIME = re.compile(r"\d{1,2}(?::\d\d)? ?[ap]\.?m\.?", re.IGNORECASE)


def list_facts(writer: PhraseWriter, service: str, facts: Sequence[Fact], explain: bool = True) -> tuple[str, bool]:
    """The facts as one noun phrase, and whether it takes a plural verb.

    With `explain`, the phrase of a value adds the user's words for it and the value that it replaces.
    """
    phrases = []
    plural = len(facts) > 1
    for fact in facts:
        phrase = writer.pick(list_noun_phrases(fact.slot, service, fact.value))
        plural = plural or is_plural(fact.slot, service, fact.value, phrase)
        phrases.append(_add_explanation(writer, service, fact, phrase) if explain else phrase)
    return join_and(phrases), plural


def _add_explanation(writer: PhraseWriter, service: str, fact: Fact, phrase: str) -> str:
    if fact.explained:
        return phrase
    if fact.old and fact.value not in ("True", "False"):
        return writer.phrase("facts/changed", {"v": phrase, "old": short_value(fact.slot, service, fact.old)})
    if fact.said and needs_explanation(fact):
        return writer.phrase("facts/respelled", {"v": phrase, "said": fact.said})
    if len(fact.value) == 10 and read_date(fact.value) and writer.draw(4) == 0:
        return writer.phrase("facts/dated", {"v": phrase, "iso": fact.value})
    return phrase


def needs_explanation(fact: Fact) -> bool:
    """Whether the user's words differ so much from the value that a reader would not see the connection."""
    said, value = fact.said, fact.value
    if not said or value in ("True", "False") or value.replace(".", "", 1).isdecimal():
        return False
    if len(value) == 10 and read_date(value):
        return not any(letter.isdecimal() for letter in said)
    if _TIME.fullmatch(value):
        return not _PLAIN_TIME.fullmatch(said)
    return value.casefold() not in said.casefold()


def explain_single(writer: PhraseWriter, service: str, facts: Sequence[Fact]) -> str:
    """A sentence that explains the only value named differently by the user; '' if there is none, or several.

    Marks the fact as explained.
    """
    unexplained = [fact for fact in facts if needs_explanation(fact) and not fact.old]
    return _write_explanation(writer, service, unexplained[0]) if len(unexplained) == 1 and writer.draw(2) else ""


def explain_remaining(writer: PhraseWriter, service: str, facts: Sequence[Fact], sentences: Sequence[str]) -> list[str]:
    """A sentence for every value named differently by the user that the sentences so far do not explain."""
    return [
        _write_explanation(writer, service, fact)
        for fact in facts
        if not fact.explained and needs_explanation(fact) and not any(fact.said in sentence for sentence in sentences)
    ]


def _write_explanation(writer: PhraseWriter, service: str, fact: Fact) -> str:
    fact.explained = True
    values = {"said": fact.said, "v": plain_value(fact.slot, service, fact.value), "iso": fact.value}
    if read_date(fact.value):
        return writer.write("facts/meaning_day", values)
    return writer.write("facts/meaning_time" if _TIME.fullmatch(fact.value) else "facts/meaning", values)


def list_values(writer: PhraseWriter, service: str, facts: Sequence[Fact]) -> str:
    """The values of the facts without their slots, for a sentence that names the slots itself."""
    phrases = []
    for fact in facts:
        if fact.value in ("True", "False"):
            phrase = list_noun_phrases(fact.slot, service, fact.value)[0]
        else:
            phrase = short_value(fact.slot, service, fact.value)
        phrases.append(_add_explanation(writer, service, fact, phrase))
    return join_and(phrases)


def list_definite(writer: PhraseWriter, service: str, slots: Sequence[str]) -> str:
    """The slots as one noun phrase with definite articles: "the city and the cuisine"."""
    return join_and([writer.pick(slot_words(slot, service).definite) for slot in slots])


def list_names(writer: PhraseWriter, service: str, slots: Sequence[str], joint: str = "and") -> str:
    """The slots as one noun phrase: "the city and a cuisine"."""
    return join_and([writer.pick(slot_words(slot, service).ask) for slot in slots], joint)


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
            after.append(write_modifier(fact.slot, service, fact.value))
    text = " ".join([*before, words.things, *after])
    return f"the {text}" if words.sheet else text


def describe_booking(function: str, service: str, facts: Sequence[Fact]) -> str:
    """What is booked: "Chili's Grill & Bar in San Bruno on March 9th at 18:30 for six"."""
    ordered = _in_order(service, facts)
    for index, fact in enumerate(ordered):
        name = name_by_value(fact.slot, service, fact.value)
        if name:
            del ordered[index]
            break
    else:
        name = function_words(function, service).head
    return " ".join([name, *(write_modifier(fact.slot, service, fact.value) for fact in ordered)])


def describe_thing(service: str, name: str, facts: Sequence[Fact]) -> str:
    """A result with its facts: "the 08:30 bus without transfers for $33"."""
    return " ".join([name, *(write_modifier(fact.slot, service, fact.value) for fact in _in_order(service, facts))])


def describe_answer(writer: PhraseWriter, function: str, service: str, facts: Sequence[Fact]) -> str:
    """The facts that a lookup returned: "a balance of $12", "84 degrees and 4% chance of rain"."""
    answer = function_words(function, service).answer
    if answer:
        return describe_thing(service, answer, facts)
    return join_and([writer.pick(list_noun_phrases(fact.slot, service, fact.value)) for fact in facts])


def _in_order(service: str, facts: Sequence[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: slot_words(fact.slot, service).rank)


def name_record(service: str, record: Record, offer: Mapping[str, str]) -> tuple[str, str]:
    """The slot that names an offered record, and the name; ('', '') if no slot names it."""
    naming = [
        (words.rank, slot)
        for slot, value in offer.items()
        if (words := slot_words(slot, service)).called and str(record.get(slot)) == value
    ]
    if not naming:
        return "", ""
    slot = min(naming)[1]
    return slot, name_by_value(slot, service, offer[slot])
