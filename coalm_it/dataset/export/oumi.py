"""Oumi: JSON lines of its conversations, with metadata, and oumi.yaml, which says how they are read.

Arguments are text, thoughts `reasoning_content`. Which answers are learnt says `train_target` in oumi.yaml.
"""

from __future__ import annotations

from typing import Any

import yaml

from coalm_it.dataset.export.format import Conversation, Format, Losses, Written
from coalm_it.dataset.export.messages import write_arguments


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    about = {name: getattr(conversation, name) for name in ("part", "source", "licence")}
    return {
        "conversation_id": conversation.id,
        "messages": [_convert_message(message) for message in conversation.messages],
        "metadata": about,
        **({"tools": conversation.tools} if conversation.tools else {}),
    }


def _convert_message(message: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in message.items() if key != "name"}  # the id of the call says it
    return {**shown, "tool_calls": write_arguments(shown["tool_calls"])} if "tool_calls" in shown else shown


def describe(written: Written) -> dict[str, str]:
    target = "final_assistant_turn" if written.config == "samples" else "all_assistant_turns"
    data = {
        split: {
            "datasets": [{"dataset_name": "text_sft", "dataset_path": name} for name in names],
            "collator_name": "text_completions_only_with_padding",
            "train_target": target,
        }
        for split, names in written.files.items()
    }
    head = "# What to read, for Oumi; run in this folder, with the rest of a training config of yours added.\n"
    return {"oumi.yaml": head + yaml.safe_dump({"data": data}, sort_keys=False)}


def write_command(_: Written) -> str:
    return "cd DIR && oumi train -c oumi.yaml --model.model_name MODEL"


FORMAT = Format("Oumi", ("samples", "dialogues"), convert, write_command, describe=describe)
