"""The table of a shard, and the Parquet files that are gathered from tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coalm_it.dataset.summary import ShardSummary
from coalm_it.dataset.tables import (
    COALM_IT,
    REJECTS,
    SAMPLES,
    Pick,
    TableBuilder,
    open_table,
    read_summary,
    write_parquet,
    write_table,
)
from coalm_it.recipe import Part
from coalm_it.rendering import Renderer, Row
from coalm_it.samples.targets import make_samples
from coalm_it.schema import Dialogue, Finding, Inventory, Sample

Dialogues = dict[str, Dialogue]
BAD = Finding(check="leak", where="thought", message="it knows the future")


def rows_of(dialogue: Dialogue, inventory: Inventory) -> list[tuple[Sample, Row]]:
    part = Part(source=("sgd",), task=("react_action", "react_response"))
    renderer = Renderer(inventory)
    samples = make_samples(dialogue, "sgd", part, dialogue.tools)
    return [(sample, renderer.render_row(sample)) for sample in samples]


@pytest.fixture
def rows(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> list[tuple[Sample, Row]]:
    """The seven rows of a short dialogue and the rows of a long one."""
    return [row for name in ("1_00007", "2_00008") for row in rows_of(sgd_dialogues[name], sgd_inventory)]


@pytest.fixture
def table(rows: list[tuple[Sample, Row]], tmp_path: Path) -> Path:
    """A shard's table; row 2 is a reject."""
    builder = TableBuilder()
    for number, (sample, row) in enumerate(rows):
        builder.add_row(sample, row, [BAD] if number == 2 else [])
    path = tmp_path / "shard.arrow"
    write_table(path, builder.build_table(), ShardSummary(dialogues=2))
    return path


def read_picked(table: Path, schema: pa.Schema, *picks: Pick) -> list[dict[str, Any]]:
    path = table.with_suffix(".parquet")
    write_parquet(path, schema, [table], picks)
    read: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return read


def test_a_row_is_read_back_unchanged(table: Path, rows: list[tuple[Sample, Row]]) -> None:
    (read,) = read_picked(table, SAMPLES, Pick(0, 9))
    sample, row = rows[9]
    assert list(read) == SAMPLES.names
    assert (read["prompt"], read["completion"], read["tools"]) == (row.prompt, row.completion, row.tools)
    assert read["provenance"] == row.provenance
    assert (read["id"], read["turn"], read["thought"]) == (sample.id, sample.turn, sample.thought)


def test_every_config_has_its_columns(table: Path, rows: list[tuple[Sample, Row]]) -> None:
    (columns,) = read_picked(table, COALM_IT, Pick(0, 4))
    assert columns == {name: getattr(rows[4][1], name) for name in ("instruction", "input", "output")}
    (reject,) = read_picked(table, REJECTS, Pick(0, 2))
    assert list(reject) == [*SAMPLES.names, "findings"]
    assert reject["findings"] == [{"check": "leak", "where": "thought", "message": "it knows the future"}]


def test_rows_come_in_the_order_of_the_picks_from_whichever_table(
    table: Path,
    rows: list[tuple[Sample, Row]],
    sgd_dialogues: Dialogues,
    sgd_inventory: Inventory,
    tmp_path: Path,
) -> None:
    others = rows_of(sgd_dialogues["1_00000"], sgd_inventory)
    builder = TableBuilder()
    for sample, row in others:
        builder.add_row(sample, row, [])
    second = tmp_path / "second.arrow"
    write_table(second, builder.build_table(), ShardSummary())
    path = tmp_path / "mixed.parquet"
    write_parquet(path, SAMPLES, [table, second], [Pick(1, 3), Pick(0, 5), Pick(1, 0), Pick(0, 1)])
    read = pq.read_table(path).to_pylist()
    wanted = [others[3], rows[5], others[0], rows[1]]
    assert [row["id"] for row in read] == [sample.id for sample, _ in wanted]
    assert [row["prompt"] for row in read] == [row.prompt for _, row in wanted]


def test_a_file_may_have_more_rows_than_a_row_group(table: Path, rows: list[tuple[Sample, Row]]) -> None:
    picks = [Pick(0, number % len(rows)) for number in range(11_000)]
    path = table.with_suffix(".parquet")
    write_parquet(path, COALM_IT, [table], picks)
    assert pq.read_metadata(path).num_row_groups == 3
    outputs = pq.read_table(path)["output"].to_pylist()
    assert outputs == [rows[pick.row][1].output for pick in picks]


def test_a_second_copy_has_an_id_of_its_own_and_names_the_row_that_it_repeats(table: Path) -> None:
    itself, copy = read_picked(table, SAMPLES, Pick(0, 3), Pick(0, 3, 2))
    assert copy["id"] == f"{itself['id']}~r2"
    assert json.loads(copy["provenance"]) == {**json.loads(itself["provenance"]), "repeat_of": itself["id"]}
    assert copy["prompt"] == itself["prompt"]


def test_a_table_has_the_summary_of_its_shard(table: Path) -> None:
    assert read_summary(table) == ShardSummary(dialogues=2)
    with open_table(table) as opened:
        assert opened["findings"].is_null().to_pylist().count(False) == 1


def test_a_message_that_rows_share_is_stored_once(table: Path) -> None:
    with open_table(table) as opened:
        messages = opened["prompt"].combine_chunks()
        assert len(messages.flatten().dictionary) < len(messages.flatten()) / 3
