"""One run of a model over the items of a benchmark: the outputs so far, and the next prompt of each item."""

from __future__ import annotations

from collections.abc import Sequence

from coalm_it.evaluation.items import Item, NextPrompt, Output
from coalm_it.listener import Listener
from coalm_it.rendering.chat import Conversation

STAGE = "answers"


class Session:
    """Collects the outputs of a model and reports the progress.

    The caller sends the first prompt of every item, and after each answer the prompt that `record` returns.
    """

    def __init__(self, items: Sequence[Item], next_prompt: NextPrompt, listener: Listener) -> None:
        self.items = items
        self.outputs: list[list[Output]] = [[] for _ in items]
        self._next_prompt = next_prompt
        self._listener = listener
        self._asked, self._answered = len(items), 0
        listener.advance(STAGE, 0, self._asked)

    def record(self, index: int, output: Output) -> Conversation | None:
        """Adds an output of the item at `index`; returns its next prompt, or None when the item is finished."""
        self.outputs[index].append(output)
        # Without an answer there is nothing to continue from.
        prompt = self._next_prompt(self.items[index], self.outputs[index]) if output.failure is None else None
        self._asked += prompt is not None
        self._answered += 1
        self._listener.advance(STAGE, self._answered, self._asked)
        return prompt
