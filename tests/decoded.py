"""The messages and tools of a row as objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coalm_it.rendering.chat import read_conversation


def decode_messages(row: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Prompt and completion, and the tools."""
    conversation = read_conversation(row, "messages")
    return conversation.messages, conversation.tools
