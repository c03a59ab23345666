"""More shapes of the wild: logs of agents, exports of SDKs and published data sets, each with the settings it needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue, Fault

SCHEMA = {"type": "object", "properties": {"harbour": {"type": "string"}}, "required": ["harbour"]}
TIDE = {"name": "get_tide", "description": "Tide.", "parameters": SCHEMA}
FINISH = {"name": "Finish", "description": "Ends.", "parameters": {"type": "object", "properties": {}}}
ASK, SAY = {"role": "user", "content": "Tide?"}, {"role": "assistant", "content": "Six."}
OBAN = {"harbour": "Oban"}


def chat_ml(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


CHATML = "".join(
    (
        chat_ml("system", f"You may use <tools>\n{json.dumps(TIDE)}\n</tools>"),
        chat_ml("user", "Tide?"),
        chat_ml("assistant", f"<tool_call>\n{json.dumps({'name': 'get_tide', 'arguments': OBAN})}\n</tool_call>"),
        chat_ml("tool", '<tool_response>\n{"high": 6}\n</tool_response>'),
        chat_ml("assistant", "Six."),
    )
)
LANGCHAIN: list[dict[str, Any]] = [
    {"type": "human", "content": "Tide?"},
    {"type": "ai", "content": "", "tool_calls": [{"name": "get_tide", "args": OBAN, "id": "c1", "type": "tool_call"}]},
    {"type": "tool", "content": '{"high": 6}', "tool_call_id": "c1", "name": "get_tide"},
    {"type": "ai", "content": "Six."},
]
BEDROCK = {
    "system": [{"text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"text": "Tide?"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "get_tide", "input": OBAN}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"high": 6}}]}}]},
        {"role": "assistant", "content": [{"text": "Six."}]},
    ],
    "toolConfig": {"tools": [{"toolSpec": {"name": "get_tide", "inputSchema": {"json": SCHEMA}}}]},
}
VERCEL_CALL = {"state": "result", "toolCallId": "c1", "toolName": "get_tide", "args": OBAN, "result": {"high": 6}}
OPENHANDS = [
    ASK,
    {
        "role": "assistant",
        "tool_calls": [{"id": "c0", "function": {"name": "think", "arguments": {"thought": "Sea."}}}],
    },
    {"role": "tool", "tool_call_id": "c0", "name": "think", "content": "Your thought has been logged."},
    {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "get_tide", "arguments": OBAN}}]},
    {"role": "tool", "tool_call_id": "c1", "name": "get_tide", "content": '{"high": 6}'},
    {
        "role": "assistant",
        "tool_calls": [{"id": "c2", "function": {"name": "Finish", "arguments": {"message": "Six."}}}],
    },
]
COHERE = [
    {"role": "USER", "message": "Tide?"},
    {"role": "CHATBOT", "message": None, "tool_calls": [{"name": "get_tide", "parameters": OBAN}]},
    {"role": "TOOL", "tool_results": {"high": 6}},
    {"role": "CHATBOT", "message": "Six."},
]
REACT = [
    {"from": "system", "value": f"Use these APIs: {[TIDE, FINISH]!r}"},
    {"from": "user", "value": "\nTide?\nBegin!\n"},
    {"from": "assistant", "value": f"\nThought: Sea.\nAction: get_tide\nAction Input: {json.dumps(OBAN)}"},
    {"from": "function", "value": '{"high": 6}'},
    {"from": "assistant", "value": '\nThought: \nAction: Finish\nAction Input: {"final_answer": "Six."}'},
]
TAU2 = [
    {"role": "assistant", "content": "Hi! How can I help?", "tool_calls": None, "turn_idx": 0},
    ASK,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "name": "get_tide", "arguments": OBAN, "requestor": "assistant"}],
    },
    {"id": "c1", "role": "tool", "content": '{"high": 6}', "requestor": "assistant", "error": False},
    {"role": "user", "content": None, "tool_calls": [{"id": "u1", "name": "toggle", "requestor": "user"}]},
    {"id": "u1", "role": "tool", "content": "on", "requestor": "user"},
    SAY,
]
WILD: dict[str, tuple[Any, dict[str, Any]]] = {
    "tau2-bench": (
        {"simulations": [{"id": "s1", "reward_info": {"reward": 1.0}, "messages": TAU2}]},
        {
            "records": "simulations",
            "tools_file": "tools.json",
            "keep": {"reward_info.reward": 1.0},
            "skip": {"turn_idx": 0, "requestor": "user", "tool_calls.*.requestor": "user"},
        },
    ),
    "OLMo": (
        {
            "messages": [
                {"role": "system", "content": "Be brief.", "functions": json.dumps([TIDE])},
                ASK,
                {"role": "assistant", "content": None, "function_calls": 'get_tide(harbour="Oban")'},
                {"role": "environment", "content": '{"high": 6}'},
                SAY,
            ]
        },
        {"keys": {"function_calls": "tool_calls"}, "roles": {"environment": "tool"}},
    ),
    "text of a chat template": (
        {"text": CHATML},
        {
            "messages": "text",
            "speakers": {f"<|im_start|>{role}": role for role in ("system", "user", "assistant", "tool")},
            "cut": ["<|im_end|>"],
        },
    ),
    "Bedrock": (BEDROCK, {"tools": "toolConfig.tools"}),
    "LangChain": (
        {"messages": LANGCHAIN, "tools": [TIDE]},
        {"keys": {"type": "role"}, "roles": {"ai": "assistant"}},
    ),
    "LangChain, dumped": (
        {"messages": [{"type": one["type"], "data": one} for one in LANGCHAIN], "tools": [TIDE]},
        {"messages": "messages.*.data", "keys": {"type": "role"}, "roles": {"ai": "assistant"}},
    ),
    "Vercel AI SDK": (
        {"messages": [ASK, {**SAY, "toolInvocations": [VERCEL_CALL]}], "tools": [TIDE]},
        {"keys": {"toolInvocations": "tool_calls", "toolName": "name", "toolCallId": "id", "result": "result"}},
    ),
    "OpenHands": (
        {"trajectory": OPENHANDS, "tools": [TIDE, {"name": "think"}, FINISH], "resolved": 1},
        {
            "messages": "trajectory",
            "keep": {"resolved": 1},
            "thoughts": {"think": "thought"},
            "replies": {"Finish": "message"},
        },
    ),
    "Cohere": (
        {
            "chat_history": COHERE,
            "tools": [{"name": "get_tide", "parameter_definitions": {"harbour": {"type": "str", "required": True}}}],
        },
        {
            "messages": "chat_history",
            "keys": {"message": "content", "tool_results": "content"},
            "roles": {"CHATBOT": "assistant"},
        },
    ),
    "ToolLLaMA": ({"conversations": REACT}, {"replies": {"Finish": "final_answer"}, "cut": ["Begin!"]}),
    "functions one after another": (
        {
            "function_description": f"{json.dumps(TIDE)}\n\n{json.dumps(FINISH)}",
            "conversations": [
                {"from": "human", "value": "Tide?"},
                {"from": "function-call", "value": json.dumps({"name": "get_tide", "arguments": OBAN})},
                {"from": "function-response", "value": '{"high": 6}'},
                {"from": "gpt", "value": "Six."},
            ],
        },
        {"tools": "function_description"},
    ),
}
ANSWERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Trelis": (
        {
            "functionList": json.dumps([TIDE]),
            "userPrompt": "Tide?",
            "assistantResponse": json.dumps({"name": "get_tide", "arguments": OBAN}, indent=1),
        },
        {"query": "userPrompt", "answer": "assistantResponse", "tools": "functionList"},
    ),
    "NexusRaven": (
        {"prompt": "Tide?", "python_function_name": "get_tide", "python_args_dict": json.dumps(OBAN)},
        {
            "query": "prompt",
            "answer": "python_function_name",
            "answer_arguments": "python_args_dict",
            "tools_file": "tools.json",
        },
    ),
    "a query that is messages": (
        {
            "query": [{"role": "system", "content": "Be brief."}, ASK],
            "answers": [{"name": "get_tide", "arguments": OBAN}],
        },
        {"query": "query", "answer": "answers", "tools_file": "tools.json"},
    ),
    "pairs of preference": (
        {"prompt": [ASK], "chosen": [{"role": "assistant", "tool_calls": [{"name": "get_tide", "arguments": OBAN}]}]},
        {"messages": ["prompt", "chosen"], "tools_file": "tools.json"},
    ),
    "API-Bank": (
        {"input": "User: Tide?\nGenerate API Request: ", "output": "API-Request: [get_tide(harbour='Oban')]"},
        {
            "messages": "input",
            "speakers": {"User:": "user", "AI:": "assistant", "Generate API Request:": "skip"},
            "answer": "output",
            "cut": ["API-Request:"],
            "tools_file": "tools.json",
        },
    ),
}


def read(folder: Path, record: Any, columns: dict[str, Any]) -> Dialogue | Fault:
    (folder / "own.json").write_text(json.dumps(record))
    (folder / "tools.json").write_text(json.dumps([TIDE]))
    source = {
        "name": "own",
        "title": "Own talks",
        "reader": "messages",
        "licence": "CC0-1.0",
        "homepage": "https://example.org/own",
        "citation": "none",
        "layouts": [{"name": "files", "splits": {"train": "own.json"}, "also": ["tools.json"]}],
        "columns": columns,
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(source))
    (dialogue,) = read_dialogues(str(folder / "own.yaml"), folder)
    return dialogue


@pytest.mark.parametrize("name", WILD)
def test_a_call_its_result_and_the_reply_are_read(tmp_path: Path, name: str) -> None:
    dialogue = read(tmp_path, *WILD[name])
    assert isinstance(dialogue, Dialogue), dialogue
    (turn,) = dialogue.turns
    assert [(call.name, call.arguments) for step in turn.steps for call in step.calls] == [("get_tide", OBAN)]
    assert [step.observations for step in turn.steps] == [({"high": 6},)]
    assert (turn.user, turn.reply) == ("Tide?", "Six.")
    assert dialogue.tools[0].name == "get_tide"
    assert dialogue.tools[0].required == ("harbour",)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_call_that_answers_is_read(tmp_path: Path, name: str) -> None:
    dialogue = read(tmp_path, *ANSWERS[name])
    assert isinstance(dialogue, Dialogue), dialogue
    (turn,) = dialogue.turns
    assert [(call.name, call.arguments) for step in turn.steps for call in step.calls] == [("get_tide", OBAN)]
    assert (turn.user, turn.reply) == ("Tide?", None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Action: get_tide\nAction Input: Oban", "the Action Input of 'get_tide' should be an object, found 'Oban'"),
        ("Action: sail\nAction Input: {}", "a call of 'sail', which is not among the 2 functions"),
        ("Action: get_tide\nAction Input: {}\nObservation: 6", "the Action Input of 'get_tide' should be an object"),
    ],
)
def test_an_action_that_cannot_be_read_is_a_fault(tmp_path: Path, text: str, reason: str) -> None:
    record = {"conversations": [*REACT[:2], {"from": "assistant", "value": text}]}
    fault = read(tmp_path, record, {})
    assert isinstance(fault, Fault)
    assert reason in fault.reason


def test_prose_may_speak_of_an_action(tmp_path: Path) -> None:
    text = "Action: none. The phrase Action Input: is of ReAct."
    dialogue = read(tmp_path, {"messages": [ASK, {**SAY, "content": text}]}, {})
    assert isinstance(dialogue, Dialogue)
    assert dialogue.turns[0].reply == text
