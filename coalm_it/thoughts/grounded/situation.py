"""What the agent knows at one moment of a dialogue, read from the annotation and from nothing later.

A `Memory` follows the dialogue: `hear` takes the user's turn, `see` a call with its observation, `tell` the
reply's acts. In between it answers where a value comes from. Values are compared as text, in the canonical form
of the annotation ("True", "6", "2019-03-09").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from coalm_it.observations import Record, count_matches, find_differing_slots, read_records
from coalm_it.schema import DONT_CARE, Act, ActName, Call, Dialogue, Tool, Turn


@dataclass(slots=True)
class Fact:
    """A value in play: what the user called it where that differs, and what it takes the place of."""

    slot: str
    value: str
    said: str = ""
    old: str = ""
    plain: bool = False
    """Whether the value needs no explanation (any more)."""


@dataclass(slots=True)
class Topic:
    """What is known within one service."""

    service: str
    intent: str = ""
    said: dict[str, str] = field(default_factory=dict)
    """Slot -> value, as the user last gave it."""
    read_back: dict[str, str] = field(default_factory=dict)
    """Slot -> value, as the agent last asked the user to confirm it."""
    suggested: dict[str, str] = field(default_factory=dict)
    """Slot -> value that the agent suggested when it asked for the slot."""
    asked: tuple[str, ...] = ()
    """Slots that the agent asked for in its last reply."""
    offer: dict[str, str] = field(default_factory=dict)
    """What the agent last offered: slot -> value; of several values of a slot none."""
    chosen: bool = False
    """Whether the user accepted the last offer."""
    proposed: str = ""
    """The function that the agent last offered to use."""
    choice: tuple[str, tuple[str, ...]] = ("", ())
    """Where the offer was a choice of several: the slot and its values."""
    arguments: dict[str, dict[str, str]] = field(default_factory=dict)
    """Function -> the arguments of its last call."""
    results: tuple[Record, ...] = ()
    """The records of the last observation that had any."""
    matches: int = 0
    booked: Record = field(default_factory=dict)
    """The record of the last booking that went through."""
    last: str = ""
    """The function that was last called."""
    done: bool = False
    """Whether that call was a booking that went through."""


@dataclass(slots=True)
class News:
    """What the user's turn brings, for one service."""

    acts: frozenset[ActName]
    facts: list[Fact]
    indifferent: tuple[str, ...]
    """Slots of which the user said that any value will do."""
    asked: tuple[Act, ...]
    """The user's questions."""


NO_NEWS = News(frozenset(), [], (), ())


@dataclass(slots=True)
class Origins:
    """Where the arguments of a call come from; every argument is in exactly one of the lists."""

    new: list[Fact]
    kept: list[Fact]
    accepted: list[Fact]
    """Offered or suggested by the agent, and taken up."""
    borrowed: list[tuple[Fact, str]]
    """From another service, with its name."""
    default: list[Fact]
    unclear: list[Fact]


