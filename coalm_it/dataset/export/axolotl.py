"""Axolotl: JSON lines for its type `chat_template`, and axolotl.yaml, which says how they are read.

Arguments and tools are JSON texts, as its documentation advises: `datasets` would give each call the arguments of all
others, as nulls. In samples, `train` is true for the target alone.
"""

from __future__ import annotations

from typing import Any

import yaml

from coalm_it.dataset.export.format import Conversation, Format, Losses, Written
from coalm_it.dataset.export.messages import dump_json, write_arguments


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    cut = conversation.learnt_from
    messages = [_convert_message(message) for message in conversation.messages]
    if cut:
        messages = [{**message, "train": index >= cut} for index, message in enumerate(messages)]
    return {"id": conversation.id, "messages": messages, "tools": dump_json(conversation.tools)}


def _convert_message(message: dict[str, Any]) -> dict[str, Any]:
    if "tool_calls" in message:
        return {**message, "tool_calls": write_arguments(message["tool_calls"])}
    return message


def describe(written: Written) -> dict[str, str]:
    sections = {"train": "datasets", "validation": "test_datasets"}
    about: dict[str, Any] = {"ds_type": "json", "split": "train", "type": "chat_template"}
    if written.config == "samples":
        about |= {"message_field_training": "train", "roles_to_train": [], "train_on_eos": "turn"}
    config = {sections[split]: [{"path": name, **about} for name in names] for split, names in written.files.items()}
    head = "# What to read, for Axolotl; run in this folder, with base_model and the rest of a config of yours added.\n"
    return {"axolotl.yaml": head + yaml.safe_dump(config, sort_keys=False)}


def write_command(_: Written) -> str:
    return "cd DIR && axolotl train axolotl.yaml --base-model MODEL"


FORMAT = Format("Axolotl", ("samples", "dialogues"), convert, write_command, describe=describe)
