"""Checks that a reply states what the service returned: offers, details, counts, outcomes of bookings.

For corpora whose calls were executed on a database after the replies had been written. The acts of the reply say what
it claims, by service. The `where` of a finding is the kind of claim.
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
"""Endings of slots that identify a record."""
_STATING: tuple[ActName, ...] = ("OFFER", "INFORM")
_CLAIMING: frozenset[ActName] = frozenset({*_STATING, "INFORM_COUNT", "NOTIFY_SUCCESS", "NOTIFY_FAILURE"})


class _Exchange(NamedTuple):
    """A call and its results."""

    call: Call
    observation: Any
    matches: int

    @property
    def went_through(self) -> bool:
        return booking_outcome(self.call, self.observation) == "done"


def check_database(sample: Sample) -> list[Finding]:
    """Finds claims of a reply that disagree with the results; the `where` of a finding is the kind of claim.

    offer: a name that is in no result. details: no single result has all the stated values. count: another number of
    results. search: the reply says that nothing was found, but there were results. booking: the reply says that a
    booking was made and it was not, or that it failed and it was made.
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
    current = list(_read_calls(sample.current, service))
    earlier = [exchange for turn in reversed(sample.history) for exchange in _read_calls(turn, service)]
    for act in claims:
        if act.name == "INFORM_COUNT":
            yield from _check_count(sample, act, current, earlier)
    facts = [act for act in claims if act.name in _STATING and act.canonical]
    if facts:
        records = [record for one in (*current, *earlier) for record in read_records(one.observation)]
        yield from _check_facts(facts, records, service)
    names = {act.name for act in claims}
    if "NOTIFY_SUCCESS" in names:
        yield from _check_success(sample, current, earlier, service)
    elif "NOTIFY_FAILURE" in names:
        yield from _check_failure(sample, current, names)


def _read_calls(turn: Turn, service: str) -> Iterator[_Exchange]:
    for step in turn.steps:
        for call, observation in step.exchanges:
            matches = count_matches(observation)
            if call.service == service and matches is not None:
                yield _Exchange(call, observation, matches)


def _commits(sample: Sample, call: Call) -> bool:
    tool = find_tool(call, sample.tools)
    return tool is not None and tool.transactional


# --- search results ---


def _check_count(
    sample: Sample, act: Act, current: Sequence[_Exchange], earlier: Sequence[_Exchange]
) -> Iterator[tuple[Kind, str]]:
    """Compares a count with the searches of the current turn, or with the last earlier search if there are none."""
    searches = [exchange for exchange in current if not _commits(sample, exchange.call)]
    searches = searches or [exchange for exchange in earlier if not _commits(sample, exchange.call)][:1]
    if not searches:
        yield "count", f"the reply counts {act.canonical[0]}, and nothing was searched"
    elif all(value_text(exchange.matches) != act.canonical[0] for exchange in searches):
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
    unconfirmed = _list_unconfirmed(facts, records)
    if any(slot in record for slot, _ in unconfirmed for record in records):
        yield "details", f"no result of {service} has all of {', '.join(f'{slot} {value!r}' for slot, value in facts)}"


def _list_unconfirmed(facts: list[tuple[str, str]], records: Sequence[Record]) -> list[tuple[str, str]]:
    """The facts that no record confirms. A record confirms the facts that it has, if it contradicts none that are left:
    a booking may confirm some, its search the others."""
    for record in records:
        if not facts:
            break
        values = [record.get(slot) for slot, _ in facts]
        if all(value is None or value_text(value) == said for value, (_, said) in zip(values, facts, strict=True)):
            facts = [fact for fact, value in zip(facts, values, strict=True) if value is None]
    return facts


# --- outcomes ---


def _check_success(
    sample: Sample, current: Sequence[_Exchange], earlier: Sequence[_Exchange], service: str
) -> Iterator[tuple[Kind, str]]:
    booked = [exchange for exchange in current if _commits(sample, exchange.call)] or [
        exchange for exchange in earlier if _commits(sample, exchange.call)
    ]
    if not any(one.went_through for one in booked):
        yield "booking", f"the reply says that something of {service} is booked, and nothing was"


def _check_failure(sample: Sample, current: Sequence[_Exchange], names: set[ActName]) -> Iterator[tuple[Kind, str]]:
    """Compares a stated failure with bookings and searches; beside offers or a count it concerns no search."""
    booked = [exchange for exchange in current if _commits(sample, exchange.call)]
    if booked and all(exchange.went_through for exchange in booked):
        yield "booking", f"the reply says that it failed, and {booked[-1].call.name} went through"
    elif (
        current
        and not booked
        and not names & {"OFFER", "INFORM_COUNT"}
        and all(exchange.matches for exchange in current)
    ):
        yield "search", f"the reply says that there is nothing, and {current[-1].call.name} found {current[-1].matches}"
