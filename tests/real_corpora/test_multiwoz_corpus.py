"""MultiWOZ 2.1's validation split as ConvLab-2 has it: 999 dialogues, each call made again on the real databases."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from coalm_it.checks.database import check_database
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import load_source
from coalm_it.readers import read_dialogues
from coalm_it.readers.multiwoz.databases import execute, load_databases
from coalm_it.recipe import Part
from coalm_it.samples.targets import make_samples, shorten_observations
from coalm_it.schema import Call, Dialogue, Finding

pytestmark = pytest.mark.corpora

Records = list[dict[str, str]]


@pytest.fixture(scope="module")
def folder(corpora: Path) -> Path:
    return corpora / "multiwoz" / "multiwoz21"


@pytest.fixture(scope="module")
def dialogues(folder: Path) -> dict[str, Dialogue]:
    records = list(read_dialogues("multiwoz", folder, "validation"))
    return {record.id: record for record in records if isinstance(record, Dialogue)}


@pytest.fixture(scope="module")
def raw(folder: Path) -> dict[str, Any]:
    with zipfile.ZipFile(folder / "val.json.zip") as archive:
        read: dict[str, Any] = json.loads(archive.read("val.json"))
    return read


def test_every_dialogue_is_read(folder: Path, dialogues: dict[str, Dialogue], raw: dict[str, Any]) -> None:
    listed = (folder / "valListFile").read_text().split()
    assert list(dialogues) == list(raw)
    assert set(dialogues) <= set(listed)
    assert len(dialogues) == 999
    assert sum(len(dialogue.turns) for dialogue in dialogues.values()) == 7365


# --- states ---

RESPELT = {
    ("arrive_by", "8"): "08:00",
    ("food", "portugese"): "portuguese",
    ("leave_at", "10"): "10:00",
    ("leave_at", "5:45pm"): "17:45",
    ("leave_at", "after 15:45"): "15:45",
    ("parking", "free"): "yes",
    ("time", "8pm"): "20:00",
    ("time", "9"): "09:00",
    ("type", "night club"): "nightclub",
    ("type", "swimming pool"): "swimmingpool",
}
"""Every value of which the state has another spelling than the annotation."""
RENAMED = {"pricerange": "price_range", "leaveAt": "leave_at", "arriveBy": "arrive_by"}
NOT_SET = ("", "not mentioned", "none")


def read_annotation(metadata: dict[str, Any]) -> dict[str, dict[str, tuple[str, ...]]]:
    state: dict[str, dict[str, tuple[str, ...]]] = {}
    for domain, parts in metadata.items():
        values = parts["semi"] | {slot: value for slot, value in parts["book"].items() if slot != "booked"}
        for raw_slot, value in values.items():
            if value not in NOT_SET:
                slot = RENAMED.get(raw_slot, raw_slot)
                state.setdefault(domain, {})[slot] = tuple(RESPELT.get((slot, one), one) for one in value.split("|"))
    return state


def test_the_state_of_every_turn_is_the_annotations(dialogues: dict[str, Dialogue], raw: dict[str, Any]) -> None:
    for name, dialogue in dialogues.items():
        for number, turn in enumerate(dialogue.turns):
            assert turn.state == read_annotation(raw[name]["log"][2 * number + 1]["metadata"]), (name, number)


# --- the databases, against a filter that knows nothing of them but their JSON ---

DB_KEYS = {
    **{"price_range": "pricerange", "leave_at": "leaveAt", "arrive_by": "arriveBy", "train_id": "trainID"},
    **{slot: slot for slot in ("area", "food", "type", "stars", "parking", "internet", "name", "day")},
    **{"departure": "departure", "destination": "destination"},
}
SEARCHABLE = {
    "restaurant": ("area", "food", "price_range", "name"),
    "hotel": ("area", "price_range", "type", "stars", "parking", "internet", "name"),
    "attraction": ("area", "type", "name"),
    "train": ("departure", "destination", "day", "leave_at", "arrive_by"),
}
MORE_PATIENT = {
    "cafe uno": ["caffe uno"],
    "caf聨 jello galery": ["cafe jello gallery"],
    "christ college": ["christ's college"],
    "finches b and b": ["finches bed and breakfast"],
    "rosas bed and breakfast": ["rosa's bed and breakfast"],
    "wartworth": ["warkworth house"],
    "whale of time": ["whale of a time"],
}
"""Annotated names that the evaluation script's comparison does not find or finds twice, and what they mean."""


def compare_partially(one: str, other: str) -> float:
    """The best match of the shorter text in the longer, as the evaluation script compares names."""
    one, other = sorted((one, other), key=len)
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    windows = {max(block.b - block.a, 0) for block in blocks}
    return max(SequenceMatcher(None, one, other[place : place + len(one)], autojunk=False).ratio() for place in windows)


