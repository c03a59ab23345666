"""The card: its head for the Hub, its numbers against the manifest, and its commands, which rebuild the same bytes."""

from __future__ import annotations

import copy
import json
import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
import yaml
from dialogues import write_dialogues
from huggingface_hub import DatasetCard
from typer.testing import CliRunner

from coalm_it.assets import asset
from coalm_it.checks import CHECKS
from coalm_it.cli import app
from coalm_it.corpora.sources import list_sources
from coalm_it.dataset.card import escape_markup, list_licence_warnings
from coalm_it.dataset.card import render_card as render_typed
from coalm_it.dataset.manifest import Manifest
from coalm_it.licences import rank_licences
from coalm_it.listener import Silent
from coalm_it.pipeline.build import build
from coalm_it.recipe import Mask, Part, Reasoning, Recipe
from coalm_it.schema import Layout, Task

pytestmark = pytest.mark.libraries

WORDS = yaml.safe_load(asset("templates", "release", "words.yaml").read_text())


def read_manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return manifest


def render_card(manifest: dict[str, Any]) -> str:
    return render_typed(Manifest.model_validate(manifest))


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """coalm_it_plus of the bundled samples: masks, unanswerable requests, rejects by several checks."""
    return build("coalm_it_plus", out=tmp_path_factory.mktemp("plus") / "out").out


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """coalm_it, much too short: every part is filled or said to be short."""
    return build("coalm_it", out=tmp_path_factory.mktemp("mix") / "out", changes=["allow_short=true"]).out


@pytest.fixture
def manifest(plus: Path) -> dict[str, Any]:
    """To be changed; without licences of rows, the card takes those of the sources."""
    return {**read_manifest(plus), "licences": []}


