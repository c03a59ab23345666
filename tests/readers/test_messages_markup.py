"""Calls, thoughts and functions that stand in the texts of a corpus: taken apart, or a fault; never a reply."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coalm_it.corpora.system_tools import read_system_tools
from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue, Fault, Place, Turn

TIDE = {
    "name": "get_tide",
    "description": "Tide at a harbour.",
    "parameters": {"type": "object", "properties": {"harbour": {"type": "string"}}, "required": ["harbour"]},
}
CALL = '{"name": "get_tide", "arguments": {"harbour": "Oban"}}'
ASK = {"role": "user", "content": "When is high water in Oban?"}
SOURCE = """
name: own
title: Own talks
reader: messages
licence: CC0-1.0
homepage: https://example.org/own
citation: none
layouts: [{name: files, splits: {train: "own.jsonl"}}]
"""


def read(folder: Path, *records: dict[str, Any]) -> list[Dialogue | Fault]:
    (folder / "own.yaml").write_text(SOURCE)
    (folder / "own.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return list(read_dialogues(str(folder / "own.yaml"), folder))


def read_talk(folder: Path, *messages: dict[str, Any], tools: Any = (TIDE,)) -> Dialogue:
    (dialogue,) = read(folder, {"messages": messages, "tools": tools})
    assert isinstance(dialogue, Dialogue), dialogue
    return dialogue


def read_turn(folder: Path, *messages: dict[str, Any]) -> Turn:
    (turn,) = read_talk(folder, *messages).turns
    return turn


def say(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


# --- calls ---


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        (f"<tool_call>\n{CALL}\n</tool_call>", None),
        (f"<think>Oban it is.</think>\n<tool_call>{CALL}</tool_call>", "Oban it is."),
        (f"Let me look.\n<tool_call>{CALL}</tool_call>", "Let me look."),
        (f"<tool_call>[{CALL}]</tool_call>", None),
        (f"<TOOLCALL>[{CALL}]</TOOLCALL>", None),
        (f"<functioncall> {CALL} <|endoftext|>", None),
        ('<functioncall> {"name": "get_tide", "arguments": \'{"harbour": "Oban"}\'} <|endoftext|>', None),
        (f"[TOOL_CALLS][{CALL}]", None),
        (f"[TOOL_CALLS] [{CALL}]</s>", None),
        (f"<|python_tag|>{CALL}", None),
        (f"<|tool_call|>[{CALL}]", None),
        (CALL, None),
        (f"```json\n[{CALL}]\n```", None),
        ('[get_tide(harbour="Oban")]', None),
        ("get_tide(harbour='Oban')", None),
    ],
)
def test_a_call_in_the_text_is_a_call(tmp_path: Path, text: str, thought: str | None) -> None:
    turn = read_turn(tmp_path, ASK, say(text), {"role": "tool", "content": '{"high": "06:10"}'}, say("At 06:10."))
    (step,) = turn.steps
    assert [(call.name, call.arguments) for call in step.calls] == [("get_tide", {"harbour": "Oban"})]
    assert (step.thought, step.observations, turn.reply) == (thought, ({"high": "06:10"},), "At 06:10.")


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{CALL}",
        "<tool_call>get_tide of Oban</tool_call>",
        "<tool_call )[get_tide]",
        "<function=get_tide><parameter=harbour>Oban</parameter></function>",
        "[TOOL_CALLS]get_tide[ARGS]{}",
        '<invoke name="get_tide">',
        "<|tool_calls_section_begin|>",
        "<think>It goes on and on",
        "At six.</think></think>",
        "At six. <think>Or seven?</think>",
        'Sure! [get_tide(harbour="Oban")]',
        f"Here: {CALL} and more",
        "Let me check.\n```python\nget_tide(harbour='Oban')\n```",
    ],
)
def test_markup_that_cannot_be_read_is_a_fault_and_never_a_reply(tmp_path: Path, text: str) -> None:
    (fault,) = read(tmp_path, {"messages": [ASK, say(text)], "tools": [TIDE]})
    assert isinstance(fault, Fault), fault
    assert fault.reason.startswith("message 1: ")


@pytest.mark.parametrize("key", ["arguments", "parameters"])
@pytest.mark.parametrize("fence", ["{}", "```\n{}\n```", "```json\n[{}]\n```"])
def test_a_text_that_calls_a_function_of_no_list_is_a_fault(tmp_path: Path, fence: str, key: str) -> None:
    text = fence.replace("{}", f'{{"name": "get_moon", "{key}": {{"harbour": "Oban"}}}}')
    (fault,) = read(tmp_path, {"messages": [ASK, say(text)], "tools": [TIDE]})
    assert isinstance(fault, Fault), fault
    assert fault.reason == "message 1: a call of 'get_moon', which is not among the 1 functions"


@pytest.mark.parametrize("text", ["[]", "```\n[]\n```", "```json\n[]\n```"])
def test_an_empty_list_is_the_decision_to_call_nothing(tmp_path: Path, text: str) -> None:
    turn = read_turn(tmp_path, ASK, say(text))
    assert ([step.calls for step in turn.steps], turn.reply) == ([()], None)


@pytest.mark.parametrize(
    "text",
    ["[1] is the first.", "{x | x > 0}", "```\ncode()\n```", "a < b and <b>c</b>", '{"high": "06:10"}', "[Note] Hi."],
)
def test_a_text_that_only_looks_like_one_stays_a_reply(tmp_path: Path, text: str) -> None:
    assert read_turn(tmp_path, ASK, say(text)).reply == text


def test_the_same_calls_in_the_text_and_beside_it_are_made_once(tmp_path: Path) -> None:
    beside = [{"id": "c1", "function": json.loads(CALL)}]
    (step,) = read_turn(tmp_path, ASK, say(f"<tool_call>{CALL}</tool_call>", tool_calls=beside)).steps
    assert [call.id for call in step.calls] == ["c1"]


def test_results_in_tags_are_results_whoever_says_them(tmp_path: Path) -> None:
    made = say(f"<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>")
    tagged = (
        '<tool_response>\n{"high": "06:10"}\n</tool_response>\n<tool_response>\n{"high": "06:25"}\n</tool_response>'
    )
    for role in ("tool", "user"):
        (step,) = read_turn(tmp_path, ASK, made, {"role": role, "content": tagged}, say("So.")).steps
        assert step.observations == ({"high": "06:10"}, {"high": "06:25"})


# --- thoughts ---


@pytest.mark.parametrize(
    ("text", "thought", "reply"),
    [
        ("<think>\nSix.\n</think>\n\nAt six.", "Six.", "At six."),
        ("Six, I think.</think>At six.", "Six, I think.", "At six."),
        ("<think>\n\n</think>\n\nAt six.", None, "At six."),
        ("<thinking>Six.</thinking> At six.", "Six.", "At six."),
    ],
)
def test_a_thought_in_tags_is_the_thought(tmp_path: Path, text: str, thought: str | None, reply: str) -> None:
    turn = read_turn(tmp_path, ASK, say(text))
    assert (turn.thought, turn.reply) == (thought, reply)


def test_a_thought_of_a_model_that_plays_the_user_is_left_out(tmp_path: Path) -> None:
    turn = read_turn(tmp_path, {"role": "user", "content": "<think>I play.</think>\nWhen?"}, say("At six."))
    assert turn.user == "When?"


@pytest.mark.parametrize(
    "reasoning", ["Six.", ["Six."], {"text": "Six."}, [{"type": "summary_text", "text": "Six."}], [{"content": "Six."}]]
)
def test_reasoning_may_be_a_list_or_an_object(tmp_path: Path, reasoning: Any) -> None:
    assert read_turn(tmp_path, ASK, say("At six.", reasoning_content=reasoning)).thought == "Six."


def test_reasoning_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    (fault,) = read(tmp_path, {"messages": [ASK, say("At six.", reasoning_content={"steps": 3})]})
    assert isinstance(fault, Fault)
    assert fault.reason == "message 1: reasoning_content should be a text, found {'steps': 3}"


# --- what is not to be learnt ---


@pytest.mark.parametrize(
    "mark", [{"weight": 0}, {"weight": 0.0}, {"loss": False}, {"train": False}, {"training": False}, {"mask": True}]
)
def test_a_message_that_is_not_to_be_learnt_is_context(tmp_path: Path, mark: dict[str, Any]) -> None:
    talk = read_talk(tmp_path, ASK, say("At noon.", **mark), ASK, say("At six.", weight=1, loss=None, mask=False))
    assert talk.context_only == (Place(0, None),)
    assert [turn.reply for turn in talk.turns] == ["At noon.", "At six."]


# --- functions in the system text ---


@pytest.mark.parametrize(
    "text",
    [
        f"You may call functions within <tools></tools> tags: <tools> [{json.dumps(TIDE)}] </tools> Go.",
        f"# Tools\n<tools>\n{json.dumps({'type': 'function', 'function': TIDE})}\n</tools>\nAnswer in JSON.",
        f"Functions in JSON: [{json.dumps(TIDE)}]. To call, write [name(x=1)].",
        f"SYSTEM: You have access to the following functions -\n{json.dumps(TIDE, indent=4)}\n",
    ],
)
def test_functions_in_the_system_text_are_the_functions_of_the_record(tmp_path: Path, text: str) -> None:
    system = {"role": "system", "content": text}
    talk = read_talk(tmp_path, system, ASK, say(f"<tool_call>{CALL}</tool_call>"), tools=None)
    assert [tool.name for tool in talk.tools] == ["get_tide"]
    assert [call.name for call in talk.turns[0].steps[0].calls] == ["get_tide"]


@pytest.mark.parametrize(
    "text", ["Be brief.", "Write [] or {}.", 'Answer as {"name": "..."}.', "<tools></tools>", "[{]"]
)
def test_a_system_text_may_list_none(text: str) -> None:
    assert read_system_tools(text) == ()


IN_LINES = """You can use the following tools:
1. Name: get_tide
Description: Tide at a harbour.
Parameters: {"harbour": {"type": "string", "default": null}}
2. **Name**: `Moon of a day`
   **Parameters:** {'day': {'type': 'str', 'description': "The day's date."}}
