from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from coalm_it.configs import ConfigError
from coalm_it.corpora.corpus import InputChangedError
from coalm_it.corpora.sources import SourceError
from coalm_it.dataset.finished import open_build
from coalm_it.files import OutputError
from coalm_it.pipeline.build import BuildResult, build
from coalm_it.schema import SCHEMA_VERSION

Edit = Callable[[list[Any]], None]


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.made = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "shards":
            self.made = done


def read_files(out: Path) -> dict[str, bytes]:
    """All that a build gives, but for what is told apart by its time."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "timings.json"
    }


def read_rows(out: Path, config: str = "samples") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "data" / config).to_pylist()
    return rows


def list_shards(cache: Path) -> dict[str, int]:
    """Name -> inode, which is another one if the shard is made again."""
    return {path.name: path.stat().st_ino for path in (cache / "shards").glob("*.arrow")}


@pytest.fixture
def data(bundled: Path, tmp_path: Path) -> Path:
    """A copy of the bundled corpora, to be changed."""
    return Path(shutil.copytree(bundled, tmp_path / "data"))


def edit_dialogues(data: Path, edit: Edit, name: str = "dialogues_001.json") -> None:
    path = data / "sgd" / "train" / name
    dialogues = json.loads(path.read_bytes())
    edit(dialogues)
    path.write_text(json.dumps(dialogues, ensure_ascii=False), encoding="utf-8")


# --- the same inputs, the same bytes ---


def test_one_worker_and_two_give_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    assert read_files(build("tod", out=tmp_path / "out", workers=1).out) == read_files(demo)


def test_it_does_not_matter_where_the_corpora_lie(demo: Path, bundled: Path, tmp_path: Path) -> None:
    shutil.copytree(bundled / "sgd", tmp_path / "data" / "z" / "somewhere" / "deep")
    shutil.copytree(bundled / "snips", tmp_path / "data" / "a")
    built = build("tod", data=tmp_path / "data", out=tmp_path / "out")
    assert read_files(built.out) == read_files(demo)


def test_a_zipped_corpus_gives_the_same_bytes(demo: Path, bundled: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.make_archive(str(tmp_path / "data" / "all"), "zip", bundled)
    built = build("tod", data=tmp_path / "data", out=tmp_path / "out")
    assert read_files(built.out) == read_files(demo)


def test_no_path_of_this_machine_gets_into_a_build(bundled: Path, data: Path, tmp_path: Path) -> None:
    built = build("tod", data=data, out=tmp_path / "out")
    for path in (str(bundled), str(tmp_path)):
        assert not [name for name, content in read_files(built.out).items() if path.encode() in content]
        rows = read_rows(built.out)
        assert not [row["id"] for row in rows if path in row["provenance"]]


# --- running again ---


def test_a_second_run_does_nothing_and_says_so(data: Path, tmp_path: Path) -> None:
    first = build("tod", data=data, out=tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in first.out.rglob("*.*") if path.name != ".coalm-it"}
    heard = Heard()
    second = build("tod", data=data, out=tmp_path / "out", listener=heard)
    assert (first.fresh, second.fresh) == (True, False)
    assert heard.lines == [f"{second.out} holds this build already: nothing to do."]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert second.manifest == first.manifest


def test_what_a_source_says_of_its_corpus_is_part_of_a_build(bundled: Path, tmp_path: Path) -> None:
    known, mine = (bundled.parent / "snips.yaml").read_text(), tmp_path / "mine.yaml"
    changes, out = ["parts.sgd=null", f"parts.snips.source={mine}"], tmp_path / "out"
    for licence in ("CC0-1.0", "CC-BY-4.0"):
        mine.write_text(known.replace("licence: CC0-1.0", f"licence: {licence}"))
        built = build("tod", out=out, changes=changes)
        assert built.fresh
        assert built.manifest.sources["snips"].licence == licence
        assert {row["licence"] for row in read_rows(out)} == {licence}


def test_another_quota_in_another_folder_reuses_every_shard(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build("tod", out=tmp_path / "out")
    shards, heard = list_shards(own_cache), Heard()
    again = build("tod", out=tmp_path / "other", changes=["parts.sgd.rows=50"], listener=heard)
    assert again.fresh
    assert heard.made == 0
    assert "3 of 3 shards are there from an earlier run." in heard.lines
    assert list_shards(own_cache) == shards
    assert again.manifest.parts["sgd"].rows == 50
    monkeypatch.setenv("COALM_IT_CACHE", str(tmp_path / "empty"))
    fresh = build("tod", out=tmp_path / "fresh", changes=["parts.sgd.rows=50"])
    assert read_files(fresh.out) == read_files(again.out)


def test_a_changed_file_rebuilds_only_its_own_shard(data: Path, tmp_path: Path, own_cache: Path) -> None:
    build("tod", data=data, out=tmp_path / "out")
    shards, heard = list_shards(own_cache), Heard()

    def take_away_the_last(dialogues: list[Any]) -> None:
        dialogues.pop()

    edit_dialogues(data, take_away_the_last)
    again = build("tod", data=data, out=tmp_path / "out", listener=heard)
    assert heard.made == 1
    assert {name: list_shards(own_cache)[name] for name in shards} == shards
    assert read_files(build("tod", data=data, out=tmp_path / "fresh").out) == read_files(again.out)


@pytest.mark.parametrize("change", ["seed=13", "distractors=3", "observation_results=0", "checks.leak=false"])
def test_a_setting_that_changes_rows_rebuilds_the_shards(demo: Path, tmp_path: Path, change: str) -> None:
    shutil.copytree(demo, tmp_path / "out")
    heard = Heard()
    again = build("tod", out=tmp_path / "out", changes=[change], listener=heard)
    assert heard.made == 3
    assert read_files(build("tod", out=tmp_path / "fresh", changes=[change]).out) == read_files(again.out)


@pytest.mark.parametrize("damage", ["cut off", "gone", "other bytes"])
def test_a_damaged_data_file_is_written_again(demo: Path, tmp_path: Path, damage: str) -> None:
    out = Path(shutil.copytree(demo, tmp_path / "out"))
    path = out / "data" / "samples" / "train-00000-of-00001.parquet"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] + (b"" if damage == "cut off" else b"otherwise"))
    assert build("tod", out=out).fresh
    assert read_files(out) == read_files(demo)


def test_there_is_no_manifest_while_files_are_written(demo: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(demo, tmp_path / "out"))
    (out / "data" / "coalm_it" / "train-00000-of-00001.parquet").unlink()
    seen: dict[str, set[bool]] = {}

    class Watching(Heard):
        def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
            seen.setdefault(stage, set()).add((out / "manifest.json").exists())

    build("tod", out=out, listener=Watching())
    assert seen == {"shards": {True}, "files": {False}}
    assert (out / "manifest.json").exists()


def flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: b"ARROW1\0\0", lambda content: content[:-100], flip_a_bit],
    ids=["empty", "begun", "cut off", "a bit"],
)
def test_a_damaged_shard_is_made_again(
    demo: Path, tmp_path: Path, own_cache: Path, damage: Callable[[bytes], bytes]
) -> None:
    build("tod", out=tmp_path / "out")
    for path in (own_cache / "shards").iterdir():
        path.write_bytes(damage(path.read_bytes()))
    heard = Heard()
    again = build("tod", out=tmp_path / "again", listener=heard)
    assert heard.made == 3
    assert read_files(again.out) == read_files(demo)


def test_the_cache_may_be_deleted(tmp_path: Path, own_cache: Path) -> None:
    out = build("tod", out=tmp_path / "out").out
    shutil.rmtree(own_cache)
    assert not build("tod", out=out).fresh
    before = read_files(out)
    (out / "manifest.json").unlink()
    assert build("tod", out=out).fresh
    assert read_files(out) == before


def test_the_output_folder_holds_nothing_hidden_but_the_marker(demo: Path) -> None:
    assert [path.name for path in demo.rglob(".*")] == [".coalm-it"]


# --- what changes while a build is at work ---


class Meddling(Heard):
    """Does something once so many shards are made."""

    def __init__(self, meddle: Callable[[], Any], shards: int = 0) -> None:
        super().__init__()
        self.meddle, self.shards = meddle, shards

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        if (stage, done) == ("shards", self.shards):
            self.meddle()


@pytest.mark.parametrize("name", ["dialogues_002.json", "schema.json"])
@pytest.mark.parametrize("change", ["edit", "truncate", "remove"])
def test_an_input_that_changes_ends_the_build_and_nothing_of_it_is_used(
    demo: Path, data: Path, tmp_path: Path, own_cache: Path, name: str, change: str
) -> None:
    path = data / "sgd" / "train" / name
    content = path.read_bytes()
    changed = {"edit": content.replace(b"city", b"town"), "truncate": content[:500], "remove": None}[change]
    assert changed != content

    def meddle() -> None:
        path.unlink() if changed is None else path.write_bytes(changed)

    with pytest.raises(InputChangedError, match=rf"{name} changed while the build was reading it: .* run again$"):
        build("tod", data=data, out=tmp_path / "out", listener=Meddling(meddle))
    assert not (tmp_path / "out" / "manifest.json").exists()
    path.write_bytes(content)
    again = build("tod", data=data, out=tmp_path / "out")
    assert again.fresh
    assert read_rows(again.out) == read_rows(demo)


@pytest.mark.parametrize("removed", ["everything", "marker"])
def test_an_output_folder_that_vanishes_is_an_error_and_a_rerun_works(demo: Path, tmp_path: Path, removed: str) -> None:
    out = tmp_path / "out"

    def meddle() -> None:
        shutil.rmtree(out) if removed == "everything" else (out / ".coalm-it").unlink()

    with pytest.raises(OutputError, match="was removed while it was built: run again"):
        build("tod", out=out, listener=Meddling(meddle))
    assert not out.exists()
    assert read_files(build("tod", out=out).out) == read_files(demo)


def test_a_second_build_in_a_folder_is_told_who_is_at_work_there(tmp_path: Path) -> None:
    out, ended = tmp_path / "out", []

    def build_beside() -> None:
        code = f"from coalm_it.pipeline.build import build; build('tod', out={str(out)!r}, changes=['seed=5'])"
        ended.append(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True))

    built = build("tod", out=out, listener=Meddling(build_beside))
    assert ended[0].returncode != 0
    assert re.search(rf"/out is in use by a build of tod \(process {os.getpid()}, since ", ended[0].stderr)
    assert built.manifest.recipe.seed == 12
    assert_all_is_accounted_for(built)


def test_a_finished_build_on_a_read_only_disk_is_nothing_to_do(demo: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(demo, tmp_path / "out"))
    heard = Heard()
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        f"from coalm_it.pipeline.build import build; print(build('tod', out={str(out)!r}).fresh)"
    )
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert ended.stdout == "False\n"
    assert heard.lines == []


def test_a_build_that_fails_before_its_first_file_leaves_the_finished_one(data: Path, tmp_path: Path) -> None:
    finished = build("tod", data=data, out=tmp_path / "out")
    out = finished.out
    for name in ("dialogues_001.json", "dialogues_002.json"):
        (data / "sgd" / "train" / name).write_text("[")
    (data / "snips" / "train.json").write_text("[")
    with pytest.raises(SourceError):
        build("tod", data=data, out=out)
    build_there = open_build(out)
    assert build_there.manifest == finished.manifest
    build_there.check_files(build_there.manifest.files)


def test_where_the_system_does_not_report_peak_memory_it_is_unknown(tmp_path: Path) -> None:
    """Windows has no module `resource`."""
    code = f"""
