"""The commands as a person runs them: what they print, what they refuse, how they end."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_group
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.pipeline.build import build as build_recipe

COMMAND = [sys.executable, "-c", "from coalm_it.cli import app; app()"]
LENIENT = ("--set", "expect.rejects_at_most=0.5")
COMMANDS = ["build", "show", "sources", "recipes", "ledger", "model"]


def walk(group: TyperGroup, *above: str) -> Iterator[tuple[str, Any]]:
    """Every command with what one types to get there: "build", "ledger", "ledger show"."""
    for name, command in group.commands.items():
        yield " ".join([*above, name]), command
        if isinstance(command, TyperGroup):
            yield from walk(command, *above, name)


EVERY_COMMAND = dict(walk(get_group(app)))


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def start(*arguments: str | Path, prepare: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """A process and a process group of its own."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,
    )


def read_files(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "timings.json"
    }


def assert_refused(result: Result, code: int, *messages: str) -> None:
    """It ended with that code, a single line of complaint that matches each message, and no traceback."""
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    complaints = [line for line in result.stderr.splitlines() if line.startswith("coalm-it: ")]
    assert len(complaints) == 1, result.stderr
    for message in messages:
        assert re.search(message, complaints[0])


# --- help ---


def test_help_names_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert re.search(rf"^\W*{name}\s+\S", result.stdout, re.MULTILINE), f"{name} has no help"


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_every_command_and_option_has_help(name: str) -> None:
    command = EVERY_COMMAND[name]
    assert command.help
    assert command.help.endswith(".")
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.name} has no help"
    assert run(*name.split(), "--help").exit_code == 0


def test_the_walk_over_commands_goes_into_groups() -> None:
    assert {"build", "ledger", "ledger show", "model smollm2"} <= set(EVERY_COMMAND)


def test_without_a_command_there_is_help() -> None:
    assert "Usage" in run().output


# --- build ---


def test_build_prints_a_table_of_what_became_of_each_part(demo: Path, tmp_path: Path) -> None:
    result = run("build", "tod", "--out", tmp_path / "out", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[0] == (
        "NOTE: without --data this builds the small bundled samples, not the real corpora."
    )
    header, *lines = [line.split() for line in result.stdout.splitlines()]
    assert header[:3] == ["part", "read", "candidates"]
    assert [line[:2] for line in lines[:2]] == [["snips", "86"], ["sgd", "26"]]
    assert re.search(r"out: done in \d+\.\d s$", result.stdout.replace("\n", " ").strip())
    assert read_files(tmp_path / "out") == read_files(demo)


def test_build_again_says_that_there_is_nothing_to_do(demo: Path) -> None:
    result = run("build", "tod", "--out", demo)
    assert result.exit_code == 0
    assert "holds this build already: nothing to do." in result.stderr


def test_build_as_json_is_the_manifest_first_and_again(tmp_path: Path) -> None:
    first, again = (run("build", "tod", "--out", tmp_path / "out", "--workers", "1", "--json") for _ in range(2))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for result in (first, again):
        printed = json.loads(result.stdout)
        assert {key: printed[key] for key in manifest} == manifest
        assert printed["out"] == str(tmp_path / "out")


def test_set_and_limit_reach_the_recipe(tmp_path: Path) -> None:
    changes = ("--set", "seed=5", "--set", "parts.sgd.task=react_response", "--limit", "2", *LENIENT)
    assert run("build", "tod", "--out", tmp_path / "out", *changes).exit_code == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["recipe"]["seed"], manifest["recipe"]["limit"]) == (5, 2)
    assert manifest["recipe"]["parts"]["sgd"]["task"] == ["react_response"]
    assert {part["dialogues"] for part in manifest["parts"].values()} == {2}


def test_progress_is_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    result = run("build", "tod", "--out", tmp_path / "out", "--workers", "1")
    assert re.search(r"^shards: 3 of 3 \(\d+ rows\)$", result.stderr, re.MULTILINE)
    assert "\x1b" not in result.output


# --- show ---


@pytest.mark.parametrize("name", ["sgd/train/1_00007/1/react_action", "sgd/train/1_00007", "1_00007"])
def test_show_prints_a_row_or_a_dialogue(demo: Path, name: str) -> None:
    result = run("show", demo, name)
    assert result.exit_code == 0, result.output
    assert "user  And tomorrow?" in result.stdout
    assert 'call  GetForecast({"city": "Seattle", "date": "2019-03-02"})' in result.stdout
    assert ("Happy paddling!" in result.stdout) == (not name.endswith("action"))


