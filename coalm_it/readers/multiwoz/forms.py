"""The two forms of MultiWOZ files, read into one: the `data.json` of 2.0, 2.1 and 2.4, and the frames of 2.2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from coalm_it.corpora.records import BadRecord, get_field
from coalm_it.readers.multiwoz.databases import CARS
from coalm_it.readers.multiwoz.values import ABSENT, join_tokens, name_slot, read_surfaces

RawState = dict[str, dict[str, tuple[str, ...]]]


class RawAct(NamedTuple):
    """One slot of a dialogue act: `Hotel-Inform [Area, east]` is hotel, inform, area, east."""

    domain: str
    intent: str
    slot: str
    value: str
    """As spoken; "" if the act has none."""


class RawTurn(NamedTuple):
    """A user turn and the system turn after it."""

    user: str
    reply: str
    user_acts: tuple[RawAct, ...]
    system_acts: tuple[RawAct, ...]
    state: RawState
    """The state after the user's utterance, normalised."""
    booked: dict[str, list[dict[str, str]]] | None
    """Domain -> the annotated bookings after the system's utterance; None in 2.2, which does not have them."""
    intents: dict[str, str]
    """Domain -> active intent (only in 2.2)."""


# --- acts, in both forms ---

_POSTCODE = re.compile(r"[a-z]{2}\d{1,3} ?\d?[a-z]{2}", re.IGNORECASE)


def _read_acts(acts: Any, text: str) -> Iterator[RawAct]:
    """The acts of one turn and its utterance: `{"Hotel-Inform": [["Area", "east"]]}`.

    2.0 has `No Annotation` for some turns. Raises BadRecord.
    """
    for name, pairs in acts.items() if isinstance(acts, dict) else ():
        domain, dash, intent = name.lower().partition("-")
        if not dash or not isinstance(pairs, list):
            raise BadRecord(
                f"act {name!r} is {pairs!r:.60}; Domain-Intent with a list of slots and values was expected"
            )
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
                raise BadRecord(f"act {name} has {pair!r:.60}; a slot and a value were expected")
            slot, value = name_slot(domain, pair[0]), _complete(join_tokens(pair[1]), text)
            if slot == "address" and _POSTCODE.fullmatch(value):
                slot = "postcode"
            yield RawAct(domain, intent, slot, "" if value.lower() in ABSENT and slot != "count" else value)


def _complete(value: str, text: str) -> str:
    """The complete value of a span that lacks its last letter: `The Kirkwood Hous`."""
    place = text.find(value)
    if place < 0 or not value[-1:].isalpha():
        return value
    after = text[place + len(value) : place + len(value) + 2]
    return value + after[0] if after[:1].isalpha() and not after[1:].isalpha() else value


def _read_slots(domain: str, raw: Iterable[tuple[str, Any]]) -> dict[str, tuple[str, ...]]:
    slots = {}
    for name, value in raw:
        if not isinstance(value, (str, list)):
            raise BadRecord(f"{domain}: slot {name!r} is {value!r:.60}; a text or a list of texts was expected")
        slot = name_slot(domain, name)
        if surfaces := read_surfaces(domain, slot, value):
            slots[slot] = surfaces
    return slots


def _pair_turns(turns: list[Any]) -> Iterator[tuple[int, Any, Any]]:
    if not turns or len(turns) % 2:
        raise BadRecord(f"there are {len(turns)} turns; every user turn needs a system turn after it")
    for number in range(0, len(turns), 2):
        yield number, turns[number], turns[number + 1]


# --- data.json ---


