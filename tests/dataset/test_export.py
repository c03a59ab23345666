"""A build in the forms of other tools: each by the rules of that tool's documentation, and every row of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from next_steps import read_next
from typer.testing import CliRunner, Result

import coalm_it
from coalm_it.cli import app
from coalm_it.dataset.export import EXPORTS, REPORT, ExportError, export
from coalm_it.dataset.export.format import CannotHoldError, Conversation, Losses
from coalm_it.dataset.tables import Config
from coalm_it.pipeline.build import build
from coalm_it.rendering.messages import parse_texts

Rows = list[dict[str, Any]]
SINGLE_FILES = {"atif", "traces"}
"""Formats with a file for each row: see test_export_trajectories.py."""
CASES = [(name, config) for name, form in EXPORTS.items() for config in form.configs if name not in SINGLE_FILES]


def read_config(out: Path, config: Config) -> Rows:
    return [
        row for path in sorted((out / "data" / config).glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


def read_export(folder: Path, split: str = "train") -> Rows:
    if (folder / f"{split}.parquet").exists():
        return list(pq.read_table(folder / f"{split}.parquet").to_pylist())
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def messages_of(row: Mapping[str, Any]) -> Rows:
    return parse_texts([*row["prompt"], *row["completion"]] if "prompt" in row else row["messages"])


def exported(demo: Path, folder: Path, to: str, config: Config) -> tuple[Rows, Rows]:
    """The rows of the build and of its export."""
    result = export(demo, to, out=folder / "out", config=config)
    assert result.left_out == {}
    rows, records = read_config(demo, config), read_export(folder / "out")
    assert len(rows) == len(records) == result.rows["train"]
    return rows, records


@pytest.mark.parametrize(("to", "config"), CASES)
def test_rows_in_are_rows_out_and_the_report_counts_them(to: str, config: Config, demo: Path, tmp_path: Path) -> None:
    result = export(demo, to, out=tmp_path / "out", config=config)
    rows = read_config(demo, "samples" if config == "coalm_it" else config)
    records = read_export(tmp_path / "out")
    assert result.rows == {"train": len(rows)}
    assert len(records) == len(rows)
    for key in ("id", "conversation_id"):
        if key in records[0]:
            assert [record[key] for record in records] == [row["id"] for row in rows]
    assert json.loads((tmp_path / "out" / REPORT).read_text()) == vars(result)
    assert {*result.files, REPORT} == {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("config", ["samples", "dialogues"])
def test_trl_has_the_messages_as_they_are(config: Config, demo: Path, tmp_path: Path) -> None:
    for row, record in zip(*exported(demo, tmp_path, "trl", config), strict=True):
        assert [*record.get("prompt", ()), *record.get("completion", ()), *record.get("messages", ())] == messages_of(
            row
        )
        assert record["tools"] == (parse_texts(row["tools"]) or None)


@pytest.mark.parametrize("config", ["samples", "dialogues"])
def test_openai_has_arguments_as_text_and_weights(config: Config, demo: Path, tmp_path: Path) -> None:
    for row, record in zip(*exported(demo, tmp_path, "openai", config), strict=True):
        assert record.keys() <= {"messages", "tools"}
        assert ("tools" in record) == bool(row["tools"])
        answers = [message for message in record["messages"] if message["role"] == "assistant"]
        assert [answer.get("weight") for answer in answers[:-1]] == [0 if config == "samples" else None] * (
            len(answers) - 1
        )
        assert "weight" not in answers[-1]
        for message, ours in zip(record["messages"], messages_of(row), strict=True):
            assert message.keys() <= {"role", "content", "tool_calls", "tool_call_id", "weight"}
            assert message.get("content", "") == ours["content"]
            calls = [call["function"] for call in message.get("tool_calls", ())]
            assert [(call["name"], json.loads(call["arguments"])) for call in calls] == [
                (call["function"]["name"], call["function"]["arguments"]) for call in ours.get("tool_calls", ())
            ]


def test_what_openai_has_no_place_for_is_counted(demo: Path, tmp_path: Path) -> None:
    thoughtful = sum(
        any("reasoning_content" in one for one in messages_of(row)) for row in read_config(demo, "samples")
    )
    assert export(demo, "openai", out=tmp_path / "out").losses == {"thoughts are left out": thoughtful}
    printed = run("export", demo, "--to", "openai", "--out", tmp_path / "again").stdout
    assert f"{thoughtful:,} rows: thoughts are left out" in printed


@pytest.mark.parametrize("config", ["samples", "dialogues"])
def test_llama_factory_alternates_and_is_registered(config: Config, demo: Path, tmp_path: Path) -> None:
    for row, record in zip(*exported(demo, tmp_path, "llama-factory", config), strict=True):
        turns, ours = record["conversations"], messages_of(row)
        assert {turn["from"] for turn in turns[::2]} <= {"human", "observation"}
        assert {turn["from"] for turn in turns[1::2]} <= {"gpt", "function_call"}
        assert len(turns) % 2 == 0
        assert record["system"] == ours[0]["content"]
        assert json.loads(record["tools"] or "[]") == [tool["function"] for tool in parse_texts(row["tools"])]
        answers = [message for message in ours if message["role"] == "assistant"]
        for turn, message in zip(turns[1::2], answers, strict=True):
            thought, text = re.fullmatch(r"(?:<think>\n(.*?)\n</think>\n\n)?(.*)", turn["value"], re.DOTALL).groups()  # type: ignore[union-attr]
            assert thought == message.get("reasoning_content")
            calls = [call["function"] for call in message.get("tool_calls", ())]
            assert (json.loads(text) if calls else text) == (
                calls[0] if len(calls) == 1 else calls or message["content"]
            )
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    columns = {"messages": "conversations", "system": "system", "tools": "tools"}
    assert info == {"tod": {"file_name": "train.jsonl", "formatting": "sharegpt", "columns": columns}}


def test_llama_factory_has_the_three_columns_as_alpaca(demo: Path, tmp_path: Path) -> None:
    rows, records = exported(demo, tmp_path, "llama-factory", "coalm_it")
    assert [{key: record[key] for key in row} for row, record in zip(rows, records, strict=True)] == rows
    assert json.loads((tmp_path / "out" / "dataset_info.json").read_text()) == {"tod": {"file_name": "train.jsonl"}}


@pytest.mark.parametrize("config", ["samples", "dialogues"])
def test_axolotl_learns_what_the_yaml_says(config: Config, demo: Path, tmp_path: Path) -> None:
    for row, record in zip(*exported(demo, tmp_path, "axolotl", config), strict=True):
        assert json.loads(record["tools"]) == parse_texts(row["tools"])
        for message, ours in zip(record["messages"], messages_of(row), strict=True):
            assert message.get("reasoning_content") == ours.get("reasoning_content")
            for call, our_call in zip(message.get("tool_calls", ()), ours.get("tool_calls", ()), strict=True):
                assert json.loads(call["function"]["arguments"]) == our_call["function"]["arguments"]
        if config == "samples":
            assert [message["train"] for message in record["messages"]] == [False] * len(row["prompt"]) + [True]
    (read,) = yaml.safe_load((tmp_path / "out" / "axolotl.yaml").read_text())["datasets"]
    assert (read["path"], read["type"]) == ("train.jsonl", "chat_template")
    assert read.get("message_field_training") == ("train" if config == "samples" else None)


@pytest.mark.parametrize("config", ["samples", "dialogues"])
def test_ms_swift_has_its_own_roles(config: Config, demo: Path, tmp_path: Path) -> None:
    for row, record in zip(*exported(demo, tmp_path, "ms-swift", config), strict=True):
        calls = [json.loads(one["content"]) for one in record["messages"] if one["role"] == "tool_call"]
        assert calls == [call["function"] for one in messages_of(row) for call in one.get("tool_calls", ())]
        results = [one["content"] for one in record["messages"] if one["role"] == "tool_response"]
        assert results == [one["content"] for one in messages_of(row) if one["role"] == "tool"]
        losses = [one.get("loss") for one in record["messages"] if one["role"] in ("assistant", "tool_call")]
        assert all(json.loads(result) for result in results)
        if config == "samples":
            own = len([one for one in losses if one])
            assert own >= 1
            assert losses == [False] * (len(losses) - own) + [True] * own
        else:
            assert set(losses) == {None}


@pytest.mark.parametrize("config", ["samples", "dialogues"])
def test_verl_has_types_and_a_class_that_reads_them(config: Config, demo: Path, tmp_path: Path) -> None:
    for row, record in zip(*exported(demo, tmp_path, "verl", config), strict=True):
        assert json.loads(record["tools"]) == parse_texts(row["tools"])
        assert record["learnt_from"] == (len(row["prompt"]) if config == "samples" else 0)
        assert [one["content"] for one in record["messages"]] == [one["content"] for one in messages_of(row)]
    assert "class ExportedDataset" in (tmp_path / "out" / "verl_dataset.py").read_text()


# --- which rows ---


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipe tod, of which half the dialogues are held out."""
    return build("tod", out=tmp_path_factory.mktemp("halves") / "out", changes=["validation=0.5"]).out


