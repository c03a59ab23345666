"""ms-swift: JSON lines in its standard format, with the roles `tool_call` and `tool_response`.

Each call is a message of its own whose content is JSON text; a thought before calls is a message of the assistant, in
<think>; `tools` is JSON text. In samples, `loss` is true for the target alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.dataset.export.format import Conversation, Format, Losses, Written
from coalm_it.dataset.export.messages import dump_json, write_thought


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    messages = []
    for index, message in enumerate(conversation.messages):
        learnt = {"loss": index >= conversation.learnt_from} if conversation.learnt_from else {}
        messages += [{**one, **(learnt if message["role"] == "assistant" else {})} for one in _convert_message(message)]
    tools = {"tools": dump_json(conversation.tools)} if conversation.tools else {}
    return {"id": conversation.id, "messages": messages, **tools}


def _convert_message(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    thought = write_thought(message)
    if "tool_calls" in message:
        if thought:
            yield {"role": "assistant", "content": thought}
        for call in message["tool_calls"]:
            yield {"role": "tool_call", "content": dump_json(call["function"])}
    elif message["role"] == "tool":
        yield {"role": "tool_response", "content": message["content"]}
    else:
        yield {"role": message["role"], "content": thought + message["content"]}


def write_command(_: Written) -> str:
    return "swift sft --model MODEL --dataset DIR/train.jsonl"


FORMAT = Format("ms-swift", ("samples", "dialogues"), convert, write_command)