def test_show_prints_a_state(demo: Path, bundled: Path) -> None:
    first = json.loads((bundled / "snips" / "train.json").read_bytes())[0]["dialog_id"]
    result = run("show", demo, f"snips/train/{first}")
    assert result.exit_code == 0
    assert '"slot_values"' in result.stdout


def test_show_prints_text_as_it_is_and_steers_no_terminal(bundled: Path, tmp_path: Path) -> None:
    shutil.copytree(bundled, tmp_path / "data")
    path = tmp_path / "data" / "sgd" / "train" / "dialogues_001.json"
    hostile = r"[red]fine[/red] :smile: \u001b[2J\u001b]0;title\u0007 {{ 1 }}"
    path.write_text(path.read_text().replace("Do I need an umbrella in Seattle?", hostile))
    out = build_recipe("tod", data=tmp_path / "data", out=tmp_path / "out", changes=["limit=9"]).out
    result = run("show", out, "1_00007")
    assert r"[red]fine[/red] :smile: \x1b[2J\x1b]0;title\x07 {{ 1 }}" in result.stdout
    assert not set("\x1b\x07") & set(result.stdout)


def test_show_of_what_is_not_there_is_one_line(demo: Path, tmp_path: Path) -> None:
    assert_refused(run("show", demo, "sgd/train/9_99999"), 2, r"no row and no dialogue 'sgd/train/9_99999' in ")
    assert_refused(run("show", tmp_path, "1_00007"), 2, "is not a finished build: it has no manifest.json")


# --- lists ---


def test_recipes_lists_what_comes_with_the_package() -> None:
    assert re.search(r"^tod\s+1\s+snips, sgd", run("recipes").stdout, re.MULTILINE)
    listed = json.loads(run("recipes", "--json").stdout)
    assert {"recipe": "tod", "version": 1, "parts": "snips, sgd"} in listed


def test_sources_lists_what_is_known_and_what_is_there(bundled: Path) -> None:
    known = run("sources")
    assert known.exit_code == 0
    assert {"sgd", "snips"} <= {line.partition(":")[0] for line in known.stdout.splitlines()}
    there = json.loads(run("sources", "--data", bundled, "--json").stdout)
    used = {row["source"]: row["layout"] for row in there if row["status"] == "used"}
    assert (used["sgd"], used["snips"]) == ("sgd", "split")


# --- the request is wrong: 2 ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["todd"], r"no recipes/todd\.yaml; did you mean 'tod'\?"),
        (["tod", "--set", "parts.sgd.row=3"], r"unknown key 'parts\.sgd\.row'; did you mean 'rows'\?"),
        (["tod", "--set", "order=random"], r"order: .*'shuffled' or 'corpus'"),
        (["tod", "--set", "seed"], r"--set seed: write it as KEY\.KEY=VALUE"),
        (["tod", "--set", "checks.leek=false"], r"no check 'leek'; .*\bleak\b"),
        (["tod", "--set", "parts.sgd.source=sdg"], r"no source is called 'sdg'; did you mean 'sgd'\?"),
        (["tod", "--set", "parts.sgd.split=test"], r"sgd has no split 'test' here, only train, validation"),
        (["tod", "--set", "parts.sgd.split=dev"], r"parts\.sgd\.split: .*'validation'.* \(found 'dev'\)"),
        (["tod", "--data", "/nowhere/at/all"], r"/nowhere/at/all: no such folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_request_is_one_line_and_writes_nothing(tmp_path: Path, arguments: list[str], message: str) -> None:
    assert_refused(run("build", *arguments, "--out", tmp_path / "out"), 2, message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["name: [", "just words", "", "name: x\nparts: {sgd: {source: sgd}}"])
def test_a_file_that_is_no_recipe_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert_refused(run("build", path, "--out", tmp_path / "out"), 2, r"coalm-it: mine\.yaml: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: mine\nreader: snips", r"mine_source\.yaml: missing keys 'title', "),
        ("nmae: mine", r"mine_source\.yaml: .*"),
        ("[", r"mine_source\.yaml: not YAML"),
    ],
)
def test_a_file_that_is_no_source_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine_source.yaml"
    path.write_text(text)
    change = f"parts.sgd.source={path}"
    assert_refused(run("build", "tod", "--out", tmp_path / "out", "--set", change), 2, message)


