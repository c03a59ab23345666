"""Rows in, out and changed between two builds, by part and reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import coalm_it
from coalm_it.cli import app
from coalm_it.pipeline.build import build
from coalm_it.recipe import Recipe
from coalm_it.reports.diff import Diff

pytestmark = pytest.mark.libraries

SGD = {"source": "sgd", "task": ["react_action", "react_response"]}
SNIPS = {"source": "snips", "task": "state_tracking"}
XLAM = {"source": "xlam", "task": "function_call", "layout": "hammer"}
RECIPE: dict[str, Any] = {"name": "mine", "parts": {"sgd": SGD, "snips": SNIPS, "xlam": XLAM}}


def make(folder: Path, **changes: Any) -> Path:
    """A build of the recipe with other settings; `parts` are merged."""
    parts = {**RECIPE["parts"], **changes.pop("parts", {})}
    parts = {name: part for name, part in parts.items() if part}
    return build(Recipe.model_validate({**RECIPE, **changes, "parts": parts}), out=folder).out


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["diff", *map(str, words)])


def count_reasons(found: Diff) -> dict[tuple[str, str, str], int]:
    return {(one.part, one.change, one.reason): one.rows for one in found.reasons}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("plain") / "out")


def read_ids(folder: Path, part: str) -> set[str]:
    table = pq.read_table(folder / "data" / "samples", columns=["id", "part"]).to_pylist()
    return {row["id"] for row in table if row["part"] == part}


def test_the_same_rows_in_another_order_are_the_same(plain: Path, tmp_path: Path) -> None:
    same = run(plain, plain)
    assert same.exit_code == 0, same.output
    assert same.stdout.splitlines()[-1] == f"{plain} has the rows of {plain}"
    other = make(tmp_path / "out", order="corpus")
    found = coalm_it.diff(plain, other)
    assert found.is_same
    assert not found.same_order
    assert run(plain, other).stdout.splitlines()[-1].endswith(", in another order")


def test_another_layout_a_part_that_is_gone_and_one_that_is_new(plain: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"sgd": {**SGD, "layout": "varied"}, "snips": None, "more": {**SNIPS, "split": "test"}}
    other = make(tmp_path / "out", parts=changes)
    found = coalm_it.diff(plain, other)
    sgd = len(read_ids(plain, "sgd"))
    assert count_reasons(found) == {
        ("sgd", "changed", "layout"): sgd,
        ("snips", "out", "no such part"): len(read_ids(plain, "snips")),
        ("more", "in", "no such part"): len(read_ids(other, "more")),
    }
    assert found.parts["sgd"]._asdict() == {
        "before": sgd, "now": sgd, "same": 0, "rows_out": 0, "rows_in": 0, "changed": sgd,
    }  # fmt: skip
    [layout] = [one for one in found.reasons if one.reason == "layout"]
    assert [bool(one["details"]) for one in layout.examples] == 3 * [True]


def test_what_a_check_rejects_now_names_the_check_and_what_it_found(plain: Path, tmp_path: Path) -> None:
    open_to_all = make(tmp_path / "before", parts={"xlam": {**XLAM, "checks": {"grounding": False}}})
    found = coalm_it.diff(open_to_all, plain)
    lost = read_ids(open_to_all, "xlam") - read_ids(plain, "xlam")
    assert lost
    assert {key: rows for key, rows in count_reasons(found).items() if key[1] != "changed"} == {
        ("xlam", "out", "rejected: grounding"): len(lost)
    }
    back = count_reasons(coalm_it.diff(plain, open_to_all))
    assert back["xlam", "in", "rejected: grounding"] == len(lost)
    [reason] = [one for one in found.reasons if one.change == "out"]
    assert reason.examples[0]["details"]


def test_fewer_rows_other_tools_and_a_held_out_split(plain: Path, tmp_path: Path) -> None:
    fewer = make(tmp_path / "fewer", parts={"snips": {**SNIPS, "rows": 20}, "sgd": {**SGD, "filter": {"max_turns": 3}}})
    found = count_reasons(coalm_it.diff(plain, fewer))
    assert found["snips", "out", "not drawn"] == len(read_ids(plain, "snips")) - 20
    assert found["sgd", "out", "not made"] == len(read_ids(plain, "sgd")) - len(read_ids(fewer, "sgd"))
    held = make(tmp_path / "held", validation=0.2, validation_by="dialogues", distractors=0)
    result = coalm_it.diff(plain, held)
    counted = count_reasons(result)
    assert counted["sgd", "changed", "tools"] == len(read_ids(plain, "sgd"))
    assert counted["snips", "changed", "split"] > 0
    details = {one.reason: one.examples[0]["details"] for one in result.reasons if one.part == "sgd"}
    assert details["split"] == "train -> validation"
    assert details["tools"].startswith("without ")


def test_the_same_functions_in_another_order_and_thoughts_are_told_apart(plain: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "out", seed=13)
    result = coalm_it.diff(plain, other, out=tmp_path / "diff.parquet")
    found = count_reasons(result)
    assert {reason for part, _, reason in found if part == "sgd"} == {"tools", "thought"}
    assert not any(part in ("snips", "xlam") for part, _, _ in found)
    table = pl.read_parquet(tmp_path / "diff.parquet")
    assert table.columns == ["id", "change", "part", "split_before", "split_now", "reasons", "details"]
    assert len(table) == len(result.differences)
    exploded = table.explode("reasons").group_by("reasons").len()
    assert dict(exploded.iter_rows()) == {reason: rows for (_, _, reason), rows in found.items()}


def test_it_prints_examples_and_exits_with_1(plain: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "out", seed=13)
    result = run(plain, other)
    assert result.exit_code == 1
    assert "sgd, changed, thought: " in result.stdout
    assert " -> " in result.stdout
    assert result.stderr.startswith("next: coalm-it show ")
    as_json = run(plain, other, "--json", "--examples", "2")
    assert as_json.exit_code == 1
    read = json.loads(as_json.stdout)
    assert (read["same"], read["parts"]["snips"]["changed"]) == (False, 0)
    assert {len(reason["examples"]) for reason in read["reasons"]} == {2}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["PLAIN", "NONE"], "NONE is not a finished build: it has no manifest.json"),
        (["PLAIN", "CHANGED"], "is not the file that was built: its sha256 has changed; build it again"),
        (["PLAIN", "PLAIN", "--out", "diff.csv"], "diff.csv: the differences are written as Parquet: name a file that"),
    ],
)
def test_wrong_input_is_one_line(words: list[str], line: str, plain: Path, tmp_path: Path) -> None:
    changed = make(tmp_path / "changed")
    [data] = (changed / "data" / "samples").iterdir()
    data.write_bytes(data.read_bytes() + b" ")
    result = run(*({"PLAIN": plain, "CHANGED": changed}.get(word, word) for word in words))
    assert result.exit_code == 2
    [said] = result.stderr.splitlines()
    assert line in said
