"""Functions that look right and are wrong: shown beside those of a request, and certain to be wrong for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from coalm_it.corpora.toolspecs import read_tools
from coalm_it.pipeline.build import build
from coalm_it.recipe import Part
from coalm_it.samples.near_misses import NearMiss, ToolIndex, add_near_misses, find_near_misses
from coalm_it.samples.variants import VariantSettings, copy_sample
from coalm_it.schema import Call, Sample, Step, Tool, Turn


def make_tool(name: str, description: str, **parameters: str | dict[str, Any]) -> Tool:
    entries = {
        key: {"type": "string", "description": value} if isinstance(value, str) else value
        for key, value in parameters.items()
    }
    schema = {"type": "object", "properties": entries, "required": list(entries)}
    (tool,) = read_tools([{"name": name, "description": description, "parameters": schema}])
    return tool


REMIND = make_tool("add_reminder", "Adds a reminder.", content="What to remind of.")
ASK_REMINDER = Call(id="call_0_0", name="add_reminder", arguments={"content": "the rent"})
DELETE = make_tool("delete_reminder", "Deletes a reminder.", reminder_id="Which one.")
TIDE = make_tool("get_tide", "Tide at a harbour.", harbour="Name of the harbour.")
ASK_TIDE = Call(id="call_0_0", name="get_tide", arguments={"harbour": "Oban"})
BY_STATION = make_tool("get_tide_by_station", "Tide at a station.", station_code="Code of the station.")


def make_sample(user: str, tool: Tool, call: Call, history: tuple[Turn, ...] = ()) -> Sample:
    about = {"part": "p", "source": "s", "split": "train", "dialogue_id": "d", "licence": "CC0-1.0"}
    turns = (*history, Turn(user=user, steps=(Step(calls=(call,)),)))
    fields = {"id": "s/train/d/0/function_call", "tools": (tool,), "turns": turns, "turn": len(history), **about}
    return Sample(task="function_call", layout="varied", step=0, **fields)


def find(user: str, tool: Tool, call: Call, *others: Tool) -> list[NearMiss]:
    return find_near_misses(make_sample(user, tool, call), ToolIndex((tool, *others)), 5, seed=1)


@pytest.mark.parametrize(
    ("user", "other", "is_wrong"),
    [
        ("Add a reminder: the rent.", DELETE, True),
        ("Add a reminder: the rent.", make_tool("removeReminder", "Removing a reminder.", reminder_id="Which."), True),
        ("Delete the old reminder and add one: the rent.", DELETE, False),
        ("Add a reminder: the rent.", make_tool("create_reminder", "Creates a reminder.", text="What."), False),
        ("Add a reminder: the rent.", make_tool("list_reminders", "Lists all reminders."), False),
        ("Add a reminder: the rent.", make_tool("reminder_order", "Order of reminders."), False),
        ("Add a reminder: the rent.", make_tool("delete_bird", "Deletes a bird.", bird_id="Which."), False),
        ("Add a reminder: the rent.", make_tool("delete_reminder", "Deletes it.", content="What."), False),
    ],
)
def test_a_function_that_changes_something_else_is_wrong(user: str, other: Tool, is_wrong: bool) -> None:
    found = find(user, REMIND, ASK_REMINDER, other)
    assert found == [NearMiss(other, "action")] * is_wrong


@pytest.mark.parametrize(
    ("user", "other", "is_wrong"),
    [
        ("High water in Oban?", BY_STATION, True),
        ("High water in Oban, at station 7?", BY_STATION, False),
        ("High water in Oban, or is it Tobermory?", BY_STATION, False),
        ("High water in the harbour of my town?", BY_STATION, False),
        ("High water in Oban?", make_tool("find_tide", "Tide at a place.", place="Name of the harbour."), False),
        ("High water in Oban?", make_tool("tide_search", "Finds tides.", query="What to look for."), False),
        ("High water in Oban?", make_tool("all_tides", "Tides everywhere."), False),
        (
            "High water in Oban?",
            make_tool("tide_level", "Tide level.", datum={"type": "string", "default": "LAT"}),
            False,
        ),
    ],
)
def test_a_function_that_requires_a_value_of_which_nothing_is_said_is_wrong(
    user: str, other: Tool, is_wrong: bool
) -> None:
    found = find(user, TIDE, ASK_TIDE, other)
    assert found == [NearMiss(other, "value")] * is_wrong


def test_only_first_calls_of_a_first_turn_get_near_misses() -> None:
    index = ToolIndex((REMIND, DELETE))
    sample = make_sample("Add a reminder: the rent.", REMIND, ASK_REMINDER)
    assert len(find_near_misses(sample, index, 5, seed=1)) == 1
    assert find_near_misses(sample, index, 0, seed=1) == []
    later = make_sample("Add a reminder: the rent.", REMIND, ASK_REMINDER, (Turn(user="Hi.", reply="Hi."),))
    assert find_near_misses(later, index, 5, seed=1) == []
    assert find_near_misses(sample.model_copy(update={"step": None}), index, 5, seed=1) == []
    assert find_near_misses(sample.model_copy(update={"tools": (DELETE,)}), index, 5, seed=1) == []


def test_no_place_among_the_functions_gives_the_right_one_away() -> None:
    sample = make_sample("Add a reminder: the rent.", REMIND, ASK_REMINDER)
    places = set()
    for number in range(40):
        copy = sample.model_copy(update={"id": f"s/train/{number}/0/function_call"})
        made = add_near_misses(copy, [NearMiss(DELETE, "action"), NearMiss(BY_STATION, "value")], seed=1)
        assert made.provenance["near_misses"] == ["delete_reminder", "get_tide_by_station"]
        places.add(tuple(tool.name for tool in made.tools).index("add_reminder"))
    assert places == {0, 1, 2}


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ({"no_function": 1.0}, ["delete_reminder"]),
        ({"no_value": 1.0}, ["delete_reminder", "tide_at_station"]),
        ({}, ["delete_reminder", "tide_at_station"]),
    ],
)
def test_what_could_be_asked_for_is_not_shown_where_no_function_may_fit(
    share: dict[str, float], expected: list[str]
) -> None:
    remind = make_tool("add_reminder", "Adds a reminder at high tide.", harbour="Name of the harbour.")
    station = make_tool("tide_at_station", "Tide at a station.", station_code="Code of the station.")
    call = Call(id="call_0_0", name="add_reminder", arguments={"harbour": "Oban"})
    sample = make_sample("Add a reminder of the high tide in Oban.", remind, call)
    bird = make_tool("count_birds", "Counts birds.")
    sample = sample.model_copy(update={"tools": (remind, bird)})
    part = Part.model_validate(
        {"source": "xlam", "task": "function_call", "layout": "varied", "unanswerable": share or None}
    )
    index = ToolIndex((remind, DELETE, station))
    (copy,) = copy_sample(sample, VariantSettings(part, seed=1, index=index, near_misses=2))
    assert sorted(copy.provenance["near_misses"]) == expected
    assert ("unanswerable" in copy.provenance) is bool(share)


def test_the_index_holds_each_function_once() -> None:
    index = ToolIndex([REMIND, REMIND, DELETE])
    assert index.tools == [REMIND, DELETE]
    assert index.find_similar(frozenset(("remin",)), ("key",)) in ([REMIND, DELETE], [DELETE, REMIND])
    assert ToolIndex(()).find_similar(frozenset(("remin",)), ("key",)) == []


def test_a_recipe_asks_for_near_misses(tmp_path: Path) -> None:
    others = ("snips", "sgd", "sgd_state", "multiwoz", "multiwoz_state", "toolace")
    changes = [*(f"parts.{name}=null" for name in others), "parts.xlam.mask=null"]
    found: dict[int, dict[str, list[str]]] = {}
    for count in (0, 2):
        out = build("coalm_it_plus", out=tmp_path / str(count), changes=[*changes, f"near_misses={count}"]).out
        rows = [row for path in (out / "data/samples").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
        found[count] = {row["id"]: json.loads(row["provenance"]).get("near_misses", []) for row in rows}
        for row in rows:
            shown = [tool["function"]["name"] for tool in map(json.loads, row["tools"] or ())]
            assert all(shown.count(name) == 1 for name in found[count][row["id"]])
    assert not any(found[0].values())
    assert 0 < max(map(len, found[2].values())) <= 2
