"""A build folder: who may build into it, and when it holds a finished build."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from coalm_it.dataset.finished import find_current_build
from coalm_it.dataset.folder import MARKER, BuildFolder, FolderError
from coalm_it.dataset.manifest import MANIFEST, Manifest, parse_manifest
from coalm_it.dataset.tables import COALM_IT, Pick, write_parquet
from coalm_it.files import OutputError

REAL = {"sgd/train/dialogues_001.json": "0" * 64}
"""Inputs of a build of real corpora."""


def claim(
    path: Path,
    key: str = "key",
    *,
    recipe: str = "tod",
    inputs: Mapping[str, str] = REAL,
    replace: bool = False,
    say: Callable[[str], None] = print,
) -> BuildFolder:
    folder = BuildFolder(path, key)
    folder.claim(recipe, inputs, replace=replace, say=say)
    return folder


def test_a_new_folder_is_claimed_by_a_marker(tmp_path: Path) -> None:
    said: list[str] = []
    folder = claim(tmp_path / "a" / "b", say=said.append)
    assert folder == BuildFolder(tmp_path / "a" / "b", "key")
    assert json.loads((folder.path / MARKER).read_text()) == {"recipe": "tod", "build": "key"}
    assert said == []


def test_an_empty_folder_is_accepted_and_a_foreign_one_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    claim(tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    with pytest.raises(
        FolderError, match=r"/full holds something else \(no \.coalm-it in it\): name an empty or a new"
    ):
        claim(tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_an_interrupted_claim_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f".{MARKER}.4711.part").write_text('{"rec')
    claim(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MARKER]


@pytest.mark.parametrize("below", ["", "deep", "deep/er"])
def test_a_path_below_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderError, match=r"cannot be an output folder: .*/file is a file$"):
        claim(tmp_path / "file" / below)


def test_another_build_stays_until_it_is_replaced_and_a_line_says_so(tmp_path: Path) -> None:
    folder = claim(tmp_path / "out", key="one")
    (folder.path / MANIFEST).write_text("{}")
    said: list[str] = []
    claim(folder.path, key="one", say=said.append)
    assert said == []
    claim(folder.path, key="two", say=said.append)
    assert said == [f"{folder.path} holds another build (other recipe, inputs or version), which will be replaced."]
    assert (folder.path / MANIFEST).exists()


def test_a_damaged_marker_is_that_of_another_build(tmp_path: Path) -> None:
    said: list[str] = []
    claim(tmp_path / "out")
    (tmp_path / "out" / MARKER).write_bytes(bytes(range(256)))
    claim(tmp_path / "out", say=said.append)
    assert "holds another build" in said[0]


def test_temporary_files_of_interrupted_processes_are_removed(tmp_path: Path) -> None:
    folder = claim(tmp_path / "out")
    data = folder.path / "data" / "samples"
    data.mkdir(parents=True)
    whole, part = data / "train-00000-of-00001.parquet", data / ".train-00000-of-00001.parquet.99.part"
    whole.touch()
    part.touch()
    claim(folder.path)
    assert whole.exists()
    assert not part.exists()


@pytest.mark.parametrize(
    ("bundled", "recipe", "refused"),
    [
        (True, "tod", r"finished build of recipe tod from real corpora, 366 rows; --replace puts the bundled samples"),
        (False, "coalm_it", r"recipe tod from real corpora, 366 rows; --replace puts recipe coalm_it in its place"),
        (False, "tod", None),
    ],
)
def test_a_finished_build_of_real_corpora_is_not_replaced_by_mistake(
    tmp_path: Path, manifest: Manifest, bundled: bool, recipe: str, refused: str | None
) -> None:
    folder, inputs = claim(tmp_path / "out"), manifest.inputs if bundled else REAL
    folder.finish(manifest.model_copy(update={"inputs": REAL}), [], {})
    if refused is not None:
        with pytest.raises(FolderError, match=refused):
            claim(folder.path, "another", recipe=recipe, inputs=inputs)
    claim(folder.path, "another", recipe=recipe, inputs=inputs, replace=refused is not None)
    assert find_current_build(folder), "it is left as it was, until the first file is written"


def test_a_build_of_bundled_samples_is_replaced_by_anything(tmp_path: Path, manifest: Manifest) -> None:
    folder = claim(tmp_path / "out")
    folder.finish(manifest, [], {})
    assert claim(folder.path, "another", recipe="coalm_it").key == "another"


@pytest.mark.parametrize("removed", [MARKER, "data/coalm_it/train-00000-of-00001.parquet", "."])
def test_a_folder_that_is_removed_meanwhile_is_an_error_and_leaves_nothing_behind(
    tmp_path: Path, table: Path, manifest: Manifest, removed: str
) -> None:
    folder = claim(tmp_path / "out")
    data = folder.path / "data" / "coalm_it" / "train-00000-of-00001.parquet"
    write_parquet(data, COALM_IT, [table], [Pick(0, 0)])
    gone = folder.path / removed
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises(OutputError, match=r"/out:? (was|were) removed while it was built: run again$|were removed"):
        folder.finish(manifest, [data], {})
    folder.clean_up([data])
    assert not (folder.path / MANIFEST).exists()
    assert removed == data.relative_to(folder.path).as_posix() or not folder.path.exists()
    claim(folder.path)


@pytest.fixture
def table(demo: Path, shared_cache: Path) -> Path:
    """The table of a shard."""
    return min((shared_cache / "shards").glob("*.arrow"))


@pytest.fixture
def manifest(demo: Path) -> Manifest:
    """The manifest of a build before its files are listed."""
    return parse_manifest((demo / MANIFEST).read_bytes()).model_copy(update={"build": "key", "files": {}})


def test_a_finished_folder_is_recognised_until_a_file_of_it_changes(
    tmp_path: Path, table: Path, manifest: Manifest
) -> None:
    folder = claim(tmp_path / "out")
    data = folder.path / "data" / "coalm_it" / "train-00000-of-00001.parquet"
    write_parquet(data, COALM_IT, [table], [Pick(0, 0), Pick(0, 1)])
    assert find_current_build(folder) is None
    written = folder.finish(manifest, [data], {"total": 1.5})
    read = find_current_build(folder)
    assert read
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
    folder = claim(tmp_path / "out")
    (folder.path / MANIFEST).write_text(text)
    assert find_current_build(folder) is None


def test_finishing_removes_the_data_of_other_builds_and_nothing_else(
    tmp_path: Path, table: Path, manifest: Manifest
) -> None:
    folder = claim(tmp_path / "out")
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
