"""Ids of records that are doubled, missing, null or odd, in every reader: each row has one of its own, which `show`
finds, and records of one id are on one side of the split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.pipeline.build import build
from coalm_it.recipe import Recipe
from coalm_it.schema import parse_dialogue_name, parse_record_name

REACT = ["react_action", "react_response"]
ODD = [
    "a",
    "a",
    None,
    "",
    " ",
    "a/b",
    "a/b",
    "a/0/function_call",
    "a~2",
    7,
    "7",
    7.0,
    True,
    ["x"],
    {"x": 1},
    "é\n",
    "../x",
]
OWN = {
    "name": "own",
    "title": "Own talks",
    "reader": "messages",
    "licence": "CC0-1.0",
    "homepage": "https://example.org/own",
    "citation": "none",
    "layouts": [{"name": "files", "splits": {"train": "own*"}}],
    "columns": {"id": "id"},
}


def make_talk(number: int) -> dict[str, Any]:
    harbour = f"harbour {number}"
    function = {"name": f"get_tide_{number % 5}", "description": "Tide.", "parameters": {"harbour": {"type": "string"}}}
    call = {"id": "c1", "function": {"name": function["name"], "arguments": {"harbour": harbour}}}
    return {
        "messages": [
            {"role": "user", "content": f"High water in {harbour}?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": '{"high": "06:10"}'},
            {"role": "assistant", "content": "At 06:10."},
        ],
        "tools": [{"type": "function", "function": function}],
    }


def build_and_check(data: Path, parts: dict[str, Any], validation: float = 0.4) -> list[str]:
    """The ids of all rows and rejects of a build, each of which `show` finds."""
    settings = {"expect": {"rejects_at_most": 1}, "validation": validation}
    out = data.parent / "out"
    built = build(Recipe.model_validate({"name": "ids", "parts": parts, **settings}), data=data, out=out)
    sides = {
        side: [row for path in sorted(out.glob(glob)) for row in pq.read_table(path).to_pylist()]
        for side, glob in (
            ("train", "data/samples/train-*"),
            ("validation", "data/samples/validation-*"),
            ("rejects", "rejects/*"),
        )
    }
    rows = [row for side in sides.values() for row in side]
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    left_out = sum(part.left_out for part in built.manifest.parts.values())
    assert len(ids) == sum(part.candidates for part in built.manifest.parts.values()) - left_out, "none vanishes"
    for row in rows:
        assert parse_dialogue_name(row["id"]) == f"{row['source']}/{row['split']}/{row['dialogue_id']}"
    train, held_out = (
        {parse_record_name(row["dialogue_id"]) for row in sides[side]} for side in ("train", "validation")
    )
    assert not train & held_out
    for row in rows[:: max(1, len(rows) // 6)]:
        shown = CliRunner().invoke(app, ["show", str(out), row["id"]])
        assert shown.exit_code == 0, row["id"]
        assert shown.stdout.count("\n") > 3
    return ids


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def own(data: Path, **columns: Any) -> dict[str, Any]:
    path = data.parent / "own.yaml"
    path.write_text(json.dumps({**OWN, "columns": columns}))
    return {"source": str(path), "task": "function_call", "layout": "varied"}


def write_lines(path: Path, records: list[Any]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.mark.parametrize("files", [1, 2])
@pytest.mark.parametrize("columns", [{"id": "id"}, {"id": "talk_id"}, {}], ids=["ids", "missing", "none"])
def test_odd_ids_of_an_own_corpus(files: int, columns: dict[str, str], data: Path) -> None:
    for file in range(files):
        records = [{"id": id, **make_talk(20 * file + number)} for number, id in enumerate(ODD)]
        write_lines(data / f"own-{file}.jsonl", records)
    ids = build_and_check(data, {"own": own(data, **columns)}, validation=0.2)
    assert len(ids) <= 2 * files * len(ODD)


def test_records_under_a_key_of_two_files(data: Path) -> None:
    for file in range(2):
        records = [{"id": id, **make_talk(number)} for number, id in enumerate(["a", "b"])]
        (data / f"own-{file}.json").write_text(json.dumps({"data": records}, indent=1))
    ids = build_and_check(data, {"own": own(data, id="id", records="data")}, validation=0)
    assert {parse_dialogue_name(id) for id in ids} == {f"own/train/{name}" for name in ("a", "b", "a~2", "b~2")}


def test_files_whose_names_differ_only_in_their_endings(data: Path) -> None:
    write_lines(data / "own.jsonl", [make_talk(1)])
    (data / "own.json").write_text(json.dumps([make_talk(2)]))
    ids = build_and_check(data, {"own": own(data)}, validation=0)
    assert {parse_dialogue_name(id) for id in ids} == {"own/train/own_0", "own/train/own_0~2"}


def double(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_doubled_ids_of_sgd_in_one_file_and_in_two(bundled: Path, data: Path) -> None:
    folder = Path(shutil.copytree(bundled / "sgd", data / "sgd"))
    first = folder / "train" / "dialogues_001.json"
    double(first, lambda records: [*records, records[0]])
    shutil.copy(first, folder / "train" / "dialogues_003.json")
    ids = build_and_check(data, {"sgd": {"source": "sgd", "task": REACT}})
    name = json.loads(first.read_text())[0]["dialogue_id"]
    assert {f"sgd/train/{name}{mark}" for mark in ("", "~2", "~3")} < {parse_dialogue_name(id) for id in ids}


def test_doubled_ids_of_multiwoz_2_2_in_two_files(data: Path) -> None:
    folder = Path(shutil.copytree(Path(__file__).parents[1] / "golden" / "multiwoz22" / "raw", data / "raw"))
    shutil.copy(folder / "train" / "dialogues_001.json", folder / "train" / "dialogues_002.json")
    ids = build_and_check(data, {"woz": {"source": "multiwoz", "task": REACT}}, validation=0)
    assert {parse_dialogue_name(id) for id in ids} == {"multiwoz/train/SNG0003", "multiwoz/train/SNG0003~2"}


@pytest.mark.parametrize("name", ["SNG0101", "SNG0101.JSON", "sng0101.json"])
def test_doubled_names_of_multiwoz_in_data_json(name: str, bundled: Path, data: Path) -> None:
    folder = Path(shutil.copytree(bundled / "multiwoz", data / "multiwoz"))
    double(folder / "data.json", lambda records: {**records, name: records["SNG0101.json"]})
    build_and_check(data, {"woz": {"source": "multiwoz", "task": REACT}}, validation=0.3)


def test_doubled_and_missing_ids_of_snips_xlam_and_toolace(bundled: Path, data: Path) -> None:
    for name in ("snips", "xlam", "toolace"):
        shutil.copytree(bundled / name, data / name)
    double(data / "snips" / "train.json", lambda records: [*records, records[0], {**records[1], "dialog_id": None}])
    xlam = data / "xlam" / "xlam_function_calling_60k.json"
    double(xlam, lambda records: [*records, records[0], {**records[1], "id": None}, {**records[2], "id": "a/b"}])
    double(data / "toolace" / "data.json", lambda records: [*records, records[0]])
    parts = {
        "snips": {"source": "snips", "task": "state_tracking"},
        "xlam": {"source": "xlam", "task": "function_call"},
        "toolace": {"source": "toolace", "task": "function_call"},
    }
    build_and_check(data, parts, validation=0.2)


def test_two_parts_with_the_same_samples(bundled: Path, data: Path) -> None:
    shutil.copytree(bundled / "sgd", data / "sgd")
    part = {"source": "sgd", "task": REACT}
    ids = build_and_check(data, {"one": part, "other": {**part, "layout": "varied"}})
    assert sum(id.endswith("~1") for id in ids) == len(ids) / 2


def test_the_row_of_an_id_is_shown_before_a_dialogue_of_that_name(data: Path) -> None:
    record = {"id": "a", **make_talk(1)}
    longer = make_talk(2)
    longer["messages"] += make_talk(2)["messages"]
    write_lines(data / "own.jsonl", [record, {"id": "a/0/function_call", **longer}])
    build_and_check(data, {"own": own(data, id="id")}, validation=0)
    shown = CliRunner().invoke(app, ["show", str(data.parent / "out"), "own/train/a/0/function_call"])
    assert "harbour 1" in shown.stdout
    assert "harbour 2" not in shown.stdout
