"""Checks that every value in a thought is known at that moment: from the dialogue, calls and results so far, or the
calendar.

A value is a date, a time, a sum, a phone or other number in digits, a number in words before what it counts ("four
people"), a name (words with a capital inside a sentence) or a quotation. Evidence for it is any form of it in the
dialogue so far, in the arguments of the call that the thought leads to, in the canonical values of the annotation, or
in the tools; or it follows from these (see derivations.py). The reply that follows is no evidence, except for values
that a question suggests: these are the agent's own idea.

The evidence is searched as plain text first, the current turn before earlier ones: that decides nearly every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from coalm_it.checks.derivations import COUNTED, Mention, follows
from coalm_it.checks.evidence import read_leaves
from coalm_it.checks.wording import is_of_corpus, read_thought, read_words
from coalm_it.observations import read_content
from coalm_it.schema import Finding, Sample, Step, Turn
from coalm_it.values import find_values, read_value, value_text
from coalm_it.values.dates import Clock
from coalm_it.values.numbers import NUMBERS


def check_thought_facts(sample: Sample) -> list[Finding]:
    """Finds values of a thought without evidence. Published rows that were read back lack it, and a corpus's own
    thoughts may reckon and remember: these are not checked.
    """
    thought = read_thought(sample)
    if not thought or sample.columns is not None or is_of_corpus(sample):
        return []
    mentions = _read_mentions(sample, thought)
    if not mentions:
        return []
    for text in _read_evidence(sample):
        mentions = _drop_known(mentions, text)
        if not mentions:
            return []
    known = list(_read_evidence(sample))
    return [
        Finding(check="thought_facts", where="thought", message=f"the thought has {_describe_unknown(sample, mention)}")
        for mention in mentions
        if not follows(sample, thought, mention, known)
    ]


def _describe_unknown(sample: Sample, mention: Mention) -> str:
    observations = [step.observations for step in sample.current.steps[sample.step or 0 :]]
    later = "\n".join([sample.current.reply or "", *(read_leaves(observations) if sample.step is not None else ())])
    if mention.words.lower() in later.lower():
        return f"{mention.words!r}, which only comes afterwards; leave it out, it cannot be known yet"
    return (
        f"{mention.words!r}, which nobody said and nothing that came back so far shows; "
        "leave it out, or give the value that was said or returned"
    )


# --- values that need evidence ---

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
"""Every date, time and count in words contains one of these words or precedes one."""
_PLAIN = frozenset(
    "I I'll I'm I'd I've OK Okay AM PM ID API English Yes No User Agent Assistant The An Of And In On At For To USD "
    "ETA Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December".split()
)
"""Capitalised words that are no names, among them those of the calendar, which are read as dates."""


def _read_mentions(sample: Sample, thought: str) -> list[Mention]:
    clock = sample.clock
    mentions = []
    if not thought.isascii():
        thought = thought.translate(_PLAIN_MARKS)
    if '"' in thought:
        mentions = [Mention("quote", quote, (quote.strip(" .,!?;:"),)) for quote in _QUOTE.findall(thought)]
        thought = _QUOTE.sub('"', thought)
    for found in _SPECIAL.findall(thought):
        name = found.rstrip("'-& ")
        if not _DIGITS.isdisjoint(name):
            # a bare number may be an hour, but is a number first
            mentions.append(Mention("value", name, (name,) if name.isdecimal() else (name, *read_value(name, clock))))
        elif name not in _PLAIN:
            mentions.append(Mention("name", name, (name,)))
    words = read_words(thought)
    if not _IN_WORDS.isdisjoint(words):
        mentions += [Mention("value", forms[0], forms) for forms in _read_in_words(words, clock)]
        if not _HOURS.isdisjoint(words):
            times = [value for value in find_values(thought, clock) if value.kind == "time"]
            mentions += [Mention("value", time.text, (time.text, *time.forms)) for time in times]
    return mentions


def _read_in_words(words: tuple[str, ...], clock: Clock) -> Iterator[tuple[str, ...]]:
    """The forms of days, and of numbers before what they count; a number alone ("one of them") needs no evidence."""
    before = ""
    for word in words:
        if word in _DAYS:
            day = f"{before} {word}" if before in ("next", "this") and word.endswith("day") else word
            yield day, *read_value(day, clock)
        elif word in COUNTED and before in NUMBERS and before != "one":
            yield before, str(NUMBERS[before])
        before = word


# --- evidence ---


def _drop_known(mentions: list[Mention], text: str) -> list[Mention]:
    """The mentions of which no form occurs in a text."""
    remaining = []
    for mention in mentions:
        for form in mention.forms:
            if form in text and (len(form) > 7 or occurs(text, form)):  # a long form cannot be part of something else
                break
        else:
            remaining.append(mention)
    return remaining


_DAY_HALVES = (" am", " pm")


def occurs(text: str, form: str) -> bool:
    """Whether a form occurs in a text on its own: not inside a word, and a number not inside a longer one or a time."""
    position = text.find(form)
    while position >= 0:
        end = position + len(form)
        if not (
            text[position - 1 : position].isalnum()
            or text[end : end + 1].isalnum()
            or (form[0].isdigit() and _continues(text[max(position - 2, 0) : position][::-1]))
            or (form[-1].isdigit() and (_continues(text[end : end + 2]) or text[end : end + 3] in _DAY_HALVES))
        ):
            return True
        position = text.find(form, position + 1)
    return False


def _continues(beyond: str) -> bool:
    """Whether the text beyond an end of a number continues it."""
    return beyond[1:].isdigit() and beyond[0] in ".:,/-"


def _read_evidence(sample: Sample) -> Iterator[str]:
    """Everything known at the moment of the thought, as texts, the likeliest evidence first."""
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
    yield "\n".join([*texts, str(sample.clock), sample.system])


def _join_steps(steps: Sequence[Step]) -> str:
    """Arguments and results as text, without the number of matches, which counts nothing but results."""
    shown: list[Any] = [call.arguments for step in steps for call in step.calls]
    for step in steps:
        shown += map(read_content, step.observations)
    return repr(shown)


_joined: dict[int, tuple[Turn, str]] = {}
"""Texts of recent turns, by identity: the samples of a dialogue share their turns."""


def _join_turn(turn: Turn) -> str:
    """The text of an earlier turn: what was said, arguments, results, canonical values."""
    cached = _joined.get(id(turn))
    if cached is None or cached[0] is not turn:
        if len(_joined) > 255:
            _joined.clear()
        acts = (*turn.labels.user_acts, *turn.labels.system_acts)
        texts = [turn.user, turn.reply or "", _join_steps(turn.steps), *[v for act in acts for v in act.canonical]]
        cached = _joined[id(turn)] = (turn, "\n".join(texts))
    return cached[1]
