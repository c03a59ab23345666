"""What the agent of a MultiWOZ dialogue knows: what was said, wanted, found and booked so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coalm_it.observations import Record
from coalm_it.readers.multiwoz.databases import Databases, find_named
from coalm_it.readers.multiwoz.forms import RawAct, RawState, RawTurn
from coalm_it.readers.multiwoz.matching import agrees, is_exact
from coalm_it.readers.multiwoz.values import COUNTS, normalise
from coalm_it.schema import DONT_CARE
from coalm_it.values import mentions

BOOK_SLOTS = frozenset({"day", "time", "stay", "people"})
"""Slots that only a booking needs; the day of a train is a search slot too."""


class Memory:
    """Follows a dialogue: `hear` processes a user turn, `end` the reply; between them the agent acts."""

    def __init__(self, databases: Databases, dialogue: str) -> None:
        self.databases = databases
        self.dialogue = dialogue
        self.number = 0
        self.heard: list[str] = []
        """Every utterance so far."""
        self.state: RawState = {}
        """The state before this turn."""
        self.wished: set[str] = set()
        """Domains that the user has mentioned."""
        self.searched: dict[str, dict[str, str]] = {}
        """Domain -> the wanted values at its last search."""
        self.found: dict[str, list[Record]] = {}
        """Domain -> the results of the last search."""
        self.topic: dict[str, Record] = {}
        """Domain -> the current record: the one mentioned last."""
        self.bookings: dict[str, Record] = {}
        """Domain -> its last booking."""
        self.booked_now: dict[str, Record] = {}
        """Domain -> its booking in this turn."""
        self.pending: dict[str, dict[str, str]] = {}
        """Domain -> an annotated booking that no reply has mentioned yet."""
        self.later: Sequence[RawTurn] | None = None
        """The turns after this one, if the annotation has no bookings; None if it has them."""
        self.last = ""
        """The domain mentioned last."""
        self._entries: dict[str, list[dict[str, str]]] = {}

    def hear(self, turn: RawTurn, later: Sequence[RawTurn]) -> None:
        """Processes the utterance of the user, and the annotated bookings at the end of the turn."""
        self.later = later if turn.booked is None else None
        self.heard.append(turn.user)
        self.booked_now = {}
        self.wished |= {*turn.state, *(act.domain for act in turn.user_acts)}
        for domain, entries in (turn.booked or {}).items():
            new = [entry for entry in entries if entry not in self._entries.get(domain, ())]
            self._entries[domain] = entries
            if new:
                self.pending[domain] = new[-1]

    def end(self, turn: RawTurn) -> None:
        """Processes the reply."""
        self.heard.append(turn.reply)
        self.state = turn.state
        self.number += 1

    # --- questions ---

    def find_called(self, domain: str, said: str) -> list[Record]:
        """The venues with that name or the trains with that id: in the last results, else in the whole database."""
        found = self.found.get(domain, [])
        if domain == "train":
            trains = self.databases.trains["train_id"].get(normalise(domain, "train_id", said), ())
            return [train for train in trains if train in found] or list(trains)
        return find_named(found, "name", said) or find_named(self.databases.records.get(domain, ()), "name", said)

    def read_wishes(self, turn: RawTurn, acts: Sequence[RawAct], domain: str, slots: Iterable[str]) -> dict[str, str]:
        """The wanted values of those slots that the agent knows and a function accepts."""
        state = turn.state.get(domain, {})
        booking = BOOK_SLOTS if domain != "train" else {"people"}
        return {
            slot: value
            for slot in slots
            if (value := state.get(slot, (DONT_CARE,))[0]) != DONT_CARE
            and is_exact(slot, value)
            and (slot in booking or self._is_known(turn, acts, domain, slot, value))
        }

    def _is_known(self, turn: RawTurn, acts: Sequence[RawAct], domain: str, slot: str, value: str) -> bool:
        """Whether the user has given the value, or has accepted it from the agent. Some states contain values that the
        agent gives only in the reply; this does not concern booking slots, which no agent invents."""
        if value in self.state.get(domain, {}).get(slot, ()):
            return True
        if any(act.slot == slot and agrees(domain, slot, act.value, value) for act in turn.user_acts):
            return True
        if any(mentions(text, value) for text in reversed(self.heard)) or _is_hinted(turn.user, slot, value):
            return True
        told = any(act.slot == slot and agrees(domain, slot, act.value, value) for act in acts if act.value)
        return not (told or mentions(turn.reply, value))


_HINTS = {"internet": ("inte", "wifi"), "parking": ("park",)}


def _is_hinted(text: str, slot: str, value: str) -> bool:
    """Whether a text has a word with the same beginning as the value (`center`, `swimming`, `Leicaster`), or mentions a
    slot whose value is yes or no."""
    words = {word[:4] for word in re.findall(r"[a-z]{4,}", text.lower().replace("-", ""))}
    return not words.isdisjoint(_HINTS.get(slot, [word[:4] for word in value.split() if len(word) > 3]))


def type_arguments(values: Mapping[str, str]) -> dict[str, Any]:
    """Values as the arguments of a call: counts as integers."""
    return {slot: int(value) if slot in COUNTS and value.isdecimal() else value for slot, value in values.items()}
