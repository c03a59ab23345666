"""Builds of an own corpus whose arguments, results and texts are right but for their form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from decoded import decode_messages

from coalm_it.cli import app
from coalm_it.pipeline.build import build
from coalm_it.recipe import Recipe

SOURCE = {
    "name": "own",
    "title": "Own",
    "reader": "messages",
    "licence": "CC0-1.0",
    "homepage": "https://example.org",
    "citation": "none",
    "layouts": [{"name": "files", "splits": {"train": "own.jsonl"}}],
}
PAY = {
    "name": "pay",
    "parameters": {
        "type": "object",
        "properties": {"account": {"type": "integer"}, "amount": {"type": "number"}, "note": {"type": "string"}},
        "required": ["account"],
    },
}


def talk(arguments: dict[str, Any], result: Any = "ok", user: str = "Pay 2 to account 5.", reply: str = "Done.") -> Any:
    call = {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": json.dumps(arguments)}}
    messages = [
        {"role": "user", "content": user},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": result},
        {"role": "assistant", "content": reply},
    ]
    return {"messages": messages, "tools": [{"type": "function", "function": PAY}]}


def write_corpus(folder: Path, *records: Any) -> dict[str, Any]:
    """Writes the corpus; the part of a recipe that reads it."""
    (folder / "own.yaml").write_text(yaml.safe_dump(SOURCE))
    (folder / "own.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return {"source": str(folder / "own.yaml"), "task": "function_call"}


def build_rows(folder: Path, *records: Any, **part: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows in the order of the corpus, and the counts of the part."""
    recipe = {"name": "own", "order": "corpus", "parts": {"own": {**write_corpus(folder, *records), **part}}}
    build(Recipe.model_validate(recipe), data=folder, out=folder / "out")
    paths = sorted((folder / "out" / "data" / "samples").rglob("*.parquet"))
    counts: dict[str, Any] = json.loads((folder / "out" / "manifest.json").read_text())["parts"]["own"]
    return [row for path in paths for row in pq.read_table(path).to_pylist()], counts


def test_mended_arguments_are_counted_and_named_in_the_rows_that_show_them(tmp_path: Path) -> None:
    rows, counts = build_rows(tmp_path, talk({"account": 5.0, "amount": "2", "note": ""}), talk({"account": 5}))
    assert (counts["mended"], counts["rejects"]) == (3, 0)
    call = decode_messages(rows[0])[0][-1]["tool_calls"][0]
    assert call["function"]["arguments"] == {"account": 5, "amount": 2}
    assert [json.loads(row["provenance"]).get("mended_arguments") for row in rows[2:]] == [None, None]
    assert [json.loads(row["provenance"])["mended_arguments"] for row in rows[:2]] == [
        [
            {"turn": 0, "step": 0, "path": "pay.account", "was": 5.0},
            {"turn": 0, "step": 0, "path": "pay.amount", "was": "2"},
            {"turn": 0, "step": 0, "path": "pay.note", "was": ""},
        ]
    ] * 2
    card = (tmp_path / "out" / "README.md").read_text()
    assert "3 values of arguments were brought into the form of their schema without loss" in card


def test_the_table_of_a_build_says_how_many_values_were_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = write_corpus(tmp_path, talk({"account": "5"}))
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"name": "own", "parts": {"own": part}}))
    arguments = ["build", str(tmp_path / "recipe.yaml"), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert app([*arguments, "--workers", "1"], standalone_mode=False) in (0, None)
    assert "own: 1 value of arguments mended, as the provenance of the rows says" in capsys.readouterr().out


@pytest.mark.parametrize("result", ["", None, 5, 5.5, True, [], {}, [{"id": 1}], "a text", [[1]], "null", "{"])
def test_a_result_of_any_kind_makes_two_rows(tmp_path: Path, result: Any) -> None:
    rows, counts = build_rows(tmp_path, talk({"account": 5}, result))
    assert (len(rows), counts["rejects"], counts["faults"]) == (2, 0, 0)


@pytest.mark.parametrize("mark", ["\r\n", "\r", "\u0085", "\u2028", "\u2029", "\f", "\v", "\n"])
def test_line_breaks_of_every_system_are_plain_ones_and_lose_no_row(tmp_path: Path, mark: str) -> None:
    record = talk({"account": 5}, user=f"Pay.{mark}To\t5.", reply=f"Done.{mark}Well?")
    rows, counts = build_rows(tmp_path, record)
    assert counts["rejects"] == 0
    messages = decode_messages(rows[1])[0]
    assert [message["content"] for message in messages if message["role"] == "user"] == ["Pay.\nTo\t5."]
    assert messages[-1]["content"] == "Done.\nWell?"


def test_line_breaks_lose_no_row_of_the_react_tasks_in_layout_varied(tmp_path: Path) -> None:
    record = talk({"account": 5}, user="Pay.\r\nTo 5.", reply="Done.\r\nWell?")
    record["messages"][1]["reasoning_content"] = "They want account 5 to be paid."
    record["messages"][3]["reasoning_content"] = "The payment is done, as the result says ok."
    _, counts = build_rows(tmp_path, record, task=["react_action", "react_response"], layout="varied")
    assert (counts["rows"], counts["rejects"]) == (2, 0)


def test_a_parameter_that_nobody_calls_required_is_optional_where_a_call_omits_it(tmp_path: Path) -> None:
    record = talk({"account": 5})
    record["tools"] = [{"name": "pay", "parameters": {"account": {"type": "int"}, "amount": {"type": "float"}}}]
    rows, counts = build_rows(tmp_path, record)
    assert counts["rejects"] == 0
    assert decode_messages(rows[0])[1][0]["function"]["parameters"]["required"] == ["account"]
