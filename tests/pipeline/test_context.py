"""What a corpus marks as not to be learnt: context of other rows, no row itself, and counted."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from decoded import decode_messages

from coalm_it.pipeline.build import build
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
TALK = [
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Go away.", "weight": 0},
    {"role": "user", "content": "Pardon?"},
    {"role": "assistant", "content": "Hello."},
]


def test_a_reply_of_no_weight_is_no_row_and_is_counted_in_manifest_and_card(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(SOURCE))
    (tmp_path / "own.jsonl").write_text(json.dumps({"messages": TALK}))
    parts = {"own": {"source": str(tmp_path / "own.yaml"), "task": "function_call"}}
    build(Recipe.model_validate({"name": "context", "parts": parts}), data=tmp_path, out=tmp_path / "out")
    (path,) = (tmp_path / "out" / "data" / "samples").rglob("*.parquet")
    (row,) = pq.read_table(path).to_pylist()
    said = [message.get("content") for message in decode_messages(row)[0]]
    assert said[-1] == "Hello."
    assert "Go away." in said
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text())["parts"]["own"]
    assert (counts["candidates"], counts["context_only"]) == (1, 1)
    card = (tmp_path / "out" / "README.md").read_text()
    assert (
        "1 replies and calls that the corpus marks as not to be learnt, or does not annotate, are context only" in card
    )