import sys
sys.modules["resource"] = None
from coalm_it.pipeline.build import build
from coalm_it.schema import SCHEMA_VERSION
print(build("tod", out={str(tmp_path / "out")!r}, changes=["limit=2"]).timings["peak_bytes"])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout == "{'this_process': None, 'largest_worker': None}\n", ran.stderr


# --- nothing vanishes ---


def assert_all_is_accounted_for(built: BuildResult) -> None:
    """The manifest's numbers, the rows in the files, and the files' hashes agree."""
    manifest, rows = built.manifest, read_rows(built.out)
    assert len(rows) == len(read_rows(built.out, "coalm_it"))
    rejected = pq.read_table(built.out / "rejects").to_pylist() if (built.out / "rejects").is_dir() else []
    for name, part in manifest.parts.items():
        assert part.candidates == part.rows - part.repeated + part.rejects + part.left_out
        assert part.rows == sum(row["part"] == name for row in rows)
        assert part.rejects == sum(row["part"] == name for row in rejected)
        findings = Counter(
            check for row in rejected if row["part"] == name for check in {one["check"] for one in row["findings"]}
        )
        assert part.rejected_by == findings
        assert part.faults == sum(fault.part == name for fault in manifest.faults)
    assert len({row["id"] for row in [*rows, *rejected]}) == len(rows) + len(rejected)
    written = {path.relative_to(built.out).as_posix() for path in built.out.rglob("*.parquet")}
    assert written | {"README.md", "recipe.yaml"} == set(manifest.files)
    for name, file in manifest.files.items():
        content = (built.out / name).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        rows_in_file = pq.read_metadata(built.out / name).num_rows if name.endswith(".parquet") else None
        assert file.rows == rows_in_file
    assert json.loads((built.out / "manifest.json").read_bytes()) == manifest.model_dump(mode="json")


