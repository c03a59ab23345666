"""Samples that a part leaves out for their licence or their length, and recipes for commercial use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.dataset.finished import open_build
from coalm_it.pipeline.build import build
from coalm_it.tokens import MESSAGE_OVERHEAD, TokenCounter

pytestmark = pytest.mark.libraries

LICENCES = {
    "free": "CC-BY-4.0",
    "shared": "CC-BY-SA-4.0",
    "closed": "CC-BY-NC-4.0",
    "fixed": "CC-BY-ND-4.0",
    "bare": "",
}
OBSTACLES = {
    "closed": "licence CC-BY-NC-4.0 is non-commercial",
    "fixed": "licence CC-BY-ND-4.0 does not permit changed copies, which rows are",
    "bare": "no licence is stated, so nobody has permission to use its rows",
}


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """A corpus of two talks under each licence."""
    for name, licence in LICENCES.items():
        about = {"name": name, "title": name, "licence": licence, "homepage": "https://example.org"}
        layouts = [{"name": "files", "splits": {"train": f"{name}.jsonl"}}]
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**about, "reader": "messages", "layouts": layouts}))
        talks = [
            {"messages": [{"role": "user", "content": f"{name} {words}"}, {"role": "assistant", "content": "Hello."}]}
            for words in ("hi", "a long " + "word " * 50)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(talk) + "\n" for talk in talks))
    (tmp_path / "words").mkdir()
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "words" / "tokenizer.json"))
    return tmp_path


def write_recipe(folder: Path, names: list[str], part: dict[str, Any] | None = None, **settings: Any) -> Path:
    source = [f"{name}.yaml" for name in names]
    recipe = {"name": "mine", "parts": {"talks": {"source": source, "task": "function_call", **(part or {})}}}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe, **settings}))
    return path


def run(folder: Path, recipe: Path) -> Result:
    words = ["build", recipe, "--data", folder, "--out", folder / "out", "--workers", "1"]
    return CliRunner().invoke(app, [str(word) for word in words])


def read_rows(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "data" / "samples").to_pylist()
    return rows


def test_a_part_leaves_out_what_is_not_free_for_commercial_use(corpora: Path) -> None:
    recipe = write_recipe(corpora, list(LICENCES), {"filter": {"licence": "commercial"}}, use="commercial")
    out = build(str(recipe), data=corpora, out=corpora / "out").out
    assert sorted(row["licence"] for row in read_rows(out)) == 2 * ["CC-BY-4.0"] + 2 * ["CC-BY-SA-4.0"]
    part = open_build(out).manifest.parts["talks"]
    assert (part.dialogues, part.filtered, part.rows) == (10, 6, 4)
    card = (out / "README.md").read_text()
    assert "Filter `licence`: commercial." in card
    head = yaml.safe_load(card.split("---\n")[1])
    assert (head["license"], head["license_name"]) == ("other", "CC-BY-4.0 AND CC-BY-SA-4.0")
    assert head["source_datasets"] == ["extended|other-free", "extended|other-shared"]
    assert "| CC-BY-NC-4.0 | none of its rows is in the data set |" in card
    assert "The most restrictive is CC-BY-SA-4.0." in card


@pytest.mark.parametrize("name", OBSTACLES)
def test_a_recipe_for_commercial_use_refuses_other_corpora_in_one_line(name: str, corpora: Path) -> None:
    result = run(corpora, write_recipe(corpora, ["free", name], use="commercial"))
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith(
        f"coalm-it: part talks: {name}: {OBSTACLES[name]}, and the recipe declares use: commercial; "
    )
    assert not (corpora / "out").exists()


def test_share_alike_beside_attribution_is_no_clash(corpora: Path) -> None:
    assert run(corpora, write_recipe(corpora, ["free", "shared"], use="commercial")).exit_code == 0
    head = yaml.safe_load((corpora / "out" / "README.md").read_text().split("---\n")[1])
    assert (head["license"], head["license_name"]) == ("other", "CC-BY-4.0 AND CC-BY-SA-4.0")
    assert head["source_datasets"] == ["extended|other-free", "extended|other-shared"]
    card = (corpora / "out" / "README.md").read_text()
    assert "- **Share-alike** (CC-BY-SA-4.0): adaptations of these rows" in card
    assert "The recipe declares commercial use" in card


@pytest.mark.parametrize("config", ["samples", "coalm_it"])
def test_long_samples_are_left_out_and_counted(config: str, corpora: Path) -> None:
    everything = build(str(write_recipe(corpora, ["free"])), data=corpora, out=corpora / "all").out
    counter = TokenCounter(corpora / "words" / "tokenizer.json")
    sizes = {"samples": [], "coalm_it": []}  # type: dict[str, list[int]]
    for row in read_rows(everything):
        sizes["samples"] += counter.count_json([[*row["prompt"], *row["completion"]]])
    for row in pq.read_table(everything / "data" / "coalm_it").to_pylist():
        sizes["coalm_it"].append(sum(counter.count_texts(list(row.values()))))
    shortest, longest = sorted(sizes[config])
    assert longest - shortest == 51
    for at_most, rows in ((shortest - 1, 0), (shortest, 1), (longest - 1, 1), (longest, 2)):
        wanted = {"max_tokens": {"tokenizer": "words", "at_most": at_most, "config": config}}
        result = run(corpora, write_recipe(corpora, ["free"], wanted))
        if not rows:
            assert (result.exit_code, "max_tokens leaves out all 2 samples" in result.stderr) == (2, True)
            continue
        assert result.exit_code == 0, result.stderr
        manifest = open_build(corpora / "out").manifest
        assert (manifest.parts["talks"].rows, manifest.parts["talks"].too_long) == (rows, 2 - rows)
        assert manifest.parts["talks"].candidates == rows
        assert list(manifest.tokenizers) == ["words"]
        assert ("too long" in result.stdout) == (rows < 2)
        assert f"At most {at_most:,} tokens in `{config}`" in (corpora / "out" / "README.md").read_text()
    assert str(corpora) not in (corpora / "out" / "recipe.yaml").read_text()


def test_what_a_template_adds_to_a_message_is_counted(corpora: Path) -> None:
    counter = TokenCounter(corpora / "words" / "tokenizer.json")
    message = {"role": "assistant", "content": "a b", "reasoning_content": "c d e"}
    assert counter.count_json([[json.dumps(message)]]) == [5 + MESSAGE_OVERHEAD]
    assert TokenCounter(None).count_texts(["x" * 384]) == [100]


@pytest.mark.parametrize(
    ("tokenizer", "line"),
    [
        ("no", "the folder has no tokenizer.json; AutoTokenizer"),
        ("damaged", "tokenizer.json is not a tokenizer: "),
        ("./absent", "tokenizer ./absent: no such folder, and not a name on the Hub (USER/NAME)"),
    ],
)
def test_a_tokenizer_that_is_none_is_one_line(tokenizer: str, line: str, corpora: Path) -> None:
    for name in ("no", "damaged"):
        (corpora / name).mkdir()
    (corpora / "damaged" / "tokenizer.json").write_text("{}")
    wanted = {"max_tokens": {"tokenizer": tokenizer, "at_most": 9}}
    result = run(corpora, write_recipe(corpora, ["free"], wanted))
    assert result.exit_code == 2
    [said] = result.stderr.splitlines()
    assert said.startswith("coalm-it: part talks: max_tokens: ")
    assert line in said
