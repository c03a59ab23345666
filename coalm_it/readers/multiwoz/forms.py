"""The two forms of MultiWOZ's files, read into one: the `data.json` of 2.0, 2.1 and 2.4, and the frames of 2.2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic asks for this one below Python 3.12

from coalm_it.multiwoz_values import ABSENT, join_tokens, name_slot, read_surfaces


class BadRecord(ValueError):
    """A record that does not hold together."""


class RawAct(NamedTuple):
    """One slot of a dialogue act: `Hotel-Inform [Area, east]` is hotel, inform, area, east."""

    domain: str
    intent: str
    slot: str
    value: str
    """As it was said; "" where the act gives none."""


class RawTurn(NamedTuple):
    """A user turn and the system turn after it."""

    user: str
    reply: str
    user_acts: tuple[RawAct, ...]
    system_acts: tuple[RawAct, ...]
    state: dict[str, dict[str, tuple[str, ...]]]
    """What holds after the user spoke, normalised."""
    booked: dict[str, list[dict[str, str]]]
    """Domain -> what the annotation has as booked after the system spoke (not in 2.2)."""
    intents: dict[str, str]
    """Domain -> active intent (only in 2.2)."""


# --- acts, in both forms ---


def read_acts(acts: Mapping[str, Sequence[Sequence[str]]]) -> Iterator[RawAct]:
    """The acts of one turn: `{"Hotel-Inform": [["Area", "east"]]}`. Raises BadRecord."""
    for name, pairs in acts.items():
        domain, dash, intent = name.lower().partition("-")
        if not dash:
            raise BadRecord(f"act {name!r} has no domain; Domain-Intent was expected")
        for pair in pairs:
            if len(pair) < 2:
                raise BadRecord(f"act {name} has {list(pair)!r}; a slot and a value were expected")
            value = join_tokens(pair[1])
            slot = name_slot(domain, pair[0])
            yield RawAct(domain, intent, slot, "" if value.lower() in ABSENT and slot != "count" else value)


# --- data.json ---


class _RawDomain(TypedDict):
    semi: dict[str, str | list[str]]
    book: dict[str, Any]


class _RawEntry(TypedDict):
    text: str
    metadata: NotRequired[dict[str, _RawDomain]]
    dialog_act: NotRequired[dict[str, list[list[str]]] | str]


class _RawLog(TypedDict):
    log: list[_RawEntry]


_LOG = TypeAdapter(_RawLog)


def read_log(record: Any, acts: Mapping[str, Any] | None) -> list[RawTurn]:
    """The turns of one dialogue of data.json; `acts` are those of a separate file (2.0: system turns, from "1").

    Raises ValidationError, BadRecord.
    """
    log = _LOG.validate_python(record)["log"]
    if not log or len(log) % 2:
        raise BadRecord(f"there are {len(log)} turns; every user turn needs a system turn after it")
    turns = []
    for number in range(0, len(log), 2):
        user, system = log[number], log[number + 1]
        beside = (acts or {}).get(str(number // 2 + 1))
        metadata = system.get("metadata") or {}
        if not metadata:
            raise BadRecord(f"turn {number + 1}: the system's turn has no metadata, where the state belongs")
        turns.append(
            RawTurn(
                user=join_tokens(user["text"]),
                reply=join_tokens(system["text"]),
                user_acts=_read_own_acts(user, None),
                system_acts=_read_own_acts(system, beside),
                state=_read_metadata(metadata),
                booked=_read_booked(metadata),
                intents={},
            )
        )
    return turns


def _read_own_acts(entry: _RawEntry, beside: Any) -> tuple[RawAct, ...]:
    acts = entry.get("dialog_act", beside)
    return tuple(read_acts(acts)) if isinstance(acts, dict) else ()  # 2.0 has "No Annotation" for some turns


def _read_metadata(metadata: Mapping[str, _RawDomain]) -> dict[str, dict[str, tuple[str, ...]]]:
    state = {}
    for domain, parts in metadata.items():
        book = {slot: value for slot, value in parts["book"].items() if isinstance(value, str)}
        slots = {
            name_slot(domain, slot): surfaces
            for slot, value in (*parts["semi"].items(), *book.items())
            if (surfaces := read_surfaces(domain, name_slot(domain, slot), value))
        }
        if slots:
            state[domain] = slots
    return state


def _read_booked(metadata: Mapping[str, _RawDomain]) -> dict[str, list[dict[str, str]]]:
    booked = {}
    for domain, parts in metadata.items():
        entries = [entry for entry in parts["book"].get("booked") or () if isinstance(entry, dict)]
        if entries:
            booked[domain] = [{name_slot(domain, slot): str(text) for slot, text in e.items()} for e in entries]
    return booked


# --- the frames of 2.2 ---


class _RawSpan(TypedDict):
    slot: str
    value: NotRequired[str | list[str]]
    copy_from: NotRequired[str]


class _RawState(TypedDict):
    active_intent: str
    requested_slots: list[str]
    slot_values: dict[str, list[str]]


class _RawFrame(TypedDict):
    service: str
    slots: NotRequired[list[_RawSpan]]
    state: NotRequired[_RawState]


class _RawFrameTurn(TypedDict):
    speaker: str
    turn_id: NotRequired[str]
    utterance: str
    frames: list[_RawFrame]


class _RawFrames(TypedDict):
    dialogue_id: str
    turns: list[_RawFrameTurn]


_FRAMES = TypeAdapter(_RawFrames)
_INTENTS = {"find_taxi": "book_taxi", "police": "find_police"}
_REFERENCE = re.compile(r"\b(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z\d]{8}\b")


def read_frames(record: Any, acts: Mapping[str, Any] | None) -> list[RawTurn]:
    """The turns of one dialogue of 2.2; `acts` are those of dialog_acts.json, by turn.

    Without them the frames say some of it: their spans, the requested slots, and references in the utterance. Raises
    ValidationError, BadRecord.
    """
    raw = _FRAMES.validate_python(record)["turns"]
    if not raw or len(raw) % 2:
        raise BadRecord(f"there are {len(raw)} turns; every user turn needs a system turn after it")
    for number, turn in enumerate(raw):
        expected = "SYSTEM" if number % 2 else "USER"
        if turn["speaker"] != expected:
            raise BadRecord(f"turn {number} is by {turn['speaker']!r}; {expected!r} was expected")
    turns = []
    for number in range(0, len(raw), 2):
        user, system = raw[number], raw[number + 1]
        states = {frame["service"]: frame["state"] for frame in user["frames"] if "state" in frame}
        turns.append(
            RawTurn(
                user=join_tokens(user["utterance"]),
                reply=join_tokens(system["utterance"]),
                user_acts=_read_beside(acts, number) if acts else tuple(_read_user_frames(user["frames"])),
                system_acts=_read_beside(acts, number + 1) if acts else tuple(_read_system_frames(system)),
                state=_read_states(states),
                booked={},
                intents={
                    domain: _INTENTS.get(state["active_intent"], state["active_intent"])
                    for domain, state in states.items()
                    if state["active_intent"] != "NONE"
                },
            )
        )
    return turns


def _read_beside(acts: Mapping[str, Any], number: int) -> tuple[RawAct, ...]:
    turn = acts.get(str(number)) or {}
    return tuple(read_acts(turn.get("dialog_act") or {}))


def _read_states(states: Mapping[str, _RawState]) -> dict[str, dict[str, tuple[str, ...]]]:
    read = {}
    for domain, state in states.items():
        slots = {
            name_slot(domain, slot): surfaces
            for slot, values in state["slot_values"].items()
            if (surfaces := read_surfaces(domain, name_slot(domain, slot), values))
        }
        if slots:
            read[domain] = slots
    return read


def _read_spans(frames: Iterable[_RawFrame]) -> Iterator[RawAct]:
    for frame in frames:
        domain = frame["service"]
        for span in frame.get("slots", ()):
            value = span.get("value")
            if isinstance(value, str) and "copy_from" not in span:
                yield RawAct(domain, "inform", name_slot(domain, span["slot"]), join_tokens(value))


def _read_user_frames(frames: list[_RawFrame]) -> Iterator[RawAct]:
    yield from _read_spans(frames)
    for frame in frames:
        for slot in frame["state"]["requested_slots"] if "state" in frame else ():
            yield RawAct(frame["service"], "request", name_slot(frame["service"], slot), "")


def _read_system_frames(turn: _RawFrameTurn) -> Iterator[RawAct]:
    yield from _read_spans(turn["frames"])
    for reference in _REFERENCE.findall(turn["utterance"]):
        yield RawAct("booking", "book", "reference", reference)