def break_some(dialogues: list[Any]) -> None:
    """Three faults and a dialogue with an argument out of the blue."""
    dialogues[0]["turns"][1]["speaker"] = "USER"
    del dialogues[1]["services"]
    dialogues[2] = "not a dialogue"
    calls = [frame for turn in dialogues[7]["turns"] for frame in turn["frames"] if "service_call" in frame]
    calls[0]["service_call"]["parameters"]["city"] = "Atlantis"


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["parts.sgd.rows=60", "parts.snips.rows=10"],
        ["limit=3"],
        ["order=corpus", "checks.reply_facts=false"],
        ["parts.sgd.filter={exclude_services: [Forecast_1]}"],
    ],
    ids=str,
)
def test_every_candidate_is_a_row_or_a_reject_or_left_out(data: Path, tmp_path: Path, changes: list[str]) -> None:
    edit_dialogues(data, break_some)
    assert_all_is_accounted_for(build("tod", data=data, out=tmp_path / "out", changes=changes))


def test_a_broken_record_is_a_fault_and_the_good_ones_go_on(data: Path, tmp_path: Path) -> None:
    edit_dialogues(data, break_some)
    heard = Heard()
    built = build("tod", data=data, out=tmp_path / "out", listener=heard)
    assert built.manifest.parts["sgd"].faults == 3
    assert built.manifest.parts["sgd"].dialogues == 23
    assert [(fault.file, fault.record) for fault in built.manifest.faults] == [
        ("train/dialogues_001.json", "1_00000"),
        ("train/dialogues_001.json", "1_00001"),
        ("train/dialogues_001.json", "2"),
    ]
    said = [line for line in heard.lines if line.startswith("fault: ")]
    assert said[0] == "fault: train/dialogues_001.json, record 1_00000: turn 1 is by 'USER'; 'SYSTEM' was expected"
    assert len(said) == 3
    assert not {row["dialogue_id"] for row in read_rows(built.out)} & {"1_00000", "1_00001"}


