"""Validation rows: held out by dialogue, function calls by function, and counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from decoded import decode_messages
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.draw import stable_hash
from coalm_it.mixture.quotas import Candidate
from coalm_it.mixture.split import Functions, find_side, is_held_out, join_functions, split_candidates
from coalm_it.pipeline.build import BuildResult, build
from coalm_it.recipe import Recipe

TRUSTED = {"grounding": False, "reply_facts": False}
SGD = {"source": "sgd", "task": ["react_action", "react_response"]}
STATE = {"source": "sgd", "task": "state_tracking"}
XLAM = {"source": ["xlam", "xlam_irrelevance"], "task": "function_call", "layout": "hammer", "checks": TRUSTED}
TOOLACE = {"source": "toolace", "task": "function_call", "checks": TRUSTED}


def make(out: Path, parts: dict[str, Any], **settings: Any) -> BuildResult:
    return build(Recipe.model_validate({"name": "mix", "parts": parts, **settings}), out=out)


def read_split(out: Path, split: str, config: str = "samples") -> list[dict[str, Any]]:
    paths = sorted((out / "data" / config).glob(f"{split}-*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def dialogues(rows: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["source"], row["dialogue_id"]) for row in rows}


def true_name(row: dict[str, Any], name: str) -> str:
    true_names = json.loads(row["provenance"]).get("mask", {}).get("functions", {})
    return str(true_names.get(name, name))


def called(row: dict[str, Any]) -> set[str]:
    """Functions of the target's calls."""
    calls = decode_messages(row)[0][-1].get("tool_calls", ())
    return {true_name(row, call["function"]["name"]) for call in calls}


def shown(row: dict[str, Any]) -> set[str]:
    return {true_name(row, tool["function"]["name"]) for tool in decode_messages(row)[1]}


# --- sides ---


def test_a_share_of_the_dialogues_is_held_out() -> None:
    held = sum(find_side(f"sgd/train/{n}", None, 0.1, 12) == "validation" for n in range(10_000))
    assert 900 < held < 1100


@given(st.text(), st.floats(0, 0.99), st.floats(0, 0.99), st.integers())
def test_a_larger_share_contains_the_smaller(name: str, one: float, other: float, seed: int) -> None:
    less, more = sorted((one, other))
    if is_held_out(name, "function", less, seed):
        assert is_held_out(name, "function", more, seed)


def held_name(held: bool) -> str:
    """A name that is held out, or not, with seed 12 and share 0.5."""
    return next(n for n in map(str, range(99)) if (stable_hash("held out", "function", 12, n) < 2**63) is held)


A, B = held_name(True), held_name(False)


@pytest.mark.parametrize(
    ("about", "shown", "side"),
    [
        ([A], [A], "validation"),
        ([A], [A, B], "validation"),
        ([B], [B], "train"),
        ([B], [A, B], "mixed"),
        ([A, B], [A, B], "mixed"),
        ([], [A, B], "validation"),
        ([], [B], "train"),
    ],
)
def test_function_calls_are_split_by_their_target_functions(about: list[str], shown: list[str], side: str) -> None:
    functions = Functions(frozenset(about), frozenset(shown))
    assert find_side("xlam/train/0", functions, 0.5, 12) == side


def test_the_rows_of_a_dialogue_are_on_one_side_in_every_part() -> None:
    rows = [Candidate(0, n, f"toolace/train/7/{n}/function_call", "toolace/train/7") for n in range(3)]
    functions = join_functions(
        [
            ("toolace/train/7", Functions(frozenset([A]), frozenset([A]))),
            ("toolace/train/7", Functions(frozenset([B]), frozenset([A, B]))),
        ]
    )
    sides = split_candidates({"one": rows, "two": rows[:1]}, functions, 0.5, 12)
    assert sides["mixed"] == {"one": rows, "two": rows[:1]}


def test_records_of_one_id_are_on_one_side() -> None:
    names = [name for number in range(40) for name in (f"own/train/{number}", f"own/train/{number}~2")]
    rows = [Candidate(0, index, f"{name}/0/function_call", name) for index, name in enumerate(names)]
    sides = split_candidates({"own": rows}, {}, 0.5, 12)
    on = {side: {row.dialogue.partition("~")[0] for row in sides[side]["own"]} for side in ("train", "validation")}
    assert all(on.values())
    assert not on["train"] & on["validation"]


# --- builds ---


def test_without_a_share_there_is_no_validation_file(demo: Path) -> None:
    assert not list(demo.rglob("*validation*"))
    parts = json.loads((demo / "manifest.json").read_text())["parts"]
    assert all(part["validation"] == part["mixed"] == 0 for part in parts.values())


def test_a_dialogue_is_on_one_side_in_all_parts(tmp_path: Path) -> None:
    built = make(tmp_path / "out", {"sgd": SGD, "sgd_state": STATE}, validation=0.3)
    train, validation = read_split(built.out, "train"), read_split(built.out, "validation")
    assert {row["part"] for row in validation} == {"sgd", "sgd_state"} == {row["part"] for row in train}
    assert dialogues(train).isdisjoint(dialogues(validation))
    by_part = [dialogues(row for row in validation if row["part"] == part) for part in ("sgd", "sgd_state")]
    assert by_part[0] == by_part[1]


