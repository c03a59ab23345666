"""What a model wrote, read: calls in the format that is asked for, text, and what is neither."""

from __future__ import annotations

import time
from typing import Any

import pytest

from coalm_it.calls.markup import COLUMN_FORMATS, TEMPLATE_FORMATS, Format, find_format, read_move, split_thought
from coalm_it.evaluation.held_out import read_state

CALL = {"FindBus": {"origin": "Fresno", "seats": 2}}


def read(output: str, *formats: Format) -> Any:
    """Name -> arguments of the calls, or the text, or the fault in brackets."""
    reading = read_move(output, formats, ["FindBus", "Get Joke"])
    if reading.fault:
        return [reading.fault]
    return reading.text if reading.calls is None else {call.name: call.arguments for call in reading.calls}


@pytest.mark.parametrize(
    ("output", "form"),
    [
        ("FindBus(origin='Fresno', seats=2)", "python"),
        ("Action: FindBus(origin='Fresno', seats=2)", "python"),
        ('[FindBus(origin="Fresno", seats=2)]', "bracket"),
        ('System: [FindBus(origin="Fresno", seats=2)]', "bracket"),
        ('[{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}]', "json"),
        ('```json\n[{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}]\n```', "json"),
        (
            '{"tool_calls": [{"type": "function", "function": {"name": "FindBus", '
            '"arguments": {"origin": "Fresno", "seats": 2}}}]}',
            "openai",
        ),
    ],
)
def test_calls_are_read_in_their_format_and_told_from_those_in_another(output: str, form: Format) -> None:
    assert find_format(output) == form
    assert read(output, form) == CALL
    for other in COLUMN_FORMATS:
        if other != form:
            assert read(output, other) == [f"another format: {form}"]


@pytest.mark.parametrize(
    "output",
    [
        '<tool_call>\n{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}\n</tool_call>',
        'Let me look.\n<tool_call>{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}</tool_call>',
        '<tool_call>[{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}]</tool_call>',
        '<tool_call>{"name": "FindBus", "arguments": "{\\"origin\\": \\"Fresno\\", \\"seats\\": 2}"}</tool_call>',
        '{"name": "FindBus", "parameters": {"origin": "Fresno", "seats": 2}}',
        '<|python_tag|>{"name": "FindBus", "parameters": {"origin": "Fresno", "seats": 2}}',
        '[FindBus(origin="Fresno", seats=2)]',
        '[TOOL_CALLS][{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}]',
        '<|tool_call|>[{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}]',
        "<think>\nBuses it is.\n</think>\n\n"
        '<tool_call>\n{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}\n</tool_call>',
    ],
)
def test_calls_as_chat_templates_write_them(output: str) -> None:
    assert read(output, *TEMPLATE_FORMATS) == CALL


def test_several_calls_at_once() -> None:
    two = {**CALL, "Get Joke": {}}
    one, other = (
        '{"name": "FindBus", "arguments": {"origin": "Fresno", "seats": 2}}',
        '{"name": "Get Joke", "parameters": {}}',
    )
    assert read(f"<tool_call>{one}</tool_call>\n<tool_call>{other}</tool_call>", *TEMPLATE_FORMATS) == two
    assert read(f"{one}; {other}", *TEMPLATE_FORMATS) == two
    assert read("Action: FindBus(origin='Fresno', seats=2)\nAction: Get Joke()", "python") == two


@pytest.mark.parametrize("text", ["Which city do you start from?", "System: Sorry, I cannot book taxis (yet).", "[]"])
def test_text_and_the_empty_list_are_no_call(text: str) -> None:
    assert read_move(text, COLUMN_FORMATS, ["FindBus"]).makes_no_call


@pytest.mark.parametrize(
    "output",
    [
        "Action: FindBus(origin='Fresno'",
        "FindBus(origin=Fresno)",
        '[{"name": "FindBus", "arguments": {"origin": ',
        '[FindBus(origin="Fresno", seats=2)] and then?',
        'I will call FindBus(origin="Fresno").',
        'Sure: {"name": "FindBus", "arguments": {}}',
        '<tool_call>{"name": "FindBus"</tool_call>',
        '<tool_call>{"name": "FindBus", "arguments": {}}',
        "```\nFindBus\n```",
        "",
        "  \n",
        "Thought: I should call something.",
        "<think>I should call somethi",
    ],
)
def test_what_looks_like_a_call_and_is_none_is_no_refusal(output: str) -> None:
    for formats in (COLUMN_FORMATS, TEMPLATE_FORMATS):
        reading = read_move(output, formats, ["FindBus"])
        assert reading.fault
        assert not reading.makes_no_call


@pytest.mark.parametrize(
    ("output", "thought", "rest"),
    [
        ("Thought: A bus it is.\nFindBus()", "A bus it is.", "FindBus()"),
        ("<think>A bus.</think>FindBus()", "A bus.", "FindBus()"),
        ("A bus.\n</think>\n\nFindBus()", "A bus.", "\n\nFindBus()"),  # the prompt has opened the thought
        ("<think>\n\n</think>\n\nThought: A bus.\nSystem: Hello", "A bus.", "Hello"),
        ("Assistant: Hello", None, "Hello"),
        ("Hello. Thought: none.", None, "Hello. Thought: none."),
    ],
)
def test_a_thought_is_taken_off_and_kept(output: str, thought: str | None, rest: str) -> None:
    assert split_thought(output) == (thought, rest)


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ('System: {"domain": "RateBook", "slot_values": {}}', {"domain": "RateBook", "slot_values": {}}),
        ('{"Hotels_1": {"city": "x"}}', {"Hotels_1": {"city": "x"}}),
        ('```json\n{"a": {}}\n```', {"a": {}}),
        ('<think>Hm.</think>{"a": {}}', {"a": {}}),
        ('{"a": {}} is the state', None),
        ("[1]", None),
        ("no idea", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_a_state_is_one_json_object(output: str, value: Any) -> None:
    assert read_state(output)[1] == value


@pytest.mark.parametrize(
    "output",
    [
        "<tool_call>" * 200_000,
        "<tool_call></tool_call>" + "<tool_call>" * 200_000,
        "<tool_call>}" + " " * 1_000_000 + "</tool_call>",
        "</tool_call>" * 200_000,
        " " * 1_000_000 + "x",
        "x" + "\n" * 1_000_000 + "x",
        "```" * 200_000,
        "<think>" * 200_000,
        "Thought: " * 200_000,
        "[TOOL_CALLS]" * 100_000,
        "Action: FindBus(" * 100_000,
        '{"name": "FindBus", ' * 100_000,
        '"name" ' * 200_000,
    ],
    ids=lambda output: output[:20].strip() or "blanks",
)
def test_a_long_output_is_read_in_linear_time(output: str) -> None:
    """Read in well under a second; a parser that scans the rest again at each marker would take minutes."""
    begun = time.process_time()
    for formats in (COLUMN_FORMATS, TEMPLATE_FORMATS):
        read_move(output, formats, ["FindBus"])
    read_state(output)
    assert time.process_time() - begun < 8


def test_texts_outside_tags_are_ignored_and_a_nested_tag_is_not() -> None:
    call = '<tool_call>{"name": "FindBus", "arguments": {}}</tool_call>'
    assert read(f"a {call} b {call} c", "tags") == {"FindBus": {}}
    assert read(f"{call} <tool_call>", "tags") == ["a call that cannot be read"]
    assert read(f"<tool_call>{call}", "tags") == ["a call that cannot be read"]