def test_a_reject_has_its_findings_and_is_no_row(data: Path, tmp_path: Path) -> None:
    edit_dialogues(data, break_some)
    built = build("tod", data=data, out=tmp_path / "out")
    rejects = {row["id"]: row for row in pq.read_table(built.out / "rejects").to_pylist()}
    name = "sgd/train/1_00007/0/react_action"
    assert list(rejects[name]) == [*read_rows(built.out)[0], "findings"]
    assert name not in {row["id"] for row in read_rows(built.out)}
    assert any(
        finding["check"] == "grounding" and "Atlantis" in finding["message"] for finding in rejects[name]["findings"]
    )
    kept = build("tod", data=data, out=tmp_path / "kept", changes=["checks.grounding=false"])
    assert "grounding" not in kept.manifest.parts["sgd"].rejected_by


def test_inputs_and_versions_are_in_the_manifest(demo: Path, bundled: Path) -> None:
    manifest = json.loads((demo / "manifest.json").read_bytes())
    assert set(manifest["versions"]) >= {"coalm-it", "pyarrow", "pydantic", "jinja2", "orjson"}
    assert manifest["schema_version"] == SCHEMA_VERSION
    train = hashlib.sha256((bundled / "snips" / "train.json").read_bytes()).hexdigest()
    assert manifest["inputs"]["snips/train.json"] == train
    assert "sgd/train/schema.json" in manifest["inputs"]
    assert not [name for name in manifest["inputs"] if "dev/dialogues" in name], "only what the recipe reads"


def test_recipe_yaml_builds_the_same_again(demo: Path, tmp_path: Path) -> None:
    again = build(str(demo / "recipe.yaml"), out=tmp_path / "out")
    assert read_files(again.out) == read_files(demo)


