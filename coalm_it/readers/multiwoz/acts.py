"""The dialogue acts of MultiWOZ by their names in SGD, so that thoughts and checks treat both corpora alike.

    Inform, Recommend or Select with a name, a train's id or its times; Booking-Inform with a name    OFFER
    Inform of anything else, and of what the user asked for in this turn                              INFORM
    Choice, where it is an exact number                                                               INFORM_COUNT
    Request; Select without a name (its values are suggestions)                                       REQUEST
    NoOffer, Booking-NoBook                                                                           NOTIFY_FAILURE
    Booking-Book, Train-OfferBooked, a taxi's car: NOTIFY_SUCCESS, and what they say of it            INFORM
    Booking-Inform, Train-OfferBook                                                                   OFFER_INTENT
    Booking-Inform of day, time, nights or guests                                                     CONFIRM
    general-reqmore, -bye, -thank, -greet, -welcome           REQ_MORE, GOODBYE, THANK_YOU, GREET, WELCOME

Lost: statements that no record can confirm or refute (`several`, `throughout the day`, an area called `the city`),
and system acts without slot and value (`Hotel-Inform none`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from coalm_it.observations import Record
from coalm_it.readers.multiwoz.bookings import BOOK_BY, BOOKED, name_key
from coalm_it.readers.multiwoz.databases import find_named
from coalm_it.readers.multiwoz.forms import RawAct, RawTurn
from coalm_it.readers.multiwoz.matching import agrees, is_exact
from coalm_it.readers.multiwoz.memory import BOOK_SLOTS, Memory
from coalm_it.readers.multiwoz.values import normalise
from coalm_it.schema import Act, ActName
from coalm_it.values import read_value

_GENERAL: dict[str, ActName] = {
    "reqmore": "REQ_MORE",
    "bye": "GOODBYE",
    "thank": "THANK_YOU",
    "greet": "GREET",
    "welcome": "WELCOME",
}
_STATING: frozenset[ActName] = frozenset({"OFFER", "INFORM", "CONFIRM"})
_ALONE: frozenset[ActName] = frozenset({"NOTIFY_SUCCESS", "NOTIFY_FAILURE"})
"""Acts that may have no slot."""
_TRAIN_OFFER = frozenset({"train_id", "leave_at", "arrive_by"})
_PLACES = re.compile(
    r"(?:(?:the|your|that|this) )?(?:restaurant|hotel|guest ?house|museum|college|attraction|place|park|club|nightclub|"
    r"theatre|cinema|pool|church|gallery|airport|station|train station)"
)
_COUNT = re.compile(r"(?:(?:the )?only|just|all|exactly|total of) ")

# --- acts of the user ---


def read_user_acts(memory: Memory, turn: RawTurn, begun: Mapping[str, str]) -> Iterator[Act]:
    """The acts of a user turn, and the intents that begin with it."""
    for domain, intent in begun.items():
        yield Act(name="INFORM_INTENT", service=domain, slot="intent", values=(intent,), canonical=(intent,))
    for act in turn.user_acts:
        if act.domain == "general" and act.intent in _GENERAL:
            yield Act(name=_GENERAL[act.intent], service=memory.last)
        elif act.intent == "request" and act.slot:
            yield Act(name="REQUEST", service=act.domain, slot=act.slot)
        elif act.slot and act.value:
            canonical = _read_wish(memory, turn, act)
            yield Act(name="INFORM", service=act.domain, slot=act.slot, values=(act.value,), canonical=(canonical,))


def _read_wish(memory: Memory, turn: RawTurn, act: RawAct) -> str:
    """The canonical form of a user's value; for a name, the one in the database if it is unambiguous."""
    if act.slot == "name":
        surfaces = turn.state.get(act.domain, {}).get("name", ())
        for name in (*(value for value in surfaces if agrees(act.domain, "name", act.value, value)), act.value):
            known = find_named(memory.databases.records.get(act.domain, ()), "name", name)
            if len(known) == 1:
                return str(known[0]["name"])
    return normalise(act.domain, act.slot, act.value)


