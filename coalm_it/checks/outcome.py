"""Checks that claims about a booking, a payment or a search agree with what the service returned.

A returned record that differs from the request in an argument is an alternative, not a booking.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from coalm_it.calls import find_tool
from coalm_it.checks.claims import Claim, read_claims, read_counts, says_booked, says_nothing_found
from coalm_it.checks.evidence import read_leaves
from coalm_it.checks.tracing import is_annotated_dialogue
from coalm_it.observations import BookingStatus, booking_outcome, count_matches, find_differing_slots, read_records
from coalm_it.schema import Call, Finding, Sample, Turn
from coalm_it.values import value_text


class CallOutcome(NamedTuple):
    """The outcome of a call that commits to something, and its description in a finding."""

    kind: BookingStatus
    words: str


def check_outcome(sample: Sample) -> list[Finding]:
    """Finds thoughts and replies that treat a failed booking as successful or the reverse, or miscount a search."""
    if sample.step is not None or sample.task == "state_tracking":
        return []
    thought, outcomes = sample.thought or "", list(_read_outcomes(sample, sample.current))
    faults = []
    if outcomes:
        faults += [("thought", fault) for fault in _compare_claims(read_claims(_cut_names(sample, thought)), outcomes)]
        faults += [("reply", fault) for fault in _compare_claims(_read_reply(sample), outcomes)]
    elif _knows_bookings(sample) and says_booked(thought) and not _has_booked(sample):
        faults.append(("thought", "takes something for booked, and nothing has been booked so far"))
    if sample.current.steps:
        faults += [("thought", fault) for fault in _check_search(sample, thought)]
    return [Finding(check="outcome", where=where, message=f"the {where} {fault}") for where, fault in faults]


def _read_outcomes(sample: Sample, turn: Turn) -> Iterator[CallOutcome]:
    """The outcome of each call of a turn that commits to something."""
    for step in turn.steps:
        for call, observation in step.exchanges:
            tool = find_tool(call, sample.tools)
            if tool is not None and tool.transactional and (kind := booking_outcome(call, observation)) is not None:
                yield CallOutcome(kind, _describe_outcome(call, observation, kind))


def _describe_outcome(call: Call, observation: Any, kind: BookingStatus) -> str:
    if kind == "empty":
        return f"{call.name} returned nothing"
    if kind == "done":
        return f"{call.name} returned what was asked"
    record = read_records(observation)[0]
    slot = find_differing_slots(call, record)[0]
    asked, returned = value_text(call.arguments[slot]), value_text(record[slot])
    return f"{call.name} was asked for {slot} {asked!r} and returned {returned!r}"


def _knows_bookings(sample: Sample) -> bool:
    """Whether it can be told which calls book: a corpus without annotation does not say."""
    return bool(sample.tools) and is_annotated_dialogue(sample)


def _has_booked(sample: Sample) -> bool:
    return any(outcome.kind != "empty" for turn in sample.history for outcome in _read_outcomes(sample, turn))


def _cut_names(sample: Sample, thought: str) -> str:
    """The thought without the arguments of the calls: an event may be called "Not at work", a song "Nothing Else"."""
    for step in sample.current.steps:
        for name in read_leaves([call.arguments for call in step.calls]):
            if len(name) > 2:
                thought = thought.replace(name, "…")
    return thought


def _read_reply(sample: Sample) -> set[Claim]:
    """The claims of the reply: from its annotation, or from its words if there is none."""
    acts = {act.name for act in sample.current.labels.system_acts}
    claims: set[Claim] = set() if acts else read_claims(sample.current.reply or "")
    if "NOTIFY_SUCCESS" in acts:
        claims.add("success")
    if "NOTIFY_FAILURE" in acts:
        claims.add("failure")
    return claims


def _compare_claims(claims: set[Claim], outcomes: list[CallOutcome]) -> Iterator[str]:
    if "success" in claims and all(outcome.kind != "done" for outcome in outcomes):
        yield f"claims success, but {outcomes[-1].words}"
    if "failure" in claims and all(outcome.kind == "done" for outcome in outcomes):
        yield f"claims failure, but {outcomes[-1].words}"


def _check_search(sample: Sample, thought: str) -> Iterator[str]:
    counts = [
        matches
        for step in sample.current.steps
        for observation in step.observations
        if (matches := count_matches(observation)) is not None
    ]
    if not counts:
        return
    if all(counts) and says_nothing_found(thought):
        yield f"says that nothing was found, but {max(counts)} came back"
    for words, number in read_counts(thought):
        if not any(number in (count, count - 1) for count in counts):  # the thought may name one and count the others
            yield f"counts {words!r} where {max(counts)} came back"
