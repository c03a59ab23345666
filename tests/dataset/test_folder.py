"""A build folder: who may build into it, and when it holds a finished build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coalm_it.dataset.finished import find_current_build
from coalm_it.dataset.folder import MARKER, BuildFolder, FolderError, claim_folder
from coalm_it.dataset.manifest import MANIFEST, Manifest, parse_manifest
from coalm_it.dataset.tables import COALM_IT, Pick, write_parquet


def test_a_new_folder_is_claimed_by_a_marker(tmp_path: Path) -> None:
    said: list[str] = []
    folder = claim_folder(tmp_path / "a" / "b", "tod", "key", said.append)
    assert folder == BuildFolder(tmp_path / "a" / "b", "key")
    assert json.loads((folder.path / MARKER).read_text()) == {"recipe": "tod", "build": "key"}
    assert said == []


def test_an_empty_folder_is_accepted_and_a_foreign_one_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    claim_folder(tmp_path / "empty", "tod", "key", print)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    with pytest.raises(
        FolderError, match=r"/full holds something else \(no \.coalm-it in it\): name an empty or a new"
    ):
        claim_folder(tmp_path / "full", "tod", "key", print)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_an_interrupted_claim_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f".{MARKER}.4711.part").write_text('{"rec')
    claim_folder(tmp_path / "out", "tod", "key", print)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MARKER]


@pytest.mark.parametrize("below", ["", "deep", "deep/er"])
def test_a_path_below_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderError, match=r"cannot be an output folder: .*/file is a file$"):
        claim_folder(tmp_path / "file" / below, "tod", "key", print)


def test_another_build_loses_its_manifest_and_a_line_says_so(tmp_path: Path) -> None:
    folder = claim_folder(tmp_path / "out", "tod", "one", print)
    (folder.path / MANIFEST).write_text("{}")
    said: list[str] = []
    claim_folder(folder.path, "tod", "one", said.append)
    assert said == []
    claim_folder(folder.path, "tod", "two", said.append)
    assert said == [f"{folder.path} holds another build (other recipe, inputs or version), which will be replaced."]
    assert not (folder.path / MANIFEST).exists()


def test_temporary_files_of_interrupted_processes_are_removed(tmp_path: Path) -> None:
    folder = claim_folder(tmp_path / "out", "tod", "key", print)
    folder.work.mkdir()
    whole, part = folder.work / "1.arrow", folder.work / ".2.arrow.99.part"
    whole.touch()
    part.touch()
    claim_folder(folder.path, "tod", "key", print)
    assert whole.exists()
    assert not part.exists()


@pytest.fixture
def table(demo: Path) -> Path:
    """The table of a shard."""
    return min((demo / ".work").glob("*.arrow"))


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
def test_a_damaged_manifest_is_no_current_build(tmp_path: Path, text: str) -> None:
    folder = claim_folder(tmp_path / "out", "tod", "key", print)
    (folder.path / MANIFEST).write_text(text)
    assert find_current_build(folder) is None


def test_finishing_removes_the_data_of_other_builds_and_nothing_else(
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