# --- acts of the system ---


def read_system_acts(memory: Memory, turn: RawTurn, acts: Sequence[RawAct]) -> list[Act]:
    """The acts of a reply; several values of a slot are one act. Acts without a domain come last."""
    domains = [domain for domain in dict.fromkeys(act.domain for act in acts) if domain != "general"]
    read = [act for domain in domains for act in _read_domain(memory, turn, domain, acts)]
    memory.last = domains[0] if domains else memory.last
    general = (act.intent for act in acts if act.domain == "general" and act.intent in _GENERAL)
    return read + [Act(name=_GENERAL[intent], service=memory.last) for intent in general]


def _read_domain(memory: Memory, turn: RawTurn, domain: str, acts: Sequence[RawAct]) -> Iterator[Act]:
    own = [act for act in acts if act.domain == domain]
    described = _find_described(memory, domain, own)
    yield from _read_count(domain, own)
    for (name, slot), pairs in _group(memory, turn, own, described).items():
        values, canonical = (value for value, _ in pairs), (value for _, value in pairs)
        yield Act(name=name, service=domain, slot=slot, values=tuple(values), canonical=tuple(canonical))
    _remember_topic(memory, domain, own, described)


def _group(
    memory: Memory, turn: RawTurn, acts: Sequence[RawAct], described: Sequence[Record]
) -> dict[tuple[ActName, str], dict[tuple[str, str], None]]:
    """Act and slot -> pairs of the spoken and the canonical value, without duplicates."""
    grouped: dict[tuple[ActName, str], dict[tuple[str, str], None]] = {}
    asked = {act.slot for act in turn.user_acts if act.domain == acts[0].domain and act.intent == "request"}
    offering = {
        act.intent for act in acts if act.slot == "name" or (act.domain == "train" and act.slot in _TRAIN_OFFER)
    }
    for act in acts:
        if act.intent in BOOKED or _gives_booking_detail(memory, act):
            grouped.setdefault(("NOTIFY_SUCCESS", ""), {})
        if act.intent == "offerbook":
            grouped[("OFFER_INTENT", "intent")] = {(f"book_{act.domain}", f"book_{act.domain}"): None}
        name = _name_act(act, asked, offering)
        if not (act.slot or name in _ALONE) or (act.slot == "count" and act.intent != "nooffer"):
            continue
        slot, value = _find_canonical(memory, act, described) if act.value else (act.slot, "")
        if name not in _STATING or not act.value or _is_claim(turn, act, value, described):
            grouped.setdefault((name, slot), {}).update({(act.value, value): None} if act.value else {})
    return grouped


def _name_act(act: RawAct, asked: set[str], offering: set[str]) -> ActName:
    if act.intent == "request":
        return "REQUEST"
    if act.intent in ("nooffer", "nobook"):
        return "NOTIFY_FAILURE"
    if act.intent == "select" and "select" not in offering:
        return "REQUEST"
    if act.intent == "offerbook" and act.slot in BOOK_SLOTS and (act.domain, act.slot) != ("train", "day"):
        return "CONFIRM"
    if act.intent in BOOKED or (act.intent == "inform" and act.slot in asked):
        return "INFORM"
    return "OFFER" if act.intent in ("recommend", "select", "offerbook", *offering) else "INFORM"


def _gives_booking_detail(memory: Memory, act: RawAct) -> bool:
    """Whether an act gives the reference or car that a booking of this turn returned."""
    booked = memory.booked_now.get(act.domain, {}) if act.domain in BOOK_BY else {}
    return act.slot in ("reference", "type", "phone") and act.slot in booked


