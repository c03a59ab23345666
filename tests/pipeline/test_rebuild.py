"""A data set is built again from its recipe, and every data file is compared with the manifest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hub_server import File, Hub
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.dataset.finished import open_build
from coalm_it.dataset.manifest import AnswersEntry, FileEntry
from coalm_it.dataset.publish import publish_folder
from coalm_it.pipeline.build import build
from coalm_it.pipeline.rebuild import compare_builds
from coalm_it.templates import use_templates

SGD = "sgd/train/dialogues_001.json"
SHARDS = [f"data/{config}/train-00000-of-00001.parquet" for config in ("coalm_it", "dialogues", "samples")]


def rebuild(path: Path | str, *options: str) -> Result:
    result = CliRunner().invoke(app, ["rebuild", str(path), "--workers", "1", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def assert_refused(result: Result, line: str) -> None:
    assert result.exit_code == 2, result.output
    assert [one for one in result.stderr.splitlines() if one.startswith("coalm-it: ")] == [f"coalm-it: {line}"]


@pytest.fixture
def folder(demo: Path, tmp_path: Path) -> Path:
    """A build to be changed."""
    return Path(shutil.copytree(demo, tmp_path / "build"))


@pytest.fixture
def data(bundled: Path, tmp_path: Path) -> Path:
    """Corpora to be changed; with one more input than the bundled ones have."""
    data = Path(shutil.copytree(bundled, tmp_path / "data"))
    change(data / SGD, "1_00000", "1_00900")
    return data


def change(path: Path, before: str, now: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, now), encoding="utf-8")


def test_the_same_recipe_and_corpora_give_the_same_bytes(demo: Path) -> None:
    result = rebuild(demo)
    assert (result.exit_code, result.stdout) == (
        0,
        f"{demo}: the same: its recipe gives the bytes of all 3 data files again\n",
    )
    said = json.loads(rebuild(demo, "--json").stdout)
    assert said == {"same": True, "name": str(demo), "compared": 3, "files": [], "causes": []}


def test_what_is_built_can_be_kept(demo: Path, tmp_path: Path) -> None:
    assert rebuild(demo, "--out", str(tmp_path / "again")).exit_code == 0
    assert (tmp_path / "again" / "manifest.json").read_bytes() == (demo / "manifest.json").read_bytes()


def test_a_changed_input_is_named_with_the_files_that_differ(data: Path, tmp_path: Path) -> None:
    out = build("tod", out=tmp_path / "out", data=data).out
    assert rebuild(out, "--data", str(data)).exit_code == 0
    change(data / SGD, "1_00900", "1_00901")
    result = rebuild(out, "--data", str(data))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [*(f"{one}: other content" for one in SHARDS), f"input {SGD}: other content"]
    assert result.stderr.endswith(f"coalm-it: {out}: 3 data files differ from those that its recipe gives now\n")
    said = json.loads(rebuild(out, "--data", str(data), "--json").stdout)
    assert (said["same"], said["causes"]) == (False, [f"input {SGD}: other content"])


def test_other_versions_code_and_answers_are_named(demo: Path) -> None:
    now = open_build(demo).manifest
    files = {
        **now.files,
        SHARDS[0]: FileEntry(bytes=1, sha256="0"),
        "data/more.parquet": FileEntry(bytes=1, sha256="1"),
    }
    before = now.model_copy(update={"files": files, "versions": {**now.versions, "pyarrow": "1.0", "pandas": "2.0"}})
    comparison = compare_builds("x", before, now)
    assert comparison.files == (f"{SHARDS[0]}: other content", "data/more.parquet: missing now")
    assert comparison.causes == (
        "version of pandas: 2.0 then, none now",
        f"version of pyarrow: 1.0 then, {now.versions['pyarrow']} now",
    )
    answers = AnswersEntry(requests=3, digest="x")
    before = now.model_copy(update={"files": files, "build": "other", "answers": answers})
    assert compare_builds("x", before, now).causes == (
        "code, templates or a source's description: changed, although the version of coalm-it is the same",
        "model answers: 3 requests then, 0 now, with other answers",
    )


def test_rejects_are_compared_where_the_data_set_has_them(tmp_path: Path) -> None:
    now = open_build(build("coalm_it_plus", out=tmp_path / "out").out).manifest
    rejects = "rejects/rejects-00000-of-00001.parquet"
    assert rejects in now.files
    published = now.model_copy(update={"files": {name: one for name, one in now.files.items() if name != rejects}})
    assert compare_builds("x", published, now).is_same
    changed = now.model_copy(update={"files": {**now.files, rejects: FileEntry(bytes=1, sha256="0")}})
    assert compare_builds("x", changed, now).files == (f"{rejects}: other content",)


# --- from the Hub ---


def test_a_data_set_on_the_hub_is_built_again_from_what_lies_there(
    hub: Hub, tmp_path: Path, bundled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "words" / "rows" / "no_call.jinja"
    own.parent.mkdir(parents=True)
    own.write_text("{% macro text() %}I can't.{% endmacro %}", encoding="utf-8")
    changes = [f"templates={tmp_path / 'words'}"]
    out = build("coalm_it_plus", out=tmp_path / "out", changes=changes).out
    shutil.rmtree(tmp_path / "words")
    publish_folder(out, "ada/talks", public=True, endpoint=hub.address)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    hub.asked.clear()
    result = rebuild("ada/talks", "--endpoint", hub.address)
    assert result.exit_code == 0, result.output
    assert result.stdout == "ada/talks: the same: its recipe gives the bytes of all 3 data files again\n"
    assert not [path for _, path in hub.asked if ".parquet" in path], "no data are downloaded"
    use_templates({})


def test_one_that_is_not_there_is_one_line(hub: Hub) -> None:
    result = rebuild("ada/nothing", "--endpoint", hub.address)
    assert_refused(
        result,
        f"{hub.address}/datasets/ada/nothing: there is no such data set or no revision 'main', or it is private and "
        "the token (HF_TOKEN) has no access; nor is there a folder of this name",
    )
    hub.add_repo("ada/poems", README__md="# Poems\n")
    poems = f"{hub.address}/datasets/ada/poems"
    assert_refused(
        rebuild("ada/poems", "--endpoint", hub.address), f"{poems} is not a finished build: it has no manifest.json"
    )
    hub.repos["ada/poems"].add_commit("older", {"manifest.json": File(b'{"schema_version": 0}')})
    assert_refused(
        rebuild("ada/poems", "--endpoint", hub.address),
        f"{poems}: manifest.json has schema version 0; this coalm-it reads version 2; build it again",
    )


# --- what is refused ---


def test_a_build_of_corpora_needs_them(data: Path, tmp_path: Path) -> None:
    out = build("tod", out=tmp_path / "out", data=data).out
    assert_refused(rebuild(out), f"{out} was built from corpora of yours: add --data CORPORA")


def test_the_build_is_not_built_over(folder: Path) -> None:
    assert_refused(
        rebuild(folder, "--out", str(folder)), f"{folder} is the build itself: name another folder for --out"
    )


def test_a_build_that_was_changed_is_not_compared(folder: Path) -> None:
    (folder / SHARDS[0]).write_bytes(b"x")
    line = f"{folder / SHARDS[0]} is not the file that was built: its sha256 has changed; build it again"
    assert_refused(rebuild(folder), line)


def test_what_is_neither_a_folder_nor_a_name_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert_refused(rebuild(path), f"{path} is neither a build folder nor a repository of the Hub (USER/NAME)")


@pytest.mark.parametrize("older", ["version", "keys"])
def test_a_build_of_an_older_version_says_how_to_make_it_anew(folder: Path, older: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    if older == "version":
        manifest["schema_version"] = 0
        what = "has schema version 0; this coalm-it reads version 2"
    else:
        del manifest["answers"]
        what = "is damaged, or of another version of coalm-it (answers: Field required)"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    command = f"coalm-it build {folder / 'recipe.yaml'} --data CORPORA --out {folder}"
    assert_refused(rebuild(folder), f"{folder / 'manifest.json'} {what}; build it again: {command}")
    words = [one for one in command.split()[1:] if one not in ("--data", "CORPORA")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert rebuild(folder).exit_code == 0


def test_a_manifest_from_before_the_newest_keys_of_recipes_opens(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for key in ("card", "templates"):
        del manifest["recipe"][key]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert open_build(folder).manifest.recipe.card.title == ""