@pytest.mark.parametrize("to", sorted({to for to, _ in CASES}))
def test_each_split_is_a_file(to: str, halves: Path, tmp_path: Path) -> None:
    result = coalm_it.export(halves, to, out=tmp_path / "out")
    assert list(result.rows) == ["train", "validation"]
    for split, rows in result.rows.items():
        assert len(read_export(tmp_path / "out", split)) == rows
    only = export(halves, to, out=tmp_path / "only", split="validation")
    assert only.rows == {"validation": result.rows["validation"]}


def test_parts_and_a_limit_choose_rows(halves: Path, tmp_path: Path) -> None:
    result = export(halves, "trl", out=tmp_path / "out", parts=["snips"], split="train")
    expected = [row["id"] for row in read_config(halves, "samples") if row["part"] == "snips"]
    assert 0 < result.rows["train"] < len(expected)
    assert {row["id"] for row in read_export(tmp_path / "out")} < set(expected)
    words = ["--to", "trl", "--out", tmp_path / "few", "--part", "snips", "--part", "sgd", "--limit", "3", "--json"]
    printed = json.loads(run("export", halves, *words).stdout)
    assert printed["rows"] == {"train": 3, "validation": 3}


def test_names_that_openai_does_not_take_are_changed_and_counted(tmp_path: Path) -> None:
    out = build_conversations(tmp_path, ["find seat"], ["find_seat"])
    result = export(out, "openai", out=tmp_path / "openai")
    (renamed,) = result.losses
    assert renamed.startswith("functions are renamed")
    assert result.losses == {renamed: 1}
    for record in read_export(tmp_path / "openai"):
        assert record["tools"][0]["function"]["name"] == "find_seat"
        assert record["messages"][-1]["tool_calls"][0]["function"]["name"] == "find_seat"
    assert {row["tools"][0]["function"]["name"] for row in exported(out, tmp_path, "trl", "samples")[1]} == {
        "find seat",
        "find_seat",
    }


