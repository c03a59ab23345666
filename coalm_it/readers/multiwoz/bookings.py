"""The bookings of the agent in a MultiWOZ dialogue, and their outcomes.

A booking is visible in the acts (Booking-Book, Train-OfferBooked, a reference, a taxi's car) and in the `booked`
entries of the metadata, sometimes a turn or two before the reply mentions it; 2.2 has no such entries (see ahead.py).
Booking-NoBook is a booking that failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coalm_it.calls import find_tool
from coalm_it.observations import Record, read_records
from coalm_it.readers.multiwoz.ahead import can_be_booked, choose_record, find_car, find_reference, find_told
from coalm_it.readers.multiwoz.databases import BookingOutcome, Observation, execute, find_named
from coalm_it.readers.multiwoz.forms import RawAct, RawState, RawTurn
from coalm_it.readers.multiwoz.matching import agrees
from coalm_it.readers.multiwoz.memory import BOOK_SLOTS, Memory, type_arguments
from coalm_it.readers.multiwoz.values import normalise
from coalm_it.schema import Call

BOOK_BY = {
    "restaurant": ("name", "day", "time", "people"),
    "hotel": ("name", "day", "stay", "people"),
    "train": ("train_id", "people", "day"),
    "taxi": ("departure", "destination", "leave_at", "arrive_by"),
}
"""Domain -> the arguments of a booking, in order."""
BOOKED = frozenset({"book", "offerbooked"})


# --- the domain of a booking act ---


def assign_booking_domains(memory: Memory, turn: RawTurn) -> tuple[RawAct, ...]:
    """The system acts, those of `Booking` with the domain that they concern; Booking-Inform is an offer to book."""
    if not any(act.domain == "booking" for act in turn.system_acts):
        return turn.system_acts
    domain = _find_booking_domain(memory, turn)
    return tuple(
        act._replace(domain=domain, intent="offerbook" if act.intent == "inform" else act.intent)
        if act.domain == "booking"
        else act
        for act in turn.system_acts
    )


def _find_booking_domain(memory: Memory, turn: RawTurn) -> str:
    """The domain just booked, else the one of the slots, else the one whose booking slots the user changed, else the
    last one mentioned."""
    for domain, entry in memory.pending.items():
        if domain != "taxi" and _gives_reference(entry, turn.reply):
            return domain
    if memory.later is not None:
        for domain, booked in memory.bookings.items():
            if _gives_reference(booked, turn.reply):
                return domain
    told = {act.slot: act.value for act in turn.system_acts if act.domain == "booking"}
    if "stay" in told or "time" in told:
        return "hotel" if "stay" in told else "restaurant"
    bookable = [domain for domain in ("restaurant", "hotel") if domain in memory.wished]
    if told.get("name"):
        bookable = [d for d in bookable if find_named(memory.databases.records[d], "name", told["name"])] or bookable
    changed = [d for d in bookable if _booking_slots(turn.state, d) != _booking_slots(memory.state, d)]
    spoken = [act.domain for act in (*turn.system_acts, *turn.user_acts) if act.domain in bookable]
    last = [memory.last] if memory.last in (*bookable, "train") else bookable
    return (changed or spoken or last or ["general"])[0]


def _booking_slots(state: RawState, domain: str) -> dict[str, tuple[str, ...]]:
    return {slot: surfaces for slot, surfaces in state.get(domain, {}).items() if slot in BOOK_SLOTS}


def _gives_reference(entry: Mapping[str, Any], reply: str) -> bool:
    """Whether a reply gives the reference of a booking."""
    return bool(entry.get("reference")) and entry["reference"] in reply


# --- the outcome according to the annotation ---


def read_outcome(memory: Memory, turn: RawTurn, acts: Iterable[RawAct], domain: str) -> BookingOutcome | None:
    """The outcome of a booking in this turn; None if nothing was booked, or the outcome was given before."""
    if domain not in BOOK_BY:
        return None
    own = [act for act in acts if act.domain == domain]
    told = {act.slot: normalise(domain, act.slot, act.value) for act in own if act.value}
    if domain == "taxi":
        return _read_taxi(memory, turn, own, told)
    said = any(act.intent in BOOKED for act in own)
    reference = told.get("reference", "")
    pending = memory.pending.get(domain, {})
    if not (said or reference or _gives_reference(pending, turn.reply)):
        return BookingOutcome(refused=True) if any(act.intent == "nobook" for act in own) else None
    earlier = memory.bookings.get(domain, {}).get("reference")
    if not pending and earlier and reference in ("", earlier):
        return None
    reference = reference or find_reference(memory, turn, domain)
    key = name_key(domain)
    entry = {key: told[key]} if key in told and said else {}
    stated = {"reference": reference, "total_price": told.get("price", "")}
    memory.pending.pop(domain, None)
    return BookingOutcome(details=entry | pending | {slot: value for slot, value in stated.items() if value})


def _read_taxi(memory: Memory, turn: RawTurn, acts: Sequence[RawAct], told: Mapping[str, str]) -> BookingOutcome | None:
    car = {slot: told[slot] for slot in ("type", "phone") if slot in told}
    pending, earlier = memory.pending.get("taxi"), memory.bookings.get("taxi")
    if not car and (pending is None or any(act.intent == "request" for act in acts)):
        return None
    if pending is None and earlier and all(earlier[slot] == value for slot, value in car.items()):
        return None
    memory.pending.pop("taxi", None)
    return BookingOutcome(details=(pending or {}) | find_car(memory, turn) | car)


def name_key(domain: str) -> str:
    """The slot that identifies what is booked."""
    return "train_id" if domain == "train" else "name"


# --- the call ---


def is_booked_record_known(memory: Memory, turn: RawTurn, domain: str, outcome: BookingOutcome) -> bool:
    """Whether the agent knows what it books without another search; assumed where a booking fails."""
    if outcome.refused or domain == "taxi":
        return True
    record = _find_booked(memory, turn, domain, outcome)
    if record is None:
        return domain in memory.searched and memory.later is None
    named = turn.state.get(domain, {}).get("name", ())
    return record in memory.found.get(domain, []) or any(
        agrees(domain, "name", value, record.get("name", "")) for value in named
    )


def _find_booked(memory: Memory, turn: RawTurn, domain: str, outcome: BookingOutcome) -> Record | None:
    """The record that is booked. Where no booking is annotated, it must be one that can be booked."""
    record = _find_meant(memory, turn, domain, outcome)
    if memory.later is None or (record is not None and can_be_booked(memory, turn, domain, record)):
        return record
    return find_told(memory, turn, domain, outcome.refused)


def _find_meant(memory: Memory, turn: RawTurn, domain: str, outcome: BookingOutcome) -> Record | None:
    """The record as annotated, else as just named by the user, else the current one."""
    key = name_key(domain)
    named = (outcome.details or {}).get(key)
    if named:
        return next(iter(memory.find_called(domain, named)), {key: named})
    wanted = turn.state.get(domain, {}).get(key, ())
    chosen = memory.find_called(domain, wanted[0]) if wanted else []
    is_news = wanted != memory.state.get(domain, {}).get(key, ())
    if domain in memory.topic and not (chosen and is_news):
        return memory.topic[domain]
    if chosen:
        return chosen[0]
    found = memory.found.get(domain, [])
    return found[0] if len(found) == 1 else None


def plan_booking(memory: Memory, turn: RawTurn, domain: str, outcome: BookingOutcome) -> Call | None:
    """The call of a booking; None if the agent cannot have known every required argument."""
    wishes = memory.read_wishes(turn, turn.system_acts, domain, (*BOOK_BY[domain], "departure", "destination"))
    arguments = type_arguments({slot: wishes[slot] for slot in BOOK_BY[domain] if slot in wishes})
    if domain != "taxi":
        record, key = _find_booked(memory, turn, domain, outcome), name_key(domain)
        if record is None and not outcome.refused:
            record = choose_record(memory, turn, domain)
        if record is None:
            return None
        arguments = {key: record[key]} | {slot: value for slot, value in arguments.items() if slot != key}
        if domain == "train" and _is_ambiguous(memory, arguments):
            arguments |= {slot: wishes[slot] for slot in ("departure", "destination") if slot in wishes}
    call = Call(name=f"book_{domain}", service=domain, arguments=arguments)
    tool = find_tool(call, memory.databases.tools)
    return None if tool is None or any(slot not in arguments for slot in tool.required) else call


def _is_ambiguous(memory: Memory, arguments: Mapping[str, Any]) -> bool:
    """Whether several trains of a day have that id."""
    same = memory.databases.trains["train_id"].get(arguments["train_id"], ())
    return len([train for train in same if arguments.get("day", train["day"]) == train["day"]]) > 1


def book(memory: Memory, call: Call, outcome: BookingOutcome) -> Observation:
    """The observation of a booking, which the memory keeps."""
    observation = execute(memory.databases, call, memory.dialogue, outcome)
    for booked in read_records(observation):
        memory.bookings[call.service] = memory.booked_now[call.service] = booked
    return observation
