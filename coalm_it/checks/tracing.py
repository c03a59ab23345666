"""Traces the arguments of a dialogue without annotation to the texts before the call, leaf by leaf.

Evidence is what was said, earlier calls and results with the keys of these, and what the function itself lists: a
default, a possible value, a word of its description. A value counts in every form of it that `text_facts` reads, and
a code also where its word was said (see values/codes.py). Free text (see `free_text`) is not traced, nor are booleans,
null and "", which no text holds. A number that was computed from others is not traced either, and so has no origin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

from coalm_it.calls import find_tool
from coalm_it.checks.evidence import ValueOrigin, read_leaves
from coalm_it.checks.free_text import is_free_text, looks_like_id
from coalm_it.checks.text_facts import DAY, TIME, TextFacts, read_facts, write_day, write_number
from coalm_it.checks.wording import stem_word
from coalm_it.schema import Call, Sample, Turn
from coalm_it.values import read_value
from coalm_it.values.codes import words_for_code


class Leaf(NamedTuple):
    """A value of an argument at its path, `passengers[0].name`, with the name and the schema that it has there."""

    path: str
    slot: str
    value: Any
    schema: Mapping[str, Any]


class Evidence(NamedTuple):
    """What is known before a call, newest first."""

    texts: tuple[tuple[ValueOrigin, TextFacts], ...]
    public: TextFacts
    """The function's own description."""


def is_annotated_dialogue(sample: Sample) -> bool:
    """Whether the corpus annotates states or acts, from which arguments can be traced."""
    return any(turn.state or turn.labels.user_acts or turn.labels.system_acts for turn in sample.turns)


def find_untraced(sample: Sample, call: Call, slot: str, step: int) -> list[Leaf]:
    """The leaves of an argument that have no origin."""
    return [leaf for leaf, origin in trace_leaves(sample, call, slot, step) if origin is None]


def trace_leaves(sample: Sample, call: Call, slot: str, step: int) -> list[tuple[Leaf, ValueOrigin | None]]:
    """Each leaf of an argument of a call in the current turn's step of index `step`, with its origin."""
    tool = find_tool(call, sample.tools)
    schema = tool.properties.get(slot, {}) if tool else {}
    evidence = read_evidence(sample, call, step)
    leaves = list_leaves(Leaf(slot, slot, call.arguments[slot], schema))
    return [(leaf, _trace(leaf, evidence)) for leaf in leaves]


def list_leaves(leaf: Leaf) -> Iterator[Leaf]:
    """The leaf itself, or those below it; keys of objects that the schema does not list are leaves of their own."""
    value, schema = leaf.value, leaf.schema
    if isinstance(value, dict):
        listed = schema.get("properties")
        properties = listed if isinstance(listed, dict) else {}
        for key, item in value.items():
            yield from list_leaves(Leaf(f"{leaf.path}.{key}", key, item, _as_schema(properties.get(key))))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from list_leaves(Leaf(f"{leaf.path}[{index}]", leaf.slot, item, _as_schema(schema.get("items"))))
    else:
        yield leaf


