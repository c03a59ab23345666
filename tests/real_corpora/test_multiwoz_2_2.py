"""Bookings in 2.2, whose annotation has none: the dialogues of 2.1 in the layout of 2.2, and five of 2.2 itself."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue

pytestmark = pytest.mark.corpora

ABSENT = ("", "not mentioned", "none")
Booked = Counter[tuple[str, str]]
"""Function and arguments of each booking that went through -> how often."""


def list_slots(metadata: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for domain, parts in metadata.items():
        for slot, value in parts["semi"].items():
            yield domain, f"{domain}-{slot.lower()}", value
        for slot, value in parts["book"].items():
            if slot != "booked":
                yield domain, f"{domain}-book{slot}", value


def convert_turn(index: int, entry: dict[str, Any], following: dict[str, Any]) -> dict[str, Any]:
    frames: dict[str, dict[str, list[str]]] = {}
    for domain, slot, value in list_slots(following["metadata"]) if index % 2 == 0 else ():
        slots = frames.setdefault(domain, {})
        if value not in ABSENT:
            slots[slot] = value.split("|")
    return {
        "speaker": "SYSTEM" if index % 2 else "USER",
        "utterance": entry["text"],
        "frames": [
            {
                "service": domain,
                "slots": [],
                "state": {"active_intent": "NONE", "requested_slots": [], "slot_values": slots},
            }
            for domain, slots in frames.items()
        ],
    }


def write_as_2_2(folder: Path, raw: dict[str, Any]) -> None:
    dialogues, acts = [], {}
    for name, record in raw.items():
        log = record["log"]
        turns = [convert_turn(index, entry, log[min(index + 1, len(log) - 1)]) for index, entry in enumerate(log)]
        dialogues.append({"dialogue_id": f"{name}.json", "services": [], "turns": turns})
        acts[f"{name}.json"] = {str(i): {"dialog_act": entry["dialog_act"]} for i, entry in enumerate(log)}
    (folder / "dev").mkdir()
    (folder / "dev" / "dialogues_001.json").write_text(json.dumps(dialogues))
    (folder / "dialog_acts.json").write_text(json.dumps(acts))


def list_bookings(folder: Path, split: str) -> dict[str, Booked]:
    return {
        dialogue.id: Counter(
            (call.name, json.dumps(call.arguments, sort_keys=True))
            for turn in dialogue.turns
            for step in turn.steps
            for call, observation in step.exchanges
            if call.name.startswith("book_") and observation["matches"]
        )
        for dialogue in read_dialogues("multiwoz", folder, split)
        if isinstance(dialogue, Dialogue)
    }


def test_no_booking_is_missing_and_none_is_made_twice(corpora: Path, tmp_path: Path) -> None:
    folder = corpora / "multiwoz" / "multiwoz21"
    shutil.copytree(folder / "db", tmp_path / "db")
    with zipfile.ZipFile(folder / "val.json.zip") as archive:
        write_as_2_2(tmp_path, json.loads(archive.read("val.json")))
    annotated, found = list_bookings(folder, "validation"), list_bookings(tmp_path, "validation")
    assert annotated.keys() == found.keys()
    repeated = {
        name: booked
        for name, booked in found.items()
        if max((booked - annotated[name]).values(), default=0) > 0
        and max(booked.values()) > max(annotated[name].values(), default=1)
    }
    missing = {
        name: functions
        for name, booked in annotated.items()
        if (functions := {function for function, _ in booked} - {function for function, _ in found[name]})
    }
    assert (repeated, missing) == ({}, {})
    same = sum((booked & found[name]).total() for name, booked in annotated.items())
    assert same / sum(booked.total() for booked in annotated.values()) > 0.96


def test_bookings_of_real_dialogues_without_acts(corpora: Path, tmp_path: Path) -> None:
    shutil.copytree(corpora / "multiwoz" / "multiwoz21" / "db", tmp_path / "db")
    (tmp_path / "train").mkdir()
    shutil.copy(corpora / "multiwoz" / "multiwoz22" / "five_dialogues.json", tmp_path / "train" / "dialogues_001.json")
    returned = {
        dialogue.id: [
            observation["results"][0].get("reference") or observation["results"][0]["type"]
            for turn in dialogue.turns
            for step in turn.steps
            for call, observation in step.exchanges
            if call.name.startswith("book_")
        ]
        for dialogue in read_dialogues("multiwoz", tmp_path)
        if isinstance(dialogue, Dialogue)
    }
    assert {name: what for name, what in returned.items() if what} == {
        "SSNG0007": ["OCNH3CJJ"],
        "SNG1161": ["grey audi"],
        "MUL1443": ["CYW95CE2"],
    }
