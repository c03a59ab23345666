"""The output of real chat templates for messages and tools: of three in full, of more for what they leave out.

The templates are trl's copies of what models ship; transformers renders them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import trl
from decoded import decode_messages
from transformers.utils.chat_template_utils import render_jinja_template

pytestmark = pytest.mark.libraries

Message = dict[str, Any]
# Which thoughts a template shows: those of every turn, of the turn that the target ends, or none.
THOUGHTS = {
    "qwen3_8": "every turn",
    "muse_glimmer": "every turn",
    "qwen3": "this turn",
    "qwen3_5_think": "this turn",
    "glm4moe": "this turn",
    "nemotron_3_nano": "this turn",
    "gemma4_v5": "this turn",
    "qwen2_5": "none",
    "qwen3_instruct_2507": "none",
    "llama3_1": "none",
}


@pytest.fixture(scope="module", params=["demo", pytest.param("tod", marks=pytest.mark.corpora)])
def conversations(request: pytest.FixtureRequest) -> list[tuple[list[Message], list[dict[str, Any]]]]:
    """200 samples with tools, drawn at random."""
    built: Path = request.getfixturevalue(request.param)
    rows = pq.read_table(min((built / "data" / "samples").iterdir())).to_pylist()
    return [decode_messages(row) for row in random.Random(12).sample([row for row in rows if row["tools"]], 200)]


def render(name: str, messages: list[Message], tools: list[dict[str, Any]]) -> str:
    template = (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    rendered: Any = render_jinja_template([messages], tools=[*tools], chat_template=template)
    ((text,), _) = rendered
    return str(text)


def shown_thoughts(messages: list[Message], which: str) -> list[Message]:
    last_user = max(place for place, message in enumerate(messages) if message["role"] == "user")
    turns = {"every turn": messages, "this turn": messages[last_user:], "none": []}[which]
    return [message for message in turns if "reasoning_content" in message]


def read_texts(observation: str) -> list[str]:
    """The texts among its values that look the same however often they are written as JSON."""
    values = [value for result in json.loads(observation)["results"] for value in result.values()]
    return [value for value in values if isinstance(value, str) and '"' not in value]


def pieces_in_order(messages: list[Message], thoughts: list[Message]) -> Iterator[str]:
    """What must stand in the text, one after the other, from the first user turn on."""
    for message in messages[1:]:
        if message in thoughts:
            yield message["reasoning_content"]
        for call in message.get("tool_calls", ()):
            yield call["function"]["name"]
        if message["role"] == "tool":
            yield from read_texts(message["content"])
        elif "content" in message:
            yield message["content"]


@pytest.mark.parametrize("name", THOUGHTS)
def test_calls_observations_and_thoughts_are_in_order(
    name: str, conversations: list[tuple[list[Message], list[dict[str, Any]]]]
) -> None:
    rendered = 0
    for messages, tools in conversations:
        if name == "llama3_1" and any(len(message.get("tool_calls", ())) > 1 for message in messages):
            continue  # see test_llama_3_1_refuses_parallel_calls
        text = render(name, messages, tools)
        rendered += 1
        at, thoughts = 0, shown_thoughts(messages, THOUGHTS[name])
        for piece in pieces_in_order(messages, thoughts):
            found = text.find(piece, at)
            assert found >= 0, f"{piece!r} is not in its place in {text[at:]!r}"
            at = found + len(piece)
        left_out = [one for one in messages if "reasoning_content" in one and one not in thoughts]
        assert not any(one["reasoning_content"] in text for one in left_out)
    assert rendered >= 180


@pytest.mark.parametrize("name", THOUGHTS)
def test_every_argument_follows_its_function(
    name: str, conversations: list[tuple[list[Message], list[dict[str, Any]]]]
) -> None:
    for messages, tools in conversations:
        calls = [message.get("tool_calls", ()) for message in messages]
        if len(calls[-1]) != 1 or any(len(at_once) > 1 for at_once in calls):
            continue
        (call,) = calls[-1]
        target = render(name, messages, tools).rpartition(call["function"]["name"])[2]
        for slot, value in call["function"]["arguments"].items():
            assert slot in target
            assert str(value) in target or json.dumps(value) in target


def test_every_tool_is_shown(conversations: list[tuple[list[Message], list[dict[str, Any]]]]) -> None:
    for messages, tools in conversations[:20]:
        text = render("qwen3", messages, tools)
        assert all(json.dumps(tool, ensure_ascii=False) in text for tool in tools)


# --- what templates do not support ---

AT_ONCE: list[Message] = [
    {"role": "user", "content": "Is it dry, and where do we eat?"},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": f"call_0_{n}", "type": "function", "function": {"name": name, "arguments": {"city": "Seattle"}}}
            for n, name in enumerate(["GetForecast", "FindRestaurant"])
        ],
    },
]


def test_llama_3_1_refuses_parallel_calls() -> None:
    with pytest.raises(Exception, match="only supports single tool-calls at once"):
        render("llama3_1", AT_ONCE, [])
    assert "FindRestaurant" in render("qwen3", AT_ONCE, [])


def test_gpt_oss_fails_on_a_number_that_is_a_default_beside_an_enum() -> None:
    guests = {"type": "integer", "enum": [1, 2], "default": 2}
    parameters = {"type": "object", "properties": {"guests": guests}, "required": []}
    tool = {"type": "function", "function": {"name": "Book", "description": "Book.", "parameters": parameters}}
    with pytest.raises(TypeError, match="can only concatenate str"):
        render("gptoss", AT_ONCE[:1], [tool])
    del guests["default"]
    assert "guests" in render("gptoss", AT_ONCE[:1], [tool])


def test_deepseek_v3_needs_content_beside_calls() -> None:
    with pytest.raises(Exception, match="no attribute 'content'"):
        render("deepseekv3", AT_ONCE, [])
