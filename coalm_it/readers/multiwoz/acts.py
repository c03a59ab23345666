"""MultiWOZ's dialogue acts in the words of SGD, so that reasoner and checks read both alike.

    Hotel-Inform, -Recommend, -Select with a name, a train's id or times; Booking-Inform with a name    OFFER
    Hotel-Inform of anything else, or of what the user asked for                                       INFORM
    Choice, where it is an exact number                                                                INFORM_COUNT
    Hotel-Request; -Select without a name (its values are suggestions)                                 REQUEST
    Hotel-NoOffer, Booking-NoBook                                                                      NOTIFY_FAILURE
    Booking-Book, Train-OfferBooked, a taxi's car                                                      NOTIFY_SUCCESS, INFORM
    Booking-Inform, Train-OfferBook                                                                    OFFER_INTENT
    Booking-Inform of day, time, nights or guests                                                      CONFIRM
    general-reqmore, -bye, -thank, -greet, -welcome            REQ_MORE, GOODBYE, THANK_YOU, GREET, WELCOME

Lost: counts that are no number (`several`), and acts without a slot and a meaning of their own (`Hotel-Inform none` of
the system's, `Hotel-Select none`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from coalm_it.environments.multiwoz import Record, find_named
from coalm_it.multiwoz_values import agrees, is_exact, normalise
from coalm_it.readers.multiwoz.calls import BOOK, BOOK_SLOTS, BOOKED, OFFERED_BOOKING, REFUSED, Agent
from coalm_it.readers.multiwoz.forms import RawAct, RawTurn
from coalm_it.schema import Act
from coalm_it.values import read_value

_GENERAL = {"reqmore": "REQ_MORE", "bye": "GOODBYE", "thank": "THANK_YOU", "greet": "GREET", "welcome": "WELCOME"}
_STATING = frozenset({"OFFER", "INFORM", "CONFIRM"})
_TRAIN_OFFER = frozenset({"train_id", "leave_at", "arrive_by"})
_PLACES = re.compile(
    r"(?:(?:the|your|that|this) )?(?:restaurant|hotel|guest ?house|museum|college|attraction|place|park|club|nightclub|"
    r"theatre|cinema|pool|church|gallery|airport|station|train station)"
)
_COUNT = re.compile(r"(?:(?:the )?only|just|all|exactly|total of) ")


# --- the user's ---


def read_user_acts(agent: Agent, turn: RawTurn, intents: Mapping[str, str]) -> Iterator[Act]:
    """`intents` are those that begin with this turn."""
    for domain, intent in intents.items():
        yield Act(name="INFORM_INTENT", service=domain, slot="intent", values=(intent,), canonical=(intent,))
    for act in turn.user_acts:
        if act.domain == "general" and act.intent in _GENERAL:
            yield Act(name=_GENERAL[act.intent], service=agent.last)
        elif act.intent == "request" and act.slot:
            yield Act(name="REQUEST", service=act.domain, slot=act.slot)
        elif act.slot and act.value:
            canonical = _read_wish(agent, turn, act)
            yield Act(name="INFORM", service=act.domain, slot=act.slot, values=(act.value,), canonical=(canonical,))


def _read_wish(agent: Agent, turn: RawTurn, act: RawAct) -> str:
    """What a user's value means: of names the one in the database."""
    if act.slot == "name":
        surfaces = turn.state.get(act.domain, {}).get("name", ())
        for name in (*(value for value in surfaces if agrees(act.domain, "name", act.value, value)), act.value):
            known = find_named(agent.databases.records.get(act.domain, ()), "name", name)
            if len(known) == 1:
                return str(known[0]["name"])
    return normalise(act.domain, act.slot, act.value)


# --- the system's ---


def read_system_acts(agent: Agent, turn: RawTurn, acts: Sequence[RawAct]) -> list[Act]:
    """The acts of a reply, grouped: several values of a slot are one act. Those of no domain come last."""
    domains = [domain for domain in dict.fromkeys(act.domain for act in acts) if domain != "general"]
    read = [act for domain in domains for act in _read_domain(agent, turn, domain, acts)]
    agent.last = domains[0] if domains else agent.last
    for act in acts:
        if act.domain == "general" and act.intent in _GENERAL:
            read.append(Act(name=_GENERAL[act.intent], service=agent.last))
    return read


def _read_domain(agent: Agent, turn: RawTurn, domain: str, acts: Sequence[RawAct]) -> Iterator[Act]:
    own = [act for act in acts if act.domain == domain]
    spoken_of = _find_spoken_of(agent, domain, own)
    asked = {act.slot for act in turn.user_acts if act.domain == domain and act.intent == "request"}
    offering = {act.intent for act in own if act.slot == "name" or (domain == "train" and act.slot in _TRAIN_OFFER)}
    grouped: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for act in own:
        name = _name_act(act, asked, offering)
        if act.slot == "count" and act.intent != "nooffer":
            continue
        slot, value = _find_canonical(agent, act, spoken_of) if act.value else (act.slot, "")
        if name in _STATING and act.value and not _is_claim(turn, act, value, spoken_of):
            continue
        if name:
            grouped.setdefault((name, slot), []).extend([(act.value, value)] if act.value else [])
        if act.intent in BOOKED and act.slot:
            grouped.setdefault(("NOTIFY_SUCCESS", ""), [])
        if act.intent in OFFERED_BOOKING:
            grouped.setdefault(("OFFER_INTENT", "intent"), [(f"book_{domain}", f"book_{domain}")])
    if domain in BOOK and _is_booked_now(agent, domain, own):
        grouped.setdefault(("NOTIFY_SUCCESS", ""), [])
    yield from _read_count(domain, own)
    for (name, slot), pairs in grouped.items():
        if slot or name in ("NOTIFY_SUCCESS", "NOTIFY_FAILURE"):
            pairs = list(dict.fromkeys(pairs))
            values, canonical = (value for value, _ in pairs), (value for _, value in pairs)
            yield Act(name=name, service=domain, slot=slot, values=tuple(values), canonical=tuple(canonical))
    _follow(agent, domain, own, spoken_of)


