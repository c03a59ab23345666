"""What the agent of a MultiWOZ dialogue knows at a moment: what was said, wanted, found and booked so far."""

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
"""What only a booking needs; a train's day is searched by."""


class Memory:
    """Follows a dialogue: `hear` takes in the user's turn, `end` the reply; in between the agent acts."""

    def __init__(self, databases: Databases, dialogue: str) -> None:
        self.databases = databases
        self.dialogue = dialogue
        self.number = 0
        self.heard: list[str] = []
        """Every utterance so far."""
        self.state: RawState = {}
        """What the user wanted before this turn."""
        self.wished: set[str] = set()
        """Domains of which the user has said something."""
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
        self.last = ""
        """The domain that was last spoken of."""
        self._entries: dict[str, list[dict[str, str]]] = {}

    def hear(self, turn: RawTurn) -> None:
        """Take in the user's words, and what the annotation has as booked by the end of the turn."""
        self.heard.append(turn.user)
        self.booked_now = {}
        self.wished |= {*turn.state, *(act.domain for act in turn.user_acts)}
        for domain, entries in turn.booked.items():
            new = [entry for entry in entries if entry not in self._entries.get(domain, ())]
            self._entries[domain] = entries
            if new:
                self.pending[domain] = new[-1]

    def end(self, turn: RawTurn) -> None:
        """Take in the reply."""
        self.heard.append(turn.reply)
        self.state = turn.state
        self.number += 1

    # --- questions ---

    def find_called(self, domain: str, said: str) -> list[Record]:
        """The venues of that name or the trains of that id, among the last results, else in the whole database."""
        found = self.found.get(domain, [])
        if domain == "train":
            trains = self.databases.trains["train_id"].get(normalise(domain, "train_id", said), ())
            return [train for train in trains if train in found] or list(trains)
        return find_named(found, "name", said) or find_named(self.databases.records.get(domain, ()), "name", said)

    def read_wishes(self, turn: RawTurn, acts: Sequence[RawAct], domain: str, slots: Iterable[str]) -> dict[str, str]:
        """What the user wants of those slots, as far as the agent knows it and a function can take it."""
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
        """Whether the user has given a value, or taken it from the agent. Some states already hold what the agent is
        only about to say; not what a booking needs, since no agent makes that up."""
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
    """Whether a text has a word that begins as the value does (`center`, `swimming`, `Leicaster`), or names a slot of
    which the value is yes or no."""
    words = {word[:4] for word in re.findall(r"[a-z]{4,}", text.lower().replace("-", ""))}
    return not words.isdisjoint(_HINTS.get(slot, [word[:4] for word in value.split() if len(word) > 3]))


def type_arguments(values: Mapping[str, str]) -> dict[str, Any]:
    """Values as a call has them: counts as whole numbers."""
    return {slot: int(value) if slot in COUNTS and value.isdecimal() else value for slot, value in values.items()}
