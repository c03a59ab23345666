"""The published three columns, read back: every row kind, and the same bytes when written again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from decoded import decode_messages

from coalm_it.corpora.corpus import Corpus, RawFile, Shard
from coalm_it.pipeline.build import build
from coalm_it.readers import READERS
from coalm_it.recipe import Recipe
from coalm_it.schema import Fault, Sample

TASKS = ["state_tracking", "function_call", "react_action", "react_response"]


def read_rows(path: Path) -> list[Sample | Fault]:
    file = RawFile(path, None, path.name)
    corpus = Corpus("coalm_it", "built", ".", {"train": (file,)}, {path.name: file})
    return list(READERS["coalm_it"].read_dialogues(corpus, "train", Shard(file), licence="CC-BY-NC-4.0"))


def write_rows(path: Path, *rows: tuple[str, str, str]) -> Path:
    path.write_text(json.dumps([dict(zip(("instruction", "input", "output"), row, strict=True)) for row in rows]))
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The coalm_it mix, as far as the bundled samples go: rows of all kinds."""
    return build("coalm_it", out=tmp_path_factory.mktemp("mixed") / "out", changes=["allow_short=true"]).out


def test_rows_are_read_back_as_the_samples_that_they_were_made_of(mixed: Path) -> None:
    (columns,), (samples,) = ((mixed / "data" / name).glob("*.parquet") for name in ("coalm_it", "samples"))
    kinds = set()
    for row, sample in zip(read_rows(columns), pq.read_table(samples).to_pylist(), strict=True):
        assert isinstance(row, Sample)
        kinds.add(row.layout)
        assert (row.task, row.thought) == (sample["task"], sample["thought"])
        target = decode_messages(sample)[0][-1]
        called = target.get("tool_calls", [])
        # only `messages` tell two services' functions of one name apart
        assert [call["function"]["arguments"] for call in called] == [call.arguments for call in row.calls]
        assert all(call["function"]["name"].endswith(made.name) for call, made in zip(called, row.calls, strict=True))
        if not called and row.step is None and row.task != "state_tracking":
            assert row.current.reply == target["content"]
    assert kinds == {"state_tracking", "react_action", "react_response", "hammer", "toolace"}


def test_rows_that_are_read_and_written_again_are_the_same_bytes(mixed: Path, tmp_path: Path) -> None:
    part = {"source": "coalm_it", "task": TASKS, "checks": {"grounding": False, "reply_facts": False}}
    recipe = Recipe.model_validate({"name": "again", "order": "corpus", "parts": {"all": part}})
    again = build(recipe, data=mixed / "data", out=tmp_path / "out").out
    (before,), (after,) = ((folder / "data" / "coalm_it").glob("*.parquet") for folder in (mixed, again))
    assert pq.read_table(after).equals(pq.read_table(before))


def test_hammers_query_moves_from_the_instruction_to_the_input(tmp_path: Path) -> None:
    tools = '[{"name": "get_time", "description": "The time.", "parameters": {"city": {"type": "str"}}}]'
    blocks = f"[BEGIN OF AVAILABLE TOOLS]\n{tools}\n[END OF AVAILABLE TOOLS]\n\n"
    query = "[BEGIN OF QUERY]\nWhat time is it in Oslo?\n[END OF QUERY]"
    output = '```\n[{"name": "get_time", "arguments": {"city": "Oslo"}}]\n```'
    (row,) = read_rows(write_rows(tmp_path / "coalm_it.json", (f"{blocks}{query}\n\n", "", output)))
    assert isinstance(row, Sample)
    assert row.columns == (blocks.rstrip("\n"), query, output)
    assert row.current.user == "What time is it in Oslo?"
    assert [(call.name, call.arguments) for call in row.calls] == [("get_time", {"city": "Oslo"})]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("x", "y", "z"), "unknown layout"),
        (("x", "User: hi\nThought: call it", "Action: f(a='1'"), "calls cannot be read"),
        (("x", "Thought: call it", "Action: f()"), "the input has no line of the user"),
        (("x", "[BEGIN OF QUERY]\nhi\n[END OF QUERY]", "[]"), "available tools: not JSON"),
    ],
)
def test_a_row_of_unknown_layout_is_a_fault(tmp_path: Path, row: tuple[str, str, str], reason: str) -> None:
    (fault,) = read_rows(write_rows(tmp_path / "coalm_it.json", row))
    assert isinstance(fault, Fault)
    assert fault.record == "0"
    assert reason in fault.reason


