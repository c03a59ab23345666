from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from decoded import decode_messages
from pyarrow import parquet

from coalm_it.calls import decode_calls
from coalm_it.corpora.columns import Columns
from coalm_it.corpora.corpus import Corpus, RawFile, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import SourceError, load_source
from coalm_it.readers import messages
from coalm_it.schema import Call, Dialogue, Fault, Step, Turn

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]},
        },
    }
    for name, key in (("get_tide", "harbour"), ("get_rain", "city"))
]
ASK = {"role": "user", "content": "Tide at Oban?"}
SAY = {"role": "assistant", "content": "High at six."}


def call(*calls: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def tool_call(id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


OBAN = tool_call("c1", "get_tide", '{"harbour": "Oban"}')
RAIN = tool_call("c2", "get_rain", {"city": "Oban"})


def result(content: str, id: str = "", **more: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content, **more}


def at_hand(path: Path, **columns: str) -> Corpus:
    file = RawFile(path, None, path.name)
    return Corpus("own", "any", ".", {"train": (file,)}, {path.name: file}, Columns(**columns))


def read(corpus: Corpus) -> list[Dialogue | Fault]:
    return [
        record
        for shard in cut_shards(corpus, "train")
        for record in messages.read_dialogues(corpus, "train", shard, licence="CC0-1.0")
    ]


def read_records(folder: Path, *records: Any, **columns: str) -> list[Dialogue | Fault]:
    path = folder / "talks.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return read(at_hand(path, **columns))


def read_talk(folder: Path, *said: dict[str, Any]) -> tuple[Turn, ...]:
    (dialogue,) = read_records(folder, {"messages": said, "tools": TOOLS})
    assert isinstance(dialogue, Dialogue), dialogue
    return dialogue.turns


# --- OpenAI's form ---


def test_a_conversation_keeps_its_calls_with_their_ids_their_results_and_replies(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    said = [system, ASK, call(OBAN, RAIN), result('{"mm": 3}', "c2"), result('{"high": "06:10"}', "c1"), SAY]
    (turn,) = read_talk(tmp_path, *said)
    calls = (
        Call(id="c1", name="get_tide", arguments={"harbour": "Oban"}),
        Call(id="c2", name="get_rain", arguments={"city": "Oban"}),
    )
    step = Step(calls=calls, observations=({"high": "06:10"}, {"mm": 3}))
    assert turn == Turn(user="Tide at Oban?", steps=(step,), reply="High at six.")


def test_a_record_becomes_a_dialogue_with_its_tools(tmp_path: Path) -> None:
    (dialogue,) = read_records(tmp_path, {"messages": [ASK, SAY], "tools": TOOLS})
    assert isinstance(dialogue, Dialogue)
    assert (dialogue.id, dialogue.source, dialogue.split, dialogue.licence) == ("talks_0", "own", "train", "CC0-1.0")
    assert (dialogue.file, dialogue.record) == ("talks.jsonl", 0)
    assert [tool.name for tool in dialogue.tools] == ["get_tide", "get_rain"]
    assert [tool.spec for tool in dialogue.tools] == TOOLS


def test_a_turn_may_take_several_steps(tmp_path: Path) -> None:
    said = [ASK, call(OBAN), result("06:10", "c1"), call(RAIN), result("3", "c2"), SAY]
    (turn,) = read_talk(tmp_path, *said)
    assert [[made.name for made in step.calls] for step in turn.steps] == [["get_tide"], ["get_rain"]]
    assert [step.observations for step in turn.steps] == [("06:10",), (3,)]


def test_text_beside_calls_and_reasoning_are_thoughts(tmp_path: Path) -> None:
    reply = SAY | {"reasoning_content": "Six it is."}
    (turn,) = read_talk(tmp_path, ASK, call(OBAN, content="Let me look."), result("06:10"), reply)
    assert (turn.steps[0].thought, turn.thought, turn.reply) == ("Let me look.", "Six it is.", "High at six.")


def test_the_older_form_of_calls_is_read(tmp_path: Path) -> None:
    old = {"role": "assistant", "content": None, "function_call": OBAN["function"]}
    (turn,) = read_talk(tmp_path, ASK, old, {"role": "function", "name": "get_tide", "content": "06:10"}, SAY)
    assert turn.steps[0].calls == (Call(id="call_0_0", name="get_tide", arguments={"harbour": "Oban"}),)
    assert turn.steps[0].observations == ("06:10",)


def test_columns_and_calls_may_be_json_texts(tmp_path: Path) -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": json.dumps([OBAN])}
    record = {"messages": json.dumps([ASK, calls]), "tools": json.dumps(TOOLS)}
    (dialogue,) = read_records(tmp_path, record)
    assert isinstance(dialogue, Dialogue)
    assert dialogue.turns == read_talk(tmp_path, ASK, call(OBAN))


def test_content_may_come_in_parts(tmp_path: Path) -> None:
    user = {"role": "user", "content": [{"type": "text", "text": "Tide"}, {"type": "text", "text": "at Oban?"}]}
    parts = [
        {"type": "reasoning", "value": "I need the tide."},
        {"type": "tool_call", "value": json.dumps(OBAN["function"])},
        {"type": "tool_call", "value": json.dumps(RAIN["function"])},
    ]
    listed = [
        {"tool_call_id": "x", "name": "get_tide", "content": "06:10"},
        {"name": "get_rain", "content": '{"mm": 3}'},
    ]
    tool = {"role": "tool", "content": [{"type": "text", "value": json.dumps(listed)}]}
    (turn,) = read_talk(tmp_path, user, {"role": "assistant", "content": parts}, tool, SAY)
    assert turn.user == "Tide\nat Oban?"
    (step,) = turn.steps
    assert step.thought == "I need the tide."
    assert [made.name for made in step.calls] == ["get_tide", "get_rain"]
    assert step.observations == ("06:10", {"mm": 3})


def test_a_list_of_things_with_names_is_no_list_of_results(tmp_path: Path) -> None:
    hits = [{"name": "Oban Bay", "content": "a harbour"}]
    (turn,) = read_talk(tmp_path, ASK, call(OBAN), result(json.dumps(hits)), SAY)
    assert turn.steps[0].observations == (hits,)


def test_without_tools_a_conversation_has_replies_only(tmp_path: Path) -> None:
    listed: list[dict[str, Any]] = [{}, {"tools": None}, {"tools": "[]"}, {"tools": []}]
    for tools in listed:
        (dialogue,) = read_records(tmp_path, {"messages": [ASK, SAY], **tools})
        assert isinstance(dialogue, Dialogue)
        assert dialogue.tools == ()


# --- ShareGPT's form ---


def test_sharegpt_has_other_names_for_the_same(tmp_path: Path) -> None:
    talk = [
        {"from": "human", "value": "Tide at Oban?"},
        {"from": "function_call", "value": json.dumps([OBAN["function"], RAIN["function"]])},
        {"from": "observation", "value": '[{"high": "06:10"}, {"mm": 3}]'},
        {"from": "gpt", "value": "High at six."},
    ]
    record = {"conversations": talk, "tools": json.dumps([tool["function"] for tool in TOOLS])}
    (dialogue,) = read_records(tmp_path, record)
    assert isinstance(dialogue, Dialogue)
    (turn,) = dialogue.turns
    assert [made.id for made in turn.steps[0].calls] == ["call_0_0", "call_0_1"]
    assert turn.steps[0].observations == ({"high": "06:10"}, {"mm": 3})
    assert turn.reply == "High at six."


# --- files and columns ---


def test_the_same_talks_are_read_from_lines_a_list_and_parquet(tmp_path: Path) -> None:
    rain = tool_call("c2", "get_rain", '{"city": "Oban"}')
    said = [ASK, call(OBAN, rain), result("06:10", "c1"), result("3", "c2"), SAY]
    records = [{"messages": said, "tools": json.dumps(TOOLS)}, {"messages": [ASK, SAY], "tools": None}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "b.json").write_text(json.dumps(records))
    parquet.write_table(pa.Table.from_pylist(records), tmp_path / "c.parquet")
    lines, listed, table = (read(at_hand(tmp_path / name)) for name in ("a.jsonl", "b.json", "c.parquet"))
    turns = [
        [dialogue.turns for dialogue in found if isinstance(dialogue, Dialogue)] for found in (lines, listed, table)
    ]
    assert len(turns[0]) == 2
    assert turns[0] == turns[1] == turns[2]


def test_arguments_in_columns_of_parquet_lose_the_keys_of_other_calls(tmp_path: Path) -> None:
    said = [ASK, call(tool_call("c1", "get_tide", {"harbour": "Oban"}), RAIN)]
    table = pa.Table.from_pylist([{"messages": said, "tools": json.dumps(TOOLS)}])
    parquet.write_table(table, tmp_path / "a.parquet")
    (dialogue,) = read(at_hand(tmp_path / "a.parquet"))
    assert isinstance(dialogue, Dialogue)
    assert [made.arguments for made in dialogue.turns[0].steps[0].calls] == [{"harbour": "Oban"}, {"city": "Oban"}]


def test_columns_may_have_names_of_their_own(tmp_path: Path) -> None:
    record = {"uid": "t-17", "chat": [ASK, call(OBAN)], "functions": TOOLS}
    (dialogue,) = read_records(tmp_path, record, messages="chat", tools="functions", id="uid")
    assert isinstance(dialogue, Dialogue)
    assert dialogue.id == "t-17"
    assert dialogue.turns == read_talk(tmp_path, ASK, call(OBAN))


OWN = """
name: harbour_talks
title: Harbour talks
reader: messages
licence: CC-BY-4.0
citation: none
homepage: https://harbour.example
columns: {messages: chat}
layouts:
  - name: folder
    splits: {train: data/train-*.parquet}
"""


def test_a_yaml_file_adds_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    (tmp_path / "talks" / "data").mkdir(parents=True)
    for number in range(2):
        table = pa.Table.from_pylist([{"chat": [ASK, SAY]}])
        parquet.write_table(table, tmp_path / "talks" / "data" / f"train-0000{number}-of-00002.parquet")
    (found,) = find_corpora(tmp_path, [load_source(tmp_path / "own.yaml")])
    assert found.corpus
    dialogues = [record for record in read(found.corpus) if isinstance(record, Dialogue)]
    assert [dialogue.id for dialogue in dialogues] == [
        "data_train-00000-of-00002_0",
        "data_train-00001-of-00002_0",
    ]


def test_an_unknown_column_in_the_yaml_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace("messages: chat", "mesages: chat"))
    with pytest.raises(SourceError, match=r"unknown key 'columns\.mesages'; did you mean 'messages'\?"):
        load_source(tmp_path / "own.yaml")


def test_the_documentation_describes_a_source_and_a_record(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "own_corpus.md").read_text()
    (source,) = re.findall(r"```yaml\n(name: harbour\b.*?)```", text, re.DOTALL)
    (tmp_path / "harbour.yaml").write_text(source)
    known = load_source(tmp_path / "harbour.yaml")
    assert (known.reader, known.columns.id) == ("messages", "talk_id")
    (record,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (dialogue,) = read_records(tmp_path, json.loads(record))
    assert isinstance(dialogue, Dialogue)
    assert dialogue.turns[0].steps[0].observations == ({"high": "06:10"}, {"high": "06:25"})


# --- bad input ---


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"tools": TOOLS}, "field 'messages' is missing; there is 'tools'"),
        ({"messages": {}, "tools": TOOLS}, "'messages' should be a list or a string, found {}"),
        ({"messages": "[{", "tools": TOOLS}, "messages: not JSON: "),
        ({"messages": [ASK, SAY], "tools": "[{"}, "tools: not JSON: "),
        ({"messages": [ASK, SAY], "tools": 3}, "tools should be a list of functions, found 3"),
        ({"messages": [ASK, None]}, "message 1: an object with 'role' was expected, found None"),
        ({"messages": [{"content": "?"}]}, "message 0: field 'role' is missing; there is 'content'"),
        (
            {"messages": [{"role": "pilot", "content": "?"}]},
            "message 0: role 'pilot' is none of system, developer, user",
        ),
        ({"messages": [ASK | {"content": 3}]}, "message 0: the content should be a text or a list of parts, found 3"),
        (
            {"messages": [ASK | {"content": [{"type": "image_url", "image_url": {}}]}]},
            "message 0: a part of the type 'image_url', which is none of text, reasoning, thinking, tool_call",
        ),
        ({"messages": [ASK, call(OBAN)]}, "message 1: a call of 'get_tide', but no functions are listed"),
        (
            {"messages": [ASK, call({"function": {"name": "sail", "arguments": {}}})], "tools": TOOLS},
            "message 1: a call of 'sail', which is not among the 2 functions",
        ),
        (
            {"messages": [ASK, call({"function": {"name": "get_tide", "arguments": "Oban"}})], "tools": TOOLS},
            "message 1: in the arguments of 'get_tide': ",
        ),
        (
            {"messages": [ASK, call({"function": {"name": "get_tide", "arguments": [1]}})], "tools": TOOLS},
            "message 1: expected an object of arguments for 'get_tide'",
        ),
        (
            {"messages": [ASK, call(OBAN), result("1", "c9"), SAY], "tools": TOOLS},
            "message 3: results of c9, but calls c1",
        ),
        ({"messages": [ASK, call(OBAN), SAY], "tools": TOOLS}, "message 2: calls and results do not pair"),
        ({"messages": [SAY]}, "message 0: the user should speak first, not the assistant"),
        ({"messages": [ASK]}, "no message of the assistant"),
        (7, "an object with 'messages' was expected, found 7"),
    ],
)
def test_an_invalid_record_is_a_fault_and_the_next_is_read(tmp_path: Path, record: Any, reason: str) -> None:
    fault, dialogue = read_records(tmp_path, record, {"messages": [ASK, SAY]})
    assert isinstance(fault, Fault)
    assert (fault.file, fault.record) == ("talks.jsonl", "talks_0")
    assert fault.reason.startswith(reason)
    assert isinstance(dialogue, Dialogue)


