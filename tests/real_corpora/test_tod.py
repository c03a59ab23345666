"""Recipe tod on the real SNIPS and SGD: their published counts, and that each row is what it should be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from coalm_it.calls import parse_calls

pytestmark = [pytest.mark.corpora, pytest.mark.libraries]


@pytest.fixture(scope="module")
def manifest(tod: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((tod / "manifest.json").read_bytes())
    return read


def scan(tod: Path, *columns: str) -> Iterator[dict[str, Any]]:
    """Rows of both configs side by side, file by file."""
    paths = [sorted((tod / "data" / config).iterdir()) for config in ("coalm_it", "samples")]
    for plain, typed in zip(*paths, strict=True):
        files = pq.ParquetFile(plain), pq.ParquetFile(typed)
        names_of = [file.schema_arrow.names for file in files]
        both = [[name for name in named if name in columns] or named[-1:] for named in names_of]
        batches = [file.iter_batches(2000, columns=names) for file, names in zip(files, both, strict=True)]
        for left, right in zip(*batches, strict=True):
            for one, two in zip(left.to_pylist(), right.to_pylist(), strict=True):
                yield {**one, **two}


def test_snips_gives_its_whole_train_split(manifest: dict[str, Any]) -> None:
    part = manifest["parts"]["snips"]
    assert (part["dialogues"], part["candidates"], part["rows"], part["rejects"]) == (13084, 13084, 13084, 0)
    assert manifest["sources"]["snips"]["layout"] == "split"


def test_sgd_gives_a_response_for_each_turn_and_an_action_for_each_call(tod: Path, manifest: dict[str, Any]) -> None:
    part = manifest["parts"]["sgd"]
    assert part["dialogues"] == 12174
    assert part["candidates"] == 111878 + 33963
    files = [*(tod / "data" / "samples").iterdir(), *(tod / "rejects").iterdir()]
    tasks: Counter[str] = Counter()
    for path in files:
        tasks.update(pq.read_table(path, columns=["task"])["task"].to_pylist())
    assert tasks == {"state_tracking": 13084, "react_response": 111878, "react_action": 33963}


def test_nothing_vanishes(tod: Path, manifest: dict[str, Any]) -> None:
    assert manifest["faults"] == []
    rejected = pl.read_parquet(tod / "rejects" / "*.parquet").get_column("part").to_list()
    for name, part in manifest["parts"].items():
        assert part["candidates"] == part["rows"] + part["rejects"] + part["left_out"]
        assert part["left_out"] == 0
        assert part["rejects"] == rejected.count(name)


def test_few_are_rejected(manifest: dict[str, Any]) -> None:
    part = manifest["parts"]["sgd"]
    assert part["rejects"] < 0.005 * part["candidates"], part["rejected_by"]
    assert part["rejected_by"].get("grounding", 0) < 50


def test_every_action_is_read_back_as_the_call_of_its_messages(tod: Path) -> None:
    actions = 0
    for row in scan(tod, "output", "task", "completion"):
        if row["task"] != "react_action":
            continue
        actions += 1
        calls = json.loads(row["completion"][0])["tool_calls"]
        lines = [line.removeprefix("Action: ") for line in row["output"].split("\n")]
        read = parse_calls("\n".join(lines), "python")
        assert [call.arguments for call in read] == [call["function"]["arguments"] for call in calls]
        for mine, call in zip(read, calls, strict=True):
            assert call["function"]["name"] in (mine.name, f"Media_1_{mine.name}", f"Movies_1_{mine.name}")
    assert actions > 33000


def test_every_action_row_lists_the_51_published_functions(tod: Path) -> None:
    seen = set()
    for row in scan(tod, "instruction", "task"):
        if row["task"] == "react_action":
            block = row["instruction"].split("[BEGIN OF AVAILABLE TOOLS]\n")[1]
            seen.add(block.split("\n[END OF AVAILABLE TOOLS]")[0])
    (functions,) = seen
    lines = functions.split("\n")
    assert len(lines) == 51
    assert lines[0] == "1. CheckBalance(account_type)"
    assert lines[-1] == "51. GetWeather(city)"


def test_every_sample_shows_its_tools_and_six_others(tod: Path) -> None:
    for row in scan(tod, "task", "tools", "completion"):
        if row["task"] == "state_tracking":
            assert row["tools"] is None
        elif called := json.loads(row["completion"][0]).get("tool_calls"):
            names = [tool["function"]["name"] for tool in map(json.loads, row["tools"])]
            assert len(set(names)) == len(names) >= 7
            (call,) = called
            assert call["function"]["name"] in names


def test_load_dataset_opens_the_configs_of_rows(tod: Path, manifest: dict[str, Any]) -> None:
    rows = sum(part["rows"] for part in manifest["parts"].values())
    for config, first in (("coalm_it", "instruction"), ("samples", "prompt")):
        opened = load_dataset(str(tod), config, split="train", streaming=True)
        assert next(iter(opened.column_names)) == first
        assert len(list(opened.take(100))) == 100
        assert sum(pq.read_metadata(path).num_rows for path in (tod / "data" / config).iterdir()) == rows
