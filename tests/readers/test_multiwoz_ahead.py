"""Bookings in 2.2, whose annotation has none: found in the rest of the dialogue, made once, and none is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue

Acts = dict[str, list[list[str]]]
Turn = tuple[str, dict[str, list[str]], str, Acts]
"""What the user says, the state then, the reply, and its acts."""

TABLE = {"restaurant-area": ["centre"], "restaurant-food": ["italian"]}
WHEN = {"restaurant-bookday": ["friday"], "restaurant-booktime": ["18:00"], "restaurant-bookpeople": ["2"]}
SEARCH: Turn = ("An Italian place in the centre.", TABLE, "There are 2.", {"Restaurant-Inform": [["Choice", "2"]]})
RIDE = {"taxi-departure": ["harrow college"], "taxi-destination": ["taverna elea"], "taxi-leaveat": ["17:15"]}
FOUND = {"Booking-Book": [["none", "none"]]}


@pytest.fixture
def folder(bundled: Path, tmp_path: Path) -> Path:
    (tmp_path / "train").mkdir()
    shutil.copytree(bundled / "multiwoz" / "db", tmp_path / "db")
    return tmp_path


def read(folder: Path, *turns: Turn, with_acts: bool = True, intent: str = "") -> list[list[dict[str, Any]]]:
    """What the bookings of each turn returned."""
    raw: list[dict[str, Any]] = []
    for user, state, reply, _ in turns:
        services = dict.fromkeys(slot.partition("-")[0] for slot in state)
        frames = [
            {
                "service": service,
                "slots": [],
                "state": {
                    "active_intent": intent or f"find_{service}",
                    "requested_slots": [],
                    "slot_values": {slot: values for slot, values in state.items() if slot.startswith(service)},
                },
            }
            for service in services
        ]
        raw += [
            {"speaker": "USER", "utterance": user, "frames": frames},
            {"speaker": "SYSTEM", "utterance": reply, "frames": []},
        ]
    acts = {str(2 * number + 1): {"dialog_act": acts} for number, (*_, acts) in enumerate(turns)}
    (folder / "train" / "dialogues_001.json").write_text(json.dumps([{"dialogue_id": "MUL0001.json", "turns": raw}]))
    if with_acts:
        (folder / "dialog_acts.json").write_text(json.dumps({"MUL0001.json": acts}))
    (dialogue,) = read_dialogues("multiwoz", folder)
    assert isinstance(dialogue, Dialogue), dialogue
    return [
        [
            observation["results"][0] if observation["results"] else {}
            for step in turn.steps
            for call, observation in step.exchanges
            if call.name.startswith("book_")
        ]
        for turn in dialogue.turns
    ]


def test_a_reference_that_is_asked_for_later_belongs_to_the_booking_that_was_made(folder: Path) -> None:
    booked, asked = read(
        folder,
        SEARCH,
        ("Bella Vetta, please.", TABLE | WHEN | {"restaurant-name": ["bella vetta"]}, "It is booked.", FOUND),
        ("The reference?", TABLE | WHEN, "It is Q7RT40KX.", {"Booking-Inform": [["Ref", "Q7RT40KX"]]}),
    )[1:]
    assert ([one["reference"] for one in booked], asked) == (["Q7RT40KX"], [])


def test_a_reference_without_an_act_is_found_in_the_reply(folder: Path) -> None:
    booked, asked = read(
        folder,
        SEARCH,
        ("Bella Vetta, please.", TABLE | WHEN | {"restaurant-name": ["bella vetta"]}, "It is booked.", FOUND),
        ("The reference?", TABLE | WHEN, "Q7RT40KX, have a nice evening.", {"general-bye": [["none", "none"]]}),
    )[1:]
    assert ([one["reference"] for one in booked], asked) == (["Q7RT40KX"], [])


def test_another_booking_of_the_domain_keeps_its_own_reference(folder: Path) -> None:
    later = WHEN | {"restaurant-booktime": ["20:00"]}
    named = TABLE | {"restaurant-name": ["bella vetta"]}
    told = {"Booking-Book": [["Ref", "8M2WZLP1"]]}
    first, second = read(
        folder,
        SEARCH,
        ("Bella Vetta, please.", named | WHEN, "It is booked.", FOUND),
        ("And another table at 8.", named | later, "Booked, 8M2WZLP1.", told),
    )[1:]
    assert first[0]["reference"] != "8M2WZLP1"
    assert [one["reference"] for one in second] == ["8M2WZLP1"]


@pytest.mark.parametrize(
    ("reply", "later", "name"),
    [
        ("You have a table at Bella Vetta.", "Goodbye.", "bella vetta"),
        ("You have a table at the Copper Lantern.", "Goodbye.", "the copper lantern"),
        ("You have a table.", "Bella Vetta is in Mill Road.", "bella vetta"),
        ("You have a table.", "Goodbye.", "the copper lantern"),
    ],
    ids=["in the reply", "with an article", "in a later reply", "nowhere: the first"],
)
def test_what_is_booked_is_what_the_words_say(reply: str, later: str, name: str, folder: Path) -> None:
    booked = read(
        folder,
        SEARCH,
        ("Either of them, on Friday at 6 for 2.", TABLE | WHEN, reply, {"Booking-Book": [["Ref", "Q7RT40KX"]]}),
        ("Where is it?", TABLE | WHEN, later, {"general-bye": [["none", "none"]]}),
    )[1]
    assert [(one["name"], one["reference"]) for one in booked] == [(name, "Q7RT40KX")]


def test_a_refused_booking_of_nobody_knows_what_is_not_made_up(folder: Path) -> None:
    refused = {"Booking-NoBook": [["none", "none"]]}
    turns = read(folder, SEARCH, ("Either, Friday at 6 for 2.", TABLE | WHEN, "They are full.", refused))
    assert turns == [[], []]


def test_car_and_phone_of_a_taxi_may_be_told_one_after_the_other(folder: Path) -> None:
    booked, asked = read(
        folder,
        ("A taxi, please.", RIDE, "A green Skoda is booked.", {"Taxi-Inform": [["Car", "green Skoda"]]}),
        ("Its number?", RIDE, "It is 07700900123.", {"Taxi-Inform": [["Phone", "07700900123"]]}),
    )
    assert ([(one["type"], one["phone"]) for one in booked], asked) == ([("green skoda", "07700900123")], [])


def test_another_ride_has_another_car(folder: Path) -> None:
    first, second = read(
        folder,
        ("A taxi, please.", RIDE, "A green Skoda is booked.", {"Taxi-Inform": [["Car", "green Skoda"]]}),
        (
            "And one at 9.",
            RIDE | {"taxi-leaveat": ["21:00"]},
            "A red Ford, 07700900123.",
            {"Taxi-Inform": [["Car", "red Ford"], ["Phone", "07700900123"]]},
        ),
    )
    assert first[0]["phone"] != "07700900123"
    assert [(one["type"], one["phone"]) for one in second] == [("red ford", "07700900123")]


@pytest.mark.parametrize("words", ["the 09:06", "TR3031", "the one that arrives at 09:34"])
def test_a_train_is_known_by_its_times(words: str, folder: Path) -> None:
    trains = json.loads((folder / "db" / "train_db.json").read_text())
    train = next(one for one in trains if one["trainID"] == "TR3031")
    line = {f"train-{slot}": [train[slot]] for slot in ("departure", "destination", "day")}
    words = words.replace("09:06", train["leaveAt"]).replace("09:34", train["arriveBy"])
    booked = read(
        folder,
        ("A train, please.", line, "There are some.", {"Train-Inform": [["Choice", "some"]]}),
        (
            "Two seats.",
            line | {"train-bookpeople": ["2"]},
            f"Booked: {words}. It is Q7RT40KX.",
            {"Train-OfferBooked": [["Ref", "Q7RT40KX"]]},
        ),
    )[1]
    assert [(one["train_id"], one["reference"]) for one in booked] == [("TR3031", "Q7RT40KX")]


def test_without_acts_a_taxi_is_known_by_its_car(folder: Path) -> None:
    booked, _ = read(
        folder,
        ("A taxi, please.", RIDE, "I have booked you a grey Audi. The number is 07700900123.", {}),
        ("Thanks.", RIDE, "Goodbye.", {}),
        with_acts=False,
    )
    assert [(one["type"], one["phone"]) for one in booked] == [("grey audi", "07700900123")]