def _as_schema(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


# --- evidence ---


def read_evidence(sample: Sample, call: Call, step: int) -> Evidence:
    """What is known before the current turn's step of index `step`."""
    clock = sample.clock
    texts = tuple((origin, read_facts(text, clock)) for origin, text in _list_texts(sample, step) if text)
    tool = find_tool(call, sample.tools)
    return Evidence(texts, read_facts(_EXAMPLE.sub(" ", _describe(tool.description, tool.parameters) if tool else "")))


def _list_texts(sample: Sample, step: int) -> Iterator[tuple[ValueOrigin, str]]:
    current = sample.current
    yield "said_now", current.user
    yield from _list_exchanged(current, step)
    for turn in reversed(sample.history):
        yield "offered", turn.reply or ""
        yield "carried_over", turn.user
        yield from _list_exchanged(turn, len(turn.steps))


def _list_exchanged(turn: Turn, steps: int) -> Iterator[tuple[ValueOrigin, str]]:
    for step in turn.steps[:steps]:
        for value in (*step.observations, *(call.arguments for call in step.calls)):
            yield "observed", "\n".join(chain(read_leaves([value]), _list_keys(value)))


def _list_keys(value: Any) -> Iterator[str]:
    """Every key of a result, at any depth: in {"HAT136": {"price": 52}} it is the number of a flight."""
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _list_keys(item)


_EXAMPLE = re.compile(r"(?:\be\.?g\.?|\bfor example|\bsuch as|\blike|\bi\.e\.|例如|比如|如)[^\n;)]*?[^\s\n;),]*\d[^\n;)]*", re.IGNORECASE)
"""Examples with digits: the ids and dates of a description are nobody's."""


def _describe(description: str, schema: Any) -> str:
    """All that a function says of itself: descriptions, possible values, names of parameters."""
    texts = [description]
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("description", "title") and isinstance(value, str):
                texts.append(value)
            elif key == "enum" and isinstance(value, list):
                texts += map(str, value)
            elif isinstance(value, dict):
                texts += [*value, _describe("", value)] if key == "properties" else [_describe("", value)]
    return "\n".join(text for text in texts if text)


# --- one leaf ---


def _trace(leaf: Leaf, evidence: Evidence) -> ValueOrigin | None:
    value, schema = leaf.value, leaf.schema
    if "default" in schema and schema["default"] == value:
        return "default"
    if value is None or value == "" or isinstance(value, bool) or value in schema.get("enum", ()):
        return "chosen"
    if schema.get("const") == value or is_free_text(leaf.slot, schema, value):
        return "chosen"
    for origin, facts in evidence.texts:
        if _stands_in(leaf, facts):
            return origin
    if _is_first(leaf):
        return "chosen"
    if isinstance(value, str) and _is_composed(value, [facts for _, facts in evidence.texts]):
        return "carried_over"
    return "chosen" if isinstance(value, str) and _names(value, evidence.public) else None


_STARTS = frozenset("page skip offset start index min minimum from first quantity count copies".split())


def _is_first(leaf: Leaf) -> bool:
    """Whether a number is where counting begins: page 1, offset 0, a quantity of 1."""
    return leaf.value in (0, 1) and not _STARTS.isdisjoint(re.sub(r"[\W_]+", " ", leaf.slot.lower()).split())


def _stands_in(leaf: Leaf, facts: TextFacts) -> bool:
    value = leaf.value
    if isinstance(value, int | float):
        return _is_counted(value, facts)
    text = str(value).strip()
    if _is_moment(text):
        return _is_dated(text, facts)
    return _names(text, facts) or _is_said_otherwise(leaf.slot, text, facts)


def _is_counted(value: float, facts: TextFacts) -> bool:
    """Whether a text has a number, also as a percentage or inside a longer word: AS15169."""
    number = Decimal(str(value))
    forms = {write_number(abs(number)), write_number(abs(number) * 100)} if abs(number) < 1 else {write_number(abs(number))}
    if not forms.isdisjoint(facts.numbers):
        return True
    digits = write_number(number)
    if len(digits) > 2 and re.search(rf"(?<!\d){re.escape(digits)}(?!\d)", facts.plain):
        return True
    return len(digits) > 6 and any(run.endswith(digits) for run in facts.digits)


def _names(text: str, facts: TextFacts) -> bool:
    """Whether a text has these words in this order, or these letters and digits whatever stands between them."""
    own = read_facts(text)
    if len(own.plain) > 2 and own.plain in facts.plain:
        return True
    if len(own.squeezed) < 4 and text.isascii():
        return False
    place = facts.squeezed.find(own.squeezed) if own.squeezed else -1
    while place >= 0:
        end = place + len(own.squeezed)
        # 123 does not stand in 5123, nor Oban in Lisboband: digits are compared whole, and words by their beginning
        if not (_continues(facts.squeezed, place) or _continues(facts.squeezed, end)):
            return True
        place = facts.squeezed.find(own.squeezed, place + 1)
    return False


def _continues(squeezed: str, place: int) -> bool:
    return squeezed[place - 1 : place].isdecimal() and squeezed[place : place + 1].isdecimal()


def _is_said_otherwise(slot: str, text: str, facts: TextFacts) -> bool:
    """A code for its word, a number written as text, a phone number, money, a value of `values`, a symbol of shares."""
    if any(f" {word} " in facts.plain or (not word.isalpha() or not word.isascii()) and word in facts.squeezed for word in words_for_code(text)):
        return True
    if (number := _NUMERAL.fullmatch(text)) and not number["digits"].startswith("00"):
        bare = number["digits"].replace(",", "")
        if write_number(Decimal(bare)) in facts.numbers:
            return True
    digits = re.sub(r"\D", "", text)
    if len(digits) >= 7 and not any(map(str.isalpha, text)):
        return any(run.endswith(digits[-9:]) or digits.endswith(run) for run in facts.digits)
    forms = read_value(text)
    if not forms.isdisjoint(facts.times) or not forms.isdisjoint(facts.dates):
        return True
    return text.isupper() and text.isalpha() and len(text) <= 5 and _is_abbreviated(slot, text, facts)


_NUMERAL = re.compile(r"[$€£¥₹]?\s?(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)\s?(?:%|[^\W\d]{0,12}|[^\W\d]{1,3}/[^\W\d]{1,3})")
"""A number with a sign or a unit: $20, 5 km, 30%."""
_SYMBOLS = frozenset("symbol symbols ticker tickers stock code codes abbreviation abbr".split())


def _is_abbreviated(slot: str, text: str, facts: TextFacts) -> bool:
    """Whether a short name in capitals stands for words: initials (NYC), or of shares the letters of a word (MSFT)."""
    words, letters = facts.plain.split(), text.lower()
    initials = "".join(word[0] for word in words)
    if len(letters) > 1 and letters in initials:
        return True
    if _SYMBOLS.isdisjoint(re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", slot).lower().split()):
        return False
    return any(len(word) > 3 and set(letters) <= set(word) for word in words)


# --- days and times ---


def _is_moment(text: str) -> bool:
    return bool(DAY.match(text) or TIME.fullmatch(text))


_WHOLE_DAY = ("00:00", "23:59")
_MONTH_ENDS = ("01", "28", "29", "30", "31")


def _is_dated(text: str, facts: TextFacts) -> bool:
    """Whether a text has the day, and the time of day, of a moment: 2024-05-04T18:12 from "4 May at 6:12 pm"."""
    day, time = DAY.search(text), TIME.search(text)
    if day and not _has_day(write_day(*day.groups()), facts):
        return False
    if not time:
        return True
    hour, minute = int(time["hour"]), time["minute"]
    written = f"{hour % 24:02}:{minute}"
    if written in facts.times or (day and written in _WHOLE_DAY):
        return True
    return minute == "00" and not facts.hours.isdisjoint((str(hour), str((hour - 1) % 12 + 1)))


def _has_day(day: str, facts: TextFacts) -> bool:
    """A day without a year counts in any year; of a month or a year alone, the first and the last day."""
    if day in facts.dates or f"-{day[4:]}" in facts.dates or facts.has_day_word:
        return True
    if day[8:] in _MONTH_ENDS and day[:7] in facts.dates:
        return True
    return day[5:] in ("01-01", "12-31") and day[:4] in facts.dates


# --- words from several places ---

_SMALL = frozenset("a an and of in on at for to the with by or is de la el".split())


def _is_composed(text: str, known: Sequence[TextFacts]) -> bool:
    """Whether all that a value consists of was said, though not in one place: "Oban, Scotland", "netflix,hulu"."""
    if looks_like_id(text) and not any(mark in text for mark in ",;| "):
        return False
    if _is_moment(text):
        day, time = DAY.search(text), TIME.search(text)
        parts = [part[0] for part in (day, time) if part]
        return len(parts) > 1 and all(any(_is_dated(part, facts) for facts in known) for part in parts)
    own = read_facts(text)
    if not text.isascii() and not re.search(r"[a-zA-Z]{3}", text):
        squeezed = "".join(facts.squeezed for facts in known)
        return bool(own.squeezed) and all(character in squeezed for character in own.squeezed)
    wanted = own.stems - _SMALL
    said = frozenset[str]().union(*(facts.stems for facts in known))
    missing = [stem for stem in wanted if stem not in said]
    if any(any(map(str.isdecimal, stem)) for stem in missing):
        return False
    return bool(wanted) and len(missing) <= len(wanted) // 4
