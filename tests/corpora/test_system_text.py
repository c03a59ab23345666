"""What stays of a system text: policies whole, functions and the format of calls not at all."""

from __future__ import annotations

import json
import time

import pytest

from coalm_it.corpora.system_text import clean_system_text

SCHEMA = {"type": "object", "properties": {"harbour": {"type": "string"}}}
TIDE = {"name": "get_tide", "description": "Tide at a harbour.", "parameters": SCHEMA}
OPENAI = json.dumps({"type": "function", "function": TIDE})
LISTED = json.dumps([TIDE, {"name": "Ferry Times", "description": "When ferries leave.", "parameters": {}}])
POLICY = """# Harbour policy

The current time is 2024-05-15 15:00:00 EST.

- Never sell more than 4 tickets, and use get_tide before any trip.
- Refunds: within 24 hours only. Answer in JSON if the customer asks for it.

Known berths: [{"name": "North", "length": 12}, {"name": "South", "length": 9}]"""


@pytest.mark.parametrize(
    "text",
    [
        POLICY,
        "You are a helpful assistant with access to functions. Call them with the correct arguments.",
        "In each turn you can either:\n- Send a message to the user.\n- Make a tool call.",
        "退款不得超过50元。请使用工具查询。",
    ],
)
def test_a_text_without_functions_and_formats_stays_whole(text: str) -> None:
    assert clean_system_text(f"\n{text}  \n", ("get_tide",)) == text


def in_toolace() -> str:
    return f"""You are an expert in composing functions. You are given a question and a set of possible functions.
If none of the functions can be used, point it out. If the question lacks the parameters required by a function,
also point it out. Here is a list of functions in JSON format that you can invoke:
{LISTED}.
Should you decide to return the function call(s).
Put it in the format of [func1(params_name=params_value, params_name2=params_value2...), func2(params)]

NO other text MUST be included."""


def in_hermes() -> str:
    schema = {"title": "FunctionCall", "type": "object", "properties": {"arguments": {}, "name": {}}}
    return f"""You are a function calling AI model. You are given signatures within <tools></tools> XML tags. You may
call one or more. Here are the available tools: <tools> [{OPENAI}] </tools> Use this schema for each tool call:
{json.dumps(schema)} For each function call return a json object within <tool_call></tool_call> XML tags as follows:
<tool_call>
{{'arguments': <args-dict>, 'name': <function-name>}}
</tool_call>"""


def in_qwen() -> str:
    return f"""# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{OPENAI}
{OPENAI}
</tools>

For each function call, return a json object within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


def in_llama() -> str:
    return f"""You have access to the following functions:

Use the function 'get_tide' to 'Tide at a harbour.': {OPENAI}

If you choose to call a function ONLY reply in the following format with no prefix or suffix:

<function=example_function_name>{{"example_name": "example_value"}}</function>

Reminder:
- Function calls MUST follow the specified format
- Put the entire function call reply on one line"""


def in_glaive() -> str:
    listed = json.dumps(TIDE, indent=4)
    return f"You are a helpful assistant with access to the following functions. Use them if required -\n{listed}"


def in_block_markers() -> str:
    return f"""[BEGIN OF AVAILABLE TOOLS]
{LISTED}
[END OF AVAILABLE TOOLS]

[BEGIN OF FORMAT INSTRUCTION]
The output MUST strictly adhere to the following JSON format, and NO other text MUST be included.
```
[{{"name": "func_name1", "arguments": {{"argument1": "value1"}}}}, ... (more tool calls as required)]
```
[END OF FORMAT INSTRUCTION]"""


def in_declarations() -> str:
    return """# Tools

## functions

namespace functions {

// Tide at a harbour.
type get_tide = (_: { harbour: string }) => any;

} // namespace functions"""


def in_lines() -> str:
    return f"""**Available Tools**
In your response, you can use the following tools:
1. Name: get_tide
Description: Tide at a harbour.
Parameters: {json.dumps(SCHEMA["properties"])}

**Output Format**
<think> Your thoughts </think>
<tool_call>
{{"name": "Tool name", "parameters": {{"Parameter name": "Parameter content"}}}}
</tool_call>"""


def in_lines_of_python() -> str:
    return """You can use these tools:
1. Name: get_tide
Description: Tide at a harbour.
Parameters: {'harbour': {'type': 'str', 'description': "The harbour's name.", 'default': None}}
2. Name: Ferry Times
Description: Times of ferries.
Parameters: {}
If no parameters are needed, leave the "parameters" field an empty dictionary."""


def in_xlam() -> str:
    return f"""You have access to a set of tools. When using tools, make calls in a single JSON array:

[{{"name": "tool_call_name", "arguments": {{"arg1": "value1"}}}}, ... (additional parallel tool calls as needed)]

If no tool is suitable, state that explicitly.
{LISTED}"""


def in_chinese() -> str:
    call = '<tool_call>{"name": "函数名", "arguments": {}}</tool_call>'
    return f"你可以使用以下工具：\n{LISTED}\n请以JSON格式返回函数调用：{call}"


def in_german() -> str:
    return f"Du hast Zugriff auf die folgenden Funktionen:\n{LISTED}"


KINDS = [in_toolace, in_hermes, in_qwen, in_llama, in_glaive, in_block_markers, in_declarations, in_lines]
KINDS += [in_lines_of_python, in_xlam, in_chinese, in_german]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_stays_of_a_text_that_only_lists_functions(kind: object) -> None:
    assert callable(kind)
    assert clean_system_text(kind(), ("get_tide", "Ferry Times")) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_around_the_list_stays_whole(kind: object) -> None:
    assert callable(kind)
    rules = "# Rules\n\n- No dogs below deck.\n- A delay of 2 hours is refunded in full."
    text = f"{POLICY}\n\n{kind()}\n\n{rules}"
    assert clean_system_text(text, ("get_tide", "Ferry Times")) == f"{POLICY}\n\n{rules}"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            f"You are the clerk of a bank. Tell no balance without a PIN. You can use these tools: {LISTED} Ask twice.",
            "You are the clerk of a bank. Tell no balance without a PIN. Ask twice.",
        ),
        (
            f"You are the clerk of a bank, with these tools at hand:\n{LISTED}",
            "You are the clerk of a bank, with these tools at hand.",
        ),
        (
            f"<role>Clerk</role>\n<tools>\n{LISTED}\n</tools>\n<policy>\nA card costs 5 euros.\n</policy>",
            "<role>Clerk</role>\n<policy>\nA card costs 5 euros.\n</policy>",
        ),
        (
            f"## Tools\n{LISTED}\n## Fines\nA fine is 0.20 euros a day.\n## Output",
            "## Fines\nA fine is 0.20 euros a day.",
        ),
        (
            f"{LISTED}\n\nOnly use the refund tool for orders under 50 dollars. Call one or more functions.",
            "Only use the refund tool for orders under 50 dollars.",
        ),
        (
            f"{LISTED}\n\nAsk before you call a function. Make one call at a time. Never call a tool twice.",
            "Ask before you call a function. Make one call at a time. Never call a tool twice.",
        ),
    ],
)
def test_sentences_about_anything_else_stay(text: str, kept: str) -> None:
    assert clean_system_text(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Name: a\nDescription: b\n" * 9_000,
        "Name:" + " " * 99_999,
        "{" * 100_000,
        "[{" * 50_000,
        "<tool_call>" * 9_000,
        "[a(b = " * 20_000,
        '{"name": "a", ' * 2_000,
    ],
)
def test_brackets_without_end_take_no_time(text: str) -> None:
    started = time.perf_counter()
    clean_system_text(text)
    assert time.perf_counter() - started < 5