def filter_plainly(records: Records, wanted: dict[str, str]) -> list[dict[str, str]]:
    def has(record: dict[str, str], slot: str, wish: str) -> bool:
        value = record[DB_KEYS[slot]]
        if value == "?" or wish == "dontcare":
            return True
        if slot == "leave_at":
            return value >= wish
        if slot == "arrive_by":
            return value <= wish
        if slot == "food":
            return set(wish.split()) <= set(value.split())
        return value.replace("mutliple", "multiple") == wish

    kept = [record for record in records if all(has(record, slot, wanted[slot]) for slot in wanted if slot != "name")]
    name = wanted.get("name", "dontcare")
    if name == "dontcare":
        return kept
    exact = [record for record in kept if record["name"].removeprefix("the ") == name.removeprefix("the ")]
    like = MORE_PATIENT.get(name)
    if like is not None:
        return [record for record in kept if record["name"] in like]
    return exact or [record for record in kept if compare_partially(record["name"], name) >= 0.9]


def list_search_states(dialogues: dict[str, Dialogue]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each different annotated state of a domain that can be searched, as far as a search can take it."""
    seen = set()
    for dialogue in dialogues.values():
        for turn in dialogue.turns:
            for domain, slots in SEARCHABLE.items():
                state = turn.state.get(domain, {})
                wanted = {slot: state[slot][0] for slot in slots if slot in state}
                for slot in ("leave_at", "arrive_by"):
                    if not re.fullmatch(r"\d\d:\d\d", wanted.get(slot, "00:00")):
                        del wanted[slot]  # after lunch
                key = (domain, *wanted.items())
                if state and key not in seen:
                    seen.add(key)
                    yield domain, wanted


def test_the_matches_of_every_annotated_state_are_those_of_a_plain_filter(
    folder: Path, dialogues: dict[str, Dialogue]
) -> None:
    records = {domain: json.loads((folder / "db" / f"{domain}_db.json").read_text()) for domain in SEARCHABLE}
    (found,) = (found for found in find_corpora(folder, [load_source("multiwoz")]) if found.used)
    assert found.corpus
    databases = load_databases(found.corpus.files)
    count = 0
    for domain, wanted in list_search_states(dialogues):
        key = "train_id" if domain == "train" else "name"
        called = execute(databases, Call(name=f"find_{domain}", arguments=wanted))
        expected = [record[DB_KEYS[key]] for record in filter_plainly(records[domain], wanted)]
        assert [record[key] for record in called["results"]] == expected, (domain, wanted)
        assert called["matches"] == len(expected)
        count += 1
    assert count > 2000


# --- calls and what the replies make of them ---


def test_calls_are_executed_and_counted(dialogues: dict[str, Dialogue]) -> None:
    calls: Counter[str] = Counter()
    matches: Counter[str] = Counter()
    for dialogue in dialogues.values():
        for turn in dialogue.turns:
            for step in turn.steps:
                for call, observation in zip(step.calls, step.observations, strict=True):
                    calls[call.name] += 1
                    matches[call.name] += observation["matches"]
                    assert len(observation["results"]) == observation["matches"]
    assert calls.keys() == {f"find_{domain}" for domain in (*SEARCHABLE, "hospital")} | {
        f"book_{domain}" for domain in ("restaurant", "hotel", "train", "taxi")
    }
    assert sum(calls.values()) == 3681
    mean = {name: matches[name] / count for name, count in calls.items()}
    assert 5 < mean["find_restaurant"] < 12
    assert 5 < mean["find_hotel"] < 8
    assert 9 < mean["find_attraction"] < 13
    assert 60 < mean["find_train"] < 80
    assert mean["book_taxi"] == 1
    assert 0.8 < mean["book_restaurant"] < 1


def test_most_replies_agree_with_the_database_and_the_others_say_why(dialogues: dict[str, Dialogue]) -> None:
    part = Part(source=("multiwoz",), task=("react_response",))
    claims = 0
    findings: list[list[Finding]] = []
    for dialogue in dialogues.values():
        for sample in make_samples(shorten_observations(dialogue, 2), "part", part, dialogue.tools):
            acts = sample.current.labels.system_acts
            claims += any(act.canonical or act.name.startswith("NOTIFY_") for act in acts if act.name != "REQUEST")
            findings.append(check_database(sample))
    wrong = [found for found in findings if found]
    kinds = Counter(finding.where for found in wrong for finding in found)
    assert len(findings) == 7365 - 79, "79 replies have no acts"
    assert len(wrong) / claims < 0.07, "share of the turns that claim something and disagree"
    assert set(kinds) == {"offer", "details", "count", "search", "booking"}
    assert kinds["booking"] < 25