# --- draw, order, limit ---


def test_quotas_are_met_exactly_by_whole_dialogues(demo: Path, tmp_path: Path) -> None:
    built = build("tod", out=tmp_path / "out", changes=["parts.sgd.rows=100", "parts.snips.rows=20"])
    rows = read_rows(built.out)
    assert Counter(row["part"] for row in rows) == {"sgd": 100, "snips": 20}
    whole = Counter(row["dialogue_id"] for row in read_rows(demo) if row["part"] == "sgd")
    taken = Counter(row["dialogue_id"] for row in rows if row["part"] == "sgd")
    assert sum(taken[name] < whole[name] for name in taken) <= 1
    assert built.manifest.parts["sgd"].left_out == sum(whole.values()) - 100


def test_corpus_order_and_shuffled_order_have_the_same_rows(demo: Path, tmp_path: Path) -> None:
    in_order = [row["id"] for row in read_rows(build("tod", out=tmp_path / "out", changes=["order=corpus"]).out)]
    shuffled = [row["id"] for row in read_rows(demo)]
    assert sorted(in_order) == sorted(shuffled)
    assert in_order != shuffled
    parts = [name.split("/")[0] for name in in_order]
    assert parts == sorted(parts, reverse=True), "snips, then sgd, as in the recipe"
    first = [name for name in in_order if name.startswith("sgd/")][:3]
    assert first == [
        "sgd/train/1_00000/0/react_response",
        "sgd/train/1_00000/1/react_action",
        "sgd/train/1_00000/1/react_response",
    ]
    parts = [name.split("/")[0] for name in shuffled]
    assert "snips" in parts[-40:], "a shuffle mixes the parts"
    assert "sgd" in parts[:40]


@pytest.mark.parametrize(("limit", "dialogues"), [(1, 1), (14, 14), (15, 15), (1000, 26)])
def test_a_limit_takes_the_first_dialogues_of_each_part(demo: Path, tmp_path: Path, limit: int, dialogues: int) -> None:
    built = build("tod", out=tmp_path / "out", changes=[f"limit={limit}"], workers=2)
    assert built.manifest.parts["sgd"].dialogues == dialogues
    assert built.manifest.parts["snips"].dialogues == min(limit, 86)
    names = {row["dialogue_id"] for row in read_rows(built.out) if row["part"] == "sgd"}
    expected = [f"1_{n:05d}" for n in range(14)] + [f"2_{n:05d}" for n in range(12)]
    assert names <= set(expected[:limit])
    all_rows = {row["id"]: row for row in read_rows(demo)}
    sgd = [row for row in read_rows(built.out) if row["part"] == "sgd"]
    assert sgd == [all_rows[row["id"]] for row in sgd], "a quick look shows the rows of the whole build"


def test_a_limit_does_not_count_dialogues_that_the_filter_excludes(tmp_path: Path) -> None:
    """Of the bundled dialogues 1_00005, 2_00001, 2_00004 and 2_00006 are about coaches; 14 are in the first file."""
    changes = ["parts.sgd.filter={services: [Coaches_1]}", "limit=2"]
    built = build("tod", out=tmp_path / "out", changes=changes)
    count = built.manifest.parts["sgd"]
    assert (count.dialogues, count.filtered) == (14 + 2, 14)
    names = {row["dialogue_id"] for row in read_rows(built.out) if row["part"] == "sgd"}
    assert names == {"1_00005", "2_00001"}


def test_parts_may_share_a_source(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "name: mine\nparts:\n"
        "  actions: {source: sgd, task: react_action, rows: 30}\n"
        "  replies: {source: sgd, task: react_response, rows: 40}\n"
        "  heldout: {source: sgd, split: validation, task: react_response}\n"
    )
    built = build(str(recipe), out=tmp_path / "out")
    rows = read_rows(built.out)
    assert Counter(row["part"] for row in rows)["actions"] == 30
    assert {row["split"] for row in rows if row["part"] == "heldout"} == {"validation"}
    assert_all_is_accounted_for(built)


