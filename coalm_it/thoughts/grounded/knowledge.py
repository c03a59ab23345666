"""What the agent knows at one moment of a dialogue, read from the annotation up to that moment.

`AgentKnowledge` follows the dialogue: `add_user_turn` takes the user's acts, `add_call` a call with its observation,
and `add_reply` the acts of the reply. In between it says where a value comes from. Values are compared as text, in the
canonical form of the annotation ("True", "6", "2019-03-09").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from coalm_it.observations import Record, count_matches, find_differing_slots, read_records
from coalm_it.schema import DONT_CARE, Act, ActName, Call, Dialogue, Tool, Turn


@dataclass(slots=True)
class Fact:
    """A value of a slot; `said` are the user's words for it if they differ, `old` is the value that it replaces."""

    slot: str
    value: str
    said: str = ""
    old: str = ""
    explained: bool = False
    """Whether the difference between `said` and the value has been explained."""


@dataclass(slots=True)
class ServiceKnowledge:
    """What is known within one service."""

    service: str
    intent: str = ""
    said: dict[str, str] = field(default_factory=dict)
    """Slot -> value that the user last gave."""
    read_back: dict[str, str] = field(default_factory=dict)
    """Slot -> value that the agent last asked the user to confirm."""
    suggested: dict[str, str] = field(default_factory=dict)
    """Slot -> value that the agent suggested when it asked for the slot."""
    asked: tuple[str, ...] = ()
    """Slots that the agent asked for in its last reply."""
    offer: dict[str, str] = field(default_factory=dict)
    """Slot -> value of the agent's last offer, without the slots that had several values."""
    chosen: bool = False
    """Whether the user accepted the last offer."""
    proposed: str = ""
    """The function that the agent last offered to use."""
    choice: tuple[str, tuple[str, ...]] = ("", ())
    """If the offer was a choice of several results: the slot and its values."""
    arguments: dict[str, dict[str, str]] = field(default_factory=dict)
    """Function -> the arguments of its last call."""
    results: tuple[Record, ...] = ()
    """The records of the last observation that was not empty."""
    matches: int = 0
    booked: Record = field(default_factory=dict)
    """The record of the last successful booking."""
    last_function: str = ""
    """The name of the last called function."""
    booking_done: bool = False
    """Whether the last call was a successful booking."""


@dataclass(slots=True)
class UserUpdate:
    """What the user's utterance adds to one service."""

    acts: frozenset[ActName]
    facts: list[Fact]
    indifferent: tuple[str, ...]
    """Slots for which the user accepts any value."""
    questions: tuple[Act, ...]
    """The user's questions."""


NO_UPDATE = UserUpdate(frozenset(), [], (), ())


@dataclass(slots=True)
class ArgumentOrigins:
    """The arguments of a call by origin; every argument is in exactly one of the lists."""

    new: list[Fact]
    kept: list[Fact]
    accepted: list[Fact]
    """Offered or suggested by the agent and accepted by the user."""
    borrowed: list[tuple[Fact, str]]
    """Taken from another service, with the name of the service."""
    default: list[Fact]
    unclear: list[Fact]