class Lines(Silent):
    """Keeps what is said during a build."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


def head_of(card: str) -> dict[str, Any]:
    data: Any = DatasetCard(card).data
    head: dict[str, Any] = data.to_dict()
    return head


def tables_of(card: str) -> list[list[list[str]]]:
    """Every table of the Markdown, row by row, cell by cell, with neither head nor rule."""
    found = re.findall(r"^\|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", card, re.MULTILINE)
    bar = re.compile(r"(?<!\\)\|")
    return [[[cell.strip() for cell in bar.split(row)[1:-1]] for row in table.splitlines()] for table in found]


# --- the head ---


def test_the_head_names_the_configs_and_the_search_terms(plus: Path) -> None:
    head = head_of((plus / "README.md").read_text())
    assert head["configs"] == [
        {
            "config_name": "coalm_it",
            "default": True,
            "data_files": [{"split": "train", "path": "data/coalm_it/train-*.parquet"}],
        },
        {"config_name": "samples", "data_files": [{"split": "train", "path": "data/samples/train-*.parquet"}]},
        {"config_name": "dialogues", "data_files": [{"split": "train", "path": "data/dialogues/train-*.parquet"}]},
    ]
    assert head["license"] == "other"
    assert head["language"] == ["en", "zh"]
    assert head["pretty_name"] == "coalm_it_plus"
    assert head["size_categories"] == ["n<1K"]
    assert "coalm-it" in head["tags"]


def test_the_hubs_client_writes_the_head_back_unchanged(plus: Path) -> None:
    card = (plus / "README.md").read_text()
    written = DatasetCard(card)
    assert head_of(str(written)) == head_of(card)
    assert written.text.strip() in card


@pytest.mark.parametrize(
    ("rows", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (311_639, "100K<n<1M"), (1_000_000, "1M<n<10M"), (10**9, "n>1B")],
)
def test_the_size_is_the_hubs_category_for_the_number_of_rows(manifest: dict[str, Any], rows: int, size: str) -> None:
    for number, part in enumerate(manifest["parts"].values()):
        part["rows"] = rows if number == 0 else 0
    card = render_card(manifest)
    assert head_of(card)["size_categories"] == [size]
    assert f"\n{rows:,} samples for training" in card


def test_a_set_under_one_licence_has_it_in_its_head(manifest: dict[str, Any]) -> None:
    for source in manifest["sources"].values():
        source["licence"] = "CC-BY-SA-4.0"
    assert head_of(render_card(manifest))["license"] == "cc-by-sa-4.0"
    for source in manifest["sources"].values():
        source["licence"] = "Mine-1.0"
    card = render_card(manifest)
    assert head_of(card)["license"] == "other"
    assert "The most restrictive is Mine-1.0." in card
    assert "not known to coalm-it; read it at the source" in card


def test_a_validation_split_is_named_where_it_is(manifest: dict[str, Any]) -> None:
    file = {"rows": 3, "bytes": 70, "sha256": ""}
    configs = ("coalm_it", "samples", "dialogues")
    files = {f"data/{config}/validation-00000-of-00001.parquet": file for config in configs}
    splits = ["train", "validation"]
    assert "Split `validation`" not in render_card(manifest)
    card = render_card({**manifest, "files": {**manifest["files"], **files}})
    assert "Split `validation` is for evaluation" in card
    named = [[one["split"] for one in config["data_files"]] for config in head_of(card)["configs"]]
    assert named == 3 * [splits]
    assert [config["splits"][1] for config in head_of(card)["dataset_info"]] == 3 * [
        {"name": "validation", "num_examples": 3, "num_bytes": 70}
    ]


# --- the numbers ---


@pytest.mark.parametrize("made", ["plus", "mix"])
def test_every_number_comes_from_the_manifest(made: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(made)
    manifest, card = read_manifest(folder), (folder / "README.md").read_text()
    total = sum(part["rows"] for part in manifest["parts"].values())
    composition, checks, licences = tables_of(card)
    keys = ["repeated", "wanted", "validation", "candidates", "left_out", "rejects", "faults"]
    assert composition == [
        [escape_markup(name), f"{part['rows']:,}", f"{part['rows'] / total:.1%}", *(f"{part[key]:,}" for key in keys)]
        for name, part in manifest["parts"].items()
    ]
    for row in composition:
        numbers = [int(cell.replace(",", "")) for cell in (row[1], *row[3:])]
        rows, repeated, _, validation, candidates, left_out, rejects, _ = numbers
        assert candidates == rows - repeated + validation + left_out + rejects, "as the card says below"
    for name, _, rejected, _ in checks:
        assert int(rejected) == sum(part["rejected_by"].get(name, 0) for part in manifest["parts"].values())
    assert [(row[0], row[2]) for row in licences] == [
        (escape_markup(name), source["licence"]) for name, source in manifest["sources"].items()
    ]
    lost = sum(part["rejects"] + part["faults"] for part in manifest["parts"].values())
    judged = sum(part["candidates"] + part["faults"] for part in manifest["parts"].values())
    assert f"they are {lost:,} of {judged:,}." in card


def test_a_part_of_a_corpus_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    write_dialogues(tmp_path / "data", 15)
    built = build("tod", out=tmp_path / "out", data=tmp_path / "data", changes=["parts.snips=null", "limit=10"])
    assert (
        "from split train of sgd; 10 of the 16,142 published dialogues read." in (built.out / "README.md").read_text()
    )
    manifest = read_manifest(built.out)
    manifest["parts"]["sgd"]["dialogues"] = 16_142
    assert "from split train of sgd; 16,142 dialogues read." in render_card(manifest)


def test_it_says_how_each_part_was_made(plus: Path, mix: Path) -> None:
    card = (plus / "README.md").read_text()
    made = card.partition("- **xlam**")[2].partition("- **")[0]
    assert "from split train of xlam, xlam\\_irrelevance; 68 dialogues read." in made
    assert "Task `function_call`: " in made
    assert "Layout `varied`: " in made
    assert "Mask `plain` with probability 0.3333: " in made
    assert "for 10.0% of the samples by removing the function that is called, for 20.0% by removing a" in made
    assert "Thoughts by" not in made
    sgd = card.partition("- **sgd**")[2].partition("- **")[0]
    assert (
        "Thoughts by `grounded`: the corpus's own, and where it has none, written by templates from its annotation"
        in sgd
    )
    published = (mix / "README.md").read_text()
    assert "Each sample is a candidate 3 times." in published
    assert "Part snips is short: 86 of 13,084 rows." in published
    assert "Layout `react_action`: " in published.partition("- **sgd**")[2]
    assert "the results that the dialogue uses and at most 2 others" in published


def test_it_says_how_copies_differ(tmp_path: Path) -> None:
    part = Part(source=("xlam",), task=("function_call",), layout="varied", copies=2)
    built = build(Recipe(name="copies", parts={"xlam": part}), out=tmp_path / "out")
    said = "in the three columns, each has a wording of its own; they are identical in `samples`."
    assert f"- xlam: 2 copies of each sample; {said}" in (built.out / "README.md").read_text()
    ids = pq.read_table(built.out / "data" / "samples", columns=["id", "prompt"]).to_pylist()
    columns = pq.read_table(built.out / "data" / "coalm_it").to_pylist()
    rows = {row["id"]: (row["prompt"], column["instruction"]) for row, column in zip(ids, columns, strict=True)}
    pairs = [(rows[name], rows[f"{name}~1"]) for name in rows if f"{name}~1" in rows]
    assert pairs
    assert all(one[0] == other[0] for one, other in pairs)
    assert sum(one[1] != other[1] for one, other in pairs) > 0.9 * len(pairs)


def test_it_says_what_a_layout_does_not_teach(plus: Path, mix: Path) -> None:
    published, better = (mix / "README.md").read_text(), (plus / "README.md").read_text()
    for said in ("sgd: the published layouts do not teach when not to call", "one wording and one call format"):
        assert said in published
        assert said.removeprefix("sgd: ") not in better
    assert "test sets of these corpora, MultiWOZ included, are not zero-shot" in better
    assert "MultiWOZ" not in published
    assert "All its conversations take place on Friday 2019-03-01" in published


def test_a_check_that_was_off_says_for_which_part(plus: Path) -> None:
    off = {name: parts for name, _, _, parts in tables_of((plus / "README.md").read_text())[1]}
    assert off["grounding"] == off["reply_facts"] == "xlam, toolace"
    assert off["structure"] == ""


def test_a_check_that_is_off_everywhere_may_be_on_for_a_part(manifest: dict[str, Any]) -> None:
    manifest["recipe"]["checks"] = {"leak": False}
    manifest["recipe"]["parts"]["sgd"]["checks"] = {"leak": True}
    off = {name: parts for name, _, _, parts in tables_of(render_card(manifest))[1]}
    others = [escape_markup(name) for name in manifest["recipe"]["parts"] if name != "sgd"]
    assert off["leak"] == ", ".join(others)


# --- words ---


def test_everything_that_a_card_names_has_a_description() -> None:
    assert {*CHECKS, "reasoning", "rendering"} == WORDS["checks"].keys()
    assert set(get_args(Task)) == WORDS["tasks"].keys()
    assert set(get_args(Layout)) == WORDS["layouts"].keys()
    assert set(get_args(Mask.model_fields["style"].annotation)) == WORDS["masks"].keys()
    assert set(get_args(Part.model_fields["fill"].annotation)) - {"none"} == WORDS["fills"].keys()
    assert set(get_args(Reasoning.model_fields["writer"].annotation)) <= WORDS["writers"].keys()
    assert {source.licence for source in list_sources()} <= WORDS["licences"].keys()


@pytest.mark.parametrize("source", list_sources(), ids=lambda source: source.name)
def test_every_source_has_what_the_card_says(source: Any) -> None:
    assert source.languages
    assert source.limits
    assert re.match(r"@(article|inproceedings)\{\w+,", source.citation)
    assert source.citation.count("{") == source.citation.count("}")
    for sentence in source.limits:
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert sentence.endswith(".")


def test_licences_are_ranked_from_permissive_to_restrictive() -> None:
    mixed = {"CC-BY-SA-4.0", "Mine", "MIT", "CC-BY-NC-4.0", "CC0-1.0", "CC-BY-4.0"}
    assert rank_licences(mixed) == ["CC0-1.0", "MIT", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "Mine"]


def test_each_source_and_the_paper_are_cited_once(plus: Path) -> None:
    card = (plus / "README.md").read_text()
    cited = re.findall(r"^    @\w+\{(\w+),$", card, re.MULTILINE)
    assert len(cited) == len(set(cited))
    assert cited[0] == "acikgoz2025coalm"
    assert {"coucke2018snips", "rastogi2020towards", "liu2024apigen", "lin2024hammer", "liu2024toolace"} < set(cited)


# --- what the user says ---


def test_what_the_recipe_says_of_the_data_set_is_in_its_card(manifest: dict[str, Any]) -> None:
    manifest["recipe"]["card"] = {
        "title": "Talks at sea [1]",
        "summary": "Talks with **harbour** offices.\n\n- one\n- two\n",
        "authors": ["Ada <ada@example.org>", "Bea"],
        "sections": {"Ethics": "All *consented*.", "Contact": "Ask Ada."},
        "citation": "@misc{sea,\n  title = {Talks at sea},\n}\n",
    }
    card = render_card(manifest)
    assert head_of(card)["pretty_name"] == "Talks at sea [1]"
    assert "\n# Talks at sea \\[1\\]\n\nAda \\<ada@example.org\\>, Bea\n\nTalks with **harbour** offices." in card
    headings = re.findall(r"^## (.*)", card, re.MULTILINE)
    assert headings[:4] == ["Composition", "Ethics", "Contact", "How each part was made"]
    assert "\n## Ethics\n\nAll *consented*.\n\n## Contact\n\nAsk Ada.\n\n## How" in card
    assert "This data set:\n\n    @misc{sea,\n      title = {Talks at sea},\n    }\n\nThe paper" in card


def test_the_card_of_a_set_of_own_corpora_cites_these_alone(manifest: dict[str, Any]) -> None:
    parts = manifest["recipe"]["parts"]
    for part in parts.values():
        part |= {"source": ["sources/harbour.yaml"], "layout": "varied"}
    source = {**manifest["sources"]["sgd"], "title": "Talks", "citation": "@misc{talks}", "limits": [], "licence": ""}
    manifest["sources"] = {"harbour": source}
    manifest["inputs"] = {"harbour/talks.jsonl": "0" * 64}
    card = render_card(manifest)
    assert re.findall(r"^    @\w+\{(\w+)", card, re.MULTILINE) == ["talks"]
    assert "The corpora:\n\n    @misc{talks}\n" in card
    assert "from split train of harbour; " in card
    assert "| harbour | [Talks](" in card
    assert "| none stated |" in card
    assert "coalm-it fetch" not in card
    assert "CORPORA must contain harbour, which is not published with coalm-it; sources/harbour.yaml" in card
    source["citation"] = "none"
    card = render_card(manifest)
    assert not re.findall(r"^    @\w+\{(\w+)", card, re.MULTILINE)
    assert f"The corpora:\n\n- [Talks]({source['homepage']})\n" in card
    parts["sgd"]["layout"] = "toolace"  # its ReAct rows are as published with CoALM
    assert "    @article{acikgoz2025coalm," in render_card(manifest)


def test_no_path_of_the_users_machine_is_in_the_card(manifest: dict[str, Any]) -> None:
    manifest["recipe"]["parts"]["sgd"]["source"] = ["/home/ada/secret/sgd.yaml"]
    manifest["recipe"]["reasoning"] |= {"writer": "annotate", "model": "/home/ada/models/small"}
    card = render_card(manifest)
    assert "/home" not in card.replace("/home/ada/secret/sgd.yaml beside this card", "")
    assert "Thoughts by `annotate` (small)" in card


def test_another_card_is_another_build_of_the_same_shards(tmp_path: Path) -> None:
    out, lines = tmp_path / "out", Lines()
    build("tod", out=out, changes=["card.title=First"])
    assert build("tod", out=out, changes=["card.title=Second"], listener=lines).fresh
    assert "3 of 3 shards are there from an earlier run." in lines.said
    assert "\n# Second\n" in (out / "README.md").read_text()


def test_terms_that_have_to_be_accepted_are_a_warning_and_open_licences_are_none(manifest: dict[str, Any]) -> None:
    for source in manifest["sources"].values():
        source |= {"licence": "CC-BY-SA-4.0", "gated": False}
    assert list_licence_warnings(Manifest.model_validate(manifest)) == []
    manifest["sources"]["xlam"]["gated"] = True
    [warning] = list_licence_warnings(Manifest.model_validate(manifest))
    assert warning.startswith("xlam: available only after accepting its terms: https://")


def test_the_head_has_the_hubs_name_of_a_licence(manifest: dict[str, Any]) -> None:
    for source in manifest["sources"].values():
        source["licence"] = "ODC-By-1.0"
    assert head_of(render_card(manifest))["license"] == "odc-by"


@pytest.mark.parametrize(
    "text", ["\x7f", "a\x85b", "\ufffe", "\u2028", "\x1b[2J", "東京 😀", "a\nb", '"\\"', "x: y #z", ""]
)
def test_the_head_is_yaml_whatever_the_name_is(manifest: dict[str, Any], text: str) -> None:
    manifest["recipe"]["card"] = {"title": f"{text}."}
    card = render_card(manifest)
    assert yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))["pretty_name"] == f"{text}."


@pytest.mark.parametrize("text", ["a|b", "x\n\n# y", "[z](http://w)", "<script>", "`c`", "---", '": {', "{{ 1 }}"])
def test_text_of_a_recipe_or_a_source_is_escaped(manifest: dict[str, Any], text: str) -> None:
    hostile = copy.deepcopy(manifest)
    hostile["name"] = text
    for key in ("parts", "recipe"):
        parts = hostile[key]["parts"] if key == "recipe" else hostile[key]
        parts[text] = parts.pop("toolace")
    about = hostile["sources"]["toolace"]
    about |= {"title": text, "licence": text, "limits": [text], "homepage": f"https://example.org/{text}"}
    card = render_card(hostile)
    assert head_of(card)["pretty_name"] == text
    assert tables_of(card)[0][-1][0] == escape_markup(text)
    assert re.findall(r"^# .*", card, re.MULTILINE) == [f"# {escape_markup(text)}"]
    assert len(tables_of(card)) == 3
    assert "<script>" not in card.partition("\n---\n")[2]


# --- rebuilding ---


def test_its_command_builds_the_same_bytes(mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = (mix / "README.md").read_text()
    assert "**A demonstration:" in card
    [command] = re.findall(r"^    coalm-it (build .*)$", card, re.MULTILINE)
    monkeypatch.chdir(mix)
    out = tmp_path / "again"
    words = [str(out) if word == "OUT" else word for word in shlex.split(command)]
    assert CliRunner().invoke(app, words).exit_code == 0
    for name in [*read_manifest(mix)["files"], "manifest.json"]:
        assert (out / name).read_bytes() == (mix / name).read_bytes(), name


def test_a_set_of_real_corpora_says_where_these_come_from(manifest: dict[str, Any]) -> None:
    manifest["inputs"] |= {"sgd/train/dialogues_001.json": "0" * 64}
    manifest["recipe"]["parts"]["snips"]["source"] = ["snips", "sources/own.yaml"]
    card = render_card(manifest)
    assert "A demonstration" not in card
    assert "    coalm-it fetch snips sgd multiwoz xlam xlam_irrelevance toolace --data CORPORA\n" in card
    assert "    coalm-it build recipe.yaml --data CORPORA --out OUT\n" in card