class Memory:
    """The running knowledge of one dialogue."""

    __slots__ = ("tools", "topics")

    def __init__(self, dialogue: Dialogue) -> None:
        self.tools: dict[tuple[str, str], Tool] = {(tool.service, tool.name): tool for tool in dialogue.tools}
        self.topics: dict[str, Topic] = {}

    def topic(self, service: str) -> Topic:
        """What is known within a service, from now on."""
        known = self.topics.get(service)
        if known is None:
            known = self.topics[service] = Topic(service)
        return known

    # --- the three events ---

    def hear(self, turn: Turn) -> dict[str, News]:
        """Take in the user's turn; what it brings, by service."""
        by_service: dict[str, list[Act]] = {}
        for act in turn.labels.user_acts:
            by_service.setdefault(act.service, []).append(act)
        news = {service: self._hear_acts(self.topic(service), acts, turn.user) for service, acts in by_service.items()}
        for service, intent in turn.labels.intents.items():
            self.topic(service).intent = intent
        return news

    def _hear_acts(self, topic: Topic, acts: list[Act], user: str) -> News:
        facts: list[Fact] = []
        indifferent: list[str] = []
        for act in acts:
            if not act.slot or act.name not in ("INFORM", "SELECT") or not act.canonical:
                continue
            value = act.canonical[0]
            old = topic.said.get(act.slot) or topic.read_back.get(act.slot, "")
            if value == DONT_CARE:
                topic.said.pop(act.slot, None)
                indifferent.append(act.slot)
                continue
            said = act.values[0] if act.values[0].casefold() != value.casefold() else ""
            if said.casefold() not in user.casefold():  # some annotations respell what was said
                said = ""
            if value != old:
                facts.append(Fact(act.slot, value, said, old))
            topic.said[act.slot] = value
            if act.name == "SELECT" or act.slot == topic.choice[0]:
                topic.choice = ("", ())
                topic.offer[act.slot] = value
        names = frozenset(act.name for act in acts)
        topic.chosen = topic.chosen or not names.isdisjoint(("SELECT", "AFFIRM_INTENT"))
        if "AFFIRM" in names:
            topic.said.update({s: v for s, v in topic.suggested.items() if s not in topic.said})
        return News(
            acts=names,
            facts=facts,
            indifferent=tuple(indifferent),
            asked=tuple(act for act in acts if act.name == "REQUEST" and act.slot),
        )

    def see(self, call: Call, observation: Any, committed: bool) -> None:
        """Take in a call and what came back; `committed` where it is a booking that went through."""
        topic = self.topic(call.service)
        topic.arguments[call.name] = {slot: str(value) for slot, value in call.arguments.items()}
        topic.last = call.name
        topic.done = committed
        records = read_records(observation)
        if records:
            topic.results = records
            topic.matches = count_matches(observation) or len(records)
        if committed and records:
            topic.booked = records[0]

    def tell(self, acts: Iterable[Act]) -> None:
        """Take in the acts of the agent's reply."""
        by_service: dict[str, list[Act]] = {}
        for act in acts:
            by_service.setdefault(act.service, []).append(act)
        for service, told in by_service.items():
            topic = self.topic(service)
            offers = [act for act in told if act.name == "OFFER" and act.slot]
            if offers:
                topic.chosen = False
                topic.offer = {a.slot: a.canonical[0] for a in offers if len(a.canonical) == 1}
                several = [act for act in offers if len(act.canonical) > 1]
                topic.choice = (several[0].slot, several[0].canonical) if several else ("", ())
            for act in told:
                if act.name == "OFFER_INTENT" and act.values:
                    topic.proposed = act.values[0]
                elif act.name == "CONFIRM" and act.canonical:
                    topic.read_back[act.slot] = act.canonical[0]
            asked = [act for act in told if act.name == "REQUEST" and act.slot]
            topic.asked = tuple(act.slot for act in asked)
            topic.suggested = {a.slot: a.canonical[0] for a in asked if len(a.canonical) == 1}

    # --- questions ---

    def find_record(self, topic: Topic) -> Record:
        """The record that the conversation is about: the booking, else what was offered; {} where unclear."""
        if topic.booked and topic.results and topic.booked is topic.results[0]:
            return topic.booked
        for record in topic.results:
            if all(str(record.get(slot, value)) == value for slot, value in topic.offer.items()):
                return record
        return topic.results[0] if len(topic.results) == 1 and topic.matches == 1 else {}

    def tool(self, service: str, name: str) -> Tool | None:
        """The function of that name in that service, if the dialogue knows it."""
        return self.tools.get((service, name))

    def find_origins(self, call: Call, news: News | None) -> Origins:
        """Where each argument of a call that is about to be made comes from."""
        origins = Origins([], [], [], [], [], [])
        topic = self.topic(call.service)
        before = topic.arguments.get(call.name, {})
        fresh = {fact.slot: fact for fact in news.facts} if news else {}
        tool = self.tool(call.service, call.name)
        properties = tool.properties if tool else {}
        for slot, typed in call.arguments.items():
            value = str(typed)
            fact = fresh.get(slot)
            if fact is not None and fact.value == value:
                fact.old = fact.old or ("" if before.get(slot) == value else before.get(slot, ""))
                origins.new.append(fact)
            elif topic.suggested.get(slot) == value and news and "AFFIRM" in news.acts:
                origins.accepted.append(Fact(slot, value))
            elif topic.said.get(slot) == value or before.get(slot) == value:
                origins.kept.append(Fact(slot, value))
            elif topic.offer.get(slot) == value or (slot == topic.choice[0] and value in topic.choice[1]):
                origins.accepted.append(Fact(slot, value))
            elif topic.read_back.get(slot) == value:
                origins.kept.append(Fact(slot, value))
            elif str(properties.get(slot, {}).get("default")) == value:
                origins.default.append(Fact(slot, value))
            elif any(str(record.get(slot)) == value for record in topic.results):
                origins.kept.append(Fact(slot, value))
            elif lender := self.find_lender(call.service, value):
                origins.borrowed.append((Fact(slot, value), lender))
            else:
                origins.unclear.append(Fact(slot, value))
        return origins

    def find_lender(self, service: str, value: str) -> str:
        """Another service in whose part of the dialogue the value stands; the latest one, or ''."""
        for other in reversed(list(self.topics.values())):
            if other.service == service:
                continue
            known = (other.said, other.read_back, other.offer, other.booked, self.find_record(other))
            if any(value in map(str, values.values()) for values in known):
                return other.service
        return ""


# --- observations ---


def find_differences(call: Call, record: Record) -> list[Fact]:
    """Where a record differs from what was asked for: the slots of both, `old` what was asked for."""
    return [Fact(slot, str(record[slot]), old=str(call.arguments[slot])) for slot in find_differing_slots(call, record)]
