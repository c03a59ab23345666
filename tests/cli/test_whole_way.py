"""The whole way once, by what README and docs/index.md show: built, published, loaded, trained, measured, verified."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hub_server import Hub
from next_steps import read_next
from pages import PAGES, ROOT, read_blocks, read_section
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.evaluation.benchmarks import BENCHMARKS, load_evaluation
from coalm_it.verify.config import load_verification

pytestmark = pytest.mark.libraries

SMALL = {
    "train": ["rows.limit=16", "rows.validation_limit=2", "sft.per_device_train_batch_size=2"],
    "eval": ["rows=3", "max_tokens=24"],
    "verify": [
        "recipe_changes=[validation=0.2, parts.snips=null]",
        "training=smoke",
        "training_changes=[rows.limit=12, rows.validation_limit=2, sft.num_train_epochs=1]",
        "evaluations={held_out: {config: held_out, changes: [rows=1, max_tokens=8]}}",
        "expect=[]",
    ],
}
"""What makes each command quick."""
NEXT = {
    "build": r"^coalm-it train smoke --data \S+/out --out MODEL$",
    "publish": r'^load_dataset\("ada/mine", "samples", split="train", revision="v1-[0-9a-f]{8}"\)$',
    "train": r"^coalm-it eval held_out --model \S+/model --data \S+/out --out RESULTS$",
    "eval": r"^coalm-it verify RECIPE --base BASE ",
    "verify": r"^coalm-it build coalm_it_plus --out OUT$",
}
"""What each names as the next."""


def read_readme() -> list[list[str]]:
    section = read_section(PAGES["README.md"].read_text(encoding="utf-8"), "The whole way")
    return [words[1:] for block in read_blocks(section) for words in block.commands]


def fit(command: list[str], folder: Path, address: str) -> list[str]:
    """The command as it is run here: from the bundled samples, with a model that is made on the spot."""
    places = {name: str(folder / name.lower()) for name in ("OUT", "MODEL", "RESULTS", "VERIFIED")}
    words = [places.get(word, "ada/mine" if word == "USER/NAME" else word) for word in command]
    if "--data" in words and words[words.index("--data") + 1] == "CORPORA":
        place = words.index("--data")
        del words[place : place + 2]
    if words[0] == "verify":
        words[words.index("--base") + 1] = str(folder / "model" / "base")
    changes = [word for change in SMALL.get(words[0], ()) for word in ("--set", change)]
    return [*words, *changes, *(["--endpoint", address] if words[0] == "publish" else [])]


def test_each_command_of_the_readme_leads_to_the_next(hub: Hub, tmp_path: Path) -> None:
    commands = read_readme()
    assert [command[0] for command in commands] == ["build", "publish", "train", "eval", "verify"]
    for command in commands:
        done = CliRunner().invoke(app, fit(command, tmp_path, hub.address))
        assert done.exit_code == 0, (command, done.output, done.exception)
        assert re.search(NEXT[command[0]], read_next(done)[-1]), done.stderr
    published = hub.repos["ada/mine"].files()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert published.keys() >= manifest["files"].keys()
    assert b'load_dataset("ada/mine"' in published["README.md"]
    for name in manifest["files"].keys() - {"README.md"}:
        assert published[name] == (tmp_path / "out" / name).read_bytes(), name
    run = json.loads((tmp_path / "model" / "run.json").read_bytes())
    assert run["loss"][-1]["loss"] < run["loss"][0]["loss"]
    results = json.loads((tmp_path / "results" / "results.json").read_bytes())
    assert results["asked"] == results["answered"] > 0
    verified = json.loads((tmp_path / "verified" / "verify.json").read_bytes())
    assert {gain["evaluation"] for gain in verified["gains"]} == {"held_out"}
    assert all(gain["n"] > 0 for gain in verified["gains"])
    assert verified["loss"]["split"] == "validation"
    assert verified["loss"]["last"] < verified["loss"]["first"]


NOT_RUN = {
    "python3": "makes an environment",
    ".": "activates it",
    "pip": "installs; the names of extras are compared below",
    "hf": "asks for a token",
    "coalm-it fetch": "downloads; tests/corpora/test_fetch.py does that from servers of this machine",
}
"""What of the first page is not run here, and why."""
IN_THE_README = {"demo": "OUT", "model": "MODEL", "results": "RESULTS", "verified": "VERIFIED", "corpora": "CORPORA"}
"""Folder of the first page -> the README's. Its training and measuring are the README's, and are run once."""


def test_the_first_page_leads_from_nothing_to_a_data_set_of_ones_own(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGES["index.md"].read_text(encoding="utf-8")
    ran, printed = [], ""
    for block in read_blocks(page):
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, "docs/index.md", "exec"), {})
            printed += capsys.readouterr().out
        for words in block.commands:
            if words[0] in NOT_RUN or " ".join(words[:2]) in NOT_RUN:
                continue
            assert words[0] == "coalm-it", words
            ran.append(words[1])
            if words[1] in ("train", "eval", "verify"):
                assert [IN_THE_README.get(word, word) for word in words[1:]] in read_readme()
                continue
            done = CliRunner().invoke(app, fit(words[1:], tmp_path, hub.address))
            assert done.exit_code == 0, (words, done.output, done.exception)
            printed += done.output
    assert ran == "build show sources sources build show show publish publish train eval verify".split()
    assert "read, 1 of 1 files: talks.jsonl" in printed
    assert "talks.jsonl, record talks_2: a fault" in printed
    assert "find_berth.metres is '12', which nobody said" in printed
    assert "a call of 'book_taxi', but no functions are listed" in printed
    assert re.search(r"^harbour +2 +4 +2 +0 +2 +1$", printed, re.MULTILINE), "the counts that the page states"
    assert hub.repos["ada/mine"].files().keys() >= {"manifest.json", "README.md"}


@pytest.mark.parametrize("page", ["README.md", "index.md"])
def test_the_extras_that_are_to_be_installed_exist(page: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"coalm-it\[(\w+)\]", PAGES[page].read_text(encoding="utf-8"))
    assert set(named) >= {"hub", "train"}
    assert set(named) <= set(project["optional-dependencies"])


def test_the_evaluations_of_the_packaged_verification_load() -> None:
    config = load_verification("verify")
    loaded = [load_evaluation(one.config, one.changes) for one in config.evaluations.values()]
    assert {evaluation.benchmark for evaluation in loaded} == {*BENCHMARKS}


@pytest.mark.parametrize(
    ("changes", "message", "code"),
    [
        (
            ["expect=[{evaluation: nothing, metric: exact, at_least: 0}]"],
            "no evaluation 'nothing'; there are: held_out",
            2,
        ),
        (["trainings=smoke"], "unknown key 'trainings'; did you mean 'training'", 2),
        (["evaluations.held_out.changes=[row=3]"], "unknown key 'row'; did you mean 'rows'", 2),
        (["training=smoky"], "no train/smoky.yaml; did you mean 'smoke'", 2),
    ],
)
def test_a_verification_that_cannot_be_run_is_refused_in_one_line(
    changes: list[str], message: str, code: int, tmp_path: Path
) -> None:
    sets = [word for change in changes for word in ("--set", change)]
    done = CliRunner().invoke(app, ["verify", "tod", "--base", "m", "--out", str(tmp_path / "v"), *sets])
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert not (tmp_path / "v").exists()
