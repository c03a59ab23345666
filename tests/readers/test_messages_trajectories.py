"""Trajectories of agents, and rows of earlier builds, as corpora: small samples of our own in their shapes."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue, Fault, LeftOut, Place

DOCS = Path(__file__).parents[2] / "docs" / "own_corpus.md"
SCHEMA = {"type": "object", "properties": {"harbour": {"type": "string"}}, "required": ["harbour"]}
TIDE = {"type": "function", "function": {"name": "get_tide", "description": "Tide.", "parameters": SCHEMA}}
ASK = "When is high water in Oban and in Mull?"
TWO = [{"harbour": "Oban"}, {"harbour": "Mull"}]
EXPECTED = [(ASK, ("Two harbours.", TWO, {"high": "06:10"}, "06:25"), "So.", "At 06:10 and at 06:25.")]
"""User, then thought, arguments and results of each step, then thought and reply."""


def read(folder: Path, files: dict[str, str], **settings: Any) -> list[Dialogue | Fault]:
    for name, content in files.items():
        (folder / name).write_text(content)
    source = {
        "name": "own",
        "title": "Own talks",
        "reader": "messages",
        "licence": "CC0-1.0",
        "homepage": "https://example.org/own",
        "citation": "none",
        "layouts": [{"name": "files", "splits": {"train": "own*"}, "also": ["tools*"]}],
        **({"columns": settings} if settings else {}),
    }
    (folder / "source.yaml").write_text(yaml.safe_dump(source))
    return list(read_dialogues(str(folder / "source.yaml"), folder))


def read_one(folder: Path, record: Any, **settings: Any) -> Dialogue:
    (dialogue,) = read(folder, {"own.jsonl": lines(record)}, **settings)
    assert isinstance(dialogue, Dialogue), dialogue
    return dialogue


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def summarize(dialogue: Dialogue) -> list[tuple[Any, ...]]:
    summary = []
    for turn in dialogue.turns:
        steps = [(step.thought, [call.arguments for call in step.calls], *step.observations) for step in turn.steps]
        summary.append((turn.user, *steps, turn.thought, turn.reply))
    return summary


# --- ATIF ---


def act(id: str, harbour: str) -> dict[str, Any]:
    return {"tool_call_id": id, "function_name": "get_tide", "arguments": {"harbour": harbour}}


STEPS: list[dict[str, Any]] = [
    {"step_id": 1, "source": "system", "message": "You work at the harbour office."},
    {"step_id": 2, "timestamp": "2026-02-03T10:00:00Z", "source": "user", "message": ASK},
    {
        "step_id": 3,
        "source": "agent",
        "message": "",
        "reasoning_content": "Two harbours.",
        "tool_calls": [act("c1", "Oban"), act("c2", "Mull")],
        "observation": {
            "results": [
                {"source_call_id": "c2", "content": "06:25"},
                {"source_call_id": "c1", "content": [{"type": "text", "text": '{"high": "06:10"}'}]},
            ]
        },
        "metrics": {"prompt_tokens": 90, "completion_tokens": 20},
    },
    {"step_id": 4, "source": "agent", "message": "At 06:10 and at 06:25.", "reasoning_content": "So."},
]
TRAJECTORY = {
    "schema_version": "ATIF-v1.7",
    "trajectory_id": "t1",
    "agent": {"name": "pilot", "version": "1", "tool_definitions": [TIDE]},
    "steps": STEPS,
}


def test_a_trajectory_is_read_without_settings(tmp_path: Path) -> None:
    (dialogue,) = read(tmp_path, {"own.json": json.dumps(TRAJECTORY, indent=1)})
    assert isinstance(dialogue, Dialogue), dialogue
    assert summarize(dialogue) == EXPECTED
    assert dialogue.system == "You work at the harbour office."
    assert [tool.required for tool in dialogue.tools] == [("harbour",)]


def test_the_documented_yaml_reads_the_runs_of_an_agent(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(name: pilot_runs\n.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "runs.yaml").write_text(example)
    for run in ("1", "2"):
        (tmp_path / run / "agent").mkdir(parents=True)
        (tmp_path / run / "agent" / "trajectory.json").write_text(json.dumps(TRAJECTORY))
    found = list(read_dialogues(str(tmp_path / "runs.yaml"), tmp_path))
    assert [summarize(one) for one in found if isinstance(one, Dialogue)] == [EXPECTED] * 2


def test_trajectories_in_a_column_are_read_by_their_places(tmp_path: Path) -> None:
    places = {"messages": "run.steps", "tools": "run.agent.tool_definitions", "keep": {"reward": 1.0}}
    found = read(tmp_path, {"own.jsonl": lines(*({"run": TRAJECTORY, "reward": r} for r in (0.0, 1.0)))}, **places)
    assert [type(one) for one in found] == [LeftOut, Dialogue]
    assert isinstance(found[1], Dialogue)
    assert summarize(found[1]) == EXPECTED


@pytest.mark.parametrize("mark", [{"is_copied_context": True}, {"llm_call_count": 0}], ids=str)
def test_what_was_copied_or_done_without_a_model_is_context(tmp_path: Path, mark: dict[str, Any]) -> None:
    dialogue = read_one(tmp_path, {**TRAJECTORY, "steps": [*STEPS[:2], {**STEPS[2], **mark}, STEPS[3]]})
    assert dialogue.context_only == (Place(0, 0),)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([{**STEPS[1], "source": "judge"}], "step 2: source 'judge' is none of system, user, agent"),
        (
            [
                STEPS[1],
                {"step_id": 3, "source": "agent", "message": "ls", "observation": {"results": [{"content": ""}]}},
            ],
            "step 3: an observation, but no call of a function whose result it is",
        ),
        ([STEPS[1], {**STEPS[2], "tool_calls": {"a": 1}}], "step 3: 'tool_calls' should be a list"),
        ([STEPS[1], {**STEPS[2], "tool_calls": [{}]}], "step 3: field 'function_name' is missing"),
    ],
)
def test_a_step_that_cannot_be_read_is_named(tmp_path: Path, steps: Any, reason: str) -> None:
    fault, good = read(tmp_path, {"own.jsonl": lines({**TRAJECTORY, "steps": steps}, TRAJECTORY)})
    assert isinstance(fault, Fault)
    assert reason in fault.reason
    assert isinstance(good, Dialogue)


# --- session files ---

HEADER = {"type": "session", "harness": "pilot", "id": "s1", "name": "Tides"}


def called(id: str, harbour: str) -> dict[str, Any]:
    return {"id": id, "function": {"name": "get_tide", "arguments": json.dumps({"harbour": harbour})}}


SAID: list[dict[str, Any]] = [
    {"role": "user", "content": ASK, "timestamp": 1770112800000},
    {
        "role": "assistant",
        "content": "",
        "reasoningContent": "Two harbours.",
        "toolCalls": [called("c1", "Oban"), called("c2", "Mull")],
    },
    {"role": "tool", "toolCallId": "c2", "content": "06:25"},
    {"role": "tool", "toolCallId": "c1", "content": '{"high": "06:10"}'},
    {"role": "assistant", "content": "At 06:10 and at 06:25.", "reasoningContent": "So.", "model": "m"},
]
SESSION = [HEADER, *({"type": "message", "message": one} for one in SAID)]


def test_a_session_file_is_one_conversation(tmp_path: Path) -> None:
    files = {"own-1.jsonl": lines(*SESSION), "own-2.jsonl": lines(*SESSION, *SESSION), "tools.json": lines([TIDE])}
    found = read(tmp_path, files, tools_file="tools.json")
    assert [summarize(one) for one in found if isinstance(one, Dialogue)] == [EXPECTED] * 3


def test_the_header_of_a_session_may_have_its_functions(tmp_path: Path) -> None:
    session = [{**HEADER, "tools": [TIDE]}, *SESSION[1:]]
    (dialogue,) = read(tmp_path, {"own.jsonl": lines(*session)}, id="id")
    assert isinstance(dialogue, Dialogue)
    assert (dialogue.id, summarize(dialogue)) == ("s1", EXPECTED)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lines(*SESSION[:3]) + "{broken\n" + lines(*SESSION[4:]), "line 4 is not JSON"),
        (lines(*SESSION[1:]), "a session begins with a line of the type 'session', which is missing"),
        (lines(*SESSION, {"type": "compaction"}), "a line of a session that is no message: {'type': 'compaction'}"),
    ],
)
def test_a_session_with_a_line_that_cannot_be_read_is_one_fault(tmp_path: Path, content: str, reason: str) -> None:
    good = [{**HEADER, "tools": [TIDE]}, *SESSION[1:]]
    fault, dialogue = read(tmp_path, {"own.jsonl": content + lines(*good)})
    assert isinstance(fault, Fault)
    assert reason in fault.reason
    assert isinstance(dialogue, Dialogue)


# --- prompt and completion ---

TALK: list[dict[str, Any]] = [
    {"role": "user", "content": ASK},
    {
        "role": "assistant",
        "content": "",
        "reasoning_content": "Two harbours.",
        "tool_calls": [
            {"id": f"c{number}", "type": "function", "function": {"name": "get_tide", "arguments": given}}
            for number, given in enumerate(TWO)
        ],
    },
    {"role": "tool", "tool_call_id": "c0", "name": "get_tide", "content": '{"high": "06:10"}'},
    {"role": "tool", "tool_call_id": "c1", "name": "get_tide", "content": '"06:25"'},
    {"role": "assistant", "content": "At 06:10 and at 06:25.", "reasoning_content": "So."},
]
TASK = {"role": "system", "content": "You answer requests."}


def split(messages: list[dict[str, Any]], at: int) -> dict[str, Any]:
    return {"prompt": messages[:at], "completion": messages[at : at + 1], "tools": [TIDE]}


def test_of_a_prompt_and_its_completion_only_the_completion_is_learnt(tmp_path: Path) -> None:
    found = read(tmp_path, {"own.jsonl": lines(split(TALK, 1), split(TALK, 4))})
    first, second = (one for one in found if isinstance(one, Dialogue))
    assert first.context_only == ()
    assert summarize(second) == EXPECTED
    assert second.context_only == (Place(0, 0),)


def test_rows_of_samples_are_read_from_parquet_and_those_of_a_dialogue_stay_together(tmp_path: Path) -> None:
    rows = [split(TALK, at) for at in (1, 4)]
    texts = {name: [[json.dumps(one) for one in row[name]] for row in rows] for name in ("prompt", "completion")}
    tools = [[json.dumps(TIDE)], None]
    table = pa.table({**texts, "tools": tools, "id": ["a/b/c/0/x", "a/b/c/0/y"], "dialogue_id": ["c", "c"]})
    parquet.write_table(table.slice(0, 1), tmp_path / "own.parquet")
    found = read(tmp_path, {})
    parquet.write_table(table, tmp_path / "own.parquet")
    found += read(tmp_path, {})
    assert [one.id if isinstance(one, Dialogue) else one.reason for one in found] == [
        "c",
        "c",
        "message 1: a call of 'get_tide', but no functions are listed",
    ]


@pytest.mark.parametrize(
    ("text", "system", "day"),
    [
        ("Be brief.", "Be brief.", None),
        ("Today is Friday, 2019-03-01. Hurry.", "Today is Friday, 2019-03-01. Hurry.", 1),
    ],
)
def test_a_system_text_of_a_corpus_is_kept(tmp_path: Path, text: str, system: str, day: int | None) -> None:
    dialogue = read_one(tmp_path, split([{"role": "system", "content": text}, *TALK], 2))
    assert dialogue.system == system
    assert dialogue.clock == (datetime.date(2019, 3, day) if day else None)


def test_a_completion_may_be_an_answer_of_another_form(tmp_path: Path) -> None:
    record = {**split(TALK, 1), "completion": "Which harbour?"}
    assert summarize(read_one(tmp_path, record, answer="completion")) == [(ASK, None, "Which harbour?")]


def test_a_text_as_prompt_is_a_fault_that_says_what_to_set(tmp_path: Path) -> None:
    pair = {"prompt": "How warm is it?", "completion": "11 degrees."}
    (fault,) = read(tmp_path, {"own.jsonl": lines(pair)})
    assert isinstance(fault, Fault)
    assert "the settings are `query: prompt` and `answer: completion`" in fault.reason
    assert summarize(read_one(tmp_path, pair, query="prompt", answer="completion")) == [
        ("How warm is it?", None, "11 degrees.")
    ]


@pytest.mark.parametrize("content", ['"06:25"', "7", "true", "null", '{"a": 1}', '"7"', '"{\\"a\\": 1}"'])
def test_a_result_that_is_json_is_written_again_as_it_was(tmp_path: Path, content: str) -> None:
    dialogue = read_one(tmp_path, split([*TALK[:3], {**TALK[3], "content": content}, TALK[4]], 4))
    assert json.dumps(dialogue.turns[0].steps[0].observations[1]) == content


@pytest.mark.parametrize("content", ["06:25", "1.50", "007", '"06:25" he said', "None"])
def test_any_other_result_is_a_text(tmp_path: Path, content: str) -> None:
    dialogue = read_one(tmp_path, split([*TALK[:3], {**TALK[3], "content": content}, TALK[4]], 4))
    assert dialogue.turns[0].steps[0].observations[1] == content
