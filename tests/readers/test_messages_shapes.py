"""The shapes of records that people bring: read without settings, or by the places, roles and keys of a YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue, Fault, Step

SCHEMA = {"type": "object", "properties": {"harbour": {"type": "string"}}, "required": ["harbour"]}
TIDE = {"name": "get_tide", "description": "Tide at a harbour.", "parameters": SCHEMA}
PING = {"name": "ping", "parameters": {"type": "object", "properties": {}}}
ASK = {"role": "user", "content": "When is high water in Oban?"}
SAY = {"role": "assistant", "content": "At 06:10."}
OBAN = {"id": "c1", "type": "function", "function": {"name": "get_tide", "arguments": '{"harbour": "Oban"}'}}
MULL = {"id": "c2", "type": "function", "function": {"name": "get_tide", "arguments": '{"harbour": "Mull"}'}}


def read(folder: Path, files: dict[str, Any], **settings: Any) -> list[Dialogue | Fault]:
    """The files hold a text, JSON lines (a list), or a JSON object."""
    for name, content in files.items():
        if isinstance(content, list):
            content = "".join(json.dumps(record) + "\n" for record in content)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
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
    path = folder / "source.yaml"
    path.write_text(yaml.safe_dump(source))
    return list(read_dialogues(str(path), folder))


def read_one(folder: Path, record: Any, more: dict[str, Any] | None = None, **settings: Any) -> Dialogue:
    (dialogue,) = read(folder, {"own.jsonl": [record], **(more or {})}, **settings)
    assert isinstance(dialogue, Dialogue), dialogue
    return dialogue


def summarize(dialogue: Dialogue) -> list[tuple[Any, ...]]:
    """User, then thought, arguments of calls and observations of each step, then the reply, turn by turn."""
    summary = []
    for turn in dialogue.turns:
        steps = [(step.thought, [call.arguments for call in step.calls], *step.observations) for step in turn.steps]
        summary.append((turn.user, *steps, turn.reply))
    return summary


EXPECTED = [(ASK["content"], (None, [{"harbour": "Oban"}], {"high": "06:10"}), "At 06:10.")]


# --- forms that need no setting ---


def test_anthropic_has_calls_and_results_in_parts(tmp_path: Path) -> None:
    thinking = {"type": "thinking", "thinking": "Oban it is.", "signature": "x"}
    use = {"type": "tool_use", "id": "t1", "name": "get_tide", "input": {"harbour": "Oban"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": '{"high": "06:10"}'}]}
    messages = [
        ASK,
        {"role": "assistant", "content": [thinking, {"type": "text", "text": "Let me look."}, use]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": [{"type": "text", "text": "At 06:10."}]},
        {"role": "user", "content": [{"type": "text", "text": "Thanks"}]},
        {"role": "assistant", "content": "Bye."},
    ]
    tool = {"name": "get_tide", "description": "d", "input_schema": SCHEMA}
    dialogue = read_one(tmp_path, {"system": "Be brief.", "messages": messages, "tools": [tool]})
    step = ("Oban it is.\nLet me look.", [{"harbour": "Oban"}], {"high": "06:10"})
    assert summarize(dialogue) == [(ASK["content"], step, "At 06:10."), ("Thanks", "Bye.")]
    assert dialogue.tools[0].required == ("harbour",)


def test_gemini_has_contents_with_parts(tmp_path: Path) -> None:
    contents = [
        {"role": "user", "parts": [{"text": ASK["content"]}]},
        {"role": "model", "parts": [{"functionCall": {"name": "get_tide", "args": {"harbour": "Oban"}}}]},
        {"role": "function", "parts": [{"functionResponse": {"name": "get_tide", "response": {"high": "06:10"}}}]},
        {"role": "model", "parts": [{"text": "At 06:10."}]},
    ]
    upper = {"type": "OBJECT", "properties": {"harbour": {"type": "STRING"}}}
    tools = [{"functionDeclarations": [{"name": "get_tide", "parameters": upper}]}]
    assert summarize(read_one(tmp_path, {"contents": contents, "tools": tools})) == EXPECTED


def test_the_responses_api_has_items_in_two_lists(tmp_path: Path) -> None:
    made: dict[str, Any] = {"name": "get_tide", "arguments": '{"harbour": "Oban"}'}
    call = {"type": "function_call", "call_id": "c1", "id": "f1", **made}
    other = {**call, "call_id": "c2", "arguments": '{"harbour": "Mull"}'}
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Both."}]}
    output = [
        call,
        other,
        thought,  # behind the call that it explains
        {"type": "function_call_output", "call_id": "c2", "output": "06:25"},
        {"type": "function_call_output", "call_id": "c1", "output": "06:10"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "So."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "At 06:10."}]},
    ]
    record = {
        "ask": {"input": [ASK], "tools": [{"type": "function", "strict": True, **TIDE}]},
        "answer": {"output": output},
    }
    dialogue = read_one(tmp_path, record, messages=["ask.input", "answer.output"], tools="ask.tools")
    step = ("Both.", [{"harbour": "Oban"}, {"harbour": "Mull"}], "06:10", "06:25")
    assert summarize(dialogue) == [(ASK["content"], step, "At 06:10.")]
    assert dialogue.turns[0].thought == "So."


def test_calls_and_results_in_roles_of_their_own_and_in_python(tmp_path: Path) -> None:
    messages = [
        ASK,
        {"role": "tool_call", "content": "{'name': 'get_tide', 'arguments': '{\"harbour\": \"Oban\"}'}"},
        {"role": "tool_call", "content": "{'name': 'get_tide', 'arguments': {'harbour': 'Mull'}}"},
        {"role": "tool_response", "content": '{"high": "06:10"}'},
        {"role": "tool_response", "content": '{"high": "06:25"}'},
        SAY,
    ]
    dialogue = read_one(tmp_path, {"messages": json.dumps(messages), "tools": json.dumps([TIDE])})
    step = (None, [{"harbour": "Oban"}, {"harbour": "Mull"}], {"high": "06:10"}, {"high": "06:25"})
    assert summarize(dialogue) == [(ASK["content"], step, "At 06:10.")]


def test_functions_may_be_called_functions_and_a_role_may_hold_a_blank(tmp_path: Path) -> None:
    call = {"role": "Function Call", "content": {"name": "get_tide", "arguments": {"harbour": "Oban"}}}
    result = {"role": "observation", "content": {"high": "06:10"}}
    assert summarize(read_one(tmp_path, {"messages": [ASK, call, result, SAY], "functions": [TIDE]})) == EXPECTED


@pytest.mark.parametrize(
    "call",
    [
        {"name": "ping", "arguments": ""},
        {"name": "ping", "arguments": None},
        {"name": "ping"},
        {"name": "ping", "arguments": "{}"},
        {"name": "ping", "arguments": {"port": None}},
    ],
)
def test_arguments_that_are_empty_null_or_padding_are_none(tmp_path: Path, call: dict[str, Any]) -> None:
    made = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": call}]}
    dialogue = read_one(tmp_path, {"messages": [ASK, made, {"role": "tool", "content": "pong"}], "tools": [PING]})
    assert [call.arguments for call in dialogue.turns[0].steps[0].calls] == [{}]


@pytest.mark.parametrize("calls", [[], "", "[]", None, "null"])
def test_calls_that_are_empty_are_none(tmp_path: Path, calls: Any) -> None:
    dialogue = read_one(tmp_path, {"messages": [ASK, {**SAY, "tool_calls": calls}]})
    assert summarize(dialogue) == [(ASK["content"], "At 06:10.")]


def test_ids_that_are_numbers_pair_like_texts(tmp_path: Path) -> None:
    made = {"role": "assistant", "tool_calls": [{**OBAN, "id": 0}, {**MULL, "id": 2}]}
    results = [{"role": "tool", "tool_call_id": id, "content": at} for id, at in (("2", "06:25"), (0, "06:10"))]
    dialogue = read_one(tmp_path, {"messages": [ASK, made, *results, SAY], "tools": [TIDE]})
    assert dialogue.turns[0].steps[0].observations == ("06:10", "06:25")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (610, 610),
        (True, True),
        (None, ""),
        ([{"high": "06:10"}], [{"high": "06:10"}]),
        ([], []),
        ({"high": "06:10"}, {"high": "06:10"}),
        ([{"type": "text", "text": '{"high": '}, {"type": "text", "text": '"06:10"}'}], {"high": "06:10"}),
        ('{"n": 12345678901234567890123}', {"n": 12345678901234567890123}),
    ],
)
def test_a_result_may_be_any_value(tmp_path: Path, content: Any, value: Any) -> None:
    made = {"role": "assistant", "tool_calls": [OBAN]}
    result = {"role": "tool", "tool_call_id": "c1", "content": content}
    dialogue = read_one(tmp_path, {"messages": [ASK, made, result, SAY], "tools": [TIDE]})
    assert dialogue.turns[0].steps[0].observations == (value,)


def test_a_number_too_large_in_a_result_is_a_fault(tmp_path: Path) -> None:
    made = {"role": "assistant", "tool_calls": [OBAN]}
    record = {"messages": [ASK, made, {"role": "tool", "content": '{"high": 1e400}'}, SAY], "tools": [TIDE]}
    (fault,) = read(tmp_path, {"own.jsonl": [record]})
    assert isinstance(fault, Fault)
    assert fault.reason == "message 2: result: the number 1e400 is too large"


def test_an_integer_of_many_digits_is_the_same_in_an_object_and_in_a_text(tmp_path: Path) -> None:
    number = 12345678901234567890123
    tool = {"name": "get_tide", "parameters": {"harbour": {"type": "int"}}}
    for arguments in ({"harbour": number}, json.dumps({"harbour": number})):
        made = {"role": "assistant", "tool_calls": [{"function": {"name": "get_tide", "arguments": arguments}}]}
        dialogue = read_one(tmp_path, {"messages": [ASK, made], "tools": [tool]})
        assert dialogue.turns[0].steps[0].calls[0].arguments == {"harbour": number}


def test_messages_of_a_table_may_be_a_list_of_json_texts(tmp_path: Path) -> None:
    made = {"role": "assistant", "tool_calls": [OBAN]}
    messages = [json.dumps(message) for message in (ASK, made, {"role": "tool", "content": '{"high": "06:10"}'}, SAY)]
    parquet.write_table(
        pa.Table.from_pylist([{"messages": messages, "tools": [json.dumps(TIDE)]}]), tmp_path / "own.parquet"
    )
    (dialogue,) = read(tmp_path, {})
    assert isinstance(dialogue, Dialogue), dialogue
    assert summarize(dialogue) == EXPECTED


def test_padded_json_lines_give_what_the_table_gives(tmp_path: Path) -> None:
    padded = {**SCHEMA, "properties": {**SCHEMA["properties"], "port": None}}  # type: ignore[dict-item]
    call = {"name": "get_tide", "arguments": {"harbour": "Oban", "port": None}}
    made = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": call}], "tool_call_id": None}
    result = {"role": "tool", "content": '{"high": "06:10"}', "tool_calls": None, "tool_call_id": "c1"}
    tool = {"type": "function", "function": {**TIDE, "parameters": padded}}
    dialogue = read_one(tmp_path, {"messages": [ASK, made, result, SAY], "tools": [tool]})
    assert summarize(dialogue) == EXPECTED
    assert dialogue.tools[0].spec == {"type": "function", "function": TIDE}


# --- forms that the YAML describes ---


def test_one_object_a_file_with_places_of_many_keys(tmp_path: Path) -> None:
    talk = {"deep": {"tries": [[ASK], [ASK, SAY]], "function": [TIDE]}, "won": True}
    files = {"own_1.json": json.dumps(talk, indent=1), "own_2.json": json.dumps(talk)}
    read_talks = read(tmp_path, files, messages="deep.tries.-1", tools="deep.function")
    assert [talk.id for talk in read_talks if isinstance(talk, Dialogue)] == ["own_1_0", "own_2_0"]


@pytest.mark.parametrize("content", [{"data": [{"messages": [ASK, SAY]}]}, {"data": {"x": {"messages": [ASK, SAY]}}}])
def test_records_may_stand_under_a_key(tmp_path: Path, content: dict[str, Any]) -> None:
    (dialogue,) = read(tmp_path, {"own.json": content}, records="data")
    assert isinstance(dialogue, Dialogue), dialogue
    (fault,) = read(tmp_path, {"own.json": content}, records="rows")
    assert fault == Fault(file="own.json", reason="there are no records at 'rows'")


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        ([{"api": "get_tide", "parameters": {"harbour": "Oban"}, "responses": ["x"]}], [{"harbour": "Oban"}]),
        (json.dumps([{"name": "get_tide", "arguments": {"harbour": "Oban"}}]), [{"harbour": "Oban"}]),
        ({"name": "get_tide", "arguments": {"harbour": "Oban"}}, [{"harbour": "Oban"}]),
        ({"role": "assistant", "content": "At 06:10."}, "At 06:10."),
        ("At 06:10.", "At 06:10."),
        ([], []),
    ],
)
def test_an_answer_may_stand_beside_the_question(tmp_path: Path, answer: Any, last: Any) -> None:
    record = {"query": "Tide in Oban?", "gold": answer, "tools": [TIDE]}
    (turn,) = read_one(tmp_path, record, query="query", answer="gold").turns
    found = [call.arguments for call in turn.steps[0].calls] if turn.steps else turn.reply
    assert (turn.user, found) == ("Tide in Oban?", last)


def test_a_file_of_functions_is_shared_by_all_records(tmp_path: Path) -> None:
    made = {"role": "assistant", "tool_calls": [OBAN]}
    shared = {"tools.jsonl": [{"api_name": "ping", "parameters": {}}, {"api_name": "get_tide", "parameters": SCHEMA}]}
    record = {"messages": [ASK, made], "used": [{"api": "get_tide"}]}
    dialogue = read_one(tmp_path, record, shared, tools_file="tools.jsonl")
    assert [tool.name for tool in dialogue.tools] == ["ping", "get_tide"]
    dialogue = read_one(tmp_path, record, shared, tools_file="tools.jsonl", tools_used="used.*.api")
    assert [tool.name for tool in dialogue.tools] == ["get_tide"]


def test_a_record_may_name_its_file_of_functions(tmp_path: Path) -> None:
    more = {"tools_sea.json": {"get_tide": {"parameters": SCHEMA}}}
    record = {"messages": [ASK, {"role": "assistant", "tool_calls": [OBAN]}], "domain": "sea"}
    assert read_one(tmp_path, record, more, tools_file="tools_{domain}.json").tools[0].name == "get_tide"
    (fault,) = read(tmp_path, {"own.jsonl": [{**record, "domain": "air"}]}, tools_file="tools_{domain}.json")
    assert isinstance(fault, Fault)
    assert fault.reason == "there is no file tools_air.json; the layout should list it under also"


def test_roles_and_keys_may_be_of_ones_own(tmp_path: Path) -> None:
    talk = [
        {"speaker": "kapitaen", "text": ASK["content"]},
        {"speaker": "note", "text": "He calls from the pier."},
        {"speaker": "ruf", "text": {"api": "get_tide", "args": {"harbour": "Oban"}}},
        {"speaker": "antwort", "text": '{"high": "06:10"}'},
        {"speaker": "lotse", "text": "At 06:10."},
    ]
    roles = {"kapitaen": "user", "note": "skip", "ruf": "call", "antwort": "tool", "lotse": "assistant"}
    keys = {"speaker": "role", "text": "content"}
    assert summarize(read_one(tmp_path, {"messages": talk, "tools": [TIDE]}, roles=roles, keys=keys)) == EXPECTED


def test_keys_of_calls_may_be_of_ones_own(tmp_path: Path) -> None:
    made = {"role": "assistant", "actions": [{"verb": "get_tide", "with": {"harbour": "Oban"}}]}
    keys = {"actions": "tool_calls", "verb": "name", "with": "arguments"}
    dialogue = read_one(tmp_path, {"messages": [ASK, made], "tools": [TIDE]}, keys=keys)
    assert dialogue.turns[0].steps == (Step(calls=dialogue.turns[0].steps[0].calls),)
    assert dialogue.turns[0].steps[0].calls[0].arguments == {"harbour": "Oban"}


# --- ids ---


def test_ids_are_told_apart_within_a_file_and_across_files(tmp_path: Path) -> None:
    talk = {"messages": [ASK, SAY]}
    files = {
        "own_1.jsonl": [{**talk, "id": "a/b"}, {**talk, "id": "a/b"}, talk],
        "own_2.jsonl": [{**talk, "id": "a/b"}, talk],
    }
    names = [talk.full_name for talk in read(tmp_path, files, id="id") if isinstance(talk, Dialogue)]
    ids = ["a/b", "a/b~2", "own_1_2", "a/b~3", "own_2_1"]
    assert names == [f"own/train/{id}" for id in ids]


def test_an_odd_record_costs_itself_alone(tmp_path: Path) -> None:
    keys = ("content", "tool_calls", "reasoning_content", "function_call")
    talks: list[Any] = [{}, [None], [{"role": 7}], [[ASK]], *([ASK, {**SAY, key: 7}] for key in keys)]
    tools: list[Any] = [7, [7], [{"name": 7}], [{"name": "f", "parameters": 7}]]
    odd: list[Any] = [None, 7, "x", [], *({"messages": talk} for talk in talks)]
    odd += [{"messages": [ASK, SAY], "tools": listed} for listed in tools]
    *faults, good = read(tmp_path, {"own.jsonl": [*odd, {"messages": [ASK, SAY]}]})
    assert len(faults) == len(odd)
    assert isinstance(good, Dialogue)
    assert all(isinstance(fault, Fault) and "an error of coalm-it" not in fault.reason for fault in faults), faults
