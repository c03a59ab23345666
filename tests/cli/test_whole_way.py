"""The whole way once, by the commands that the README shows: built, published, loaded, trained, measured, verified."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from hub_server import Hub
from typer.testing import CliRunner

import coalm_it
from coalm_it.cli import app
from coalm_it.evaluation.benchmarks import BENCHMARKS, load_evaluation
from coalm_it.verify.config import load_verification

pytestmark = pytest.mark.libraries

README = (Path(coalm_it.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
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
"""Settings that make each command quick."""


def read_commands() -> list[list[str]]:
    section = README.split("## The whole way")[1].split("\n## ")[0]
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r"^    (coalm-it .+)$", section, re.MULTILINE)]


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
    commands = read_commands()
    assert [command[0] for command in commands] == ["build", "publish", "train", "eval", "verify"]
    for command in commands:
        done = CliRunner().invoke(app, fit(command, tmp_path, hub.address))
        assert done.exit_code == 0, (command, done.output, done.exception)
    published = hub.repos["ada/mine"].files()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert published.keys() >= manifest["files"].keys()
    for name in manifest["files"]:
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