class AgentKnowledge:
    """What the agent knows of one dialogue so far, service by service."""

    __slots__ = ("services", "tools")

    def __init__(self, dialogue: Dialogue) -> None:
        self.tools: dict[tuple[str, str], Tool] = {(tool.service, tool.name): tool for tool in dialogue.tools}
        self.services: dict[str, ServiceKnowledge] = {}

    def service(self, service: str) -> ServiceKnowledge:
        """What is known within a service; empty at its first mention."""
        known = self.services.get(service)
        if known is None:
            known = self.services[service] = ServiceKnowledge(service)
        return known

    # --- updates ---

    def add_user_turn(self, turn: Turn) -> dict[str, UserUpdate]:
        """Add the acts of the user's utterance; returns what it adds, by service."""
        by_service: dict[str, list[Act]] = {}
        for act in turn.labels.user_acts:
            by_service.setdefault(act.service, []).append(act)
        updates = {
            service: self._read_user_acts(self.service(service), acts, turn.user)
            for service, acts in by_service.items()
        }
        for service, intent in turn.labels.intents.items():
            self.service(service).intent = intent
        return updates

    def _read_user_acts(self, known: ServiceKnowledge, acts: list[Act], user: str) -> UserUpdate:
        facts: list[Fact] = []
        indifferent: list[str] = []
        for act in acts:
            if not act.slot or act.name not in ("INFORM", "SELECT") or not act.canonical:
                continue
            value = act.canonical[0]
            old = known.said.get(act.slot) or known.read_back.get(act.slot, "")
            if value == DONT_CARE:
                known.said.pop(act.slot, None)
                indifferent.append(act.slot)
                continue
            said = act.values[0] if act.values[0].casefold() != value.casefold() else ""
            if said.casefold() not in user.casefold():  # some annotations respell what was said
                said = ""
            if value != old:
                facts.append(Fact(act.slot, value, said, old))
            known.said[act.slot] = value
            if act.name == "SELECT" or act.slot == known.choice[0]:
                known.choice = ("", ())
                known.offer[act.slot] = value
        names = frozenset(act.name for act in acts)
        known.chosen = known.chosen or not names.isdisjoint(("SELECT", "AFFIRM_INTENT"))
        if "AFFIRM" in names:
            known.said.update({s: v for s, v in known.suggested.items() if s not in known.said})
        return UserUpdate(
            acts=names,
            facts=facts,
            indifferent=tuple(indifferent),
            questions=tuple(act for act in acts if act.name == "REQUEST" and act.slot),
        )

    def add_call(self, call: Call, observation: Any, committed: bool) -> None:
        """Add a call and its observation; `committed` says whether it is a booking that succeeded."""
        known = self.service(call.service)
        known.arguments[call.name] = {slot: str(value) for slot, value in call.arguments.items()}
        known.last_function = call.name
        known.booking_done = committed
        records = read_records(observation)
        if records:
            known.results = records
            known.matches = count_matches(observation) or len(records)
        if committed and records:
            known.booked = records[0]

    def add_reply(self, acts: Iterable[Act]) -> None:
        """Add the acts of the agent's reply."""
        by_service: dict[str, list[Act]] = {}
        for act in acts:
            by_service.setdefault(act.service, []).append(act)
        for service, told in by_service.items():
            known = self.service(service)
            offers = [act for act in told if act.name == "OFFER" and act.slot]
            if offers:
                known.chosen = False
                known.offer = {a.slot: a.canonical[0] for a in offers if len(a.canonical) == 1}
                several = [act for act in offers if len(act.canonical) > 1]
                known.choice = (several[0].slot, several[0].canonical) if several else ("", ())
            for act in told:
                if act.name == "OFFER_INTENT" and act.values:
                    known.proposed = act.values[0]
                elif act.name == "CONFIRM" and act.canonical:
                    known.read_back[act.slot] = act.canonical[0]
            asked = [act for act in told if act.name == "REQUEST" and act.slot]
            known.asked = tuple(act.slot for act in asked)
            known.suggested = {a.slot: a.canonical[0] for a in asked if len(a.canonical) == 1}

    # --- queries ---

    def find_record(self, known: ServiceKnowledge) -> Record:
        """The record that the conversation is about: the booking, else the offered result; {} if unclear."""
        if known.booked and known.results and known.booked is known.results[0]:
            return known.booked
        for record in known.results:
            if all(str(record.get(slot, value)) == value for slot, value in known.offer.items()):
                return record
        return known.results[0] if len(known.results) == 1 and known.matches == 1 else {}

    def tool(self, service: str, name: str) -> Tool | None:
        """The function of that name in that service; None if the dialogue does not have it."""
        return self.tools.get((service, name))

    def find_argument_origins(self, call: Call, update: UserUpdate | None) -> ArgumentOrigins:
        """Where each argument of the next call comes from."""
        origins = ArgumentOrigins([], [], [], [], [], [])
        known = self.service(call.service)
        before = known.arguments.get(call.name, {})
        fresh = {fact.slot: fact for fact in update.facts} if update else {}
        tool = self.tool(call.service, call.name)
        properties = tool.properties if tool else {}
        for slot, typed in call.arguments.items():
            value = str(typed)
            fact = fresh.get(slot)
            if fact is not None and fact.value == value:
                fact.old = fact.old or ("" if before.get(slot) == value else before.get(slot, ""))
                origins.new.append(fact)
            elif known.suggested.get(slot) == value and update and "AFFIRM" in update.acts:
                origins.accepted.append(Fact(slot, value))
            elif known.said.get(slot) == value or before.get(slot) == value:
                origins.kept.append(Fact(slot, value))
            elif known.offer.get(slot) == value or (slot == known.choice[0] and value in known.choice[1]):
                origins.accepted.append(Fact(slot, value))
            elif known.read_back.get(slot) == value:
                origins.kept.append(Fact(slot, value))
            elif str(properties.get(slot, {}).get("default")) == value:
                origins.default.append(Fact(slot, value))
            elif any(str(record.get(slot)) == value for record in known.results):
                origins.kept.append(Fact(slot, value))
            elif other_service := self.find_other_service(call.service, value):
                origins.borrowed.append((Fact(slot, value), other_service))
            else:
                origins.unclear.append(Fact(slot, value))
        return origins

    def find_other_service(self, service: str, value: str) -> str:
        """The other service that knows the value, the one that started last; '' if none does."""
        for other in reversed(list(self.services.values())):
            if other.service == service:
                continue
            held = (other.said, other.read_back, other.offer, other.booked, self.find_record(other))
            if any(value in map(str, values.values()) for values in held):
                return other.service
        return ""


def find_differences(call: Call, record: Record) -> list[Fact]:
    """The slots in which a record differs from the request; `old` is the requested value."""
    return [Fact(slot, str(record[slot]), old=str(call.arguments[slot])) for slot in find_differing_slots(call, record)]
