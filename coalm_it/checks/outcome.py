"""What is claimed of a booking, a payment or a search agrees with what the service returned.

A record that differs from the request in an argument is an alternative, not a booking.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from coalm_it.checks.call_grammar import find_tool
from coalm_it.checks.claims import Claim, read_claims, read_counts, says_booked, says_nothing_found
from coalm_it.schema import Call, Finding, Sample, Turn
from coalm_it.values import value_text


class Outcome(NamedTuple):
    """What became of a call that commits to something, and how to say it."""

    kind: Literal["done", "alternative", "empty"]
    words: str


def check_outcome(sample: Sample) -> list[Finding]:
    """Thoughts and replies that take a failed booking for a done one or the reverse, or miscount a search."""
    if sample.step is not None or sample.task == "state_tracking":
        return []
    outcomes = list(_read_outcomes(sample, sample.current))
    faults = [("thought", message) for message in _check_thought(sample, outcomes)]
    faults += [("reply", message) for message in _check_reply(sample, outcomes)]
    return [Finding(check="outcome", where=where, message=message) for where, message in faults]


def _read_outcomes(sample: Sample, turn: Turn) -> Iterator[Outcome]:
    """What became of each call of a turn that commits to something."""
    for step in turn.steps:
        for call, observation in zip(step.calls, step.observations, strict=False):
            tool = find_tool(call, sample.tools)
            if tool is not None and tool.transactional and isinstance(observation, dict):
                yield _compare(call, observation.get("results") or [])


def _compare(call: Call, records: list[dict[str, Any]]) -> Outcome:
    """A booking is done when a record has every argument as asked; arguments it does not repeat do not count."""
    if not records:
        return Outcome("empty", f"{call.name} returned nothing")
    differences = [
        [slot for slot, value in call.arguments.items() if value != "dontcare" and record.get(slot, value) != value]
        for record in records
    ]
    if not all(differences):
        return Outcome("done", f"{call.name} returned what was asked")
    slot = differences[0][0]
    asked, returned = value_text(call.arguments[slot]), value_text(records[0][slot])
    return Outcome("alternative", f"{call.name} was asked for {slot} {asked!r} and returned {returned!r}")


def _check_thought(sample: Sample, outcomes: list[Outcome]) -> Iterator[str]:
    thought = sample.thought or ""
    if outcomes:
        yield from _check_claims("thought", read_claims(thought), outcomes)
    elif says_booked(thought):
        before = (outcome for turn in sample.history for outcome in _read_outcomes(sample, turn))
        if all(outcome.kind == "empty" for outcome in before):
            yield "the thought takes something for booked, and nothing has been booked so far"
    yield from _check_search(sample, thought)


def _check_claims(who: str, claims: set[Claim], outcomes: list[Outcome]) -> Iterator[str]:
    if "success" in claims and all(outcome.kind != "done" for outcome in outcomes):
        yield f"the {who} claims success, but {outcomes[-1].words}"
    if "failure" in claims and all(outcome.kind == "done" for outcome in outcomes):
        yield f"the {who} claims failure, but {outcomes[-1].words}"


def _check_search(sample: Sample, thought: str) -> Iterator[str]:
    counts = [
        observation["matches"]
        for step in sample.current.steps
        for observation in step.observations
        if isinstance(observation, dict) and isinstance(observation.get("matches"), int)
    ]
    if not counts:
        return
    if all(counts) and says_nothing_found(thought):
        yield f"the thought says that nothing was found, but {max(counts)} came back"
    for words, number in read_counts(thought):
        if not any(number in (count, count - 1) for count in counts):  # one may be set apart from the others
            yield f"the thought counts {words!r} where {max(counts)} came back"


def _check_reply(sample: Sample, outcomes: list[Outcome]) -> Iterator[str]:
    """The annotation says what the reply claims; without one, its words do."""
    if not outcomes:
        return
    acts = {act.name for act in sample.current.labels.system_acts}
    claims: set[Claim] = set() if acts else read_claims(sample.current.reply or "")
    if "NOTIFY_SUCCESS" in acts:
        claims.add("success")
    if "NOTIFY_FAILURE" in acts:
        claims.add("failure")
    yield from _check_claims("reply", claims, outcomes)