def test_a_line_that_is_cut_off_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps({"messages": [ASK, SAY]}) + '\n{"messages": [')
    dialogue, fault = read(at_hand(path))
    assert isinstance(dialogue, Dialogue)
    assert isinstance(fault, Fault)
    assert (fault.record, fault.reason[:18]) == ("talks_1", "line 2 is not JSON")


# --- the package's own rows ---


def test_rows_of_the_package_are_read_back(demo: Path, tmp_path: Path) -> None:
    """`samples` of a build: messages and tools of a response row give the last turn of its dialogue."""
    (path,) = (demo / "data" / "samples").glob("train-*.parquet")
    row = next(row for row in parquet.read_table(path).to_pylist() if row["id"] == "sgd/train/1_00002/1/react_response")
    said, tools = decode_messages(row)
    (dialogue,) = read_records(tmp_path, {"messages": said, "tools": tools})
    assert isinstance(dialogue, Dialogue)
    turn = dialogue.turns[-1]
    assert (turn.reply, turn.thought) == (said[-1]["content"], said[-1]["reasoning_content"])
    spoken = [message["content"] for message in said if message["role"] == "user"]
    assert [turn.user for turn in dialogue.turns] == spoken
    calls = [made["id"] for message in said for made in message.get("tool_calls", ())]
    assert [made.id for turn in dialogue.turns for step in turn.steps for made in step.calls] == calls


