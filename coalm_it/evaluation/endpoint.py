"""A model behind an OpenAI-compatible endpoint, asked through the ledger: a rerun sends only what has no answer yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coalm_it.evaluation.items import Item, NextPrompt, Output
from coalm_it.evaluation.session import Session
from coalm_it.listener import Listener
from coalm_it.model_settings import Settings
from coalm_it.rendering.chat import Conversation
from coalm_it.training.pretrained import ModelError

if TYPE_CHECKING:
    from coalm_it.llm.request import Outcome, Request


def ask_endpoint(
    settings: Settings, items: Sequence[Item], next_prompt: NextPrompt, ledger: Path | None, listener: Listener
) -> list[list[Output]]:
    """Asks the model; the outputs of each item. `ledger`: None for the user's own.

    Raises ModelError if its packages are missing, and whatever `ask_all` raises; answers until then stay in the ledger.
    """
    try:
        from coalm_it.llm.budget import make_budget
        from coalm_it.llm.ledger import open_ledger
        from coalm_it.llm.online import ask_all
        from coalm_it.llm.request import Request
    except ImportError as error:
        raise ModelError(str(error)) from None
    session = Session(items, next_prompt, listener)

    def make_request(index: int, prompt: Conversation) -> Request:
        return Request(_format_messages(prompt), where=items[index].id, context=index, tools=tuple(prompt.tools))

    def handle_outcome(request: Request, outcome: Outcome) -> Request | None:
        prompt = session.record(request.context, _read_outcome(outcome))
        return None if prompt is None else make_request(request.context, prompt)

    requests = (make_request(index, item.prompt) for index, item in enumerate(items))
    with open_ledger(ledger, say=listener.say) as opened:
        ask_all(requests, settings, opened, handle_outcome, budget=make_budget(settings), say=listener.say)
    return session.outputs


def _format_messages(prompt: Conversation) -> tuple[dict[str, Any], ...]:
    """The messages for an endpoint: arguments as JSON text, and no thoughts, which not every server accepts."""
    messages = []
    for message in prompt.messages:
        message = {key: value for key, value in message.items() if key != "reasoning_content"}
        if "tool_calls" in message:
            message["tool_calls"] = [
                {**call, "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])}}
                for call in message["tool_calls"]
            ]
        messages.append(message)
    return tuple(messages)


def _read_outcome(outcome: Outcome) -> Output:
    from coalm_it.llm.request import Failure

    if not isinstance(outcome, Failure):
        return Output(outcome.text)
    if outcome.reason in ("length", "empty"):  # for a benchmark these are answers too
        return Output(outcome.text, truncated=outcome.reason == "length")
    return Output("", failure=f"{outcome.reason}: {outcome.detail}")