def test_a_source_whose_reader_is_unknown_is_one_line(bundled: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine_source.yaml"
    known = (bundled.parent / "snips.yaml").read_text()
    path.write_text(known.replace("reader: snips", "reader: snaps"))
    change = f"parts.snips.source={path}"
    assert_refused(run("build", "tod", "--out", tmp_path / "out", "--set", change), 2, r"no reader 'snaps'.*\bsnips\b")


def test_a_folder_without_corpora_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").touch()
    result = run("build", "tod", "--data", tmp_path / "data", "--out", tmp_path / "out")
    assert_refused(
        result, 2, r"no corpus 'snips' in .*/data: it is recognised by .*; coalm-it fetch snips --data CORPORA"
    )


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert_refused(run("build", "tod", "--out", tmp_path), 2, r"holds something else \(no \.coalm-it in it\)")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("below", ["", "a", "a/b"])
def test_an_output_folder_below_a_file_is_one_line(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    result = run("build", "tod", "--out", tmp_path / "file" / below)
    assert_refused(result, 2, r"cannot be an output folder: .*/file is a file")


@pytest.mark.parametrize("option", ["--out", "--data"])
def test_a_path_that_no_system_takes_is_one_line(tmp_path: Path, option: str) -> None:
    arguments = {"--out": str(tmp_path / "out"), option: str(tmp_path / ("x" * 300))}
    flat = [word for pair in arguments.items() for word in pair]
    result = run("build", "tod", *flat)
    assert result.exit_code in (2, 3)
    assert_refused(result, result.exit_code, "x{300}.*(File name too long|no such folder)")


def test_options_that_make_no_sense_are_explained(tmp_path: Path) -> None:
    for arguments in (["--workers", "0"], ["--limit", "0"], ["--nonsense"]):
        result = run("build", "tod", "--out", tmp_path / "out", *arguments)
        assert result.exit_code == 2
        assert "Usage:" in result.stderr
    assert not (tmp_path / "out").exists()


# --- the data fell short: 1 ---


@pytest.fixture
def data(bundled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundled, tmp_path / "data"))


@pytest.mark.parametrize("content", ["", '[{"dialogue_id": "1_00000", "services": ["Din'], ids=["empty", "cut off"])
def test_a_bad_file_among_good_ones_is_counted(data: Path, tmp_path: Path, content: str) -> None:
    (data / "sgd" / "train" / "dialogues_001.json").write_text(content)
    arguments = ("build", "tod", "--data", data, "--out", tmp_path / "out")
    result = run(*arguments, *LENIENT)
    assert result.exit_code == 0, result.output
    assert re.search(
        r"^fault: train/dialogues_001\.json: (the file is empty|not JSON, or cut off)", result.stderr, re.M
    )
    strict = run(*arguments, "--set", "expect.rejects_at_most=0")
    assert strict.exit_code == 1
    assert re.search(r"\d+ rejects and faults of \d+: more than rejects_at_most \(0\.0%\) allows", strict.stderr)
    assert (tmp_path / "out" / "manifest.json").is_file(), "what there is can be looked at"
    assert run(*arguments, "--set", "expect.rejects_at_most=0").exit_code == 1, "and it stays short"


def test_too_few_rows_for_a_quota_fall_short(tmp_path: Path) -> None:
    arguments = ("build", "tod", "--out", tmp_path / "out", "--set", "parts.snips.rows=1000")
    result = run(*arguments)
    assert_refused(result, 1, "too few rows")
    assert re.search(r"^snips\s+1,000\s+86\s+914\s", result.output, re.MULTILINE)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert run(*arguments, "--allow-short", *LENIENT).exit_code == 0


def test_a_shortage_as_json_is_json_alone(tmp_path: Path) -> None:
    result = run("build", "tod", "--out", tmp_path / "out", "--set", "parts.snips.rows=1000", "--json")
    assert_refused(result, 1, "too few rows")
    (short,) = json.loads(result.stdout)["shortages"]
    assert (short["part"], short["wanted"], short["have"]) == ("snips", 1000, 86)
    assert (short["rejects"], short["faults"]) == (0, 0)
    assert short["remedy"] == "coalm-it fetch snips --data CORPORA"


def test_where_every_file_is_bad_nothing_is_built(data: Path, tmp_path: Path) -> None:
    for path in [*data.glob("sgd/train/dialogues_*.json"), data / "snips" / "train.json"]:
        path.write_bytes(path.read_bytes()[:1000])
    result = run("build", "tod", "--data", data, "--out", tmp_path / "out")
    assert_refused(result, 2, "the corpora hold no usable dialogue")
    assert not (tmp_path / "out" / "manifest.json").exists()


# --- the disk is full: 3 ---


def limit_files_to(size: int) -> Callable[[], None]:
    """Files of this process cannot grow beyond `size` bytes: what a full disk looks like to it."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "workers"), [("shards", "2"), ("files", "2"), ("files", "1")])
def test_a_full_disk_is_one_line_and_a_rerun_completes(
    demo: Path, tmp_path: Path, own_cache: Path, stage: str, workers: str
) -> None:
    out = tmp_path / "out"
    if stage != "shards":
        build_recipe("tod", out=tmp_path / "other", workers=2)  # makes the shards
    process = start("build", "tod", "--out", out, "--workers", workers, prepare=limit_files_to(20_000))
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3, stderr
    complaints = [line for line in stderr.splitlines() if line.startswith("coalm-it: ")]
    assert len(complaints) == 1
    assert re.search(r"/(out/|cache\d+/)\S+ cannot be written: File too large$", complaints[0])
    assert "Traceback" not in stderr
    assert not (out / "manifest.json").exists()
    assert not list(out.rglob("*.part"))
    assert build_recipe("tod", out=out).fresh
    assert read_files(out) == read_files(demo)


# --- stopped: 130, or killed ---


@pytest.fixture(scope="module")
def many(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled corpora with enough files of dialogues for a build to be caught in the middle."""
    data = Path(shutil.copytree(bundled, tmp_path_factory.mktemp("many") / "data"))
    train = data / "sgd" / "train"
    dialogues = json.loads((train / "dialogues_002.json").read_bytes())[:6]
    for number in range(3, 7):
        renamed = [{**one, "dialogue_id": f"{number}_{place:05d}"} for place, one in enumerate(dialogues)]
        (train / f"dialogues_{number:03d}.json").write_text(json.dumps(renamed), encoding="utf-8")
    return data


@pytest.fixture(scope="module")
def undisturbed(many: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = build_recipe("tod", data=many, out=tmp_path_factory.mktemp("undisturbed") / "out", workers=2).out
    return read_files(out)


def wait_for(process: subprocess.Popen[str], folders: dict[str, Path], pattern: str, count: int) -> None:
    """Until so many files fit the pattern, which begins with the name of a folder."""
    name, _, inside = pattern.partition("/")
    deadline = time.monotonic() + 60
    while len(list(folders[name].glob(inside))) < count:
        assert process.poll() is None, "the build was over before it could be disturbed"
        assert time.monotonic() < deadline
        time.sleep(0.001)


def end_of_group(process: subprocess.Popen[str]) -> bool:
    """Whether the process and all that it started are gone; workers have a moment to notice."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if not any(is_of_group(process.pid, entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
            return True
        time.sleep(0.05)
    return False


def is_of_group(group: int, entry: Path) -> bool:
    try:
        state, _, of_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return False
    return int(of_group) == group and state != "Z"


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "count", "workers"),
    [
        ("out/.coalm-it", 1, "2"),
        ("cache/shards/.*.part", 1, "2"),
        ("cache/shards/*.arrow", 3, "2"),
        ("out/data/*/.*.part", 1, "2"),
        ("out/data/*/*.parquet", 1, "2"),
        ("cache/shards/*.arrow", 3, "1"),
    ],
)
def test_a_build_that_is_killed_is_completed_by_a_rerun(
    many: Path,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    own_cache: Path,
    pattern: str,
    count: int,
    workers: str,
) -> None:
    out = tmp_path / "out"
    process = start("build", "tod", "--data", many, "--out", out, "--workers", workers)
    wait_for(process, {"out": out, "cache": own_cache}, pattern, count)
    process.kill()
    process.communicate()
    assert not (out / "manifest.json").exists()
    build_recipe("tod", data=many, out=out)
    assert read_files(out) == undisturbed
    assert not list(out.rglob("*.part"))
    assert end_of_group(process), "the workers outlive their parent"
    assert read_files(out) == undisturbed


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "count", "workers"),
    [("cache/shards/*.arrow", 3, "1"), ("cache/shards/*.arrow", 3, "2"), ("out/data/*/.*.part", 1, "2")],
)
def test_ctrl_c_ends_with_130_and_can_be_resumed(
    many: Path,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    own_cache: Path,
    pattern: str,
    count: int,
    workers: str,
) -> None:
    out = tmp_path / "out"
    process = start("build", "tod", "--data", many, "--out", out, "--workers", workers)
    wait_for(process, {"out": out, "cache": own_cache}, pattern, count)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert stderr.splitlines()[-1] == "coalm-it: stopped; run the same command again to resume"
    assert "Traceback" not in stderr
    assert end_of_group(process)
    assert not (out / "manifest.json").exists()
    assert not list(out.rglob("*.part"))
    shards = {path: path.stat().st_ino for path in (own_cache / "shards").glob("*.arrow")}
    build_recipe("tod", data=many, out=out)
    assert read_files(out) == undisturbed
    assert {path: path.stat().st_ino for path in shards} == shards, "what was finished is not made again"
