"""TRL: JSON lines with `prompt`, `completion` and `tools`, or `messages` and `tools`, calls as objects."""

from __future__ import annotations

from typing import Any

from coalm_it.dataset.export.format import Conversation, Format, Losses


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    messages, cut = conversation.messages, conversation.learnt_from
    shown = {"prompt": messages[:cut], "completion": messages[cut:]} if cut else {"messages": messages}
    return {**shown, **({"tools": conversation.tools} if conversation.tools else {})}


FORMAT = Format("TRL's SFTTrainer", ("samples", "dialogues"), convert)
