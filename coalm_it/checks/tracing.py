"""Traces the arguments of a dialogue without annotation to the texts before the call, leaf by leaf.

Evidence is what was said, earlier calls and results with the keys of these, and what the function itself lists: a
default, a possible value, a word of its description. A value counts in every form of it that `text_facts` reads, and
a code also where its word was said (see values/codes.py). Free text (see `free_text`) is not traced, nor are booleans,
null and "", which no text holds. A number that was computed from others is not traced either, and so has no origin.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

from coalm_it.calls import find_tool
from coalm_it.checks.evidence import ValueOrigin, read_leaves
from coalm_it.checks.free_text import is_free_text, looks_like_id
from coalm_it.checks.moments import Moment, is_dated, read_moment
from coalm_it.checks.text_facts import TextFacts, read_facts, write_number
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
    clock: datetime.date | None = None


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
    texts = tuple((origin, read_facts(text, clock)) for origin, text in list_texts(sample, step) if text)
    tool = find_tool(call, sample.tools)
    described = _describe(tool.description, tool.parameters) if tool else ""
    return Evidence(texts, read_facts(_EXAMPLE.sub(" ", described)), clock)


def list_texts(sample: Sample, step: int) -> Iterator[tuple[ValueOrigin, str]]:
    """All that was said and exchanged before the current turn's step of index `step`, newest first."""
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


_EXAMPLE = re.compile(
    r"(?:\be\.?g\.?|\bfor example|\bsuch as|\blike|\bi\.e\.|例如|比如|如)[^\n;)]*?[^\s\n;),]*\d[^\n;)]*",
    re.IGNORECASE,
)
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
    if value is None or isinstance(value, bool) or value in schema.get("enum", ()):
        return "chosen"
    if isinstance(value, str) and (value.lower() in _ANSWERS or not any(map(str.isalnum, value))):
        return "chosen"  # as a boolean; or "", or a sign such as "$$"
    if schema.get("const") == value or is_free_text(leaf.slot, schema, value):
        return "chosen"
    for origin, facts in evidence.texts:
        if _stands_in(leaf, facts, evidence.clock):
            return origin
    if _is_first(leaf):
        return "chosen"
    if isinstance(value, str) and _is_composed(value, [facts for _, facts in evidence.texts], evidence.clock):
        return "carried_over"
    return "chosen" if isinstance(value, str) and _names(value, evidence.public) else None


_ANSWERS = ("true", "false", "yes", "no", "none", "null")
_STARTS = frozenset("page skip offset start index min minimum from first quantity count copies".split())


def _is_first(leaf: Leaf) -> bool:
    """Whether a number is where counting begins: page 1, offset 0, a quantity of 1."""
    return leaf.value in (0, 1) and not _STARTS.isdisjoint(re.sub(r"[\W_]+", " ", leaf.slot.lower()).split())


_SCHEME = re.compile(r"^(?:https?://)?(?:www\.)?(?=\S+$)")


def _stands_in(leaf: Leaf, facts: TextFacts, clock: datetime.date | None) -> bool:
    value = leaf.value
    if isinstance(value, int | float):
        return _is_counted(value, facts)
    text = _SCHEME.sub("", str(value).strip())
    if moment := read_moment(text):
        return is_dated(moment, facts, clock)
    return _names(text, facts) or _is_said_otherwise(leaf.slot, text, facts)


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
    return len(form) > 3 and round(number, places) == Decimal(form)


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
    if any(_says_word(word, facts) for word in words_for_code(text)):
        return True
    if (number := _NUMERAL.fullmatch(text)) and not number["digits"].startswith("00"):
        bare = number["digits"].replace(",", "")
        if write_number(Decimal(bare)) in facts.numbers:
            return True
    digits = re.sub(r"\D", "", text)
    if len(digits) >= 7 and not any(map(str.isalpha, text)):
        return any(run.endswith(digits[-9:]) or digits.endswith(run) for run in facts.digits)
    if not read_value(text).isdisjoint(facts.times):
        return True
    return text.isupper() and text.isalpha() and len(text) <= 5 and _is_abbreviated(slot, text, facts)


def _says_word(word: str, facts: TextFacts) -> bool:
    # Chinese has no blanks between words
    return f" {word} " in facts.plain or word in facts.signs or (not word.isascii() and word in facts.squeezed)


_NUMERAL = re.compile(
    r"[$€£¥₹]?\s?(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)\s?(?:%|[^\W\d]{0,12}|[^\W\d]{1,3}/[^\W\d]{1,3})"
)
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


# --- words from several places ---

_SMALL = frozenset("a an and of in on at for to the with by or is de la el".split())


_RANGE = re.compile(r"\d+(?:\.\d+)?(?:\s?[-–~/x:,]\s?\d+(?:\.\d+)?)+")
"""Numbers with a mark between them: 1966-1976, 120/80."""


_UNTIL = re.compile(r"\s+(?:-|–|to|until)\s+")


def _is_composed(text: str, known: Sequence[TextFacts], clock: datetime.date | None) -> bool:
    """Whether all that a value consists of was said, though not in one place: "Oban, Scotland", "netflix,hulu"."""
    if moment := read_moment(text):
        parts = [Moment(moment.days), Moment(frozenset(), moment.time)]
        return all(any(is_dated(part, facts, clock) for facts in known) for part in parts)
    ends = [read_moment(end) for end in _UNTIL.split(text)]
    if len(ends) > 1 and None not in ends:
        return all(any(end and is_dated(end, facts, clock) for facts in known) for end in ends)
    if looks_like_id(text) and not any(mark in text for mark in ",;|") and not _RANGE.fullmatch(text):
        return False
    own = read_facts(text)
    if _RANGE.fullmatch(text):
        numbers = frozenset[str]().union(*(facts.numbers for facts in known))
        return all(write_number(Decimal(part)) in numbers for part in re.findall(r"\d+(?:\.\d+)?", text))
    if not text.isascii() and not re.search(r"[a-zA-Z]{3}", text):
        squeezed = "".join(facts.squeezed for facts in known)
        return bool(own.squeezed) and all(character in squeezed for character in own.squeezed)
    wanted = own.stems - _SMALL
    said = frozenset[str]().union(*(facts.stems for facts in known))
    missing = [stem for stem in wanted if stem not in said]
    if any(any(map(str.isdecimal, stem)) for stem in missing):
        return False
    return bool(wanted) and len(missing) <= len(wanted) // 4
