"""What a reply says was found or booked is what the service returned: offers, details, counts, outcomes.

For corpora whose observations were executed afterwards, on a database, and not by the person who wrote the reply. The
acts say what the reply claims, by service; `where` names the kind of claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from coalm_it.checks.call_grammar import find_tool
from coalm_it.schema import Act, Call, Finding, Sample, Turn
from coalm_it.values import value_text

Kind = Literal["offer", "details", "count", "search", "booking"]

_NAMING = ("name", "title", "_id")
"""How slots end that say which record is meant."""
_STATING = ("OFFER", "INFORM")


def check_database(sample: Sample) -> list[Finding]:
    """Claims of a reply that disagree with the results: each Finding's `where` is one of the kinds.

    offer: something is named that is in no result. details: no one result has all that is said. count: another number
    of results. search: nothing is said to be found, and something was. booking: said to be made and was not, or said
    to have failed and was made.
    """
    if sample.step is not None or sample.task == "state_tracking":
        return []
    services = dict.fromkeys(act.service for act in sample.current.labels.system_acts)
    return [
        Finding(check="database", where=kind, message=message)
        for service in services
        for kind, message in _find_disagreements(sample, service)
    ]


def _find_disagreements(sample: Sample, service: str) -> Iterator[tuple[Kind, str]]:
    acts = [act for act in sample.current.labels.system_acts if act.service == service]
    made = list(_read_calls(sample, sample.current, service))
    for act in acts:
        if act.name == "INFORM_COUNT":
            yield from _check_count(sample, act, made)
    yield from _check_facts(sample, [act for act in acts if act.name in _STATING and act.canonical], service)
    yield from _check_outcomes(sample, {act.name for act in acts}, made, service)


# --- what the service returned ---


def _read_calls(sample: Sample, turn: Turn, service: str) -> Iterator[tuple[Call, bool, list[dict[str, Any]], int]]:
    """A turn's calls of a service: call, whether it commits to something, results, and how many there were."""
    for step in turn.steps:
        for call, observation in zip(step.calls, step.observations, strict=False):
            if call.service == service and isinstance(observation, dict) and "results" in observation:
                tool = find_tool(call, sample.tools)
                commits = tool is not None and tool.transactional
                yield call, commits, observation["results"], observation["matches"]


def _read_records(sample: Sample, service: str) -> list[dict[str, Any]]:
    """Every result of a service so far, newest first."""
    return [
        record
        for turn in reversed(sample.turns)
        for _, _, results, _ in _read_calls(sample, turn, service)
        for record in results
    ]


# --- the claims ---


def _check_count(
    sample: Sample, act: Act, made: list[tuple[Call, bool, list[dict[str, Any]], int]]
) -> Iterator[tuple[Kind, str]]:
    calls = made
    for turn in reversed(sample.history):
        calls = [one for one in calls if not one[1]] or list(_read_calls(sample, turn, act.service))
    counts = [(call, matches) for call, commits, _, matches in calls if not commits]
    if not counts:
        yield "count", f"the reply counts {act.canonical[0]}, and nothing was searched"
    elif all(value_text(matches) != act.canonical[0] for _, matches in counts):
        call, matches = counts[-1]
        yield "count", f"the reply counts {act.canonical[0]} where {call.name} found {matches}"


def _check_facts(sample: Sample, acts: list[Act], service: str) -> Iterator[tuple[Kind, str]]:
    records = _read_records(sample, service)
    known = {slot for record in records for slot in record}
    for act in acts:
        if act.slot.endswith(_NAMING):
            for value in act.canonical:
                if not any(value_text(record.get(act.slot)) == value for record in records):
                    yield "offer", f"{act.slot} {value!r} is in no result of {service}"
                    known.discard(act.slot)
    facts = [(act.slot, act.canonical[0]) for act in acts if len(act.canonical) == 1 and act.slot in known]
    if facts and not any(_has_all(record, facts) for record in records):
        yield "details", f"no result of {service} has all of {', '.join(f'{slot} {value!r}' for slot, value in facts)}"


def _has_all(record: dict[str, Any], facts: list[tuple[str, str]]) -> bool:
    return all(value_text(record.get(slot, value)) == value for slot, value in facts)


def _check_outcomes(
    sample: Sample, names: set[str], made: list[tuple[Call, bool, list[dict[str, Any]], int]], service: str
) -> Iterator[tuple[Kind, str]]:
    booked = [(call, bool(results)) for call, commits, results, _ in made if commits]
    searched = [(call, matches) for call, commits, _, matches in made if not commits]
    if "NOTIFY_SUCCESS" in names and not any(done for _, done in booked):
        before = (one for turn in sample.history for one in _read_calls(sample, turn, service))
        if booked or not any(commits and results for _, commits, results, _ in before):
            yield "booking", f"the reply says that something of {service} is booked, and nothing was"
    if "NOTIFY_FAILURE" in names and "NOTIFY_SUCCESS" not in names:
        if booked and all(done for _, done in booked):
            yield "booking", f"the reply says that it failed, and {booked[-1][0].name} went through"
        elif not booked and searched and all(matches for _, matches in searched):
            call, matches = searched[-1]
            yield "search", f"the reply says that there is nothing, and {call.name} found {matches}"