def read_log(record: Any, acts: Mapping[str, Any] | None) -> Iterator[RawTurn]:
    """The turns of one dialogue of data.json; `acts` are from a separate file (2.0: system turns, from "1").

    Raises BadRecord.
    """
    if not has_acts(record, acts):
        raise BadRecord("no turn of the system has acts (dialog_act), from which its calls are reconstructed")
    before: dict[str, Any] = {}
    state: RawState = {}
    for number, user, system in _pair_turns(get_field(record, "log", list)):
        metadata = get_field(system, "metadata", dict)
        if not metadata:
            raise BadRecord(f"turn {number + 1}: the system's metadata is empty, where the state belongs")
        said, reply = (join_tokens(get_field(turn, "text", str)) for turn in (user, system))
        separate = (acts or {}).get(str(number // 2 + 1))
        state, before = _read_metadata(metadata, before, state), metadata
        yield RawTurn(
            user=said,
            reply=reply,
            user_acts=tuple(_read_acts(user.get("dialog_act"), said)),
            system_acts=tuple(_read_acts(system.get("dialog_act") or separate, reply)),
            state=state,
            booked=_read_booked(metadata),
            intents={},
        )


def has_acts(record: Any, acts: Any) -> bool:
    """Whether a dialogue of data.json has system acts, in itself or in a separate file.

    True also for a record that is none, of which its conversion says more.
    """
    log = record.get("log") if isinstance(record, dict) else None
    if not isinstance(log, list) or any(not isinstance(turn, dict) for turn in log):
        return True
    separate = acts.values() if isinstance(acts, dict) else ()
    given = (*(turn.get("dialog_act") for turn in log[1::2]), *separate)
    return any(isinstance(acts_of_turn, dict) and acts_of_turn for acts_of_turn in given)


def _read_metadata(metadata: dict[str, Any], before: dict[str, Any], state: RawState) -> RawState:
    """The state of every domain that has one; for an unchanged domain, the previous state."""
    read = {}
    for domain, parts in metadata.items():
        if before.get(domain) == parts:
            slots = state.get(domain, {})
        else:
            book = ((slot, value) for slot, value in get_field(parts, "book", dict).items() if slot != "booked")
            slots = _read_slots(domain, (*get_field(parts, "semi", dict).items(), *book))
        if slots:
            read[domain] = slots
    return read


def _read_booked(metadata: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    booked = {}
    for domain, parts in metadata.items():
        given = get_field(parts, "book", dict).get("booked")
        entries = [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []
        if entries:
            booked[domain] = [{name_slot(domain, slot): str(text) for slot, text in e.items()} for e in entries]
    return booked


# --- the frames of 2.2 ---

_INTENTS = {"find_taxi": "book_taxi", "police": "find_police"}
REFERENCE = re.compile(r"\b(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z\d]{8}\b")
_CAR = re.compile(rf"\b(?:({'|'.join(CARS['taxi_colors'])}) )?({'|'.join(CARS['taxi_types'])})\b", re.IGNORECASE)
_TAXI_PHONE = re.compile(r"\b07\d{9}\b")
_TRAIN_ID = re.compile(r"\bTR ?\d{4}\b", re.IGNORECASE)


def read_frames(record: Any, acts: Mapping[str, Any] | None) -> Iterator[RawTurn]:
    """The turns of one dialogue of 2.2; `acts` are from dialog_acts.json, by turn.

    Without them, some acts are derived from the frames: from spans, changes of the state, requested slots; and from
    what has a form of its own in the utterance: references, trains, taxis. Raises BadRecord.
    """
    state: RawState = {}
    for number, user, system in _pair_turns(get_field(record, "turns", list)):
        for index, (turn, speaker) in enumerate(((user, "USER"), (system, "SYSTEM")), number):
            if get_field(turn, "speaker", str) != speaker:
                raise BadRecord(f"turn {index} is by {turn['speaker']!r}; {speaker!r} was expected")
        said, reply = (join_tokens(get_field(turn, "utterance", str)) for turn in (user, system))
        heard, told = (get_field(turn, "frames", list) for turn in (user, system))
        states = {get_field(frame, "service", str): frame["state"] for frame in heard if "state" in frame}
        active = {domain: get_field(state, "active_intent", str) for domain, state in states.items()}
        intents = {domain: _INTENTS.get(intent, intent) for domain, intent in active.items() if intent != "NONE"}
        before, state = state, _read_states(states)
        if acts:
            user_acts, system_acts = (
                _read_separate_acts(acts, number, said),
                _read_separate_acts(acts, number + 1, reply),
            )
        else:
            user_acts, system_acts = _read_user_frames(heard, state, before), _read_system_frames(told, reply, intents)
        yield RawTurn(said, reply, tuple(user_acts), tuple(system_acts), state, booked=None, intents=intents)


def _read_states(states: Mapping[str, Any]) -> RawState:
    read = {domain: _read_slots(domain, get_field(s, "slot_values", dict).items()) for domain, s in states.items()}
    return {domain: slots for domain, slots in read.items() if slots}


def _read_separate_acts(acts: Mapping[str, Any], number: int, text: str) -> Iterator[RawAct]:
    turn = acts.get(str(number))
    return _read_acts(turn.get("dialog_act") if isinstance(turn, dict) else None, text)


def _read_spans(frames: Iterable[Any]) -> Iterator[RawAct]:
    for frame in frames:
        domain = get_field(frame, "service", str)
        for span in frame.get("slots", ()):
            value = span.get("value")
            if isinstance(value, str) and "copy_from" not in span:
                yield RawAct(domain, "inform", name_slot(domain, get_field(span, "slot", str)), join_tokens(value))


def _read_user_frames(frames: Iterable[Any], state: RawState, before: RawState) -> Iterator[RawAct]:
    spans = list(_read_spans(frames))
    yield from spans
    said = {(act.domain, act.slot) for act in spans}
    for domain, slots in state.items():
        for slot, surfaces in slots.items():
            if (domain, slot) not in said and surfaces != before.get(domain, {}).get(slot):
                yield RawAct(domain, "inform", slot, surfaces[0])
    for frame in frames:
        for slot in frame["state"].get("requested_slots", ()) if "state" in frame else ():
            yield RawAct(frame["service"], "request", name_slot(frame["service"], slot), "")


def _read_system_frames(frames: Iterable[Any], reply: str, intents: Mapping[str, str]) -> Iterator[RawAct]:
    yield from _read_spans(frames)
    for train in _TRAIN_ID.findall(reply):
        yield RawAct("train", "inform", "train_id", train)
    if "taxi" in intents:
        yield from (RawAct("taxi", "inform", "type", car[0]) for car in _CAR.finditer(reply))
        yield from (RawAct("taxi", "inform", "phone", phone) for phone in _TAXI_PHONE.findall(reply))
    booking = [domain for domain, intent in intents.items() if domain != "taxi" and intent == f"book_{domain}"]
    for reference in REFERENCE.findall(reply):
        yield RawAct(booking[0] if len(booking) == 1 else "booking", "book", "reference", reference)
