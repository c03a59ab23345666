"""What a build says where corpora are missing, or where nothing is left for train."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.dataset.manifest import parse_manifest

SNIPS = {"source": "snips", "task": "state_tracking"}
XLAM = {"source": ["xlam", "xlam_irrelevance"], "task": "function_call"}
WOZ = {"source": "multiwoz", "task": "react_response"}


@pytest.fixture
def data(bundled: Path, tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("snips", "xlam_irrelevance"):
        (tmp_path / "data" / name).symlink_to(bundled / name)
    return tmp_path / "data"


def run(data: Path, parts: dict[str, Any], *options: str, **settings: Any) -> Result:
    recipe = data.parent / "recipe.yaml"
    recipe.write_text(json.dumps({"name": "absent", "parts": parts, **settings}))
    return CliRunner().invoke(
        app, ["build", str(recipe), "--data", str(data), "--out", str(data.parent / "out"), *options]
    )


def test_a_missing_corpus_ends_a_build_and_the_line_says_how_to_go_on(data: Path) -> None:
    result = run(data, {"snips": SNIPS, "woz": WOZ})
    assert result.exit_code == 2
    assert re.search(
        r"part woz: no corpus 'multiwoz' in .*coalm-it fetch multiwoz .*; --allow-short builds without it\n",
        result.stderr,
    )


@pytest.mark.parametrize("allow", [["--allow-short"], ["--set", "allow_short=true"]], ids=["option", "key"])
def test_a_part_without_corpus_is_left_out_where_short_parts_are_allowed(data: Path, allow: list[str]) -> None:
    own = data.parent / "own.yaml"
    own.write_text(
        json.dumps(
            {
                **{"name": "talks", "title": "Talks", "reader": "messages", "licence": "CC0-1.0", "citation": "none"},
                **{"homepage": "https://example.org", "layouts": [{"name": "files", "splits": {"train": "talk*"}}]},
            }
        )
    )
    parts = {"snips": SNIPS, "hammer": XLAM, "woz": WOZ, "own": {"source": str(own), "task": "function_call"}}
    result = run(data, parts, *allow)
    assert result.exit_code == 0, result.stderr
    header, *lines = result.stdout.splitlines()
    assert header.endswith("not found")
    table = {line.split()[0]: line.split() for line in lines}
    assert table["snips"][1:4] == ["86", "86", "86"]
    assert table["hammer"][-1] == "xlam"
    assert table["woz"][1:] == ["0", "0", "0", "0", "0", "0", "multiwoz"]
    manifest = parse_manifest((data.parent / "out" / "manifest.json").read_bytes())
    absent = {name: part.absent for name, part in manifest.parts.items()}
    assert absent == {"snips": (), "hammer": ("xlam",), "woz": ("multiwoz",), "own": ("talks",)}
    card = (data.parent / "out" / "README.md").read_text()
    assert "Part hammer lacks xlam: not found when the data set was built." in card
    assert "Part own lacks talks: not found when the data set was built." in card
    assert "Part snips lacks" not in card
    assert str(data.parent) not in card


def test_so_is_a_part_whose_corpus_has_not_its_split(data: Path) -> None:
    test = {**SNIPS, "source": "xlam_irrelevance", "task": "function_call", "split": "test"}
    assert (
        "xlam_irrelevance has no split 'test' here, only train; --allow-short"
        in run(data, {"snips": SNIPS, "test": test}).stderr
    )
    result = run(data, {"snips": SNIPS, "test": test}, "--allow-short")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[2].endswith("xlam_irrelevance")


def test_a_build_of_nothing_says_why(data: Path) -> None:
    result = run(data, {"woz": WOZ}, "--allow-short")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        "coalm-it: no row to write: none of the corpora was found",
    )


def test_a_build_whose_functions_are_all_held_out_says_so(bundled: Path, data: Path) -> None:
    talk = {
        "messages": [
            {"role": "user", "content": "High water in Oban?"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "get_tide", "arguments": {"harbour": "Oban"}}}]},
        ],
        "tools": [{"name": "get_tide", "parameters": {"harbour": {"type": "string"}}}],
    }
    own = data.parent / "own.yaml"
    own.write_text(
        json.dumps(
            {
                **{"name": "talks", "title": "Talks", "reader": "messages", "licence": "CC0-1.0", "citation": "none"},
                **{
                    "homepage": "https://example.org",
                    "layouts": [{"name": "files", "splits": {"train": "talks.json"}}],
                },
            }
        )
    )
    (data / "talks.json").write_text(json.dumps([talk] * 4))
    result = run(data, {"own": {"source": str(own), "task": "function_call", "layout": "varied"}}, validation=0.999)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "coalm-it: no row to write: validation 0.999 leaves no candidate for train: 4 are held out, and 0 are in "
        "neither split; hold out less; where the dialogues share functions, hold out dialogues instead: --set "
        "validation_by=dialogues"
    )


def test_a_file_that_cannot_be_read_is_the_reason(data: Path) -> None:
    (data / "snips").unlink()
    (data / "snips").mkdir()
    (data / "snips" / "train.json").write_text('[{"dialog_id": "a"')
    result = run(data, {"snips": SNIPS})
    assert (
        result.stderr.splitlines()[-1]
        == "coalm-it: no row to write: the corpora hold no usable dialogue; see the fault above"
    )