def test_a_row_that_the_format_cannot_hold_is_counted(tmp_path: Path) -> None:
    out = build_conversations(tmp_path, ["find seat", "find_seat"], ["find_seat"])
    why = "two of its functions would have the same name, as signs other than letters, digits, _ and - become _"
    result = export(out, "openai", out=tmp_path / "openai")
    assert (result.rows, result.left_out, result.losses) == ({"train": 1}, {why: 1}, {})
    printed = run("export", out, "--to", "openai", "--out", tmp_path / "again").stdout
    assert f"1 row left out: {why}" in printed
    assert export(out, "trl", out=tmp_path / "trl").rows == {"train": 2}


def test_where_no_row_fits_nothing_is_written(tmp_path: Path) -> None:
    out = build_conversations(tmp_path, ["find seat", "find_seat"])
    result = run("export", out, "--to", "openai", "--out", tmp_path / "openai")
    assert_one_line(result, f"openai can hold no row of {out}: two of its functions would have the same name")
    assert not (tmp_path / "openai").exists()


def build_conversations(folder: Path, *functions: list[str]) -> Path:
    """A build of one conversation for each list of functions, with a call of the first."""
    data = folder / "data"
    data.mkdir()
    about = dict.fromkeys(("name", "title", "licence", "homepage"), "mine")
    layouts = [{"name": "json", "splits": {"train": "talks.json"}}]
    (data / "mine.yaml").write_text(yaml.safe_dump({**about, "reader": "messages", "layouts": layouts}))
    parameters = {"type": "object", "properties": {"row": {"type": "integer"}}, "required": ["row"]}
    talks = [
        {
            "tools": [
                {"type": "function", "function": {"name": name, "description": "A seat.", "parameters": parameters}}
                for name in names
            ],
            "messages": [
                {"role": "user", "content": "A seat in row 12, please."},
                {"role": "assistant", "tool_calls": [{"function": {"name": names[0], "arguments": {"row": 12}}}]},
            ],
        }
        for names in functions
    ]
    (data / "talks.json").write_text(json.dumps(talks))
    recipe = {"name": "mine", "parts": {"mine": {"source": "mine.yaml", "task": "function_call"}}}
    (data / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return build(str(data / "recipe.yaml"), data=data, out=folder / "built").out


def talk(*messages: tuple[str, str]) -> Conversation:
    """A dialogue of these roles and contents; an assistant's content "call" is a call."""
    calls = [{"id": "1", "type": "function", "function": {"name": "find", "arguments": {}}}]
    more: dict[str, dict[str, Any]] = {"tool": {"tool_call_id": "1", "name": "find"}}
    made: list[dict[str, Any]] = [
        {"role": role, "content": "", "tool_calls": calls} if text == "call" else {"role": role, "content": text}
        for role, text in messages
    ]
    return Conversation(
        "a", "p", "s", "CC0-1.0", [{**one, **more.get(one["role"], {})} for one in made], [], 0, "dialogues"
    )


@pytest.mark.parametrize(
    ("to", "conversation", "why"),
    [
        ("openai", talk(("user", "Hi"), ("assistant", "call"), ("user", "Well?"), ("assistant", "Yes")), "no result"),
        ("openai", talk(("user", "Hi"), ("assistant", "call"), ("tool", "{}"), ("assistant", "Yes")), ""),
        ("openai", talk(("user", "Hi"), ("assistant", "call")), ""),
        ("llama-factory", talk(("user", "Hi"), ("assistant", "Hi"), ("assistant", "Yes")), "do not alternate"),
        ("llama-factory", talk(("user", "Hi"), ("assistant", "call"), ("tool", "{}")), "does not end with an answer"),
        ("llama-factory", talk(("user", "Hi"), ("assistant", "call"), ("tool", "{}"), ("assistant", "Yes")), ""),
    ],
)
def test_each_format_refuses_by_its_own_rule(to: str, conversation: Conversation, why: str) -> None:
    if not why:
        EXPORTS[to].convert(conversation, Losses())
        return
    with pytest.raises(CannotHoldError, match=why):
        EXPORTS[to].convert(conversation, Losses())


# --- bad input ---


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def assert_one_line(result: Result, said: str, code: int = 2) -> None:
    assert result.exit_code == code, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("coalm-it: ")]
    assert said in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "open-ai"], "there is no format 'open-ai'; did you mean 'openai'?"),
        (["--to", "parquet"], "there is no format 'parquet'; there are: trl, openai, llama-factory, axolotl"),
        (["--to", "openai", "--config", "dialogs"], "openai takes no config 'dialogs'; did you mean 'dialogues'?"),
        (["--to", "trl", "--split", "validation"], "has no split 'validation' of samples; there are: train"),
        (["--to", "trl", "--part", "sdg"], "has no part 'sdg'; did you mean 'sgd'?"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(words: Sequence[str], said: str, demo: Path, tmp_path: Path) -> None:
    assert_one_line(run("export", demo, "--out", tmp_path / "out", *words), said)
    assert not (tmp_path / "out").exists()


def test_only_a_finished_build_that_has_not_changed_is_exported(halves: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = ["--to", "trl", "--out", str(tmp_path / "out")]
    assert_one_line(run("export", tmp_path / "empty", *words), "empty is not a finished build: it has no manifest.json")
    changed = build("tod", out=tmp_path / "changed").out
    (file,) = (changed / "data" / "samples").glob("train-*.parquet")
    file.write_bytes(file.read_bytes() + b" ")
    assert_one_line(run("export", changed, *words), f"{file} is not the file that was built: its sha256 has changed")
    file.unlink()
    assert_one_line(run("export", changed, *words), f"{file} is missing")
    assert not (tmp_path / "out").exists()


def test_only_an_earlier_export_is_replaced_and_only_if_asked(demo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["export", demo, "--out", out, "--limit", "2"]
    assert run(*words, "--to", "axolotl").exit_code == 0
    assert_one_line(run(*words, "--to", "trl"), f"{out} holds an export: --replace puts this one in its place")
    assert run(*words, "--to", "trl", "--replace").exit_code == 0
    assert {path.name for path in out.iterdir()} == {"train.jsonl", "README.md", REPORT}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    for name, said in {"mine": "holds something else (no export.json in it)", "mine/notes.txt": "is a file"}.items():
        other = ["export", demo, "--to", "trl", "--out", tmp_path / name, "--replace"]
        assert_one_line(run(*other), f"{tmp_path / name} {said}")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"
    assert_one_line(run("export", demo, "--to", "trl", "--out", demo, "--replace"), "holds something else")


def test_the_next_step_trains_with_the_export(demo: Path, tmp_path: Path) -> None:
    out = tmp_path / "my export"
    for config, last_only in {"samples": " mask_history=true", "dialogues": "", "coalm_it": ""}.items():
        words = ["--to", "llama-factory", "--out", out, "--config", config, "--replace"]
        (step,) = read_next(run("export", demo, *words))
        assert step == f"llamafactory-cli train CONFIG.yaml dataset_dir='{out}' dataset=tod{last_only}"


def test_the_limit_is_at_least_one_row(demo: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="limit is 0: it should be at least 1"):
        export(demo, "trl", out=tmp_path / "out", limit=0)


def test_long_samples_lose_their_earliest_turns_and_keep_their_target(demo: Path, tmp_path: Path) -> None:
    before = read_config(demo, "samples")
    done = export(demo, "trl", out=tmp_path / "out", max_tokens=1500, limit=len(before))
    after = {row["id"]: row for row in read_export(tmp_path / "out")}
    cut = 0
    for row in before:
        prompt = [json.loads(text) for text in row["prompt"]]
        if row["id"] not in after:
            continue
        kept = after[row["id"]]
        assert kept["completion"] == [json.loads(text) for text in row["completion"]]
        assert kept["prompt"][0] == prompt[0]
        rest = kept["prompt"][1:]
        assert rest == prompt[-len(rest) :]
        assert rest[0]["role"] == "user"
        cut += kept["prompt"] != prompt
    assert cut == done.losses["the earliest turns are left out, to fit the number of tokens"] > 20
    assert len(before) - len(after) == sum(done.left_out.values())
    with pytest.raises(ExportError, match="only samples can be cut"):
        export(demo, "trl", out=tmp_path / "whole", config="dialogues", max_tokens=1500)


def test_the_help_names_every_format() -> None:
    said = " ".join(CliRunner().invoke(app, ["export", "--help"], terminal_width=10_000).stdout.split())
    assert all(name in said for name in EXPORTS)