def test_both_configs_hold_the_same_validation_rows(tmp_path: Path) -> None:
    built = make(tmp_path / "out", {"sgd": SGD}, validation=0.3)
    columns = read_split(built.out, "validation", "coalm_it")
    samples = read_split(built.out, "validation")
    replies = [decode_messages(row)[0][-1]["content"] for row in samples if row["task"] == "react_response"]
    outputs = [row["output"] for row, sample in zip(columns, samples, strict=True) if "response" in sample["task"]]
    assert outputs == [f"System: {reply}" for reply in replies]
    assert built.manifest.files["data/samples/validation-00000-of-00001.parquet"].rows == len(samples)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.4])
def test_no_function_that_a_validation_row_calls_is_anywhere_in_train(tmp_path: Path, share: float) -> None:
    mask = {"style": "hammer", "probability": 0.6667}
    parts = {"hammer": {**XLAM, "copies": 3, "mask": mask}, "toolace": TOOLACE}
    built = make(tmp_path / "out", parts, validation=share)
    train, validation = read_split(built.out, "train"), read_split(built.out, "validation")
    held = {name for row in validation for name in called(row)}
    assert held
    assert held.isdisjoint({name for row in train for name in called(row) | shown(row)})
    assert dialogues(train).isdisjoint(dialogues(validation)), "copies of a row are on its side"
    assert any("~" in row["id"] for row in validation)
    assert sum(part.mixed for part in built.manifest.parts.values()) > 0


def test_a_request_whose_function_was_removed_is_split_by_that_function(tmp_path: Path) -> None:
    part = {**XLAM, "layout": "varied", "unanswerable": {"no_function": 0.5, "no_value": 0.3}}
    built = make(tmp_path / "out", {"xlam": part}, validation=0.3)
    for side, wanted in (("train", False), ("validation", True)):
        for row in read_split(built.out, side):
            taken = json.loads(row["provenance"]).get("unanswerable", {})
            about = [*taken.get("tools", ()), *([taken["function"]] if "function" in taken else ())]
            assert all(is_held_out(name, "function", 0.3, 12) is wanted for name in about)


def test_second_copies_are_of_train_rows(tmp_path: Path) -> None:
    built = make(tmp_path / "out", {"hammer": {**XLAM, "rows": 80, "fill": "repeat"}}, validation=0.2)
    copies = [row for row in read_split(built.out, "train") if row["id"].endswith("~r1")]
    assert len(copies) == built.manifest.parts["hammer"].repeated > 0
    originals = {json.loads(row["provenance"])["repeat_of"] for row in copies}
    assert originals <= {row["id"] for row in read_split(built.out, "train")}


def test_every_candidate_is_counted_once(tmp_path: Path) -> None:
    parts = {"sgd": {**SGD, "rows": 50}, "hammer": {**XLAM, "copies": 2}, "snips": {**STATE, "source": "snips"}}
    built = make(tmp_path / "out", parts, validation=0.25)
    train, validation = read_split(built.out, "train"), read_split(built.out, "validation")
    for name, part in built.manifest.parts.items():
        rows, held = ([row for row in side if row["part"] == name] for side in (train, validation))
        assert (len(rows), len(held)) == (part.rows, part.validation)
        whole = part.rows - part.repeated + part.validation + part.rejects + part.left_out
        assert part.candidates == whole
        assert part.mixed <= part.left_out


def test_quotas_are_of_train_rows_and_validation_is_its_share_of_both(tmp_path: Path) -> None:
    built = make(tmp_path / "out", {"sgd": {**SGD, "rows": 60}}, validation=0.25)
    part = built.manifest.parts["sgd"]
    assert (part.rows, part.validation) == (60, 20)


def test_a_smaller_build_is_on_the_same_sides_as_the_whole(tmp_path: Path) -> None:
    parts = {"sgd": SGD, "hammer": XLAM}
    whole = make(tmp_path / "whole", parts, validation=0.2)
    small = make(tmp_path / "small", parts, validation=0.2, scale=0.2)
    for side in ("train", "validation"):
        ids = [{row["id"] for row in read_split(built.out, side)} for built in (small, whole)]
        assert ids[0] < ids[1]


def test_the_number_of_workers_does_not_change_the_bytes(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"name": "mix", "parts": {"sgd": SGD, "hammer": XLAM}, "validation": 0.2})
    built = [build(recipe, out=tmp_path / str(workers), workers=workers) for workers in (1, 2)]
    assert built[0].manifest == built[1].manifest


def test_the_table_has_a_column_for_it(tmp_path: Path) -> None:
    command = ["build", "tod", "--out", str(tmp_path / "out"), "--set", "validation=0.2"]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    header, *rows = [re.split(r"  +", line) for line in result.stdout.splitlines()]
    place = header.index("held out")
    assert [int(row[place]) > 0 for row in rows if row[0] in ("snips", "sgd")] == [True, True]


def test_too_few_validation_rows_are_a_shortage(tmp_path: Path) -> None:
    built = make(tmp_path / "out", {"sgd": SGD}, validation=0.3, expect={"validation_at_least": 10_000})
    held_out = built.manifest.parts["sgd"].validation
    assert built.shortfall == (
        f"{held_out} validation rows: validation_at_least is 10,000; --set validation=SHARE holds out more"
    )


@pytest.mark.parametrize("share", ["1", "-0.1", "2"])
def test_an_invalid_share_is_a_one_line_error(tmp_path: Path, share: str) -> None:
    command = ["build", "tod", "--out", str(tmp_path / "out"), "--set", f"validation={share}"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert result.stderr.startswith("coalm-it: tod.yaml: validation: ")
    assert len(result.stderr.splitlines()) == 1