def _is_claim(turn: RawTurn, act: RawAct, value: str, described: Sequence[Record]) -> bool:
    """Whether a stated value can be true or false of a record: not `throughout the day`, not a `hotel` that only means
    a place to stay, not an `after 10:00` that only repeats the request of the user."""
    wanted = turn.state.get(act.domain, {}).get(act.slot, ())
    if act.domain == "hotel" and act.slot == "type" and value == "hotel":
        return "hotel" in wanted or any(record.get("type") == "hotel" for record in described)
    if act.domain == "train" and act.slot in ("leave_at", "arrive_by") and value in wanted:
        return any(record.get(act.slot) == value for record in described)
    return is_exact(act.slot, value)


def _read_count(domain: str, acts: Iterable[RawAct]) -> Iterator[Act]:
    """The number of results: of several numbers the one that is the sum of the others, if there is one."""
    counts = [
        (number, act.value)
        for act in acts
        if act.slot == "count" and act.intent != "nooffer" and (number := read_count(act.value)) is not None
    ]
    if counts and (len(counts) == 1 or 2 * max(counts)[0] == sum(number for number, _ in counts)):
        number, text = max(counts)
        yield Act(name="INFORM_COUNT", service=domain, slot="count", values=(text,), canonical=(str(number),))


def read_count(text: str) -> int | None:
    """An exact count: `33`, `only one`, `All 3`; None for `several` and `over 200`, and for a bare `one`, which is an
    article as often as a count (in 15 of 32 cases in validation)."""
    plain = text.lower()
    numbers = [int(form) for form in read_value(_COUNT.sub("", plain)) if form.isdecimal()]
    return numbers[0] if len(numbers) == 1 and plain != "one" else None


# --- canonical values: those of the records that the reply is about ---


def _find_described(memory: Memory, domain: str, acts: Sequence[RawAct]) -> list[Record]:
    """The records that a reply names (of trains, those whose times it gives); else the current one; else all of the
    last results."""
    found = memory.found.get(domain, [])
    if domain == "taxi":
        return []
    names = [act.value for act in acts if act.slot == name_key(domain) and act.value]
    named = [record for name in names for record in memory.find_called(domain, name)[:1]]
    if named:
        return named
    times = [
        (act.slot, normalise(domain, act.slot, act.value))
        for act in acts
        if act.slot in ("leave_at", "arrive_by") and act.value and act.intent != "request"
    ]
    if domain == "train" and times:
        return [train for train in found if all(train[slot] == time for slot, time in times)][:1] or found
    return [memory.topic[domain]] if domain in memory.topic else found


def _find_canonical(memory: Memory, act: RawAct, described: Sequence[Record]) -> tuple[str, str]:
    """Slot and value as in the database; if no record agrees, the normalised value."""
    slots = ("total_price", "price") if act.slot == "price" else (act.slot,)
    booked = memory.booked_now.get(act.domain) or memory.bookings.get(act.domain, {})
    for record in (booked, *described):
        for slot in slots:
            if slot in record and _denotes(act, slot, str(record[slot])):
                return slot, str(record[slot])
    if act.slot == "name" and (known := memory.find_called(act.domain, act.value)):
        return act.slot, str(known[0]["name"])
    return act.slot, normalise(act.domain, act.slot, act.value)


def _denotes(act: RawAct, slot: str, value: str) -> bool:
    """Whether the value of an act denotes the value of a record; a taxi may go to `the restaurant`."""
    if act.domain == "taxi" and slot in ("departure", "destination") and _PLACES.fullmatch(act.value.lower()):
        return True
    return agrees(act.domain, slot, act.value, value)


def _remember_topic(memory: Memory, domain: str, acts: Sequence[RawAct], described: Sequence[Record]) -> None:
    """Remembers the record that a reply is about, if it is only one."""
    if any(act.value and act.intent != "request" for act in acts) and len(described) == 1:
        memory.topic[domain] = described[0]
    elif len(described) > 1 and any(act.slot == "name" for act in acts):
        memory.topic.pop(domain, None)
