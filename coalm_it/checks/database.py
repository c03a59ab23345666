"""What a reply says was found or booked is what the service returned: offers, details, counts, outcomes.

For corpora whose observations were executed afterwards, on a database, and not by the person who wrote the reply. The
acts say what the reply claims, by service; `where` names the kind of claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from coalm_it.calls import find_tool
from coalm_it.observations import Record, booking_outcome, count_matches, read_records
from coalm_it.schema import Act, ActName, Call, Finding, Sample, Turn
from coalm_it.values import value_text

Kind = Literal["offer", "details", "count", "search", "booking"]

_NAMING = ("name", "title", "_id")
"""How slots end that say which record is meant."""
_STATING: tuple[ActName, ...] = ("OFFER", "INFORM")
_CLAIMING: frozenset[ActName] = frozenset({*_STATING, "INFORM_COUNT", "NOTIFY_SUCCESS", "NOTIFY_FAILURE"})


class _Made(NamedTuple):
    """A call and what it returned."""

    call: Call
    observation: Any
    matches: int

    @property
    def went_through(self) -> bool:
        return booking_outcome(self.call, self.observation) == "done"


def check_database(sample: Sample) -> list[Finding]:
    """Claims of a reply that disagree with the results; each Finding's `where` is its kind.

    offer: something is named that is in no result. details: no one result has all that is said. count: another number
    of results. search: nothing is said to be found, and something was. booking: said to be made and was not, or said
    to have failed and was made.
    """
    if sample.step is not None or sample.task == "state_tracking":
        return []
    claims = [act for act in sample.current.labels.system_acts if act.name in _CLAIMING]
    return [
        Finding(check="database", where=kind, message=message)
        for service in dict.fromkeys(act.service for act in claims)
        for kind, message in _find_disagreements(sample, service, [act for act in claims if act.service == service])
    ]


def _find_disagreements(sample: Sample, service: str, claims: list[Act]) -> Iterator[tuple[Kind, str]]:
    made = list(_read_calls(sample.current, service))
    before = [one for turn in reversed(sample.history) for one in _read_calls(turn, service)]
    for act in claims:
        if act.name == "INFORM_COUNT":
            yield from _check_count(sample, act, made, before)
    facts = [act for act in claims if act.name in _STATING and act.canonical]
    if facts:
        records = [record for one in (*made, *before) for record in read_records(one.observation)]
        yield from _check_facts(facts, records, service)
    names = {act.name for act in claims}
    if "NOTIFY_SUCCESS" in names:
        yield from _check_success(sample, made, before, service)
    elif "NOTIFY_FAILURE" in names:
        yield from _check_failure(sample, made, names)


def _read_calls(turn: Turn, service: str) -> Iterator[_Made]:
    for step in turn.steps:
        for call, observation in step.exchanges:
            matches = count_matches(observation)
            if call.service == service and matches is not None:
                yield _Made(call, observation, matches)


def _commits(sample: Sample, call: Call) -> bool:
    tool = find_tool(call, sample.tools)
    return tool is not None and tool.transactional


# --- what was found ---


def _check_count(
    sample: Sample, act: Act, made: Sequence[_Made], before: Sequence[_Made]
) -> Iterator[tuple[Kind, str]]:
    """Against this turn's searches, else the last one before."""
    searches = [one for one in made if not _commits(sample, one.call)]
    searches = searches or [one for one in before if not _commits(sample, one.call)][:1]
    if not searches:
        yield "count", f"the reply counts {act.canonical[0]}, and nothing was searched"
    elif all(value_text(one.matches) != act.canonical[0] for one in searches):
        yield "count", f"the reply counts {act.canonical[0]} where {searches[0].call.name} found {searches[0].matches}"


def _check_facts(acts: Sequence[Act], records: Sequence[Record], service: str) -> Iterator[tuple[Kind, str]]:
    unknown = [
        (act.slot, value)
        for act in acts
        if act.slot.endswith(_NAMING)
        for value in act.canonical
        if not any(value_text(record.get(act.slot)) == value for record in records)
    ]
    for slot, value in unknown:
        yield "offer", f"{slot} {value!r} is in no result of {service}"
    nameless = {slot for slot, _ in unknown}
    told: dict[str, set[str]] = {}
    for act in acts:
        told.setdefault(act.slot, set()).update(act.canonical)
    facts = [(slot, min(values)) for slot, values in told.items() if len(values) == 1 and slot not in nameless]
    left = _cross_off(facts, records)
    if any(slot in record for slot, _ in left for record in records):
        yield "details", f"no result of {service} has all of {', '.join(f'{slot} {value!r}' for slot, value in facts)}"


def _cross_off(facts: list[tuple[str, str]], records: Sequence[Record]) -> list[tuple[str, str]]:
    """The facts that no results tell which contradict none of them; a booking may tell the one, its search the rest."""
    for record in records:
        if not facts:
            break
        values = [record.get(slot) for slot, _ in facts]
        if all(value is None or value_text(value) == said for value, (_, said) in zip(values, facts, strict=True)):
            facts = [fact for fact, value in zip(facts, values, strict=True) if value is None]
    return facts


# --- what became of it ---


def _check_success(
    sample: Sample, made: Sequence[_Made], before: Sequence[_Made], service: str
) -> Iterator[tuple[Kind, str]]:
    booked = [one for one in made if _commits(sample, one.call)] or [
        one for one in before if _commits(sample, one.call)
    ]
    if not any(one.went_through for one in booked):
        yield "booking", f"the reply says that something of {service} is booked, and nothing was"


def _check_failure(sample: Sample, made: Sequence[_Made], names: set[ActName]) -> Iterator[tuple[Kind, str]]:
    """A failure beside offers or a count is of something narrower than the search."""
    booked = [one for one in made if _commits(sample, one.call)]
    if booked and all(one.went_through for one in booked):
        yield "booking", f"the reply says that it failed, and {booked[-1].call.name} went through"
    elif made and not booked and not names & {"OFFER", "INFORM_COUNT"} and all(one.matches for one in made):
        yield "search", f"the reply says that there is nothing, and {made[-1].call.name} found {made[-1].matches}"