# --- real conversations ---


@pytest.mark.corpora
def test_every_conversation_of_glaive_is_read(corpora: Path) -> None:
    records = read(at_hand(corpora / "messages" / "glaive_toolcall_en_demo.json"))
    dialogues = [record for record in records if isinstance(record, Dialogue)]
    assert (len(records), len(dialogues)) == (300, 300)
    steps = [step for dialogue in dialogues for turn in dialogue.turns for step in turn.steps]
    assert len(steps) == 211
    assert all(len(step.observations) == len(step.calls) for step in steps)


@pytest.mark.corpora
def test_every_conversation_with_reasoning_is_read(corpora: Path) -> None:
    records = read(at_hand(corpora / "messages" / "reason_tool_use_demo_50.jsonl"))
    dialogues = [record for record in records if isinstance(record, Dialogue)]
    assert (len(records), len(dialogues)) == (50, 50)
    turns = [turn for dialogue in dialogues for turn in dialogue.turns]
    steps = [step for turn in turns for step in turn.steps]
    assert (len(turns), len(steps), sum(len(step.calls) for step in steps)) == (70, 53, 68)
    assert all(step.thought for step in steps)
    assert sum(turn.thought is not None for turn in turns) == 59
    assert sum(bool(step.observations) for step in steps) == 42


