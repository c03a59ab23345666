"""Layout hammer: a single request and its first calls are a row, other samples are rejects that say why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.corpora.sources import SourceError
from coalm_it.pipeline.build import BuildResult, build
from coalm_it.recipe import Recipe

SOURCE = {
    "name": "own",
    "title": "Own",
    "reader": "messages",
    "licence": "CC0-1.0",
    "homepage": "https://example.org",
    "citation": "none",
    "layouts": [{"name": "files", "splits": {"train": "own.jsonl"}}],
}
PARAMETERS = {"type": "object", "properties": {"harbour": {"type": "string"}}, "required": ["harbour"]}
TOOLS = [{"name": "get_tide", "description": "Tide at a harbour.", "parameters": PARAMETERS}]
ASK: dict[str, Any] = {"role": "user", "content": "When is high water in Oban?"}
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"type": "function", "function": {"name": "get_tide", "arguments": {"harbour": "Oban"}}}],
}
RESULT: dict[str, Any] = {"role": "tool", "name": "get_tide", "content": '{"high": "06:10"}'}
TELL: dict[str, Any] = {"role": "assistant", "content": "High water is at 06:10."}


def build_own(folder: Path, talk: list[dict[str, Any]], layout: str = "hammer") -> BuildResult:
    (folder / "own.yaml").write_text(yaml.safe_dump(SOURCE))
    (folder / "own.jsonl").write_text(json.dumps({"messages": talk, "tools": TOOLS}))
    parts = {"own": {"source": str(folder / "own.yaml"), "task": "function_call", "layout": layout}}
    recipe = {"name": "layouts", "parts": parts, "checks": {"reply_facts": False}}
    return build(Recipe.model_validate(recipe), data=folder, out=folder / "out", workers=1)


def read_all(out: Path, folder: str) -> list[dict[str, Any]]:
    return [row for path in sorted((out / folder).rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        ([ASK, CALL, RESULT, TELL], "this sample is answered in text"),
        ([ASK, CALL, RESULT, CALL], "this sample comes after the results of earlier calls"),
        ([ASK, CALL, RESULT, TELL, ASK, CALL], "this sample has an earlier turn"),
        ([ASK, CALL, RESULT, TELL, ASK, TELL, ASK, CALL], "this sample has 2 earlier turns"),
    ],
)
def test_only_a_single_request_and_its_first_calls_are_a_row(
    tmp_path: Path, talk: list[dict[str, Any]], why: str
) -> None:
    built = build_own(tmp_path, talk)
    outputs = [row["output"] for row in read_all(built.out, "data/coalm_it")]
    assert outputs == ['[{"name": "get_tide", "arguments": {"harbour": "Oban"}}]'] * (CALL in talk[:2])
    findings = [finding for row in read_all(built.out, "rejects") for finding in row["findings"]]
    assert {finding["check"] for finding in findings} == {"layout"}
    assert any(why in finding["message"] for finding in findings)
    assert built.manifest.parts["own"].rejected_by == {"layout": len(findings)}


def test_a_corpus_without_calls_has_no_row(tmp_path: Path) -> None:
    talk: list[dict[str, Any]] = [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello."},
    ]
    with pytest.raises(SourceError, match=r"layout 1.*toolace and varied hold conversations"):
        build_own(tmp_path, talk)


def test_the_other_layouts_hold_the_same_samples(tmp_path: Path) -> None:
    talk = [ASK, CALL, RESULT, TELL, ASK, CALL]
    assert build_own(tmp_path, talk, layout="varied").manifest.parts["own"].rows == 3


def test_the_build_names_the_layouts_for_conversations(tmp_path: Path) -> None:
    built = build_own(tmp_path, [ASK, CALL, RESULT, TELL])
    words = ["build", str(built.out / "recipe.yaml"), "--data", str(tmp_path), "--out", str(tmp_path / "again")]
    out = CliRunner().invoke(app, words).stdout
    assert "own, rejected by check: layout 1" in out
    assert out.count("own: layout hammer is for requests of a single turn; toolace and varied hold conversations") == 1
