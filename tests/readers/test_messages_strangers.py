"""The corpora of others, each read by its YAML in docs/own_corpus.md: small samples of our own in their shapes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from toolrl import TOOLRL

from coalm_it.corpora.sources import load_source
from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue, Fault, LeftOut

DOCS = Path(__file__).parents[2] / "docs" / "own_corpus.md"
HEAD = """\
name: strangers
title: Talks of strangers
reader: messages
licence: CC0-1.0
homepage: https://example.org/strangers
citation: none
"""


def find_examples() -> dict[str, str]:
    """Name of a corpus -> its YAML, in the documentation of other shapes."""
    (block,) = re.findall(r"```yaml\n(# .*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return {re.split(r":|\n", example)[0].removeprefix("# "): example for example in block.split("\n\n")}


EXAMPLES = find_examples()


def as_lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def say(content: str | None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def ask(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def made(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": json.dumps(arguments)}


def function(name: str, *parameters: str, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {key: {"type": "string"} for key in parameters}, "required": parameters}
    return {"name": name, "description": f"Does {name}.", "parameters": schema, **more}


TIDE, ALARM, THINK = function("get_tide", "harbour"), function("set_alarm", "at"), function("think", "thought")

TAU_TALK = [
    {"role": "system", "content": "policy"},
    ask("When is high water?"),
    say(None, tool_calls=[{"id": "c1", "function": made("think", thought="Oban, surely.")}]),
    {"role": "tool", "tool_call_id": "c1", "name": "think", "content": ""},
    say(None, tool_calls=[{"id": "c2", "function": made("get_tide", harbour="Oban")}]),
    {"role": "tool", "tool_call_id": "c2", "name": "get_tide", "content": '{"high": "06:10"}'},
    say("At 06:10."),
    ask("Thanks ###STOP###"),
    say("Bye."),
    ask("###STOP###"),
]
TAU = {
    "tau/x-airline.json": json.dumps([{"reward": 1, "traj": TAU_TALK}, {"reward": 0.0, "traj": TAU_TALK}]),
    "tau/tools.json": json.dumps([TIDE, THINK]),
}

SEAL = {
    "sealtools/dev.jsonl": as_lines(
        {
            "id": "dev-1",
            "query": "Tide in Oban?",
            "calling": [{"api": "getTide", "parameters": {"harbour": "Oban"}, "responses": ["API_call_0"]}],
        },
        {
            "id": "dev-2",
            "query": "Wake me at high water.",
            "calling": [
                {"api": "getTide", "parameters": {"harbour": "Oban"}, "responses": ["API_call_0"]},
                {"api": "wake", "parameters": {"at": ["see API_call_0"]}, "responses": ["API_call_1"]},
            ],
        },
    ),
    "sealtools/tool.jsonl": as_lines(
        {
            "api_name": "getTide",
            "api_description": "Tide at a harbour.",
            "field": "Sea",
            "parameters": {"harbour": {"type": "str", "description": "Its name."}},
            "required": ["harbour"],
            "responses": {"high": {"type": "str", "description": "Time."}},
        },
        {"api_name": "wake", "api_description": "Rings.", "parameters": {"at": {"type": "str"}}, "required": ["at"]},
    ),
}

BENCH_TALK = [
    {"role": "system", "content": "policy"},
    ask("\nTide in Oban?\nBegin!\n"),
    say("Thought: the sea.", function_call=made("tide_for_sea", q="Oban")),
    {"role": "function", "name": "tide_for_sea", "content": '{"error": "", "response": "06:10"}'},
    {"role": "user", "content": "This is wrong, try again.", "valid": False},
    say("", function_call=made("Finish", return_type="give_answer", final_answer="At 06:10.")),
]
BENCH = {
    "generation": {
        "function": [function("tide_for_sea", "q"), {"name": "Finish", "parameters": {"type": "object"}}],
        "train_messages": [BENCH_TALK[:3], BENCH_TALK],
    }
}
TOOLBENCH = {
    f"answer/G1_answer/{number}_w2.json": json.dumps(
        {"win": win, "tree": {"size": 3}, "answer_generation": BENCH["generation"]}, indent=1
    )
    for number, win in ((1, True), (2, False))
}

GLAIVE = {
    "glaive-function-calling-v2.json": json.dumps(
        [
            {
                "system": f"SYSTEM: You may use these -\n{json.dumps(TIDE, indent=4)}\n\n{json.dumps(ALARM)}\n",
                "chat": "USER: Tide in Oban?\nPlease: fast.\n\n\nASSISTANT: <functioncall> "
                '{"name": "get_tide", "arguments": \'{"harbour": "Oban"}\'} <|endoftext|>\n\n\n'
                'FUNCTION RESPONSE: {"high": "06:10"}\n\n\nASSISTANT: At 06:10. <|endoftext|>\n\n\n'
                "USER: Thanks\n\n\nASSISTANT: Bye. <|endoftext|>\n\n\n",
            },
            {
                "system": "SYSTEM: You have no functions.",
                "chat": "USER: Hi\n\n\nASSISTANT: Hello. <|endoftext|>",
            },
        ]
    )
}

SALESFORCE = {
    "apigen-mt_5k.json": json.dumps(
        [
            {
                "system": "policy",
                "tools": json.dumps([TIDE, THINK]),
                "conversations": [
                    {"from": "human", "value": "Tide in Oban?"},
                    {"from": "function_call", "value": json.dumps(made("think", thought="Oban, surely."))},
                    {"from": "observation", "value": ""},
                    {"from": "function_call", "value": json.dumps(made("get_tide", harbour="Oban"))},
                    {"from": "observation", "value": '{"high": "06:10"}'},
                    {"from": "gpt", "value": "At 06:10."},
                ],
            }
        ]
    )
}

MINPETER_CALL = {"id": "c1", "type": "function", "function": {"name": "get_tide", "arguments": '{ "harbour": "Oban"}'}}
MINPETER_TALK = [
    ask("Tide in Oban?"),
    say("<think>\nThe sea.\n</think>\n", refusal=None, function_call=None, tool_calls=[MINPETER_CALL]),
    {"role": "tool", "tool_call_id": "c1", "name": "get_tide", "content": '{"high": "06:10"}'},
    say("<think>So.</think>\n\nAt 06:10."),
    ask("<think>I should thank.</think>\n\nThanks!"),
]
MINPETER = {
    "data/apigen_1.jsonl": as_lines(
        {"blueprint": {"q": "Tide"}, "trajectory": MINPETER_TALK},
        {"trajectory": [*MINPETER_TALK[:-1], ask("<think>I should thank. Thanks!")]},
        {"trajectory": [*MINPETER_TALK[:-1], ask("I thank.</think>Thanks!")]},
        {"trajectory": [*MINPETER_TALK[:-1], ask("<think>I should thank.</think>")]},
    ),
    "weather_tools.json": json.dumps([TIDE]),
}


def snapshot(**arguments: str) -> dict[str, Any]:
    return {"role": "function call", "content": {"name": "Sea.Tide.get", "arguments": arguments}}


HAMMER = {
    "hammerbench/en/examples.json": json.dumps(
        [
            {
                "id": "Based_0_1",
                "messages": [ask("Tide?"), snapshot(), say("Which harbour?"), ask("Oban"), snapshot(harbour="Oban")],
                "multiple_tools": [function("Sea.Tide.get", "harbour"), ALARM],
                "single_tool": [],
            },
            {
                "id": "Shift_0_1",
                "messages": [ask("Tide?"), snapshot(), ask("In Mull"), snapshot(harbour="Mull")],
                "multiple_tools": [function("Sea.Tide.get", "harbour")],
            },
        ]
    )
}

GYM_OUTPUT = [
    {"type": "function_call", "call_id": "c1", "id": "f1", "status": "completed", **made("get_tide", harbour="Oban")},
    {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "The sea."}]},
    {"type": "function_call_output", "call_id": "c1", "output": '\n{"high": "06:10"}'},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "At 06:10."}]},
]
GYM_PARAMS = {
    "input": [{"role": "system", "content": "policy"}, ask("Tide in Oban?")],
    "tools": [{"type": "function", "strict": True, **TIDE}],
}
GYM = {
    "nemogym/conversational_rollouts.jsonl": as_lines(
        {"id": "a", "responses_create_params": GYM_PARAMS, "response": {"output": GYM_OUTPUT}, "reward": 1},
        {"id": "b", "responses_create_params": GYM_PARAMS, "response": {"output": GYM_OUTPUT}, "reward": 0.0},
        {"id": "c", "responses_create_params": GYM_PARAMS, "response": {"output": GYM_OUTPUT}},
    )
}
GYM_XLAM = {
    "nemogym/xlam_fc_example.jsonl": as_lines(
        {
            "id": 0,
            "responses_create_params": GYM_PARAMS,
            "expected_answers": [{"name": "get_tide", "arguments": {"harbour": "Oban"}}],
        }
    )
}

MIND_TALK = [ask("Tide in Oban?"), say("At 06:10."), ask("And in Mull?"), say("At 06:25.")]
MIND = {
    "open_datasets/a.jsonl": as_lines(
        {"conversations": MIND_TALK[:2], "tools": []},
        {"conversations": MIND_TALK, "tools": []},
        {"conversations": [ask("Hi"), say("Hello.")], "tools": []},
    )
}

ACE_QUESTION = 'user: Tide?\nsystem: Which harbour?\nuser: Two:\n- Oban\n- Leader 1: "Mull"\n'
ACEBENCH = {
    "data_en/data_normal_a.json": as_lines(
        {"id": "n_0", "question": ACE_QUESTION, "function": [function("tide", "at")]},
        {
            "id": "n_1",
            "question": 'user: Tide in Oban?\nsystem: [tide(at="Oban")]\nsystem: At 06:10.\nuser: In Mull?\n',
            "function": [function("tide", "at")],
        },
        {"id": "n_2", "question": "user: Tide?\n", "function": [function("tide", "at")]},
    ),
    "data_en/possible_answer/data_normal_a.json": as_lines(
        {"id": "n_1", "ground_truth": {"tide": {"at": "Mull"}}},
        {"id": "n_0", "ground_truth": {"tide_1": {"at": "Oban"}, "tide_2": {"at": "Mull"}}},
    ),
    "data_en/data_agent_a.json": as_lines({"id": "x", "question": "Do it."}),
}

TALK_CALL = {"request": {"api_name": "GetTide", "parameters": {"token": "t1"}}, "response": {"high": "06:10"}}
TALK_FAILURE = {"request": {"api_name": "AddAlarm", "parameters": {"at": "06:10"}}, "response": None}
TOOLTALK = {
    "tooltalk/Tide-Alarm-1.json": json.dumps(
        {
            "name": "Tide-Alarm-1",
            "apis_used": ["GetTide", "AddAlarm"],
            "metadata": {"session_token": "t1"},
            "conversation": [
                {"index": 0, "role": "user", "text": "Wake me at high water."},
                {
                    "index": 1,
                    "role": "assistant",
                    "text": "I could not.",
                    "apis": [{**TALK_CALL, "exception": None}, {**TALK_FAILURE, "exception": "No clock."}],
                },
                {"index": 2, "role": "user", "text": "Pity."},
            ],
        },
        indent=2,
    ),
    "tools.json": json.dumps([function("GetTide", "token"), function("AddAlarm", "at"), ALARM]),
}

CALLNAVI = {
    "Questions/sea.json": json.dumps(
        [
            {
                "id": "sea001",
                "question": [ask("Wake me at high water in Oban.")],
                "ground_truth": {"API": ["getTide", "setAlarm"], "parameters": [{"harbour": "Oban"}, {"at": "06:10"}]},
            },
            {
                "id": "sea002",
                "question": [ask("Any tide.")],
                "ground_truth": {"API": ["getTide"], "parameters": [{"harbour": "$$$"}]},
            },
            {
                "id": "sea003",
                "question": [ask("Odd.")],
                "ground_truth": {"API": ["getTide", "setAlarm"], "parameters": [{"harbour": "Oban"}]},
            },
        ]
    ),
    "APISchema/sea.json": json.dumps([function("getTide", "harbour"), function("setAlarm", "at")]),
    "APISchema/land.json": json.dumps([ALARM]),
}


def summarize(record: Dialogue | Fault) -> Any:
    """The reason of a fault; else user, (thought, calls, observations) of each step, thought, reply, turn by turn."""
    if isinstance(record, Fault):
        return record.reason
    return [
        [
            turn.user,
            *(
                (step.thought, [(call.name, call.arguments) for call in step.calls], *step.observations)
                for step in turn.steps
            ),
            *([f"({turn.thought})"] if turn.thought else []),
            turn.reply,
        ]
        for turn in record.turns
    ]


OBAN = ("get_tide", {"harbour": "Oban"})
HIGH = {"high": "06:10"}
STEP = ("Oban, surely.", [OBAN], HIGH)

GOLDEN: dict[str, tuple[dict[str, str], list[str], list[Any]]] = {
    "tau-bench": (
        TAU,
        ["get_tide"],
        [
            [["When is high water?", STEP, "At 06:10."], ["Thanks", "Bye."]],
            "left out by keep: 'reward' is 0.0",
        ],
    ),
    "Seal-Tools": (
        SEAL,
        ["getTide"],
        [
            [["Tide in Oban?", (None, [("getTide", {"harbour": "Oban"})]), None]],
            "left out by drop: \"*API_call_*\" at 'calling.*.parameters'",
        ],
    ),
    "ToolBench": (
        TOOLBENCH,
        ["tide_for_sea"],
        [
            [
                [
                    "Tide in Oban?",
                    ("Thought: the sea.", [("tide_for_sea", {"q": "Oban"})], {"error": "", "response": "06:10"}),
                    "At 06:10.",
                ]
            ],
            "left out by keep: 'win' is False",
        ],
    ),
    "Glaive v2": (
        GLAIVE,
        ["get_tide", "set_alarm"],
        [
            [["Tide in Oban?\nPlease: fast.", (None, [OBAN], HIGH), "At 06:10."], ["Thanks", "Bye."]],
            [["Hi", "Hello."]],
        ],
    ),
    "APIGen-MT by Salesforce": (SALESFORCE, ["get_tide"], [[["Tide in Oban?", STEP, "At 06:10."]]]),
    "APIGen-MT by minpeter": (
        MINPETER,
        ["get_tide"],
        [
            [["Tide in Oban?", ("The sea.", [OBAN], HIGH), "(So.)", "At 06:10."], ["Thanks!", None]],
            "message 4: a thought that does not end: '<think>I should thank. Thanks!'",
            "message 4: a thought in the text of the user, whose beginning is not marked: 'I thank.</think>Thanks!'",
            "message 4: the user thinks and says nothing: '<think>I should thank.</think>'",
        ],
    ),
    "HammerBench": (
        HAMMER,
        ["Sea.Tide.get", "set_alarm"],
        [
            [["Tide?", "Which harbour?"], ["Oban", (None, [("Sea.Tide.get", {"harbour": "Oban"})]), None]],
            "the only answer to a message of the user is calls without results",
        ],
    ),
    "NeMo Gym": (
        GYM,
        ["get_tide"],
        [
            [["Tide in Oban?", ("The sea.", [OBAN], HIGH), "At 06:10."]],
            "left out by keep: 'reward' is 0.0",
            "keep: there is nothing at 'reward'",
        ],
    ),
    "NeMo Gym, xlam_fc": (GYM_XLAM, ["get_tide"], [[["Tide in Oban?", (None, [OBAN]), None]]]),
    "ToolMind": (
        MIND,
        [],
        [
            "left out by prefixes: another record begins with all messages of this one",
            [["Tide in Oban?", "At 06:10."], ["And in Mull?", "At 06:25."]],
            [["Hi", "Hello."]],
        ],
    ),
    "ToolRL": (
        TOOLRL,
        ["get_tide"],
        [
            [
                ["In Oban?", ("One call.", [OBAN], HIGH), "(Tell it.)", "At 06:10."],
                ["And in Mull?", "(Ask.)", "Which Mull?"],
            ],
            [["In Mull?", ("One call.", [("get_tide", {"harbour": "Mull"})]), None]],
        ],
    ),
    "ACEBench": (
        ACEBENCH,
        ["tide"],
        [
            [
                ["Tide?", "Which harbour?"],
                [
                    'Two:\n- Oban\n- Leader 1: "Mull"',
                    (None, [("tide", {"at": "Oban"}), ("tide", {"at": "Mull"})]),
                    None,
                ],
            ],
            [["Tide in Oban?", "At 06:10."], ["In Mull?", (None, [("tide", {"at": "Mull"})]), None]],
            "no answers with the id 'n_2' in possible_answer/data_normal_a.json",
        ],
    ),
    "ToolTalk": (
        TOOLTALK,
        ["GetTide", "AddAlarm"],
        [
            [
                [
                    "Wake me at high water.",
                    (None, [("GetTide", {"token": "t1"})], HIGH),
                    (None, [("AddAlarm", {"at": "06:10"})], "No clock."),
                    "I could not.",
                ],
                ["Pity.", None],
            ]
        ],
    ),
    "CallNavi": (
        CALLNAVI,
        ["getTide", "setAlarm"],
        [
            [
                [
                    "Wake me at high water in Oban.",
                    (None, [("getTide", {"harbour": "Oban"}), ("setAlarm", {"at": "06:10"})]),
                    None,
                ]
            ],
            "left out by drop: \"*$$$*\" at 'ground_truth'",
            "answer: 2 functions, but arguments for 1",
        ],
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_corpus_of_others_reads_by_the_yaml_of_the_documentation(tmp_path: Path, name: str) -> None:
    files, tools, expected = GOLDEN[name]
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(HEAD + EXAMPLES[name], encoding="utf-8")
    (split,) = load_source(tmp_path / "own.yaml").layouts[0].splits
    records = list(read_dialogues(str(tmp_path / "own.yaml"), tmp_path, split))
    assert list(map(summarize, records)) == expected
    first = next(record for record in records if isinstance(record, Dialogue))
    assert [tool.name for tool in first.tools] == tools
    assert all(isinstance(one, LeftOut) for one in records if isinstance(one, Fault) and "left out" in one.reason)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_at_most_20_lines_and_a_sample(name: str) -> None:
    assert len((HEAD + EXAMPLES[name]).splitlines()) <= 20
    assert name in GOLDEN


def test_a_reply_after_a_dropped_call_is_context(tmp_path: Path) -> None:
    for path, content in ACEBENCH.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(HEAD + EXAMPLES["ACEBench"], encoding="utf-8")
    first, second, _ = read_dialogues(str(tmp_path / "own.yaml"), tmp_path, "test")
    assert isinstance(first, Dialogue)
    assert isinstance(second, Dialogue)
    assert (first.context_only, second.context_only) == ((), ((0, None),))
