"""What the rest of a dialogue tells of a booking, for the layout 2.2, whose annotation has no bookings.

In data.json the annotation says what a booking returned before a reply mentions it. Here it must be found in the reply
in which it appears, which may be a turn or two later, when the user asks for the reference or the phone number; and the
venue or train that the agent has chosen, where the act does not name it, in the words of this or of a later turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from coalm_it.observations import Record
from coalm_it.readers.multiwoz.databases import find_named
from coalm_it.readers.multiwoz.forms import REFERENCE, RawTurn
from coalm_it.readers.multiwoz.matching import is_part, plain_venue
from coalm_it.readers.multiwoz.memory import Memory
from coalm_it.readers.multiwoz.values import normalise

_TIME = re.compile(r"(?<![\d:])\d{1,2}:\d\d(?!\d)")
_TRAIN_ID = re.compile(r"\btr ?(\d{4})\b", re.IGNORECASE)
_LIMITS = frozenset({"leave_at", "arrive_by"})
_LINE = ("departure", "destination", "day")


def find_reference(memory: Memory, turn: RawTurn, domain: str) -> str:
    """The reference of a booking that a later reply gives; "" if none does."""
    domains = {domain, "booking"} if domain != "train" else {domain}
    for later in list_same_booking(memory, turn, domain):
        for act in later.system_acts:
            if act.slot == "reference" and act.value and act.domain in domains:
                return normalise(domain, "reference", act.value)
        if len(unmarked := REFERENCE.findall(later.reply)) == 1 and not _books_elsewhere(later, domains):
            return str(unmarked[0])
    return ""


def _books_elsewhere(turn: RawTurn, domains: set[str]) -> bool:
    """Whether a reply is about the booking of another domain."""
    acts = [act for act in turn.system_acts if act.slot == "reference" or "book" in act.intent]
    return bool(acts) and not any(act.domain in domains for act in acts)


def find_car(memory: Memory, turn: RawTurn) -> dict[str, str]:
    """Type and phone of a booked taxi, as far as later replies give them."""
    car: dict[str, str] = {}
    for later in list_same_booking(memory, turn, "taxi"):
        for act in later.system_acts:
            if act.domain == "taxi" and act.slot in ("type", "phone") and act.value:
                car.setdefault(act.slot, normalise("taxi", act.slot, act.value))
    return car


def list_same_booking(memory: Memory, turn: RawTurn, domain: str) -> Iterator[RawTurn]:
    """The later turns up to the one in which the user changes what is to be booked."""
    booked = {slot: values for slot, values in turn.state.get(domain, {}).items() if slot != "name"}
    for later in memory.later or ():
        state = later.state.get(domain, {})
        if any(slot in state and state[slot] != values for slot, values in booked.items()):
            return
        yield later


def find_told(memory: Memory, turn: RawTurn, domain: str, refused: bool) -> Record | None:
    """The one of the last results that this turn names, a train also by its times; or, unless the booking is refused,
    a later turn, or an earlier one."""
    found = _list_bookable(memory, turn, domain)
    for one in (turn, *(() if refused else list_same_booking(memory, turn, domain))):
        names = one.state.get(domain, {}).get("name", ())
        for text in (one.reply, *names, one.user) if one is turn else (one.user, one.reply, *names):
            told = _find_trains(found, text) if domain == "train" else _find_venues(found, text)
            if told:
                return told[0]
    for text in () if refused else reversed(memory.heard):
        if told := _find_trains(found, text) if domain == "train" else _find_venues(found, text):
            return told[0]
    return None


def _list_bookable(memory: Memory, turn: RawTurn, domain: str) -> list[Record]:
    found = memory.found.get(domain, []) if memory.later is not None else []
    return [record for record in found if can_be_booked(memory, turn, domain, record)]


def can_be_booked(memory: Memory, turn: RawTurn, domain: str, record: Record) -> bool:
    """Whether the databases have the record, a train for the wanted day and line too: the ids of trains are misspelt
    now and then, and a train has another id on another day."""
    if domain != "train":
        return record in memory.databases.records[domain]
    state = turn.state.get("train", {})
    return len(record) > 1 and all(slot not in state or record[slot] in state[slot] for slot in _LINE)


def choose_record(memory: Memory, turn: RawTurn, domain: str) -> Record | None:
    """The result that an agent books of whom nothing tells which: the first; of trains that must arrive by a time, the
    last, which comes next to it."""
    found = _list_bookable(memory, turn, domain)
    if not found:
        return None
    return found[-1] if domain == "train" and "arrive_by" in memory.searched.get(domain, {}) else found[0]


def _find_venues(found: Sequence[Record], text: str) -> list[Record]:
    plain = plain_venue(text)
    named = [record for record in found if is_part(plain_venue(record["name"]), plain)]
    return sorted(named, key=lambda record: -len(record["name"])) or (
        find_named(found, "name", text) if len(plain.split()) <= 6 else []
    )


def _find_trains(found: Sequence[Record], text: str) -> list[Record]:
    """The trains with an id in the text, or with all its times that one of them has."""
    ids = {f"TR{digits}" for digits in _TRAIN_ID.findall(text)}
    named = [train for train in found if train["train_id"] in ids]
    times = {normalise("train", "leave_at", time) for time in _TIME.findall(text)}
    times &= {train[slot] for train in found for slot in _LIMITS}
    return named or [train for train in found if times and times <= {train[slot] for slot in _LIMITS}]
