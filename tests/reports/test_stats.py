"""The numbers of a build, beside those counted by hand from its rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from typer.testing import CliRunner, Result

import coalm_it
from coalm_it.cli import app
from coalm_it.pipeline.build import build
from coalm_it.rendering.messages import parse_texts
from coalm_it.reports.languages import name_language

pytestmark = pytest.mark.libraries


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("coalm_it_plus", out=tmp_path_factory.mktemp("plus") / "out").out


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer whose tokens are words."""
    folder = tmp_path_factory.mktemp("words")
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["stats", *map(str, arguments)])


def read_rows(folder: Path, config: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "data" / config).to_pylist()
    return rows


def test_every_number_is_that_of_the_rows(plus: Path, words: Path) -> None:
    found = coalm_it.stats(plus, tokenizer=str(words)).to_json()
    samples, columns = read_rows(plus, "samples"), read_rows(plus, "coalm_it")
    for part, about in found["parts"].items():
        rows = [row for row in samples if row["part"] == part]
        calls = [call["function"] for row in rows for call in parse_texts(row["completion"])[0].get("tool_calls", ())]
        texts = [text for row in rows if (text := parse_texts(row["completion"])[0]["content"])]
        assert about["rows"] == about["splits"]["train"] == len(rows)
        assert about["dialogues"] == len({(row["source"], row["dialogue_id"]) for row in rows})
        assert about["turns"] == len({(row["source"], row["dialogue_id"], row["turn"]) for row in rows})
        assert about["calls"] == len(calls)
        assert about["functions_called"] == len({call["name"] for call in calls})
        assert about["arguments"] == sum(len(call["arguments"]) for call in calls)
        assert about["thoughts"]["number"] == sum(row["thought"] is not None for row in rows)
        assert about["thoughts"]["tokens"] == sum(len((row["thought"] or "").split()) for row in rows)
        assert (about["replies"]["number"], about["replies"]["tokens"]) == (
            len(texts),
            sum(len(text.split()) for text in texts),
        )
        assert about["licences"] == dict(Counter(row["licence"] for row in rows).most_common())
        three = [row for row, sample in zip(columns, samples, strict=True) if sample["part"] == part]
        assert about["coalm_it"]["tokens"] == sum(len(text.split()) for row in three for text in row.values())
    assert found["all"]["rows"] == len(samples)
    assert found["all"]["calls"] == sum(about["calls"] for about in found["parts"].values())
    assert found["tokens_by"] == f"tokenizer {words.name}"


def test_rows_over_the_limits_are_counted(plus: Path) -> None:
    whole = coalm_it.stats(plus).to_json()["all"]
    sizes = [len("".join(row.values()).encode()) / 3.84 for row in read_rows(plus, "coalm_it")]
    counted = whole["coalm_it"]["longer_than"]
    assert counted["2048"] == pytest.approx(sum(size > 2048 for size in sizes), abs=1)
    assert whole["samples"]["longer_than"]["2048"] >= whole["samples"]["longer_than"]["4096"]
    assert whole["coalm_it"]["tokens"] == pytest.approx(sum(sizes), rel=0.01)


def test_the_table_says_how_tokens_were_counted_and_what_the_licences_mean(plus: Path) -> None:
    result = run(plus)
    assert result.exit_code == 0, result.output
    assert "Tokens (estimated, 3.84 bytes a token), and rows longer than some limits:" in result.stdout
    assert "share alike (CC-BY-SA-4.0): adaptations of these rows" in result.stdout
    rows = len(read_rows(plus, "samples"))
    assert result.stdout.splitlines()[-1] == f"known to permit commercial use: {rows:,} of {rows:,} rows"
    assert "As published" not in result.stdout
    assert json.loads(run(plus, "--json").stdout)["published"] == {}


def test_the_recipe_of_the_paper_stands_beside_its_figures(tmp_path: Path) -> None:
    out = build("coalm_it", out=tmp_path / "out", changes=["allow_short=true"]).out
    result = run(out)
    assert "As published (arXiv:2502.08820v3)" in result.stdout
    assert [line for line in result.stdout.splitlines() if line.startswith("all") and "311,639" in line]
    published = json.loads(run(out, "--json").stdout)["published"]
    assert (sum(published["rows"].values()), sum(published["tokens"].values())) == (311_639, 211_184_321)


def test_the_language_is_that_of_the_users_last_words() -> None:
    def say(text: str) -> list[str]:
        return [
            '{"role": "user", "content": "早上好"}',
            json.dumps({"role": "user", "content": text}),
            '{"role": "tool"}',
        ]

    assert name_language(say("Wie heißt du?"), ()) == "unstated"
    assert name_language(say("好的"), ("en",)) == "en"
    assert name_language(say("北京的天气怎么样"), ("en", "zh")) == "zh"
    assert name_language(say("Weather in Zürich"), ("en", "zh")) == "en"
    assert name_language(say("東京の天気"), ("en", "zh", "ja")) == "ja"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["none"], "none is not a finished build: it has no manifest.json"),
        (
            ["PLUS", "--tokenizer", "/no/such"],
            "tokenizer /no/such: no such folder, and not a name on the Hub (USER/NAME)",
        ),
        (["PLUS", "--tokenizer", "PLUS"], "the folder has no tokenizer.json"),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], line: str, plus: Path) -> None:
    result = run(*(plus if word == "PLUS" else word for word in arguments))
    assert result.exit_code == 2
    [said] = result.stderr.splitlines()
    assert line in said
