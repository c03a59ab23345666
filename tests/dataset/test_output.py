from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coalm_it.dataset.finished import find_current_build
from coalm_it.dataset.folder import MARKER, BuildFolder, FolderError, claim_folder
from coalm_it.dataset.manifest import MANIFEST, Manifest, parse_manifest
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
from coalm_it.files import OutputError, write_text, write_whole
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


# --- tables and files of rows ---


def read_picked(table: Path, schema: pa.Schema, *picks: Pick) -> list[dict[str, Any]]:
    path = table.with_suffix(".parquet")
    write_parquet(path, schema, [table], picks)
    read: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return read


def test_a_row_is_read_back_as_it_was_added(table: Path, rows: list[tuple[Sample, Row]]) -> None:
    (read,) = read_picked(table, SAMPLES, Pick(0, 9))
    sample, row = rows[9]
    assert list(read) == SAMPLES.names
    assert read["messages"] == row.messages
    assert (read["tools"], read["provenance"]) == (row.tools, row.provenance)
    assert (read["id"], read["turn"], read["thought"]) == (sample.id, sample.turn, sample.thought)


def test_every_config_has_its_columns(table: Path, rows: list[tuple[Sample, Row]]) -> None:
    (columns,) = read_picked(table, COALM_IT, Pick(0, 4))
    assert columns == {name: getattr(rows[4][1], name) for name in ("instruction", "input", "output")}
    (reject,) = read_picked(table, REJECTS, Pick(0, 2))
    assert list(reject) == [*SAMPLES.names, "findings"]
    assert reject["findings"] == [{"check": "leak", "where": "thought", "message": "it knows the future"}]


def test_rows_come_in_the_order_of_the_picks_from_whichever_table(
    table: Path, rows: list[tuple[Sample, Row]], sgd_dialogues: Dialogues, sgd_inventory: Inventory, tmp_path: Path
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
    assert [row["messages"] for row in read] == [row.messages for _, row in wanted]


def test_a_file_may_have_more_rows_than_a_row_group(table: Path, rows: list[tuple[Sample, Row]]) -> None:
    picks = [Pick(0, number % len(rows)) for number in range(11_000)]
    path = table.with_suffix(".parquet")
    write_parquet(path, COALM_IT, [table], picks)
    assert pq.read_metadata(path).num_row_groups == 3
    outputs = pq.read_table(path)["output"].to_pylist()
    assert outputs == [rows[pick.row][1].output for pick in picks]


def test_a_further_copy_has_an_id_of_its_own_and_names_the_row_that_it_repeats(table: Path) -> None:
    itself, copy = read_picked(table, SAMPLES, Pick(0, 3), Pick(0, 3, 2))
    assert copy["id"] == f"{itself['id']}~r2"
    assert json.loads(copy["provenance"]) == {**json.loads(itself["provenance"]), "repeat_of": itself["id"]}
    assert copy["messages"] == itself["messages"]


def test_a_table_says_what_became_of_its_shard(table: Path) -> None:
    assert read_summary(table) == ShardSummary(dialogues=2)
    with open_table(table) as opened:
        assert opened["findings"].is_null().to_pylist().count(False) == 1


def test_a_message_that_rows_share_is_held_once(table: Path) -> None:
    with open_table(table) as opened:
        messages = opened["messages"].combine_chunks()
        assert len(messages.flatten().dictionary) < len(messages.flatten()) / 3


# --- whole files ---


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with write_whole(path) as part:
        part.write_text("first half")
        assert not path.exists()
    assert path.read_text() == "first half"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_file_that_is_not_finished_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    stopped = False
    try:
        with write_whole(path) as part:
            part.write_text("new")
            raise error
    except error:
        stopped = True
    assert stopped
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"/file/below\.txt cannot be written: (File exists|Not a directory)$"):
        write_text(tmp_path / "file" / "below.txt", "text")


# --- the folder ---


def test_a_new_folder_is_claimed_by_a_marker(tmp_path: Path) -> None:
    said: list[str] = []
    folder = claim_folder(tmp_path / "a" / "b", "tod", "key", said.append)
    assert folder == BuildFolder(tmp_path / "a" / "b", "key")
    assert json.loads((folder.path / MARKER).read_text()) == {"recipe": "tod", "build": "key"}
    assert said == []


