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
from coalm_it.configs import load_config
from coalm_it.evaluation.config import Evaluation
from coalm_it.verify.run import Verification

README = (Path(coalm_it.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SMALL = {
    "build": ["--workers", "2"],
    "train": ["--set", "rows.limit=64", "--set", "sft.num_train_epochs=2"],
    "eval": ["--set", "rows=3", "--set", "max_tokens=24"],
    "verify": [
        *("--set", "recipe=[validation=0.2, parts.snips=null]", "--set", "training=smoke", "--set", "expect=[]"),
        *("--set", "changes=[rows.limit=16, sft.num_train_epochs=1]"),
        *("--set", "measures={held_out: {evaluation: held_out, changes: [rows=2, max_tokens=16]}}"),
    ],
}
"""What makes each command quick."""


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
    return [*words, *SMALL.get(words[0], ()), *(["--endpoint", address] if words[0] == "publish" else [])]


def test_each_command_of_the_readme_leads_to_the_next(hub: Hub, tmp_path: Path) -> None:
    commands = read_commands()
    assert [command[0] for command in commands] == ["build", "publish", "train", "eval", "verify"]
    for command in commands:
        done = CliRunner().invoke(app, fit(command, tmp_path, hub.address))
        assert done.exit_code == 0, (command, done.output, done.exception)
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
    assert {gain["measure"] for gain in verified["gains"]} == {"held_out"}
    assert all(gain["n"] > 0 for gain in verified["gains"])
    assert verified["loss"]["of"] == "validation"
    assert verified["loss"]["last"] < verified["loss"]["first"]


def test_what_the_packaged_verification_measures_can_be_measured() -> None:
    wanted = load_config("eval", "verify", Verification)
    loaded = {
        name: load_config("eval", one.evaluation, Evaluation, one.changes) for name, one in wanted.measures.items()
    }
    assert {one.benchmark for one in loaded.values()} == {"held_out", "bfcl"}


@pytest.mark.parametrize(
    ("changes", "message", "code"),
    [
        (["expect=[{measure: nothing, metric: exact, at_least: 0}]"], "no measure 'nothing'; there are: held_out", 2),
        (["trainings=smoke"], "unknown key 'trainings'; did you mean 'training'", 2),
        (["measures.held_out.changes=[row=3]"], "unknown key 'row'; did you mean 'rows'", 2),
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
