"""A build opens in datasets, pandas, polars and duckdb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Json, List, load_dataset
from decoded import decode_messages

from coalm_it.pipeline.build import build

pytestmark = pytest.mark.libraries

COLUMNS = ["instruction", "input", "output"]
SAMPLE_COLUMNS = [
    "prompt", "completion", "tools",
    "id", "part", "task", "source", "split", "dialogue_id", "turn", "licence", "thought", "provenance",
]  # fmt: skip
DIALOGUE_COLUMNS = ["messages", "tools", "id", "part", "source", "split", "licence", "turns"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def coalm_it(demo: Path, cache: str) -> Dataset:
    return load_dataset(str(demo), split="train", cache_dir=cache)


@pytest.fixture(scope="module")
def samples(demo: Path, cache: str) -> Dataset:
    return load_dataset(str(demo), "samples", split="train", cache_dir=cache)


def test_the_default_config_has_the_published_columns(coalm_it: Dataset) -> None:
    assert coalm_it.column_names == COLUMNS
    assert {feature.dtype for feature in coalm_it.features.values()} == {"string"}
    assert len(coalm_it) > 300
    assert all(text for row in coalm_it for text in row.values())


def test_each_config_opens_by_its_name_and_has_one_split(demo: Path, cache: str) -> None:
    for config in ("coalm_it", "samples", "dialogues"):
        assert list(load_dataset(str(demo), config, cache_dir=cache)) == ["train"]


def test_samples_have_typed_columns(samples: Dataset) -> None:
    assert samples.column_names == SAMPLE_COLUMNS
    assert samples.features["turn"].dtype == "int32"
    assert [samples.features[name] for name in ("prompt", "completion", "tools")] == 3 * [List(Json())]


def test_messages_are_objects_without_empty_keys(samples: Dataset) -> None:
    for row in samples:
        for message in (*row["prompt"], *row["completion"]):
            assert None not in message.values()
            assert isinstance(message["content"], str)
        assert [message["role"] for message in row["completion"]] == ["assistant"]


def test_a_dialogue_is_what_its_last_row_shows(demo: Path, cache: str, samples: Dataset) -> None:
    """No turn of the bundled dialogues of SGD is rejected."""
    dialogues = load_dataset(str(demo), "dialogues", split="train", cache_dir=cache)
    assert dialogues.column_names == DIALOGUE_COLUMNS
    rows = [row for row in samples if row["part"] == "sgd"]
    assert len(dialogues) == len({row["dialogue_id"] for row in rows})
    for dialogue in dialogues:
        last = max((row for row in rows if row["id"].startswith(f"{dialogue['id']}/")), key=lambda row: row["turn"])
        assert dialogue["messages"] == [*last["prompt"], *last["completion"]]
        assert (dialogue["tools"], dialogue["turns"]) == (last["tools"], last["turn"] + 1)


def test_a_newer_build_in_the_same_folder_is_seen(tmp_path: Path) -> None:
    for seed in (1, 2):
        out = build("tod", out=tmp_path / "out", changes=[f"seed={seed}"]).out
        loaded = load_dataset(str(out), "samples", split="train", cache_dir=str(tmp_path / "cache"))
        files = sorted((out / "data" / "samples").glob("*.parquet"))
        assert loaded["id"] == [row for path in files for row in pq.read_table(path)["id"].to_pylist()]


def test_both_configs_have_the_same_rows_in_the_same_order(coalm_it: Dataset, samples: Dataset) -> None:
    assert len(coalm_it) == len(samples)
    for row, sample in zip(coalm_it, samples, strict=True):
        messages, _ = decode_messages(sample)
        target = messages[-1]
        user = next(message for message in reversed(messages) if message["role"] == "user")
        assert row["input"].split("\n")[0] == f"User: {user['content']}"
        if sample["task"] == "react_action":
            assert row["output"].startswith("Action: ")
            assert row["output"].count("Action: ") == len(target["tool_calls"])
            assert row["input"].endswith(f"\nThought: {sample['thought']}")
        else:
            assert row["output"] == f"System: {target['content']}"
        assert target.get("reasoning_content") == sample["thought"]


def test_decoded_messages_are_python_objects(samples: Dataset) -> None:
    actions = [row for row in samples if row["task"] == "react_action"]
    for row in actions:
        messages, tools = decode_messages(row)
        names = {tool["function"]["name"] for tool in tools}
        for call in messages[-1]["tool_calls"]:
            assert call["type"] == "function"
            assert isinstance(call["function"]["arguments"], dict)
            assert call["function"]["name"] in names
        assert all(None not in message.values() for message in messages)
    states = [row for row in samples if row["task"] == "state_tracking"]
    assert {row["tools"] for row in states} == {None}
    for row in states:
        messages, tools = decode_messages(row)
        assert tools == []
        assert set(json.loads(messages[-1]["content"])) == {"domain", "slot_values"}


def read_with_pandas(files: Path) -> list[dict[str, Any]]:
    read = pd.concat([pd.read_parquet(path) for path in sorted(files.glob("*.parquet"))])
    return [plain(row) for row in read.to_dict("records")]


def read_with_polars(files: Path) -> list[dict[str, Any]]:
    return pl.read_parquet(files / "*.parquet").to_dicts()


def read_with_duckdb(files: Path) -> list[dict[str, Any]]:
    result = duckdb.sql(f"select * from read_parquet('{files}/*.parquet')")
    assert result
    return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of pandas without its arrays and its other ways to say None."""
    for name, value in row.items():
        if isinstance(value, np.ndarray):
            row[name] = list(value)
        elif pd.isna(value):
            row[name] = None
    return row


@pytest.mark.parametrize("read", [read_with_pandas, read_with_polars, read_with_duckdb])
@pytest.mark.parametrize(
    ("config", "columns"), [("coalm_it", COLUMNS), ("samples", SAMPLE_COLUMNS), ("dialogues", DIALOGUE_COLUMNS)]
)
def test_other_libraries_read_the_same(config: str, columns: list[str], read: Any, demo: Path) -> None:
    expected = pq.read_table(demo / "data" / config).to_pylist()
    assert read(demo / "data" / config) == expected
    assert list(expected[0]) == columns


def test_sql_counts_the_parts(demo: Path) -> None:
    counted = duckdb.sql(f"select part, count(*) from '{demo}/data/samples/*.parquet' group by part")
    assert counted
    manifest = json.loads((demo / "manifest.json").read_text())
    assert dict(counted.fetchall()) == {name: part["rows"] for name, part in manifest["parts"].items()}
