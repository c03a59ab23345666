"""LLaMA-Factory: JSON lines of its sharegpt format, or of alpaca for the config `coalm_it`, and dataset_info.json.

In sharegpt, `human` and `observation` alternate with `gpt` and `function_call`. A call is a JSON text, or a list of
several; thoughts stand before texts and calls in <think>. Which answers are learnt is an option of the training: of
samples only the last, with `mask_history: true`.
"""

from __future__ import annotations

import json
from typing import Any

from coalm_it.dataset.export.format import CannotHoldError, Conversation, Format, Losses, Written
from coalm_it.dataset.export.messages import dump_json, group_results, list_functions, write_thought

_ASKS, _ANSWERS = ("human", "observation"), ("gpt", "function_call")


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    if conversation.config == "coalm_it":
        names = ("instruction", "input", "output")
        texts = [message["content"] for message in conversation.messages]
        return {"id": conversation.id, **dict(zip(names, texts, strict=True))}
    messages = conversation.messages
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    turns = [_convert_group(group, losses) for group in group_results(messages[1:] if system else messages)]
    for index, turn in enumerate(turns):
        if turn["from"] not in (_ASKS, _ANSWERS)[index % 2]:
            raise CannotHoldError("human or observation do not alternate with gpt or function_call")
    if len(turns) % 2:
        raise CannotHoldError("it does not end with an answer")
    tools = dump_json(list_functions(conversation)) if conversation.tools else ""
    return {"id": conversation.id, "conversations": turns, "system": system, "tools": tools}


def _convert_group(group: list[dict[str, Any]], losses: Losses) -> dict[str, str]:
    message = group[0]
    match message["role"]:
        case "tool" if len(group) > 1:
            losses.note("results of several calls stand in one observation, as a JSON list, without their ids")
            return {"from": "observation", "value": f"[{', '.join(one['content'] for one in group)}]"}
        case "tool":
            return {"from": "observation", "value": message["content"]}
        case "assistant" if "tool_calls" in message:
            calls = [call["function"] for call in message["tool_calls"]]
            text = dump_json(calls[0] if len(calls) == 1 else calls)
            return {"from": "function_call", "value": write_thought(message) + text}
        case "assistant":
            return {"from": "gpt", "value": write_thought(message) + message["content"]}
        case role:
            return {"from": "human" if role == "user" else role, "value": message["content"]}


def describe(written: Written) -> dict[str, str]:
    """The registry of data sets: each split is one, NAME or NAME_SPLIT."""
    if written.config == "coalm_it":
        about: dict[str, Any] = {}
    else:
        columns = {"messages": "conversations", "system": "system", "tools": "tools"}
        about = {"formatting": "sharegpt", "columns": columns}
    info = {
        written.name if split == "train" else f"{written.name}_{split}": {"file_name": name, **about}
        for split, names in written.files.items()
        for name in names
    }
    return {"dataset_info.json": json.dumps(info, indent=2, ensure_ascii=False) + "\n"}


def write_command(written: Written) -> str:
    last_only = " mask_history=true" if written.config == "samples" else ""
    return f"llamafactory-cli train CONFIG.yaml dataset_dir=DIR dataset={written.name}{last_only}"


FORMAT = Format("LLaMA-Factory", ("samples", "dialogues", "coalm_it"), convert, write_command, describe=describe)
