"""Sample, Inventory -> row, through templates/rows: the three columns, and messages + tools.

A row depends only on its sample, the inventory and the templates. Text that several rows of a dialogue share (of
earlier turns, of tools) is written once and kept until the next dialogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_not
from typing import Any, NamedTuple

from coalm_it.rendering.columns import (
    LAYOUT_ADVICE,
    LAYOUTS,
    Columns,
    CorpusText,
    LayoutError,
    write_turn_lines,
)
from coalm_it.rendering.memo import TurnMemo
from coalm_it.rendering.messages import (
    Message,
    describe_task,
    dump_json,
    format_tools,
    qualify_names,
    speech_messages,
    system_message,
    target_messages,
    turn_messages,
)
from coalm_it.rendering.varied import VariedColumns
from coalm_it.schema import SCHEMA_VERSION, Inventory, Sample, Tool, Turn
from coalm_it.templates import fingerprint_templates

__all__ = ["LAYOUT_ADVICE", "LayoutError", "Message", "RenderedDialogue", "Renderer", "Row"]


class Row(NamedTuple):
    instruction: str
    input: str
    output: str
    prompt: Sequence[Message]
    completion: Sequence[Message]
    """The target, one message."""
    tools: Sequence[str] | None
    """JSON texts of {type: function, function: {name, description, parameters}}; None without tools."""
    provenance: str
    """JSON text."""


RenderedDialogue = tuple[list[Message], Sequence[str] | None]
"""The messages of a dialogue, and its tools."""


def drop_thoughts(turn: Turn) -> Turn:
    """The turn without its thoughts."""
    steps = tuple(step.model_copy(update={"thought": None}) for step in turn.steps)
    return turn.model_copy(update={"steps": steps, "thought": None})


class Renderer:
    """Renders the samples of one corpus. The samples of a dialogue should come one after another."""

    def __init__(self, inventory: Inventory, *, history_thoughts: bool = True) -> None:
        """`history_thoughts`: whether rows show the thoughts of earlier turns."""
        self._corpus = CorpusText(inventory)
        self._without_thoughts = None if history_thoughts else TurnMemo(drop_thoughts)
        self._fixed_provenance = {"templates": fingerprint_templates("rows"), "inventory": inventory.fingerprint}
        self._lines = TurnMemo(write_turn_lines)
        self._names: dict[tuple[str, str], str] = {}
        self._speech = TurnMemo(speech_messages)
        self._messages = TurnMemo(lambda turn: turn_messages(turn, self._names))
        self._varied = VariedColumns(inventory)
        self._shown: tuple[Tool, ...] = ()
        self._tools: list[str] | None = None
        self._sample_provenance: dict[str, Any] | None = None
        self._provenance = ""

    def render_row(self, sample: Sample) -> Row:
        """The row of a sample, in both forms."""
        if self._without_thoughts:
            self._without_thoughts.use_dialogue(sample.turns)
            earlier = map(self._without_thoughts, sample.history)
            sample = sample.model_copy(update={"turns": (*earlier, sample.current)})
        self._use_tools(sample.tools)
        self._lines.use_dialogue(sample.turns)
        self._messages.use_dialogue(sample.turns)
        self._speech.use_dialogue(sample.turns)
        if self._sample_provenance is not sample.provenance:
            self._sample_provenance = sample.provenance
            self._provenance = dump_json({"schema": SCHEMA_VERSION, **sample.provenance, **self._fixed_provenance})
        is_state_tracking = sample.task == "state_tracking"
        columns = sample.columns or self._write_columns(sample)
        services = self._varied.services.names if is_state_tracking and sample.tools else ""
        prompt = [system_message(describe_task(sample, self._corpus, services))]
        for turn in sample.history:
            prompt += self._speech(turn) if is_state_tracking else self._messages(turn)
        *before, target = target_messages(sample, self._messages)
        tools = None if is_state_tracking else self._tools
        return Row(*columns, [*prompt, *before], [target], tools, self._provenance)

    def render_dialogue(self, sample: Sample, turns: Sequence[Turn]) -> RenderedDialogue:
        """The messages of these turns, and the tools, of the dialogue to which the sample belongs."""
        self._use_tools(sample.tools)
        self._messages.use_dialogue(turns)
        messages = [system_message(describe_task(sample, self._corpus, ""))]
        return [*messages, *(message for turn in turns for message in self._messages(turn))], self._tools

    def _use_tools(self, tools: tuple[Tool, ...]) -> None:
        # Compared item by item: every sample has its own tuple of the same tools.
        if len(tools) != len(self._shown) or any(map(is_not, tools, self._shown)):
            self._shown, self._names = tools, qualify_names(tools)
            self._tools = format_tools(tools, self._names) if tools else None
            self._messages.clear()
            self._varied.set_tools(tools, self._names)

    def _write_columns(self, sample: Sample) -> Columns:
        if sample.layout == "varied":
            return self._varied.write(sample)
        return LAYOUTS[sample.layout](sample, self._corpus, self._lines)
