"""Files in the forms that people bring: encodings, compression, Parquet, ids; what one odd record costs."""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from talks import FERRY, GOOD, GOOD_ROWS, MALLAIG, TALK, calls, lines, result, says, tool, user

BROKEN = {"messages": TALK, "tools": [FERRY], "score": "@"}


def test_one_object_over_several_lines_is_one_record(build_own: Any) -> None:
    assert build_own({"own.json": json.dumps(GOOD, indent=1)}).outputs == GOOD_ROWS


def test_a_byte_order_mark_is_skipped(build_own: Any) -> None:
    built = build_own({"own.jsonl": lines(GOOD, GOOD).encode("utf-8-sig")})
    assert built.outputs == sorted(2 * GOOD_ROWS)


@pytest.mark.parametrize(("value", "reason"), [("NaN", "nan is no JSON value"), ('"\\ud83d"', "half a surrogate pair")])
@pytest.mark.parametrize("file", ["own.json", "own.jsonl"])
def test_a_value_outside_json_costs_its_record(build_own: Any, file: str, value: str, reason: str) -> None:
    text = lines(BROKEN, GOOD) if file == "own.jsonl" else json.dumps([BROKEN, GOOD])
    built = build_own({file: text.replace('"@"', value)})
    assert built.outputs == GOOD_ROWS
    assert len(built.faults) == 1
    assert f"{file}, own_0: " in built.faults[0]
    assert reason in built.faults[0]


def test_a_broken_line_is_named_by_its_line_in_the_file(build_own: Any) -> None:
    built = build_own({"own.jsonl": "\n" + lines(GOOD) + "\n\n{broken\n" + lines(GOOD)})
    assert built.outputs == sorted(2 * GOOD_ROWS)
    assert len(built.faults) == 1
    assert "line 5 is not JSON" in built.faults[0]


def test_compressed_files_are_read(build_own: Any) -> None:
    packed = {
        "own-1.jsonl.gz": gzip.compress(lines(GOOD).encode()),
        "own-2.jsonl.zst": pa.compress(lines(GOOD).encode(), codec="zstd", asbytes=True),
    }
    assert build_own(packed).outputs == sorted(2 * GOOD_ROWS)


# --- ids ---


def test_records_of_two_files_stay_apart_where_the_named_id_is_missing(build_own: Any) -> None:
    built = build_own({"own-1.jsonl": [GOOD], "own-2.jsonl": [GOOD]}, columns={"id": "talk"})
    assert set(built.rows) == {f"own-{number}_0/0/function_call{step}" for number in (1, 2) for step in ("", ".1")}


@pytest.mark.parametrize("ids", [["x"] * 8, [None] * 8, [""] * 8, ["x/1", "x/2", "x/1", 1] * 2], ids=repr)
def test_a_split_keeps_records_of_one_id_together_and_loses_none(build_own: Any, ids: list[Any]) -> None:
    thoughtful = {**GOOD, "messages": [*TALK[:3], says("At 07:40.", reasoning_content="It leaves at 07:40.")]}
    records = [{**thoughtful, "talk": name} for name in [*ids, *(f"other {number}" for number in range(12))]]
    built = build_own(
        records, columns={"id": "talk"}, changes=("validation=0.3",), task="react_response", layout="varied"
    )
    assert len(built.samples) == len(set(built.samples)) == len(records)
    held_out, trained = (
        {name.split("/")[0].partition("~")[0] for name in built.samples if (name in built.held_out) is side}
        for side in (True, False)
    )
    assert held_out
    assert trained
    assert ids[0] is None or ids[0] == "" or held_out.isdisjoint(trained)


# --- tables ---


def write(path: Path, columns: dict[str, pa.Array]) -> bytes:
    parquet.write_table(pa.table(columns), path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("value", "written"),
    [(datetime.date(2024, 3, 1), '"2024-03-01"'), (decimal.Decimal("12.50"), "12.5"), (b"Iona", '"Iona"')],
    ids=["date", "decimal", "bytes"],
)
def test_arguments_of_other_types_become_json(build_own: Any, tmp_path: Path, value: Any, written: str) -> None:
    made = {"id": "a", "function": {"name": "book", "arguments": {"value": value}}}
    said = user("Book 12.5 for Iona on 2024-03-01.")
    messages = pa.array([[{**said, "tool_calls": None}, {"role": "assistant", "content": None, "tool_calls": [made]}]])
    tools = pa.array([json.dumps([tool("book", value={})])])
    built = build_own({"own.parquet": write(tmp_path / "table", {"messages": messages, "tools": tools})})
    assert built.outputs == [f"[book(value={written})]"]


def test_messages_may_be_json_texts(build_own: Any, tmp_path: Path) -> None:
    columns = {
        "messages": pa.array([[json.dumps(message) for message in TALK]]),
        "tools": pa.array([json.dumps([FERRY])]),
    }
    assert build_own({"own.parquet": write(tmp_path / "table", columns)}).outputs == GOOD_ROWS


def test_the_padding_of_a_table_is_absent(build_own: Any) -> None:
    """A table has one type for all its rows, so that each has the keys of all, with null."""
    port = {"type": "function", "function": {"name": "next_ferry", "arguments": {"port": "Mallaig", "harbour": None}}}
    ferry = json.loads(json.dumps(FERRY))
    ferry["function"]["parameters"]["properties"]["harbour"] = None
    talk = [
        {**TALK[0], "tool_calls": None, "tool_call_id": None},
        {**calls({"id": "a", **port}), "tool_call_id": None},
        {**result('{"leaves": "07:40"}'), "tool_calls": None},
        {**says("At 07:40."), "tool_calls": None, "tool_call_id": None},
    ]
    built = build_own([{"messages": talk, "tools": [ferry]}])
    assert built.outputs == GOOD_ROWS
    assert all("harbour" not in prompt for prompt in built.prompts.values())
    assert MALLAIG["function"]["arguments"] == '{"port": "Mallaig"}'  # type: ignore[index]