def test_an_empty_folder_is_taken_one_with_something_else_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    claim_folder(tmp_path / "empty", "tod", "key", print)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    with pytest.raises(
        FolderError, match=r"/full holds something else \(no \.coalm-it in it\): name an empty or a new"
    ):
        claim_folder(tmp_path / "full", "tod", "key", print)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_a_claim_that_was_cut_off_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f".{MARKER}.4711.part").write_text('{"rec')
    claim_folder(tmp_path / "out", "tod", "key", print)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MARKER]


@pytest.mark.parametrize("below", ["", "deep", "deep/er"])
def test_a_path_below_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderError, match=r"cannot be an output folder: .*/file is a file$"):
        claim_folder(tmp_path / "file" / below, "tod", "key", print)


def test_another_build_loses_its_manifest_and_the_first_line_says_so(tmp_path: Path) -> None:
    folder = claim_folder(tmp_path / "out", "tod", "one", print)
    (folder.path / MANIFEST).write_text("{}")
    said: list[str] = []
    claim_folder(folder.path, "tod", "one", said.append)
    assert said == []
    claim_folder(folder.path, "tod", "two", said.append)
    assert said == [f"{folder.path} holds another build (other recipe, inputs or version), which will be replaced."]
    assert not (folder.path / MANIFEST).exists()


def test_what_was_left_unfinished_is_cleared_away(tmp_path: Path) -> None:
    folder = claim_folder(tmp_path / "out", "tod", "key", print)
    folder.work.mkdir()
    whole, part = folder.work / "1.arrow", folder.work / ".2.arrow.99.part"
    whole.touch()
    part.touch()
    claim_folder(folder.path, "tod", "key", print)
    assert whole.exists()
    assert not part.exists()


@pytest.fixture
def manifest(demo: Path) -> Manifest:
    """The manifest of a build before its files are listed."""
    return parse_manifest((demo / MANIFEST).read_bytes()).model_copy(update={"build": "key", "files": {}})


def test_a_finished_folder_is_recognised_until_a_file_of_it_changes(
    tmp_path: Path, table: Path, manifest: Manifest
) -> None:
    folder = claim_folder(tmp_path / "out", "tod", "key", print)
    data = folder.path / "data" / "coalm_it" / "train-00000-of-00001.parquet"
    write_parquet(data, COALM_IT, [table], [Pick(0, 0), Pick(0, 1)])
    assert find_current_build(folder) is None
    written = folder.finish(manifest, [data], {"total": 1.5})
    read = find_current_build(folder)
    assert read == written
    assert read.model_copy(update={"files": {}}) == manifest
    assert list(read.files) == ["README.md", "data/coalm_it/train-00000-of-00001.parquet", "recipe.yaml"]
    assert read.files["data/coalm_it/train-00000-of-00001.parquet"].rows == 2
    assert find_current_build(BuildFolder(folder.path, "another key")) is None

    data.write_bytes(data.read_bytes()[:-1])
    assert find_current_build(folder) is None
    data.unlink()
    assert find_current_build(folder) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"build": "key"}', '{"build": "key", "files": {"a": 3}}'])
def test_a_damaged_manifest_is_none(tmp_path: Path, text: str) -> None:
    folder = claim_folder(tmp_path / "out", "tod", "key", print)
    (folder.path / MANIFEST).write_text(text)
    assert find_current_build(folder) is None


def test_finishing_takes_away_the_data_of_other_builds_and_nothing_else(
    tmp_path: Path, table: Path, manifest: Manifest
) -> None:
    folder = claim_folder(tmp_path / "out", "tod", "key", print)
    data = folder.path / "data" / "coalm_it"
    stale, fresh = data / "train-00001-of-00002.parquet", data / "train-00000-of-00001.parquet"
    for path in (stale, fresh):
        write_parquet(path, COALM_IT, [table], [Pick(0, 0)])
    notes = folder.path / "notes.txt"
    notes.touch()
    folder.finish(manifest, [fresh], {"total": 1.5})
    assert not stale.exists()
    assert fresh.exists()
    assert notes.exists()


def test_a_damaged_marker_is_that_of_another_build(tmp_path: Path) -> None:
    said: list[str] = []
    claim_folder(tmp_path / "out", "tod", "key", print)
    (tmp_path / "out" / MARKER).write_bytes(bytes(range(256)))
    claim_folder(tmp_path / "out", "tod", "key", said.append)
    assert "holds another build" in said[0]