def _is_claim(turn: RawTurn, act: RawAct, value: str, spoken_of: Sequence[Record]) -> bool:
    """Whether a stated value can be true or false of a record: no `throughout the day`, no `hotel` that only means a
    place to stay, no `after 10:00` that only repeats the user's wish."""
    if act.domain == "hotel" and act.slot == "type" and value == "hotel":
        wanted = turn.state.get("hotel", {}).get("type", ())
        return "hotel" in wanted or any(record.get("type") == "hotel" for record in spoken_of)
    if act.domain == "train" and act.slot in ("leave_at", "arrive_by"):
        wanted = turn.state.get("train", {}).get(act.slot, ())
        if value in wanted and not any(record.get(act.slot) == value for record in spoken_of):
            return False
    return is_exact(act.slot, value)


def _name_act(act: RawAct, asked: set[str], offering: set[str]) -> str:
    if act.intent == "request":
        return "REQUEST"
    if act.intent in BOOKED:
        return "INFORM" if act.slot else "NOTIFY_SUCCESS"
    if act.intent == "nooffer" or act.intent in REFUSED:
        return "NOTIFY_FAILURE"
    if act.intent in OFFERED_BOOKING and act.slot in BOOK_SLOTS and (act.domain, act.slot) != ("train", "day"):
        return "CONFIRM"
    if act.intent == "select" and act.intent not in offering:
        return "REQUEST" if act.value else ""
    if not act.slot:
        return ""
    if act.slot in asked and act.intent == "inform":
        return "INFORM"
    return "OFFER" if act.intent in ("recommend", "select", *OFFERED_BOOKING) or act.intent in offering else "INFORM"


def _is_booked_now(agent: Agent, domain: str, acts: Iterable[RawAct]) -> bool:
    """Whether a reference or car is told that a booking of this turn brought."""
    booked = agent.booked_now.get(domain, {})
    return any(act.slot in ("reference", "type", "phone") and act.slot in booked for act in acts)


def _read_count(domain: str, acts: Iterable[RawAct]) -> Iterator[Act]:
    """How many there are: of several numbers the one that is the sum of the others; without one, none is the whole."""
    counts = [
        (number, act.value)
        for act in acts
        if act.slot == "count" and (number := read_count(act.value)) is not None and act.intent != "nooffer"
    ]
    if counts and (len(counts) == 1 or 2 * max(counts)[0] == sum(number for number, _ in counts)):
        number, text = max(counts)
        yield Act(name="INFORM_COUNT", service=domain, slot="count", values=(text,), canonical=(str(number),))


def read_count(text: str) -> int | None:
    """An exact count: `33`, `only one`, `All 3`; None for `several` and `over 200`, and for a bare `one`, which is an
    article as often as a count (in 15 of the 33 places in validation)."""
    plain = _COUNT.sub("", text.lower() + " ").strip()
    if text.lower() == "one":
        return None
    numbers = [int(form) for form in read_value(plain) if form.isdecimal()]
    return numbers[0] if len(numbers) == 1 else None


# --- what values mean: those of the records that the reply speaks of ---


def _find_spoken_of(agent: Agent, domain: str, acts: Sequence[RawAct]) -> list[Record]:
    """The records that a reply names, those among the last results first; else the one of which the talk is; else all
    of the last results."""
    found = agent.found.get(domain, [])
    if domain == "taxi":
        return []
    key = "train_id" if domain == "train" else "name"
    named = [record for act in acts if act.slot == key and act.value for record in agent.find_called(domain, act.value)[:1]]
    if named:
        return named
    times = [
        (act.slot, normalise(domain, act.slot, act.value))
        for act in acts
        if act.slot in ("leave_at", "arrive_by") and act.value and act.intent != "request"
    ]
    if domain == "train" and times:
        return [train for train in found if all(train[slot] == time for slot, time in times)][:1] or found
    return [agent.topic[domain]] if domain in agent.topic else found


def _find_canonical(agent: Agent, act: RawAct, spoken_of: Sequence[Record]) -> tuple[str, str]:
    """Slot and value as the database has them; where no record agrees, the normalised words."""
    slots = ("total_price", "price") if act.slot == "price" else (act.slot,)
    booked = agent.booked_now.get(act.domain) or agent.bookings.get(act.domain, {})
    for record in (booked, *spoken_of):
        for slot in slots:
            if slot in record and _means(act, slot, str(record[slot])):
                return slot, str(record[slot])
    if act.slot == "name" and (known := agent.find_called(act.domain, act.value)):
        return act.slot, str(known[0]["name"])
    return act.slot, normalise(act.domain, act.slot, act.value)


def _means(act: RawAct, slot: str, value: str) -> bool:
    """Whether what an act says is the value of a record; a taxi may go to `the restaurant`."""
    if act.domain == "taxi" and slot in ("departure", "destination") and _PLACES.fullmatch(act.value.lower()):
        return True
    return agrees(act.domain, slot, act.value, value)


def _follow(agent: Agent, domain: str, acts: Sequence[RawAct], spoken_of: Sequence[Record]) -> None:
    """Remember the one record that a reply speaks of."""
    if any(act.value and act.intent != "request" for act in acts) and len(spoken_of) == 1:
        agent.topic[domain] = spoken_of[0]
    elif len(spoken_of) > 1 and any(act.slot == "name" for act in acts):
        agent.topic.pop(domain, None)
