"""Every value in a thought is known at that moment: from what was said, asked and returned so far, or by the calendar.

A value is a date, a time, a sum, a phone or other number in digits, a number in words before what is counted
("four people"), a name (words with a capital inside a sentence) or a quotation. It has a source when it stands, in any
form, in the dialogue so far, in the arguments of the call that the thought leads to, in what the annotation says that
was meant, or in the tools; or when it follows from these (see derivations.py). What only the reply says is no source,
save for what a question only suggests: that is the agent's own idea.

Sources are searched as plain text first, the current turn before earlier ones: that settles nearly every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from coalm_it.checks.derivations import COUNTED, Item, follows
from coalm_it.checks.evidence import read_leaves
from coalm_it.checks.wording import read_thought, read_words
from coalm_it.observations import read_content
from coalm_it.schema import Finding, Sample, Step, Turn
from coalm_it.values import find_values, read_value, value_text
from coalm_it.values.dates import Clock
from coalm_it.values.numbers import NUMBERS


def check_thought_facts(sample: Sample) -> list[Finding]:
    """Values of a thought that nothing before it gives. A published row that was read back has too little to tell."""
    thought = read_thought(sample)
    if not thought or sample.columns is not None:
        return []
    items = _read_items(sample, thought)
    if not items:
        return []
    for text in _read_sources(sample):
        items = _drop_known(items, text)
        if not items:
            return []
    known = list(_read_sources(sample))
    return [
        Finding(check="thought_facts", where="thought", message=f"the thought has {_explain(sample, item)}")
        for item in items
        if not follows(sample, thought, item, known)
    ]


def _explain(sample: Sample, item: Item) -> str:
    observations = [step.observations for step in sample.current.steps[sample.step or 0 :]]
    later = "\n".join([sample.current.reply or "", *(read_leaves(observations) if sample.step is not None else ())])
    if item.words.lower() in later.lower():
        return f"{item.words!r}, which only comes afterwards; leave it out, it cannot be known yet"
    return (
        f"{item.words!r}, which nobody said and nothing that came back so far shows; "
        "leave it out, or give the value that was said or returned"
    )


# --- what needs a source ---

_PLAIN_MARKS = str.maketrans("’“”—–…", '\'"";;.')
_REST = r"(?:[^\s.,:;!?\"()%]+|[.,:](?=\d))*"
_SPECIAL = re.compile(
    rf"[A-Z\d](?:(?<=[\w,')&%-] [A-Z])|(?<=(?<!\w)\d)){_REST}(?: (?!I\b)[A-Z\d&]{_REST}|(?<=\d) [ap]m\b)*"
)
"""Words with a capital inside a sentence, and numbers, one after another: "Grill & Bar", "March 9th", "6:30 pm"."""
_QUOTE = re.compile(r"(?<!\w)\"([^\"]+)\"(?!\w)")
_DIGITS = frozenset("0123456789")
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday tonight tomorrow yesterday".split())
_HOURS = frozenset("noon midday midnight half quarter o'clock".split())
_IN_WORDS = COUNTED | _DAYS | _HOURS
"""Words of which one stands in, or after, each date, time and count in words that is looked for."""
_PLAIN = frozenset(
    "I I'll I'm I'd I've OK Okay AM PM ID API English Yes No User Agent Assistant The An Of And In On At For To USD "
    "ETA Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December".split()
)
"""Words with a capital that are no names, and those of the calendar, which are read as dates."""


def _read_items(sample: Sample, thought: str) -> list[Item]:
    clock = sample.clock
    items = []
    if not thought.isascii():
        thought = thought.translate(_PLAIN_MARKS)
    if '"' in thought:
        items = [Item("quote", quote, (quote.strip(" .,!?;:"),)) for quote in _QUOTE.findall(thought)]
        thought = _QUOTE.sub('"', thought)
    for found in _SPECIAL.findall(thought):
        name = found.rstrip("'-& ")
        if not _DIGITS.isdisjoint(name):
            # a bare number may be an hour, but is a number first
            items.append(Item("value", name, (name,) if name.isdecimal() else (name, *read_value(name, clock))))
        elif name not in _PLAIN:
            items.append(Item("name", name, (name,)))
    words = read_words(thought)
    if not _IN_WORDS.isdisjoint(words):
        items += [Item("value", forms[0], forms) for forms in _read_in_words(words, clock)]
        if not _HOURS.isdisjoint(words):
            times = [value for value in find_values(thought, clock) if value.kind == "time"]
            items += [Item("value", time.text, (time.text, *time.forms)) for time in times]
    return items


def _read_in_words(words: tuple[str, ...], clock: Clock) -> Iterator[tuple[str, ...]]:
    """Days, and numbers before what is counted; a number by itself ("one of them", "the two") says nothing."""
    before = ""
    for word in words:
        if word in _DAYS:
            day = f"{before} {word}" if before in ("next", "this") and word.endswith("day") else word
            yield day, *read_value(day, clock)
        elif word in COUNTED and before in NUMBERS and before != "one":
            yield before, str(NUMBERS[before])
        before = word


# --- where it stands ---


def _drop_known(items: list[Item], text: str) -> list[Item]:
    """The items of which no form stands in a text."""
    left = []
    for item in items:
        for form in item.forms:
            if form in text and (len(form) > 7 or stands(text, form)):  # long ones are parts of nothing else
                break
        else:
            left.append(item)
    return left


_HALVES = (" am", " pm")


def stands(text: str, form: str) -> bool:
    """Whether a form stands in a text by itself: not inside a word, and a number not inside a longer one or a time."""
    place = text.find(form)
    while place >= 0:
        end = place + len(form)
        if not (
            text[place - 1 : place].isalnum()
            or text[end : end + 1].isalnum()
            or (form[0].isdigit() and _goes_on(text[max(place - 2, 0) : place][::-1]))
            or (form[-1].isdigit() and (_goes_on(text[end : end + 2]) or text[end : end + 3] in _HALVES))
        ):
            return True
        place = text.find(form, place + 1)
    return False


def _goes_on(beyond: str) -> bool:
    """Whether what is beyond an end of a number belongs to it still."""
    return beyond[1:].isdigit() and beyond[0] in ".:,/-"


def _read_sources(sample: Sample) -> Iterator[str]:
    """All that is known at the moment of the thought, as texts, the likeliest first."""
    *history, current = sample.turns
    texts = [current.user, *[tool.name for tool in sample.tools]]
    texts += [value for act in current.labels.user_acts for value in act.canonical]
    if sample.step is not None:
        texts += [repr(call.arguments) for call in current.steps[sample.step].calls]
    yield "\n".join(texts)
    if steps := current.steps[: sample.step]:
        yield _join_steps(steps)
    for turn in reversed(history):
        yield _join_turn(turn)
    texts = [" ".join(surfaces) for slots in current.state.values() for surfaces in slots.values()]
    if sample.step is None:
        texts += [value for act in current.labels.system_acts if act.name == "REQUEST" for value in act.canonical]
    texts += [value_text(schema.get("default")) for tool in sample.tools for schema in tool.properties.values()]
    yield "\n".join([*texts, str(sample.clock)])


def _join_steps(steps: Sequence[Step]) -> str:
    """Arguments and results; how many came back is not among them, since it counts nothing but the results."""
    shown: list[Any] = [call.arguments for step in steps for call in step.calls]
    for step in steps:
        shown += map(read_content, step.observations)
    return repr(shown)


_joined: dict[int, tuple[Turn, str]] = {}
"""The last turns that were joined, by identity: a dialogue's samples share their turns."""


def _join_turn(turn: Turn) -> str:
    """All of a turn that is over."""
    kept = _joined.get(id(turn))
    if kept is None or kept[0] is not turn:
        if len(_joined) > 255:
            _joined.clear()
        acts = (*turn.labels.user_acts, *turn.labels.system_acts)
        texts = [turn.user, turn.reply or "", _join_steps(turn.steps), *[v for act in acts for v in act.canonical]]
        kept = _joined[id(turn)] = (turn, "\n".join(texts))
    return kept[1]
