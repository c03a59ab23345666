"""Recipes that mix: quotas, shortage, fills, copies, masks, filters, and the coalm_it mix itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from decoded import decode_messages
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.mixture.quotas import ShortError
from coalm_it.pipeline.build import build
from coalm_it.recipe import Recipe, load_recipe

TRUSTED = {"grounding": False, "reply_facts": False}


def make_recipe(parts: dict[str, Any], **settings: Any) -> Recipe:
    return Recipe.model_validate({"name": "mix", "parts": parts, **settings})


def read_samples(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted((out / "data" / "samples").iterdir()) for row in pq.read_table(path).to_pylist()]


def read_columns(out: Path) -> list[tuple[str, str, str]]:
    rows = [row for path in sorted((out / "data" / "coalm_it").iterdir()) for row in pq.read_table(path).to_pylist()]
    return [(row["instruction"], row["input"], row["output"]) for row in rows]


def test_the_published_mix_adds_up_to_its_rows() -> None:
    recipe = load_recipe("coalm_it")
    assert {name: part.rows for name, part in recipe.parts.items()} == {
        "snips": 13_084,
        "hammer": 202_500,
        "toolace": 13_819,
        "sgd": 82_236,
    }
    assert sum(part.rows or 0 for part in recipe.parts.values()) == 311_639


def test_a_shortage_is_a_table_and_nothing_is_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["build", "coalm_it", "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "82,236" in rows["sgd"]
    assert "coalm-it fetch xlam xlam_irrelevance" in rows["hammer"]
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_short_build_that_is_allowed_says_so_in_its_manifest(tmp_path: Path) -> None:
    built = build("coalm_it", out=tmp_path / "out", changes=["allow_short=true"])
    assert built.manifest.recipe.allow_short is True
    for part in built.manifest.parts.values():
        assert part.rows < part.wanted
        assert part.candidates == part.rows - part.repeated + part.rejects + part.left_out


def test_copies_never_replace_a_missing_corpus(bundled: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "xlam_irrelevance").symlink_to(bundled / "xlam_irrelevance")
    part = {"source": ["xlam", "xlam_irrelevance"], "task": "function_call", "rows": 30, "fill": "repeat"}
    with pytest.raises(
        ShortError,
        match=r"\(coalm-it fetch xlam --data CORPORA; first accept the terms of xlam at https://",
    ):
        build(make_recipe({"hammer": {**part, "checks": TRUSTED}}), data=data, out=tmp_path / "out")


def test_second_copies_fill_what_is_missing_and_are_marked(tmp_path: Path) -> None:
    part = {"source": "xlam_irrelevance", "task": "function_call", "layout": "hammer", "rows": 25, "fill": "repeat"}
    built = build(make_recipe({"hammer": {**part, "checks": TRUSTED}}), out=tmp_path / "out")
    assert (built.manifest.parts["hammer"].rows, built.manifest.parts["hammer"].repeated) == (25, 5)
    samples = read_samples(built.out)
    copies = [sample for sample in samples if sample["id"].endswith("~r1")]
    assert len(copies) == 5
    assert {json.loads(copy["provenance"])["repeat_of"] for copy in copies} <= {sample["id"] for sample in samples}


def test_copies_are_masked_independently_and_named(tmp_path: Path) -> None:
    part = {"source": "xlam", "task": "function_call", "layout": "hammer", "copies": 3, "mask": {"probability": 0.5}}
    built = build(make_recipe({"hammer": {**part, "checks": TRUSTED}}), out=tmp_path / "out")
    samples = read_samples(built.out)
    assert len(samples) == 3 * built.manifest.parts["hammer"].dialogues
    assert Counter(sample["id"].partition("~")[2] for sample in samples) == {"": 48, "1": 48, "2": 48}
    masked = ["mask" in json.loads(sample["provenance"]) for sample in samples]
    assert 40 < sum(masked) < 104


def test_a_row_without_a_right_tool_asks_for_no_call(tmp_path: Path) -> None:
    part = {"source": "xlam_irrelevance", "task": "function_call", "layout": "hammer"}
    built = build(make_recipe({"hammer": part}), out=tmp_path / "out")
    assert {output for _, _, output in read_columns(built.out)} == {"[]"}
    targets = [decode_messages(sample)[0][-1] for sample in read_samples(built.out)]
    assert all("tool_calls" not in target for target in targets)
    assert all(target["content"] for target in targets)


def test_shares_of_a_whole_are_met_exactly(tmp_path: Path) -> None:
    parts = {
        "snips": {"source": "snips", "task": "state_tracking", "share": 0.3},
        "sgd": {"source": "sgd", "task": ["react_action", "react_response"], "share": 0.7},
    }
    built = build(make_recipe(parts, rows=99), out=tmp_path / "out")
    assert {name: part.rows for name, part in built.manifest.parts.items()} == {"snips": 30, "sgd": 69}


def test_dialogues_that_the_filter_excludes_are_counted(tmp_path: Path) -> None:
    part = {"source": "sgd", "task": "react_response", "filter": {"max_turns": 6}}
    built = build(make_recipe({"sgd": part}), out=tmp_path / "out")
    count = built.manifest.parts["sgd"]
    assert 0 < count.filtered < count.dialogues
    assert max(sample["turn"] for sample in read_samples(built.out)) <= 5


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.5, 0.4), "the shares add up to 0.9 instead of 1"),
        ((0.5, None), "if one part has a share, every part needs one"),
    ],
)
def test_shares_that_do_not_add_up_are_refused(shares: tuple[float | None, ...], message: str) -> None:
    changes = [f"parts.{name}.share={share}" for name, share in zip(("snips", "sgd"), shares, strict=True) if share]
    with pytest.raises(ValueError, match=message):
        load_recipe("tod", [*changes, "rows=100"])


def test_files_in_another_order_on_disk_give_the_same_bytes(bundled: Path, tmp_path: Path) -> None:
    recipe = make_recipe({"sgd": {"source": "sgd", "task": ["react_action", "react_response"], "rows": 50}})
    hashes = []
    for name, order in (("a", 1), ("b", -1)):
        for path in sorted((bundled / "sgd").rglob("*.json"))[::order]:
            copy = tmp_path / name / path.relative_to(bundled)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
        hashes.append(build(recipe, data=tmp_path / name, out=tmp_path / f"out-{name}").manifest.files)
    assert hashes[0] == hashes[1]
