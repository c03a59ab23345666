"""Exports that hold whole dialogues, and what a corpus made of them is: the same dialogues."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from coalm_it.dataset.export import REPORT, Exported, ExportError, export
from coalm_it.pipeline.build import build
from coalm_it.readers import read_dialogues
from coalm_it.rendering.messages import format_tools, parse_texts, turn_messages
from coalm_it.schema import Dialogue, Fault, LeftOut

DOCS = Path(__file__).parents[2] / "docs" / "own_corpus.md"
FILES = {"atif": "train/*/*.json", "traces": "train/*/*.jsonl", "trl": "train.jsonl"}
"""Format -> the files of its train split."""


@pytest.fixture(scope="module")
def rows(demo: Path) -> list[dict[str, Any]]:
    """The dialogues of a build; messages and tools are JSON texts."""
    return read_rows(demo, "dialogues")


def read_rows(build: Path, config: str) -> list[dict[str, Any]]:
    return [
        row
        for path in sorted((build / "data" / config).glob("train-*"))
        for row in parquet.read_table(path).to_pylist()
    ]


def read_corpus(folder: Path, files: str, at: Path) -> list[Dialogue | Fault]:
    source = {
        "name": "earlier",
        "title": "An earlier build",
        "reader": "messages",
        "licence": "CC0-1.0",
        "homepage": "https://example.org/earlier",
        "layouts": [{"name": "files", "splits": {"train": files}}],
    }
    (at / "source.yaml").write_text(yaml.safe_dump(source))
    return list(read_dialogues(str(at / "source.yaml"), folder))


def write_again(dialogue: Dialogue | Fault) -> list[str]:
    """The messages of a dialogue, but for the system's, as a build writes them."""
    assert isinstance(dialogue, Dialogue), dialogue
    return [message for turn in dialogue.turns for message in turn_messages(turn, {})]


def list_spoken(*messages: str) -> list[str]:
    """The messages but for the system's."""
    return [message for message in messages if json.loads(message)["role"] != "system"]


@pytest.mark.parametrize("to", FILES)
def test_an_export_is_read_as_the_same_dialogues(demo: Path, rows: Any, tmp_path: Path, to: str) -> None:
    out = tmp_path / "out"
    exported = export(demo, to, out=out, config="dialogues")
    assert exported.rows["train"] == len(rows)
    assert not exported.left_out
    read = read_corpus(out, FILES[to], tmp_path)
    assert [write_again(one) for one in read] == [list_spoken(*row["messages"]) for row in rows]
    for dialogue, row in zip(read, rows, strict=True):
        assert isinstance(dialogue, Dialogue)
        assert parse_texts(format_tools(dialogue.tools, {})) == parse_texts(row["tools"])
        system = json.loads(row["messages"][0])["content"]
        assert not dialogue.system, "the task that the build wrote is no text of the corpus"
        assert dialogue.clock is None or f"{dialogue.clock}" in system
        assert (dialogue.clock is not None) == ("Today is" in system)