# --- what cannot be built ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["checks.grouding=false"], r"tod: no check 'grouding'; .*\bgrounding\b"),
        (["parts.sgd.source=sdg"], r"no source is called 'sdg'; did you mean 'sgd'\?"),
        (["parts.sgd.split=test"], r"part sgd: sgd has no split 'test' here, only train, validation"),
    ],
)
def test_a_recipe_that_asks_for_what_is_not_there_is_one_line(tmp_path: Path, changes: list[str], message: str) -> None:
    with pytest.raises((ConfigError, SourceError), match=message):
        build("tod", out=tmp_path / "out", changes=changes)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_corpus_says_what_it_is_recognised_by(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SourceError, match=r"part snips: no corpus 'snips' in .*/empty: it is recognised by train\.json"
    ):
        build("tod", data=tmp_path / "empty", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "record"),
    [(b"", None), (b'[{"dialogue_id": "1_00000", "serv', None), (b"\xff\xfe", None), (b"{}", "0"), (b"null", None)],
)
def test_one_bad_file_is_one_fault_and_the_others_go_on(
    data: Path, tmp_path: Path, content: bytes, record: str | None
) -> None:
    (data / "sgd" / "train" / "dialogues_001.json").write_bytes(content)
    built = build("tod", data=data, out=tmp_path / "out")
    (fault,) = built.manifest.faults
    assert (fault.file, fault.record) == ("train/dialogues_001.json", record)
    assert built.manifest.parts["sgd"].dialogues == 12


def test_a_damaged_member_of_a_zip_file_is_one_fault_too(data: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(data / "sgd"), "zip", data / "sgd"))
    shutil.rmtree(data / "sgd")
    with zipfile.ZipFile(archive) as opened:
        begin = opened.getinfo("train/dialogues_002.json").header_offset + 200
    content = bytearray(archive.read_bytes())
    content[begin : begin + 50] = bytes(50)
    archive.write_bytes(content)
    built = build("tod", data=data, out=tmp_path / "out")
    (fault,) = built.manifest.faults
    assert fault.file == "train/dialogues_002.json"
    assert fault.reason.startswith("cannot be read in sgd.zip: ")
    assert built.manifest.parts["sgd"].dialogues == 14


def test_a_link_to_nowhere_is_one_fault_too(data: Path, tmp_path: Path) -> None:
    (data / "sgd" / "train" / "dialogues_003.json").symlink_to(tmp_path / "nowhere")
    (fault,) = build("tod", data=data, out=tmp_path / "out").manifest.faults
    assert (fault.file, fault.reason) == (
        "train/dialogues_003.json",
        "cannot be read: No such file or directory",
    )


def test_a_file_name_that_is_not_utf8_is_escaped(data: Path, tmp_path: Path) -> None:
    folder = os.fsencode(data / "sgd" / "train")
    os.rename(folder + b"/dialogues_001.json", folder + b"/dialogues_\xff.json")
    built = build("tod", data=data, out=tmp_path / "out")
    assert r"sgd/train/dialogues_\xff.json" in built.manifest.inputs
    assert built.manifest.parts["sgd"].dialogues == 26


def test_a_large_file_that_is_cut_off_is_one_fault_too(data: Path, tmp_path: Path) -> None:
    path = data / "sgd" / "train" / "dialogues_001.json"
    path.write_bytes(path.read_bytes().rstrip()[:-1].ljust(20_000_000))
    built = build("tod", data=data, out=tmp_path / "out")
    assert [fault.record for fault in built.manifest.faults] == [None]


def test_corpora_without_a_usable_dialogue_are_one_line(data: Path, tmp_path: Path) -> None:
    for path in [*data.glob("sgd/train/dialogues_*.json"), data / "snips" / "train.json"]:
        path.write_bytes(path.read_bytes()[:1000])
    heard = Heard()
    with pytest.raises(SourceError, match="no usable dialogue"):
        build("tod", data=data, out=tmp_path / "out", listener=heard)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert sum(line.startswith("fault: ") for line in heard.lines) == 3


def test_too_many_rejects_and_faults_fall_short(data: Path, tmp_path: Path) -> None:
    edit_dialogues(data, break_some)
    built = build("tod", data=data, out=tmp_path / "out", changes=["expect.rejects_at_most=0.001"])
    assert built.shortfall
    assert "more than rejects_at_most (0.1%) allows" in built.shortfall
    assert build("tod", data=data, out=built.out, changes=["expect.rejects_at_most=0.5"]).shortfall is None
