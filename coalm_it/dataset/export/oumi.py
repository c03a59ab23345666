"""Oumi: JSON lines of its conversations, with metadata; arguments are text, thoughts `reasoning_content`.

Which answers are learnt is an option of the training, `train_target`: `final_assistant_turn` for samples.
"""

from __future__ import annotations

from typing import Any

from coalm_it.dataset.export.format import Conversation, Format, Losses
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


FORMAT = Format("Oumi", ("samples", "dialogues"), convert)