def test_a_build_is_read_as_the_same_dialogues(demo: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    read = read_corpus(demo, "data/dialogues/train-*.parquet", tmp_path)
    assert [write_again(one) for one in read] == [list_spoken(*row["messages"]) for row in rows]


def test_the_documented_yaml_reads_the_dialogues_of_a_licence(demo: Path, rows: Any, tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(name: earlier\n.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "earlier.yaml").write_text(example)
    read = list(read_dialogues(str(tmp_path / "earlier.yaml"), demo))
    licence = yaml.safe_load(example)["licence"]
    assert [isinstance(one, Dialogue) for one in read] == [row["licence"] == licence for row in rows]
    assert any(isinstance(one, Dialogue) for one in read)


@pytest.mark.parametrize("form", ["parquet", "trl"])
def test_each_sample_of_a_build_is_learnt_once(demo: Path, tmp_path: Path, form: str) -> None:
    folder, files = demo, "data/samples/train-*.parquet"
    if form == "trl":
        folder, files = tmp_path / "out", "train.jsonl"
        export(demo, "trl", out=folder)
    samples = read_rows(demo, "samples")
    for one, row in zip(read_corpus(folder, files, tmp_path), samples, strict=True):
        if row["task"] == "state_tracking":
            assert isinstance(one, LeftOut)
            continue
        assert isinstance(one, Dialogue), one
        assert write_again(one) == list_spoken(*row["prompt"], *row["completion"])
        targets = sum(len(turn.steps) + (turn.reply is not None) for turn in one.turns)
        assert len(one.context_only) == targets - 1


def test_the_samples_of_a_dialogue_have_its_id(demo: Path, tmp_path: Path) -> None:
    read = read_corpus(demo, "data/samples/train-*.parquet", tmp_path)
    named = {(one.id if isinstance(one, Dialogue) else one.record or "").partition("~")[0] for one in read}
    assert named == {row["dialogue_id"].partition("~")[0] for row in read_rows(demo, "samples")}


# --- what the formats ask for ---


def list_files(folder: Path, exported: Exported) -> list[Path]:
    """The files of an export, of which the report names all."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != REPORT)
    assert [path.relative_to(folder).as_posix() for path in paths] == exported.files
    assert len(paths) == sum(exported.rows.values())
    return paths


def test_a_trajectory_has_what_atif_asks_for(demo: Path, tmp_path: Path) -> None:
    exported = export(demo, "atif", out=tmp_path / "out", limit=20)
    assert not exported.losses
    for path in list_files(tmp_path / "out", exported):
        trajectory = json.loads(path.read_text(encoding="utf-8"))
        assert trajectory["schema_version"] == "ATIF-v1.7"
        assert trajectory["agent"].keys() == {"name", "version", "tool_definitions"}
        assert [step["step_id"] for step in trajectory["steps"]] == [*range(1, len(trajectory["steps"]) + 1)]
        for step in trajectory["steps"]:
            own = step.keys() - {"step_id", "source", "message"}
            assert own <= ({"reasoning_content", "tool_calls", "observation"} if step["source"] == "agent" else set())
            if "observation" in step:
                called = [call["tool_call_id"] for call in step["tool_calls"]]
                assert [one["source_call_id"] for one in step["observation"]["results"]] == called


def test_the_prompt_of_a_sample_is_copied_context_in_atif(demo: Path, tmp_path: Path) -> None:
    exported = export(demo, "atif", out=tmp_path / "out", config="samples", split="train", limit=20)
    for path, row in zip(list_files(tmp_path / "out", exported), read_rows(demo, "samples"), strict=False):
        steps = json.loads(path.read_text(encoding="utf-8"))["steps"]
        assert [step.get("is_copied_context", False) for step in steps] == [*(len(steps) - 1) * [True], False], row[
            "id"
        ]


def test_a_trace_has_what_the_viewer_asks_for(demo: Path, tmp_path: Path) -> None:
    exported = export(demo, "traces", out=tmp_path / "out", split="train", limit=20)
    assert exported.losses == {
        "the functions are in the header, as `tools`, which the Hub's viewer does not show": exported.rows["train"]
    }
    for path in list_files(tmp_path / "out", exported):
        header, *others = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        assert (header["type"], header["harness"]) == ("session", "coalm-it")
        assert 0 < len(header["name"]) <= 80
        assert {line["type"] for line in others} == {"message"}
        for message in (line["message"] for line in others):
            assert message.keys() <= {"role", "content", "reasoningContent", "toolCalls", "toolCallId"}
            assert all(isinstance(call["function"]["arguments"], str) for call in message.get("toolCalls", ()))


@pytest.mark.parametrize("to", ["atif", "traces"])
def test_a_build_of_single_requests_has_no_dialogues_to_export(tmp_path: Path, to: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("{name: few, parts: {snips: {source: snips, task: state_tracking}}}")
    build(str(recipe), out=tmp_path / "few")
    with pytest.raises(ExportError, match="few has no rows of the config dialogues: its rows are single requests"):
        export(tmp_path / "few", to, out=tmp_path / "out")