@pytest.mark.corpora
def test_every_row_of_toolrl_can_be_put_in_this_form_and_is_read(corpora: Path, tmp_path: Path) -> None:
    """ToolRL's rows, put into messages: tools are numbered lines of the instruction, turns stand in tags."""
    raw = json.loads((corpora / "function_calling" / "toolrl" / "rlla_sft.json").read_text())
    records = read_records(tmp_path, *map(_convert_toolrl, raw))
    assert len(records) == 400
    # Two rows have calls that ToolRL broke at a comma or a parenthesis in their arguments or their name.
    assert [record.reason for record in records if isinstance(record, Fault)] == [
        "message 1: a call of 'LastName varchar', which is not among the 1 functions",
        "message 3: a call of 'Sending SMS OTP ', which is not among the 4 functions",
    ]


_TOOL = re.compile(r"\n\d+\. Name: (.*)\nDescription: (.*)\nParameters: (.*)")
_TAG = re.compile(r"<(user|think|tool_call|response|obs)>(.*?)</\1>", re.DOTALL)


def _convert_toolrl(row: dict[str, str]) -> dict[str, Any]:
    tools = [
        {"name": name, "description": description, "parameters": json.loads(parameters)}
        for name, description, parameters in _TOOL.findall(row["instruction"])
    ]
    said: list[dict[str, Any]] = []
    for tag, text in _TAG.findall(row["input"] + row["output"]):
        if tag == "user":
            said.append({"role": "user", "content": text})
        elif tag == "obs":
            said.append({"role": "tool", "content": text})
        elif tag == "think":
            said.append({"role": "assistant", "content": [{"type": "reasoning", "text": text}]})
        elif tag == "tool_call":
            calls = [json.loads(line) for line in text.splitlines() if line.strip()]
            said[-1]["content"] += [{"type": "tool_call", "text": json.dumps(one)} for one in calls]
            assert decode_calls(calls)
        else:
            said[-1]["content"].append({"type": "text", "text": text})
    return {"messages": said, "tools": tools}