def test_a_missing_column_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"instruction": ["a"], "output": ["b"]}), path)
    (fault,) = read_rows(path)
    assert isinstance(fault, Fault)
    assert "field 'input' is missing" in fault.reason


@pytest.mark.corpora
def test_hammers_ten_examples_keep_everything_but_the_place_of_the_query(corpora: Path) -> None:
    path = corpora / "function_calling" / "hammer" / "masking_sft_data_example.json"
    originals: list[dict[str, Any]] = json.loads(path.read_bytes())
    rows = read_rows(path)
    assert len(rows) == 10
    for row, original in zip(rows, originals, strict=True):
        assert isinstance(row, Sample)
        assert row.columns
        instruction, query, output = row.columns
        assert output == original["output"]
        assert "".join((instruction + query).split()) == "".join(original["instruction"].split())
        # what was parsed says the same as the text that was kept
        assert json.dumps([tool.spec for tool in row.tools], ensure_ascii=False) in instruction


@pytest.mark.parametrize(
    "row",
    [
        ("[BEGIN OF TOOLS]\n" * 100_000, "User: hi", "System: hello"),
        ("[BEGIN OF TOOLS]\n[END OF QUERY]\n" * 100_000, "User: hi", "System: hello"),
        ("[BEGIN OF QUERY]\n" * 100_000, "", "[]"),
        ("x", "[BEGIN OF QUERY]\n" * 100_000, "[]"),
        (f"[BEGIN OF AVAILABLE TOOLS]\n1. {'f(' * 100_000}\n[END OF AVAILABLE TOOLS]", "Thought: x", "Action: f()"),
        ("x", "User: hi\nThought: x" + "\nAction: f()" * 20_000 + "\nThought: y", "Action: f()"),
        ("x", "User: hi" + "\nAction: f()\nObservation: 1" * 20_000 + "\nThought: y", "Action: f()"),
        ("x", "User: hi" + "\nThought: y" * 100_000, "Action: f()"),
    ],
    ids=["open", "crossed", "query", "input", "signature", "actions", "observations", "thoughts"],
)
def test_a_long_row_is_read_in_linear_time(tmp_path: Path, row: tuple[str, str, str]) -> None:
    """Read in about a second; a parser that scans the rest again at each marker would take minutes."""
    path = write_rows(tmp_path / "coalm_it.json", row)
    begun = time.process_time()
    (read,) = read_rows(path)
    assert time.process_time() - begun < 12
    if isinstance(read, Sample):
        assert len(read.current.steps) in (1, 2, 20_001)


def test_a_block_ends_at_its_own_marker_and_the_last_of_a_name_counts(tmp_path: Path) -> None:
    tools = "[BEGIN OF AVAILABLE TOOLS]\n1. {}(city)\n[END OF AVAILABLE TOOLS]\n"
    nested = "[BEGIN OF OTHER]\n[BEGIN OF AVAILABLE TOOLS]\n1. never()\n[END OF AVAILABLE TOOLS]\n[END OF OTHER]\n"
    unended = "[BEGIN OF CONVERSATION HISTORY]\n"
    instruction = tools.format("first") + nested + unended + tools.format("last")
    (row,) = read_rows(write_rows(tmp_path / "coalm_it.json", (instruction, "User: hi\nThought: x", "Action: last()")))
    assert isinstance(row, Sample)
    assert [tool.name for tool in row.tools] == ["last"]
