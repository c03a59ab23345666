"""Words for slots, functions and values, from templates/thoughts/words.yaml or derived from their names."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from coalm_it.templates import fill_phrase, read_yaml, template_cache

Forms = tuple[str, ...]

_VALUES = {"True": "true", "False": "false", "1": "one", "0": "zero"}


@dataclass(frozen=True, slots=True)
class SlotWords:
    """The words for one slot; see words.yaml. `rank` is its position in a description."""

    name: str
    ask: Forms
    definite: Forms
    topic: Forms
    value: dict[str, Forms]
    at: dict[str, str]
    says: dict[str, Forms]
    pre: str
    called: str
    kind: str
    plural: bool
    counts: bool
    rank: int


@dataclass(frozen=True, slots=True)
class FunctionWords:
    """The words for one function; see words.yaml."""

    want: Forms
    do: Forms
    thing: str
    things: str
    head: str
    deed: str
    done: Forms
    sheet: bool
    answer: str
    light: bool


@template_cache()
def read_words() -> dict[str, Any]:
    """The content of words.yaml, each slot with its rank. Raises yaml.YAMLError if it does not parse."""
    words: dict[str, Any] = read_yaml("thoughts/words.yaml")
    for rank, entry in enumerate(words["slots"].values()):
        entry["rank"] = rank
    return words


# --- slots and functions ---


@template_cache()
def slot_words(slot: str, service: str = "") -> SlotWords:
    """The words for a slot: of this service if listed, else of the slot; what is not listed follows from its name."""
    known, rules = read_words()["slots"], read_words()["rules"]["slot"]
    entry = known.get(f"{service}.{slot}") or known.get(slot) or _slot_by_rule(split_name(slot), rules)
    name, one = entry["name"], entry.get("one", [""])[0]

    def words(key: str) -> Any:
        return entry[key] if key in entry else _fill_rule(rules[key], name=name, one=one)

    ask = tuple(words("ask"))
    definite = tuple(phrase for phrase in ask if phrase.startswith("the ")) or ask
    value = {"": words("value"), "true": words("wanted"), "false": words("unwanted")}
    value |= {key: entry[key] for key in ("one", "zero") if key in entry}
    says = {"": words("says"), "true": words("true_says"), "false": words("false_says")}
    says |= {"one": words("one_says")} if one else {}
    says |= {"zero": entry["zero_says"]} if "zero_says" in entry else {}
    at = {"": words("at"), "true": words("at_true"), "false": words("at_false")}
    at |= {key: entry[f"at_{key}"] for key in ("one", "zero") if f"at_{key}" in entry}
    return SlotWords(
        name=name,
        ask=ask,
        definite=definite,
        topic=tuple(entry.get("topic", definite)),
        value={key: tuple(forms) for key, forms in value.items()},
        at=at,
        says={key: tuple(forms) for key, forms in says.items()},
        pre=entry.get("pre", ""),
        called=entry.get("called", ""),
        kind=entry.get("kind", ""),
        plural=entry.get("plural", False),
        counts=bool(one),
        rank=entry.get("rank", len(known)),
    )


def _slot_by_rule(plain: str, rules: dict[str, Any]) -> dict[str, Any]:
    """The words that follow from the name of an unlisted slot: a count, the name of something, its preposition."""
    name = next((plain.removeprefix(start) for start in rules["dropped"] if plain.startswith(start)), plain)
    entry: dict[str, Any] = {"name": name}
    first, _, rest = plain.partition(" ")
    if plain.rpartition(" ")[2] in rules["naming"]:
        entry["called"] = "{v}"
    elif first in rules["prepositions"] and rest:
        entry["at"] = f"{first} {{v}}"
    elif _is_plural_noun(name):
        entry["value"] = _fill_rule(rules["counted"], name=name)
        entry["at"] = _fill_rule(rules["counted_at"], name=name)
        entry["one"] = _fill_rule(rules["counted_one"], single=name[:-1])
    return entry


def _is_plural_noun(noun: str) -> bool:
    return noun.endswith("s") and not noun.endswith(("ss", "us"))


def _fill_rule(rule: Any, **names: str) -> Any:
    if isinstance(rule, str):
        return fill_phrase(rule, names, "thoughts/words.yaml")
    return [fill_phrase(form, names, "thoughts/words.yaml") for form in rule]


@template_cache()
def function_words(function: str, service: str = "") -> FunctionWords:
    """The words for a function: of this service if listed, else of the function; the rest follows from its name."""
    known, rules = read_words()["intents"], read_words()["rules"]["function"]
    entry = known.get(f"{service}.{function}") or known.get(function) or {}
    verb, _, rest = split_name(function).partition(" ")
    thing = entry.get("thing") or rest or rules["thing"]
    several = _is_plural_noun(thing)
    kind = "plural" if several else "vowel" if thing[0] in "aeiou" else "other"
    plural = thing if several else thing + ("es" if thing.endswith(("s", "x", "ch", "sh")) else "s")
    names = {"function": function, "verb": verb, "thing": thing, "plural": plural, "be": rules["be"][several]}
    names["article"] = read_words()["articles"][kind]

    def words(key: str) -> Any:
        return entry[key] if key in entry else _fill_rule(rules[key], **names)

    return FunctionWords(
        want=tuple(words("want")),
        do=tuple(words("do" if rest or "do" in entry else "do_alone")),
        thing=thing,
        things=words("things"),
        head=words("head"),
        deed=words("deed"),
        done=tuple(words("done")),
        sheet=entry.get("sheet", False),
        answer=entry.get("answer", ""),
        light=entry.get("light", False),
    )


def split_name(name: str) -> str:
    """The words of an identifier: FindHotel, find_hotel and find-hotel all give "find hotel"."""
    return re.sub(r"[_\s.-]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip().lower()


# --- values ---


@template_cache(1 << 14)
def list_noun_phrases(slot: str, service: str, value: str) -> Forms:
    """The noun phrases for a value in a list of facts: "six people", "March 9th", "live music"."""
    words = slot_words(slot, service)
    forms = words.value.get(_VALUES.get(value, ""), words.value[""])
    return tuple(_fill(form, slot, service, value) for form in forms)


@template_cache(1 << 14)
def write_modifier(slot: str, service: str, value: str) -> str:
    """The value as a modifier in a description: "in San Bruno", "for six", "without subtitles"."""
    words = slot_words(slot, service)
    return _fill(words.at.get(_VALUES.get(value, ""), words.at[""]), slot, service, value)


@template_cache(1 << 14)
def list_clauses(slot: str, service: str, value: str) -> Forms:
    """The clauses that state the value of a slot: "the address is ...", "pets are welcome"."""
    words = slot_words(slot, service)
    forms = words.says.get(_VALUES.get(value, ""), words.says[""])
    return tuple(_fill(form, slot, service, value) for form in forms)


@template_cache(1 << 14)
def name_by_value(slot: str, service: str, value: str) -> str:
    """A name made from a value: "the 08:30 bus"; '' if values of the slot name nothing."""
    return _fill(slot_words(slot, service).called, slot, service, value)


def _fill(form: str, slot: str, service: str, value: str) -> str:
    values = {"v": plain_value(slot, service, value), "n": short_value(slot, service, value)}
    return fill_phrase(form, values, f"thoughts/words.yaml, {slot}")


@template_cache(1 << 14)
def plain_value(slot: str, service: str, value: str) -> str:
    """The value alone: dates as spoken, titles in quotes, money in dollars."""
    if len(value) == 10 and (day := read_date(value)):
        return say_date(day)
    kind = slot_words(slot, service).kind
    if kind == "title":
        return f'"{value}"'
    if kind == "money" and value.replace(".", "", 1).isdecimal():
        return f"${value}"
    return value


@template_cache(1 << 14)
def short_value(slot: str, service: str, value: str) -> str:
    """The value alone, with small counts in words: March 9th, four, 18:30."""
    if value.isdecimal() and len(value) < 3 and slot_words(slot, service).counts:
        return count_word(int(value))
    return plain_value(slot, service, value)


def is_plural(slot: str, service: str, value: str, phrase: str) -> bool:
    """Whether a noun phrase takes a plural verb: "six people" does, "a table for six" does not."""
    if phrase.startswith(("a ", "an ", "the ")):
        return False
    words = slot_words(slot, service)
    return words.plural or (words.counts and value not in ("1", "True", "False"))


@lru_cache(maxsize=1 << 10)
def read_date(value: str) -> datetime.date | None:
    """The date in an ISO text; None if it is not one."""
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        return None


def say_date(day: datetime.date) -> str:
    """The date as spoken: March 9th."""
    ending = "th" if 10 < day.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return f"{read_words()['months'][day.month - 1]} {day.day}{ending}"


def count_word(number: int) -> str:
    """The number in words if it is small: three, 14."""
    numbers: list[str] = read_words()["numbers"]
    return numbers[number] if 0 <= number < len(numbers) else str(number)


def join_and(items: Sequence[str], joint: str = "and") -> str:
    """The items as a list in a sentence: "a, b and c", or with another joint "a, b or c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {read_words()['joints'][joint]} {items[-1]}"
