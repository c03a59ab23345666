"""Checks that the facts in a reply are in an observation or in the dialogue, and agree with its annotation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from coalm_it.checks.evidence import find_facts, find_speaker, is_annotated, is_observed, read_acts
from coalm_it.checks.plain_replies import find_unfounded
from coalm_it.checks.tracing import is_annotated_dialogue
from coalm_it.observations import count_matches, read_records
from coalm_it.schema import DONT_CARE, Act, ActName, Call, Finding, Sample
from coalm_it.values import contains, mentions, same_value, value_text

_NAME = re.compile(r"[A-Z]")
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_STATING: tuple[ActName, ...] = ("OFFER", "INFORM", "CONFIRM")
_UNSPOKEN = ("True", "False", "None", DONT_CARE)


def check_reply_facts(sample: Sample) -> list[Finding]:
    """Finds annotated values (offered, informed, read back) and facts in the text without evidence, and wrong counts.

    Evidence for an annotated value is a result or call of its service so far, or what the user wants or has said; for
    a value that is read back also a result of any service, or a default. Evidence for a fact in the text (see
    `find_facts`; numbers below 100 are no facts) is any result or call, or anything said. A name or fact of the
    annotation must be in the text as well, and if a number of the annotation is not, no other number may be. Other
    values may be paraphrased.
    """
    if sample.step is not None or sample.task == "state_tracking" or not sample.current.reply:
        return []
    faults = [*_check_acts(sample), *_check_text(sample, sample.current.reply)]
    return [Finding(check="reply_facts", where="reply", message=message) for message in faults]


def _check_acts(sample: Sample) -> Iterator[str]:
    for act in sample.current.labels.system_acts:
        if act.name == "INFORM_COUNT" and act.canonical:
            yield from _check_count(sample, act)
        elif act.name in _STATING:
            for value, canonical in zip(act.values, act.canonical, strict=False):
                if not _has_evidence(sample, act, canonical):
                    yield f"{act.slot} {canonical!r} stands in no result or call of {act.service} and nobody gave it"
                if value not in _UNSPOKEN and not _says(sample, value):
                    yield from _check_unsaid(sample, act, value)


def _check_count(sample: Sample, act: Act) -> Iterator[str]:
    count = act.canonical[0]
    for step in sample.current.steps:
        for call, observation in step.exchanges:
            matches = count_matches(observation)
            if call.service == act.service and matches is not None and value_text(matches) != count:
                yield f"the reply counts {count} where {call.name} found {matches}"
    if not _says(sample, count):
        yield from _check_unsaid(sample, act, count)


def _check_unsaid(sample: Sample, act: Act, value: str) -> Iterator[str]:
    """Whether an annotated value that the text does not have is one that cannot be paraphrased."""
    if _NAME.search(value) or find_facts(sample, value):
        yield f"the reply does not name {value!r}, which it is annotated to give as {act.slot}"
    elif value.isdecimal() and (other := _NUMBER.search(_without_values(sample))):
        yield f"the reply says {other[0]} where it is annotated to give {value} as {act.slot}"


def _says(sample: Sample, value: str) -> bool:
    reply = sample.current.reply or ""
    return contains(reply, value) or mentions(reply, value, sample.clock)


def _without_values(sample: Sample) -> str:
    """The reply without its annotated values."""
    reply = sample.current.reply or ""
    for act in sample.current.labels.system_acts:
        for value in act.values:
            reply = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", reply)
    return reply


def _has_evidence(sample: Sample, act: Act, canonical: str) -> bool:
    surfaces = sample.current.state.get(act.service, {}).get(act.slot, ())
    if canonical in surfaces or any(same_value(spoken, canonical, sample.clock) for spoken in surfaces):
        return True
    for turn in reversed(sample.turns):
        for step in turn.steps:
            for call, observation in step.exchanges:
                if call.service == act.service and _has_value(call, observation, act.slot, canonical):
                    return True
    if canonical in _UNSPOKEN:
        return act.name == "CONFIRM"
    meant = any(origin != "offered" and canonical in earlier.canonical for origin, earlier in read_acts(sample))
    return meant or (act.name == "CONFIRM" and _is_from_elsewhere(sample, act, canonical))


def _has_value(call: Call, observation: Any, slot: str, canonical: str) -> bool:
    if slot in call.arguments and value_text(call.arguments[slot]) == canonical:
        return True
    return any(slot in record and value_text(record[slot]) == canonical for record in read_records(observation))


def _is_from_elsewhere(sample: Sample, act: Act, canonical: str) -> bool:
    """Whether a value that is read back is a default of the schema, or is in the results of another service."""
    defaults = (
        tool.properties.get(act.slot, {}).get("default") for tool in sample.tools if tool.service == act.service
    )
    if any(value_text(default) == canonical for default in defaults):
        return True
    return is_observed(sample, canonical, steps=len(sample.current.steps))


def _check_text(sample: Sample, reply: str) -> Iterator[str]:
    if not is_annotated_dialogue(sample):
        for words in find_unfounded(sample, reply):
            yield f"{words!r} stands in no result so far and nobody said it"
        return
    for act in sample.current.labels.system_acts:
        for value in act.values:
            if len(value) > 2:  # a shorter one may be a part of another value
                reply = reply.replace(value, "…")
    for fact in find_facts(sample, reply):
        if not (
            any(same_value(fact.text, value, sample.clock) for value in _list_stated(sample))
            or find_speaker(sample, fact.text)
            or is_annotated(sample, fact.text)
            or is_observed(sample, fact.text, steps=len(sample.current.steps))
        ):
            yield f"{fact.text!r} stands in no result so far and nobody said it"


def _list_stated(sample: Sample) -> Iterator[str]:
    yield value_text(sample.clock)
    for act in sample.current.labels.system_acts:
        yield from act.canonical
