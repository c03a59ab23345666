"""Where the agent of a MultiWOZ dialogue must have searched or booked, executed on the databases.

The annotation has no calls. That there was a search shows in what the reply says of a domain: a name, a count, an
address, that there is nothing (REVEALING, and values that the user did not give). It is made again only when what the
user wants has changed since the last one. A booking shows in the acts (Booking-Book, Train-OfferBooked, a reference, a
taxi's car) and in what the state has as booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coalm_it.environments.multiwoz import INTEGERS, Databases, Outcome, Record, execute, find_named
from coalm_it.multiwoz_values import DONT_CARE, agrees, normalise
from coalm_it.readers.multiwoz.forms import RawAct, RawTurn
from coalm_it.schema import Call, Step
from coalm_it.values import mentions

SEARCH = {
    "restaurant": ("area", "food", "price_range", "name"),
    "hotel": ("area", "price_range", "type", "stars", "parking", "internet", "name"),
    "attraction": ("area", "type", "name"),
    "train": ("departure", "destination", "day", "leave_at", "arrive_by"),
    "hospital": ("department",),
    "police": (),
}
"""Domain -> what it can be searched by."""
BOOK = {
    "restaurant": ("name", "day", "time", "people"),
    "hotel": ("name", "day", "stay", "people"),
    "train": ("train_id", "people", "day"),
    "taxi": ("departure", "destination", "leave_at", "arrive_by"),
}
"""Domain -> what a booking takes."""
BOOK_SLOTS = frozenset({"day", "time", "stay", "people"})
REVEALING = frozenset(
    {"name", "count", "address", "phone", "postcode", "entrance_fee", "open_hours", "train_id", "price", "duration"}
)
"""What nobody can say of a domain without its database."""
BOOKED = frozenset({"book", "offerbooked"})
REFUSED = frozenset({"nobook"})
OFFERED_BOOKING = frozenset({"offerbook"})
_TELLING = frozenset({"inform", "recommend", "offerbook"})
_KEY = {"train": "train_id"}


class Agent:
    """Follows a dialogue turn by turn and makes the calls that its agent must have made."""

    def __init__(self, databases: Databases, dialogue: str) -> None:
        self.databases = databases
        self.dialogue = dialogue
        self.number = 0
        self.heard: list[str] = []
        """Every utterance so far."""
        self.state: Mapping[str, Mapping[str, tuple[str, ...]]] = {}
        self.searched: dict[str, dict[str, str]] = {}
        """Domain -> what was wanted when it was last searched."""
        self.found: dict[str, list[Record]] = {}
        """Domain -> the results of the last search."""
        self.topic: dict[str, Record] = {}
        """Domain -> the one record that was last spoken of."""
        self.bookings: dict[str, Record] = {}
        """Domain -> what was last booked."""
        self.booked_now: dict[str, Record] = {}
        """Domain -> what this turn books."""
        self.pending: dict[str, dict[str, str]] = {}
        """Domain -> a booking of the annotation's that no reply has told yet."""
        self.entries: dict[str, list[dict[str, str]]] = {}
        self.last = ""
        """The domain that was last spoken of."""

    def hear(self, turn: RawTurn) -> None:
        """Take in the user's words, and what the annotation has as booked by the end of the turn."""
        self.heard.append(turn.user)
        self.booked_now = {}
        for domain, entries in turn.booked.items():
            new = [entry for entry in entries if entry not in self.entries.get(domain, ())]
            self.entries[domain] = entries
            if new:
                self.pending[domain] = new[-1]

    def end(self, turn: RawTurn) -> None:
        """Take in the reply."""
        self.heard.append(turn.reply)
        self.state = turn.state
        self.number += 1

    # --- which domain a booking act is about ---

    def settle_domains(self, turn: RawTurn) -> tuple[RawAct, ...]:
        """The system's acts, those of `Booking` with the domain that they are about."""
        if not any(act.domain == "booking" for act in turn.system_acts):
            return turn.system_acts
        domain = self._find_booking_domain(turn)
        return tuple(
            act._replace(domain=domain, intent="offerbook" if act.intent == "inform" else act.intent)
            if act.domain == "booking"
            else act
            for act in turn.system_acts
        )

    def _find_booking_domain(self, turn: RawTurn) -> str:
        """What was just booked, else what the slots belong to, else where the user gave something to book with, else
        what was last spoken of."""
        slots = {act.slot for act in turn.system_acts if act.domain == "booking"}
        for domain, entry in self.pending.items():
            if entry.get("reference", "") in turn.reply and domain != "taxi":
                return domain
        if "stay" in slots or "time" in slots:
            return "hotel" if "stay" in slots else "restaurant"
        bookable = ("restaurant", "hotel")
        changed = [d for d in bookable if self._booking_slots(turn.state, d) != self._booking_slots(self.state, d)]
        spoken = [act.domain for act in (*turn.system_acts, *turn.user_acts) if act.domain in bookable]
        return (changed or spoken or [self.last if self.last in (*bookable, "train") else "restaurant"])[0]

    def _booking_slots(self, state: Mapping[str, Mapping[str, Any]], domain: str) -> dict[str, Any]:
        return {slot: value for slot, value in state.get(domain, {}).items() if slot in BOOK_SLOTS}

    # --- the turn's calls ---

    def act(self, turn: RawTurn, acts: Sequence[RawAct]) -> tuple[Step, ...]:
        """The searches of a turn, then its bookings; every call with what it returned."""
        domains = dict.fromkeys(act.domain for act in acts)
        events = {domain: event for domain in domains if (event := self._read_booking(turn, acts, domain)) is not None}
        searches = [
            (domain, wanted)
            for domain in domains
            if domain in SEARCH and (wanted := self._plan_search(turn, acts, domain, events)) is not None
        ]
        steps = [self._search(turn, searches)] if searches else []
        booked = [step for domain, event in events.items() if (step := self._book(turn, domain, event, len(searches)))]
        if booked:
            calls = tuple(call for step in booked for call in step.calls)
            calls = tuple(
                call.model_copy(update={"id": f"call_{self.number}_{len(searches) + place}"})
                for place, call in enumerate(calls)
            )
            steps.append(Step(calls=calls, observations=tuple(o for step in booked for o in step.observations)))
        return tuple(steps)

    # --- searches ---

    def _plan_search(
        self, turn: RawTurn, acts: Sequence[RawAct], domain: str, events: Mapping[str, Outcome]
    ) -> dict[str, str] | None:
        """What to search a domain by, where the reply shows that it was searched and the last search will not do."""
        wanted = self._read_wishes(turn, acts, domain, SEARCH[domain])
        needed = domain in events and not self._knows_booked(turn, domain, events[domain])
        if not needed and not any(self._reveals(turn, act) for act in acts if act.domain == domain):
            return None
        before = self.searched.get(domain)
        self.searched[domain] = wanted
        if before is None:
            return wanted
        changed = {slot: value for slot, value in wanted.items() if before.get(slot) != value}
        if wanted == before or (set(changed) == {"name"} and self._is_found(domain, changed["name"])):
            return None
        return changed if "name" in changed else wanted

    def _is_found(self, domain: str, name: str) -> bool:
        return bool(find_named(self.found.get(domain, []), "name", name))

    def _reveals(self, turn: RawTurn, act: RawAct) -> bool:
        """Whether an act says what only a search can have brought."""
        if act.intent == "nooffer":
            return True
        if not act.value or act.intent in ("request", *BOOKED, *REFUSED):
            return False
        wanted = turn.state.get(act.domain, {}).get(act.slot, ())
        if act.slot in REVEALING:
            return act.intent not in OFFERED_BOOKING or not any(agrees(act.domain, act.slot, act.value, w) for w in wanted)
        if act.intent not in _TELLING or act.slot not in SEARCH.get(act.domain, ()):
            return False
        return not any(agrees(act.domain, act.slot, act.value, value) for value in wanted)

    def _search(self, turn: RawTurn, searches: Iterable[tuple[str, dict[str, str]]]) -> Step:
        calls, observations = [], []
        for place, (domain, wanted) in enumerate(searches):
            call = Call(
                id=f"call_{self.number}_{place}",
                name=f"find_{domain}",
                service=domain,
                arguments={slot: _type_argument(slot, value) for slot, value in wanted.items()},
            )
            observation = execute(self.databases, call)
            self.found[domain] = observation["results"]
            self.topic.pop(domain, None)
            calls.append(call)
            observations.append(observation)
        return Step(calls=tuple(calls), observations=tuple(observations))

    # --- what the user wants, as far as it is known ---

    def _read_wishes(
        self, turn: RawTurn, acts: Sequence[RawAct], domain: str, slots: Iterable[str]
    ) -> dict[str, str]:
        state = turn.state.get(domain, {})
        wishes = {slot: state[slot][0] for slot in slots if slot in state}
        return {
            slot: value
            for slot, value in wishes.items()
            if value != DONT_CARE and self._is_known(turn, acts, domain, slot, value)
        }

    def _is_known(self, turn: RawTurn, acts: Sequence[RawAct], domain: str, slot: str, value: str) -> bool:
        """Whether the user has given a value, or taken it from the agent. Some states already hold what the agent is
        only about to say."""
        if value in self.state.get(domain, {}).get(slot, ()):
            return True
        if any(act.slot == slot and agrees(domain, slot, act.value, value) for act in turn.user_acts):
            return True
        if any(mentions(text, value) for text in reversed(self.heard)):
            return True
        told = any(act.slot == slot and agrees(domain, slot, act.value, value) for act in acts if act.value)
        return not (told or mentions(turn.reply, value))

    def find_called(self, domain: str, said: str) -> list[Record]:
        """The venues of that name or the trains of that id, among the last results, else in the whole database."""
        found = self.found.get(domain, ())
        if domain == "train":
            trains = self.databases.trains["train_id"].get(normalise(domain, "train_id", said), ())
            return [train for train in trains if train in found] or list(trains)
        return find_named(found, "name", said) or find_named(self.databases.records.get(domain, ()), "name", said)

    # --- bookings ---

    def _read_booking(self, turn: RawTurn, acts: Sequence[RawAct], domain: str) -> Outcome | None:
        """What the annotation says of a booking in this turn; None where there was none."""
        own = [act for act in acts if act.domain == domain]
        if domain not in BOOK:
            return None
        told = {act.slot: act.value for act in own if act.value}
        if domain == "taxi":
            return self._read_taxi(own, told)
        reference = normalise(domain, "reference", told["reference"]) if "reference" in told else ""
        pending = self.pending.get(domain, {})
        said = any(act.intent in BOOKED for act in own)
        if not (said or reference or (pending.get("reference", "?") in turn.reply)):
            return Outcome(refused=True) if any(act.intent in REFUSED for act in own) else None
        earlier = self.bookings.get(domain, {}).get("reference")
        if not pending and earlier and reference in ("", earlier):
            return None
        key = _KEY.get(domain, "name")
        entry = {key: told[key]} if key in told and said else {}
        entry |= self.pending.pop(domain, {})
        return Outcome(details=entry | ({"reference": reference} if reference else {}))

    def _read_taxi(self, acts: Sequence[RawAct], told: Mapping[str, str]) -> Outcome | None:
        car = {slot: normalise("taxi", slot, told[slot]) for slot in ("type", "phone") if slot in told}
        asked = any(act.intent == "request" for act in acts)
        if not car and (asked or "taxi" not in self.pending):
            return None
        earlier = self.bookings.get("taxi")
        if "taxi" not in self.pending and earlier and all(earlier[slot] == value for slot, value in car.items()):
            return None
        return Outcome(details=self.pending.pop("taxi", {}) | car)

    def _find_booked(self, turn: RawTurn, domain: str, outcome: Outcome) -> Record | None:
        """The venue or train that a booking is for: as annotated, else as offered, else as the user named it."""
        key = _KEY.get(domain, "name")
        named = (outcome.details or {}).get(key)
        if named:
            known = self.find_called(domain, named)
            return known[0] if known else {key: named}
        if domain in self.topic:
            return self.topic[domain]
        wanted = turn.state.get(domain, {}).get(key)
        named_by_user = self.find_called(domain, wanted[0]) if wanted else []
        if named_by_user:
            return named_by_user[0]
        found = self.found.get(domain, [])
        return found[0] if len(found) == 1 else None

    def _knows_booked(self, turn: RawTurn, domain: str, outcome: Outcome) -> bool:
        """Whether the agent knows what is booked without another search."""
        if domain == "taxi":
            return True
        record = self._find_booked(turn, domain, outcome)
        if record is None:
            return domain in self.searched
        if record in self.found.get(domain, []):
            return True
        named = turn.state.get(domain, {}).get("name", ())
        return any(agrees(domain, "name", value, record.get("name", "")) for value in named)

    def _book(self, turn: RawTurn, domain: str, outcome: Outcome, place: int) -> Step | None:
        acts: Sequence[RawAct] = turn.system_acts
        wishes = self._read_wishes(turn, acts, domain, (*BOOK[domain], "departure", "destination"))
        arguments = {slot: _type_argument(slot, wishes[slot]) for slot in BOOK[domain] if slot in wishes}
        if domain != "taxi":
            record, key = self._find_booked(turn, domain, outcome), _KEY.get(domain, "name")
            if record is None:
                return None
            arguments = {key: record[key]} | {slot: value for slot, value in arguments.items() if slot != key}
            if domain == "train" and "price" in record and self._is_ambiguous(arguments):
                arguments |= {slot: wishes[slot] for slot in ("departure", "destination") if slot in wishes}
        call = Call(name=f"book_{domain}", service=domain, arguments=arguments)
        observation = execute(self.databases, call, self.dialogue, outcome)
        if "error" in observation:
            return None
        for booked in observation["results"]:
            self.bookings[domain] = self.booked_now[domain] = booked
        return Step(calls=(call,), observations=(observation,))

    def _is_ambiguous(self, arguments: Mapping[str, Any]) -> bool:
        same = self.databases.trains["train_id"].get(arguments["train_id"], ())
        return sum(arguments.get("day", record["day"]) == record["day"] for record in same) > 1


def _type_argument(slot: str, value: str) -> str | int:
    return int(value) if slot in INTEGERS and value.isdecimal() else value
