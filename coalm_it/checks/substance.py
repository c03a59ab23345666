"""Checks that a model's thought before a call or after a result is about this moment: a floor, no judge of quality.

"Fine, their wish is easy to follow: BookRoom it is" would fit before every call of BookRoom. Such a thought has to hold
at least one thing of its moment beside the function's name: a word or value of what the user just said, of the call, or
of what came back in this turn, or how a search or booking ended. Thoughts before other replies (a question, a goodbye)
need none. Thoughts that come from annotation or from the corpus are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.checks.claims import read_claims
from coalm_it.checks.evidence import read_leaves
from coalm_it.checks.wording import is_of_corpus, read_thought, read_words, split_name, stem_word
from coalm_it.schema import Call, Finding, Sample
from coalm_it.values import mentions
from coalm_it.values.numbers import NUMBERS

_EMPTY = frozenset(
    "a an the this that these those it its they them their theirs he she his her we us our you your i i'm i'll i've me "
    "my mine is are was were be been being am do does did done have has had having can could will would shall should "
    "may might must let let's and or but so if then than as at by for from in into of on onto to up with without about "
    "after before again also just only very too here there now still yet when where what which who how why all any "
    "some such one ones thing things else other way fine good great well right okay ok clear easy plain simple sure "
    "user user's agent assistant system wish wishes want wants wanted need needs needed like likes request requests "
    "ask asks asked say says said tell told make makes made get gets got go goes going take takes give gives follow "
    "follows following know knows known see look looks use uses call calls called calling run function service tool "
    "please thank thanks hello hi hey".split()
)
"""Words that are in any dialogue, and tell nothing of this moment."""
_OUTCOMES = frozenset(
    "no nothing none empty zero only single several many another fail failed success successful successfully through "
    "result results match matches option options booked confirmed available unavailable found returned".split()
)
"""Words for how a search or a booking ended."""


def check_substance(sample: Sample) -> list[Finding]:
    """Finds thoughts of a model before a call or after a result that hold nothing of that moment."""
    thought = read_thought(sample)
    current = sample.current
    if not thought or is_of_corpus(sample) or sample.provenance.get("writer", "grounded") == "grounded":
        return []
    calls = [call for step in current.steps[: None if sample.step is None else sample.step + 1] for call in step.calls]
    if not calls or _has_outcome(sample, thought) or not _lacks_things(sample, thought, calls):
        return []
    moment = "what came back" if sample.steps else "the call"
    message = f"holds nothing of this moment; name a value of {moment} or of what the user said that leads to this step"
    return [Finding(check="substance", where="thought", message=f"the thought {message}")]


def _has_outcome(sample: Sample, thought: str) -> bool:
    """Whether a thought after a result says how that ended."""
    if not sample.steps:
        return False
    words = read_words(thought)
    return not _OUTCOMES.isdisjoint(words) or not NUMBERS.keys().isdisjoint(words) or bool(read_claims(thought))


def _lacks_things(sample: Sample, thought: str, calls: list[Call]) -> bool:
    """Whether there are things of this moment, and the thought has none of them."""
    named = {stem_word(word) for call in calls for word in (call.name.lower(), *split_name(call.name))}
    observations: list[Any] = [step.observations for step in sample.steps]
    values = read_leaves([[call.arguments for call in calls], observations])
    keys = [key for call in calls for key in call.arguments] + list(_read_keys(observations))
    texts = [sample.current.user, *values, *(" ".join(split_name(key)) for key in keys)]
    things = {stem_word(word) for text in texts for word in _read_things(text)} - named
    if not things and not values:
        return False
    words = {stem_word(word) for word in _read_things(thought)}
    return things.isdisjoint(words) and not any(mentions(thought, value, sample.clock) for value in values)


def _read_things(text: str) -> Iterator[str]:
    """The words that say something; of a script without spaces, every two neighbouring characters."""
    for word in read_words(text):
        if word.isascii() or len(word) < 4:
            if word not in _EMPTY:
                yield word
        else:
            yield from (word[start : start + 2] for start in range(len(word) - 1))
            yield word


def _read_keys(value: Any) -> Iterator[str]:
    """Every key at any depth of a JSON value."""
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _read_keys(item)
