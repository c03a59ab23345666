"""What the system tells an agent: where records have it, what a dialogue keeps of it, and the day that it names."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue, Fault

TIDE = {"name": "get_tide", "parameters": {"type": "object", "properties": {"harbour": {"type": "string"}}}}
TALK = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]
POLICY = "Never refund."


def read(folder: Path, record: dict[str, Any], **columns: Any) -> Dialogue | Fault:
    (folder / "own.jsonl").write_text(json.dumps(record))
    return read_files(folder, "own.jsonl", columns)[0]


def read_files(folder: Path, name: str, columns: dict[str, Any]) -> list[Dialogue | Fault]:
    source: dict[str, Any] = {
        "name": "own",
        "title": "Own",
        "reader": "messages",
        "licence": "CC0-1.0",
        "citation": "none",
    }
    layouts = [{"name": "files", "splits": {"train": name}}]
    source |= {"homepage": "https://example.org", "layouts": layouts, "columns": columns}
    (folder / "own.yaml").write_text(yaml.safe_dump(source))
    return list(read_dialogues(str(folder / "own.yaml"), folder))


def read_good(folder: Path, record: dict[str, Any], **columns: Any) -> Dialogue:
    dialogue = read(folder, record, **columns)
    assert isinstance(dialogue, Dialogue), dialogue
    return dialogue


# --- where it stands ---


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ({"messages": [{"role": "system", "content": POLICY}, *TALK]}, {}),
        ({"messages": [{"role": "developer", "content": [{"type": "text", "text": POLICY}]}, *TALK]}, {}),
        ({"conversations": [{"from": "system", "value": POLICY}, *TALK]}, {}),
        ({"messages": [{"role": "rules", "content": POLICY}, *TALK]}, {"roles": {"rules": "system"}}),
        ({"messages": TALK, "system": POLICY}, {}),
        ({"messages": TALK, "system": [{"type": "text", "text": POLICY, "cache_control": {}}]}, {}),
        ({"messages": TALK, "system_prompt": POLICY}, {}),
        ({"messages": TALK, "instructions": POLICY}, {}),
        ({"messages": TALK, "systemInstruction": {"role": "system", "parts": [{"text": POLICY}]}}, {}),
        ({"messages": TALK, "system_instruction": {"parts": {"text": POLICY}}}, {}),
        ({"messages": TALK, "system": POLICY, "instructions": POLICY}, {}),
        ({"messages": [{"role": "system", "content": POLICY}, *TALK], "system": POLICY}, {}),
        ({"messages": TALK, "task": {"rules": POLICY}, "system": "no"}, {"system": "task.rules"}),
        ({"messages": TALK, "wiki": [POLICY, ""]}, {"system": "wiki.0"}),
    ],
)
def test_the_system_text_is_found(tmp_path: Path, record: dict[str, Any], columns: dict[str, Any]) -> None:
    assert read_good(tmp_path, record, **columns).system == POLICY


def test_several_places_are_joined_before_the_system_messages(tmp_path: Path) -> None:
    record = {"a": "One.", "b": None, "c": "Three.", "messages": [{"role": "system", "content": "Four."}, *TALK]}
    assert read_good(tmp_path, record, system=["a", "b", "c"]).system == "One.\n\nThree.\n\nFour."


def test_a_record_without_a_system_text_or_a_day_is_read(tmp_path: Path) -> None:
    dialogue = read_good(tmp_path, {"messages": TALK, "other": 1}, system="wiki", clock="day")
    assert (dialogue.system, dialogue.clock) == ("", None)


def test_what_is_said_in_the_middle_holds_from_the_next_action_on(tmp_path: Path) -> None:
    later = [{"role": "system", "content": "They are verified."}, *TALK, {"role": "system", "content": "Close."}, *TALK]
    dialogue = read_good(tmp_path, {"messages": [{"role": "system", "content": POLICY}, *TALK, *later]})
    assert dialogue.system == POLICY
    assert [turn.system for turn in dialogue.turns] == ["", "They are verified.", "Close."]
    between = [TALK[0], {"role": "system", "content": "Be brief."}, TALK[1]]
    assert read_good(tmp_path, {"messages": between}).turns[0].system == "Be brief."


# --- what is kept of it ---


@pytest.mark.parametrize("where", ["message", "column"])
def test_functions_listed_there_are_read_and_taken_out(tmp_path: Path, where: str) -> None:
    text = f"{POLICY}\n\nHere is a list of functions that you can invoke:\n{json.dumps([TIDE])}"
    messages = [{"role": "system", "content": text}, *TALK] if where == "message" else TALK
    record = {"messages": messages, **({"system": text} if where == "column" else {})}
    dialogue = read_good(tmp_path, record)
    assert [tool.name for tool in dialogue.tools] == ["get_tide"]
    assert dialogue.system == POLICY


# --- the day ---


def test_the_day_that_the_text_calls_today_is_the_clock(tmp_path: Path) -> None:
    text = "The current time is 2024-05-15 15:00:00 EST. Fares of 2023-01-01 apply."
    dialogue = read_good(tmp_path, {"messages": [{"role": "system", "content": text}, *TALK]})
    assert dialogue.clock == datetime.date(2024, 5, 15)
    assert dialogue.system == text


def test_a_column_with_the_day_goes_before_the_text(tmp_path: Path) -> None:
    record = {"messages": TALK, "system": "Today is 2024-05-15.", "meta": {"now": "2024-06-01T10:00:00"}}
    assert read_good(tmp_path, record, clock="meta.now").clock == datetime.date(2024, 6, 1)
    assert read_good(tmp_path, {**record, "meta": {"now": None}}, clock="meta.now").clock == datetime.date(2024, 5, 15)


def test_a_column_of_dates_in_parquet_is_the_clock(tmp_path: Path) -> None:
    rows = [{"messages": TALK, "day": datetime.date(2024, 5, 15)}, {"messages": TALK, "day": None}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "own.parquet")
    clocks = [getattr(one, "clock", one) for one in read_files(tmp_path, "own.parquet", {"clock": "day"})]
    assert clocks == [datetime.date(2024, 5, 15), None]


@pytest.mark.parametrize("value", ["05/06/2024", "soon", 1715760000])
def test_a_day_that_is_none_is_a_fault(tmp_path: Path, value: Any) -> None:
    fault = read(tmp_path, {"messages": TALK, "day": value}, clock="day")
    assert isinstance(fault, Fault)
    assert fault.reason == f"'day' should be a date like 2024-05-15, found {value!r}"
