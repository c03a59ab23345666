"""Writes the three columns instruction, input and output, with one function per layout.

Block markers, labels and field order are the published ones (paper, figures 4 to 7); the sentences are our own.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from coalm_it.calls import format_calls, format_value
from coalm_it.schema import Inventory, Layout, Sample, Step, Tool, Turn
from coalm_it.templates import render_macro
from coalm_it.values.today import find_today

Columns = tuple[str, str, str]
_LINE_BREAKS = re.compile(r"[^\S\n]*+\n\s*+")
TurnLines = Callable[[Turn], str]


class LayoutError(ValueError):
    """A sample of a kind that its layout has no form for."""


LAYOUT_ADVICE = "layout hammer is for requests of a single turn; toolace and varied hold conversations"
"""What helps where many samples do not fit."""


class CorpusText:
    """The text that is the same in every row of a corpus."""

    def __init__(self, inventory: Inventory) -> None:
        signatures = dict.fromkeys(f"{tool.name}({', '.join(tool.required)})" for tool in inventory.tools)
        self.functions = "\n".join(f"{number}. {one}" for number, one in enumerate(signatures, 1))
        """The published list of functions: numbered lines `Name(required slots)`, each once."""
        self.slots = render_macro("rows/state_tracking", "instruction", inventory.slots)
        """The instruction of single-turn state tracking."""


def write_state_tracking(sample: Sample, corpus: CorpusText, lines: TurnLines) -> Columns:
    text = render_macro("rows/state_tracking", "input", sample.current.user)
    return corpus.slots, text, render_macro("rows/state_tracking", "output", format_state(sample))


def write_react_action(sample: Sample, corpus: CorpusText, lines: TurnLines) -> Columns:
    history = "\n".join(map(lines, sample.history))
    instruction = render_macro(
        "rows/react_action", "instruction", format_clock(sample), corpus.functions, history, sample.system
    )
    output = render_macro("rows/react_action", "output", format_calls(sample.calls, "python").split("\n"))
    return instruction, render_macro("rows/react_action", "input", _write_open_turn(sample)), output


def write_react_response(sample: Sample, corpus: CorpusText, lines: TurnLines) -> Columns:
    history = "\n".join(map(lines, sample.history))
    instruction = render_macro("rows/react_response", "instruction", format_clock(sample), history, sample.system)
    output = render_macro("rows/react_response", "output", sample.current.reply)
    return instruction, render_macro("rows/react_response", "input", _write_open_turn(sample)), output


def write_hammer(sample: Sample, corpus: CorpusText, lines: TurnLines) -> Columns:
    """The columns of a request in a single turn and of the first calls, or of none. Raises LayoutError for others."""
    if misfit := _describe_hammer_misfit(sample):
        raise LayoutError(f"layout hammer has a single request and its first calls; {misfit}")
    instruction = render_macro(
        "rows/hammer", "instruction", format_clock(sample), _list_tools(sample.tools), sample.system
    )
    text = render_macro("rows/hammer", "input", sample.current.user)
    return instruction, text, render_macro("rows/hammer", "output", format_calls(sample.calls, "json"))


def _describe_hammer_misfit(sample: Sample) -> str:
    """What the layout would drop from a sample; "" if nothing."""
    if earlier := len(sample.history):
        return f"this sample has {f'{earlier} earlier turns' if earlier > 1 else 'an earlier turn'}"
    # A request that was made unanswerable has a reply for the other layouts, which says what `[]` says here.
    if sample.step is None and "unanswerable" not in sample.provenance:
        return "this sample is answered in text"
    return "this sample comes after the results of earlier calls" if sample.steps else ""


def write_toolace(sample: Sample, corpus: CorpusText, lines: TurnLines) -> Columns:
    *before, last = [line for turn in sample.turns for line in _list_conversation_lines(turn, sample)]
    instruction = render_macro(
        "rows/toolace", "instruction", format_clock(sample), _list_tools(sample.tools), "\n".join(before), sample.system
    )
    answer = sample.current.reply if sample.step is None else format_calls(sample.calls, "bracket")
    return instruction, render_macro("rows/toolace", "input", last), render_macro("rows/toolace", "output", answer)


# The layout `varied` is in varied.py.
LAYOUTS: dict[Layout, Callable[[Sample, CorpusText, TurnLines], Columns]] = {
    "state_tracking": write_state_tracking,
    "react_action": write_react_action,
    "react_response": write_react_response,
    "hammer": write_hammer,
    "toolace": write_toolace,
}


# --- ReAct ---


def write_thought(thought: str | None) -> str:
    """The line of a thought: one line, also where the reasoning of a corpus has several paragraphs."""
    return f"Thought: {_LINE_BREAKS.sub(' ', str(thought))}"


def write_turn_lines(turn: Turn) -> str:
    """The labelled lines of a complete turn."""
    lines = [f"User: {turn.user}", *(line for step in turn.steps for line in _list_step_lines(step))]
    lines += [write_thought(turn.thought)] if turn.thought is not None else []
    return "\n".join([*lines, f"System: {turn.reply}"])


def _write_open_turn(sample: Sample) -> str:
    """The labelled lines of the current turn up to the thought of the target."""
    lines = [f"User: {sample.current.user}", *(line for step in sample.steps for line in _list_step_lines(step))]
    return "\n".join([*lines, write_thought(sample.thought)])


def _list_step_lines(step: Step) -> list[str]:
    thought = [write_thought(step.thought)] if step.thought is not None else []
    actions = [f"Action: {line}" for line in format_calls(step.calls, "python").split("\n")]
    return thought + actions + [f"Observation: {format_value(result)}" for result in step.observations]


def format_clock(sample: Sample) -> str:
    """The date of the dialogue as `Friday, 2019-03-01`; empty if it has none, or if its system text says it."""
    if sample.clock is None or (sample.system and find_today(sample.system) == sample.clock):
        return ""
    return _format_day(sample.clock)


@cache
def _format_day(day: datetime.date) -> str:
    return f"{day:%A, %Y-%m-%d}"


# --- state tracking ---


def format_state(sample: Sample) -> str:
    """The target of state tracking as JSON.

    For a single turn: the domain and its slots; a slot that is said twice keeps its last value, as in SNIPS.
    For a dialogue: service -> slot -> value, for all services that have values. SGD accepts each surface form of a
    value; the target is the first one annotated when the slot got the value, for as long as it is annotated.
    """
    if sample.tools:
        return json.dumps(read_state(sample.turns), ensure_ascii=False)
    domain, slots = next(iter(sample.current.state.items()))
    state = {"domain": domain, "slot_values": {slot: values[-1] for slot, values in slots.items()}}
    return json.dumps(state, ensure_ascii=False)


def read_state(turns: tuple[Turn, ...]) -> dict[str, dict[str, str]]:
    """Service -> slot -> value after the last user utterance, with one surface form per value."""
    held: dict[str, dict[str, str]] = {}
    for turn in turns:
        before, held = held, {}
        for service, slots in turn.state.items():
            kept = before.get(service, {})
            values = {
                slot: kept[slot] if kept.get(slot) in surfaces else surfaces[0]
                for slot, surfaces in slots.items()
                if surfaces
            }
            held |= {service: values} if values else {}
    return held


class ServicesText(NamedTuple):
    """The services whose slots are tracked: with one line per service, or with one line per slot."""

    names: str
    bullets: str


def describe_services(tools: Sequence[Tool]) -> ServicesText:
    """The services of the tools in alphabetical order; the parameters of its functions are the slots of a service."""
    services: dict[str, dict[str, dict[str, Any]]] = {}
    for tool in sorted(tools, key=lambda tool: tool.service):
        for name, entry in tool.properties.items():
            services.setdefault(tool.service, {}).setdefault(name, entry)
    names, bullets = (render_macro("rows/services", macro, services) for macro in ("names", "bullets"))
    return ServicesText(names, bullets)


# --- function calling ---


def _list_tools(tools: tuple[Tool, ...]) -> str:
    """The tools as JSON: in the form of the corpus if it has one, else with name, description and parameters."""
    plain = [
        tool.spec or {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        for tool in tools
    ]
    return json.dumps(plain, ensure_ascii=False)


def _list_conversation_lines(turn: Turn, sample: Sample) -> list[str]:
    """The labelled lines of a turn; for the current turn, those before the target."""
    current = turn is sample.current
    lines = [f"User: {turn.user}"]
    for step in sample.steps if current else turn.steps:
        lines.append(f"System: {format_calls(step.calls, 'bracket')}")
        results = [{"name": call.name, "results": observation} for call, observation in step.exchanges]
        lines += [f"Tool: {json.dumps(results, ensure_ascii=False)}"] * bool(results)
    if not current and turn.reply is not None:
        lines.append(f"System: {turn.reply}")
    return lines
