"""Thoughts of a model before the calls and replies of function-calling corpora: their ReAct rows, in varied layout."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from decoded import decode_messages
from small import assert_one_line, order_small, read_rows
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.dataset.manifest import Manifest

PART = {"task": ["react_action", "react_response"], "layout": "varied", "checks": {"grounding": False}}


def run(server: Any, folder: Path, command: str, *options: str, **parts: Any) -> Result:
    recipe = {"name": "calls", "parts": parts, "expect": {"rejects_at_most": 0.3}}
    (folder / "calls.yaml").write_text(yaml.safe_dump(recipe))
    changes = [part for change in order_small(server)[:3] for part in ("--set", change)]
    ledger = ["--ledger", str(folder / "answers.sqlite"), "--workers", "1"]
    return CliRunner().invoke(app, [command, str(folder / "calls.yaml"), *changes, *ledger, *options])


def test_calls_and_replies_get_thoughts_and_an_estimate_agrees(server: Any, tmp_path: Path) -> None:
    parts = {"toolace": {"source": "toolace", **PART}, "xlam": {"source": "xlam", **PART}}
    options = ("--set", "reasoning.repairs=0")
    estimated = json.loads(run(server, tmp_path, "estimate", *options, "--json", **parts).stdout)["thoughts"]
    out = tmp_path / "out"
    result = run(server, tmp_path, "build", *options, "--out", str(out), **parts)
    assert result.exit_code == 0, result.output
    assert estimated["asked"] == server.stats["requests"] > 50
    rows = read_rows(out)
    assert {row["part"] for row in rows} == {"toolace", "xlam"}
    manifest = Manifest.model_validate_json((out / "manifest.json").read_text())
    assert sum((Counter(count.thoughts) for count in manifest.parts.values()), Counter())["first"] > 60
    columns = pq.read_table(out / "data" / "coalm_it").to_pylist()
    for row, column in zip(rows, columns, strict=True):
        assert column["output"].startswith(f"Thought: {row['thought']}\n")
        assert decode_messages(row)[0][-1]["reasoning_content"] == row["thought"]


@pytest.mark.parametrize("writer", ["grounded", "rewrite"])
def test_without_annotation_a_thought_says_what_the_words_and_calls_show(
    server: Any, tmp_path: Path, writer: str
) -> None:
    """The server's rewritten dialogues are rejected; those of the corpus take their place."""
    out = tmp_path / "out"
    options = ("--set", f"reasoning.writer={writer}", "--set", "reasoning.repairs=0", "--out", str(out))
    result = run(server, tmp_path, "build", *options, toolace={"source": "toolace", **PART})
    assert result.exit_code == 0, result.output
    for row in read_rows(out):
        target = decode_messages(row)[0][-1]
        names = [call["function"]["name"] for call in target.get("tool_calls", ())]
        assert all(name in row["thought"] for name in names)


def test_a_part_without_thoughts_beside_others_is_named(server: Any, tmp_path: Path) -> None:
    parts = {"sgd": {"source": "sgd", "task": "react_action"}, "calls": {"source": "xlam", "task": "function_call"}}
    line = "part calls: no model writes thoughts for task function_call; task: [react_action, react_response] with"
    estimated = run(server, tmp_path, "estimate", "--json", **parts)
    previewed = run(server, tmp_path, "build", "--preview", "1", **parts)
    built = run(server, tmp_path, "build", "--out", str(tmp_path / "out"), **parts)
    assert [one.stderr.count(line) for one in (estimated, previewed, built)] == [1, 1, 1]
    assert {row["part"]: row["thought"] is None for row in read_rows(tmp_path / "out")} == {"sgd": False, "calls": True}


@pytest.mark.parametrize(
    ("command", "options"), [("estimate", ()), ("build", ("--preview", "1")), ("build", ("--out", "o"))]
)
@pytest.mark.parametrize("writer", ["annotate", "rewrite"])
def test_a_recipe_in_which_no_model_would_write_is_refused(
    server: Any, tmp_path: Path, command: str, options: tuple[str, ...], writer: str
) -> None:
    calls = {"source": "xlam", "task": "function_call"}
    result = run(server, tmp_path, command, *options, "--set", f"reasoning.writer={writer}", calls=calls)
    assert result.exit_code == 2
    assert_one_line(result.stderr, rf"writer {writer}: no part has rows with thoughts, .* layout: varied$")
    assert server.stats["requests"] == 0
