"""Cuts a sample that is longer than a model takes, so that its target stays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from coalm_it.dataset.export.format import CannotHoldError, Conversation, Losses
from coalm_it.tokens import TokenCounter


def cut_conversation(conversation: Conversation, counter: TokenCounter, at_most: int, losses: Losses) -> Conversation:
    """The sample without its earliest turns, as many as are too much; the system text and the current turn stay.

    Raises CannotHoldError if these alone are longer.
    """
    messages = conversation.messages
    begin = 1 if messages[0]["role"] == "system" else 0
    starts = [place for place, message in enumerate(messages) if message["role"] == "user"]
    sizes = counter.count_json([[json.dumps(one, ensure_ascii=False)] for one in (*messages, *conversation.tools)])
    for start in [begin, *starts[1:]]:
        if sum(sizes[:begin]) + sum(sizes[start:]) <= at_most:
            return conversation if start == begin else _drop(conversation, begin, start, losses)
    raise CannotHoldError(f"longer than {at_most:,} tokens without any earlier turn")


def _drop(conversation: Conversation, begin: int, start: int, losses: Losses) -> Conversation:
    losses.note("the earliest turns are left out, to fit the number of tokens")
    kept: list[dict[str, Any]] = [*conversation.messages[:begin], *conversation.messages[start:]]
    return replace(conversation, messages=kept, learnt_from=len(kept) - 1)