3. Name: get_time
Description: The time.
Parameters: {
  "zone": {"type": "string"}
}
Write <tool_call>
{"name": "Tool name", "parameters": {"Parameter name": "Parameter content", "...": "..."}}
</tool_call>"""


def test_functions_may_have_a_line_each_for_name_description_and_parameters() -> None:
    tide, moon, time = read_system_tools(IN_LINES)
    assert (tide.name, tide.description, list(tide.properties)) == ("get_tide", "Tide at a harbour.", ["harbour"])
    assert (moon.name, moon.description) == ("Moon of a day", "")
    assert moon.properties["day"] == {"type": "string", "description": "The day's date."}
    assert (time.name, time.properties) == ("get_time", {"zone": {"type": "string"}})


def test_broken_parameters_in_a_line_are_a_fault(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Name: get_tide\nParameters: {harbour}"}
    (fault,) = read(tmp_path, {"messages": [system, ASK, say("Hi.")]})
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("the parameters of 'get_tide' in the system text cannot be read: 'Name: get_tide")


@pytest.mark.parametrize(
    "text",
    [
        'Call like this: {"name": "Tool name", "parameters": {"Parameter name": "Parameter content"}}',
        'Customer\nName: Ann Lee\nDescription: gold member\nParameters: {"limit": 5}',
        'For example [{"name": "func1", "arguments": {"x": "value", "n": 3}}]',
    ],
)
def test_an_example_of_a_call_is_no_function(text: str) -> None:
    assert read_system_tools(text) == ()


def test_parameters_may_be_types_alone() -> None:
    (tool,) = read_system_tools('[{"name": "get_tide", "parameters": {"harbour": "string", "days": "int"}}]')
    assert tool.properties == {"harbour": {"type": "string"}, "days": {"type": "integer"}}


def test_broken_functions_in_tags_are_a_fault(tmp_path: Path) -> None:
    system = {"role": "system", "content": '<tools>[{"name": "get_tide"</tools>'}
    (fault,) = read(tmp_path, {"messages": [system, ASK, say("Hi.")]})
    assert isinstance(fault, Fault)
    assert "the list of functions in the system text is not JSON" in fault.reason


def test_a_system_message_may_have_a_key_with_the_functions(tmp_path: Path) -> None:
    system = {"role": "system", "content": "", "tools": [{"type": "function", "function": TIDE}]}
    talk = read_talk(tmp_path, system, ASK, say(CALL), {"role": "observation", "content": "{}"}, say("So."), tools=None)
    assert [call.name for call in talk.turns[0].steps[0].calls] == ["get_tide"]
