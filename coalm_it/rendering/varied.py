"""The three columns in the layout `varied`: wording, call format and tool format are drawn for each row.

A model trained on one wording and one format fails when either changes. So each row has one of the wordings of
templates/rows/varied/, one of the call syntaxes, and its tools as signatures or as JSON Schema, all drawn by the id of
the sample. Other differences from the published layouts are:

- The thought is part of the target: it begins the output, and instruction and input have no thoughts. Function-calling
  corpora have thoughts before some calls and before no reply, so there none is asked for: it would show which is due.
- A row with a reply shows the same tools, in the same wordings, as a row with a call, so that the model has to decide
  whether to call.
- Functions that share their name are qualified by their service, as in `messages`.
- State tracking has a form for whole dialogues (see `columns.format_state`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from coalm_it.calls import Syntax, format_calls, format_value, is_python_name
from coalm_it.draw import stable_hash
from coalm_it.rendering.columns import (
    Columns,
    ServicesText,
    describe_services,
    format_clock,
    format_state,
    write_thought,
)
from coalm_it.rendering.memo import TurnMemo
from coalm_it.rendering.messages import QualifiedNames, dump_json, format_tools
from coalm_it.rendering.signatures import write_signature
from coalm_it.schema import Call, Inventory, Sample, Step, Tool, Turn
from coalm_it.templates import list_macros, read_yaml, render_macro, template_cache

Kind = Literal["agent", "dialogue_state", "utterance_state"]
"""The kind of a row. Each kind has its own wordings, the macros of templates/rows/varied/KIND.jinja."""
ToolStyle = Literal["signatures", "schema", "openai"]


class Form(NamedTuple):
    """The choices drawn for a row."""

    wording: str
    syntax: Syntax
    tools: ToolStyle
    phrase: int
    """Selects one of the phrases for the syntax in templates/rows/varied/formats.yaml, modulo their number."""


def find_kind(sample: Sample) -> Kind:
    """The kind of row for a sample."""
    if sample.task == "state_tracking":
        return "dialogue_state" if sample.tools else "utterance_state"
    return "agent"


def draw_form(sample_id: str, kind: Kind, syntaxes: Sequence[Syntax] = get_args(Syntax)) -> Form:
    """The form of a row, which depends only on the id of its sample and the syntaxes that can write its functions."""
    number = stable_hash("form", sample_id)
    number, wording = divmod(number, len(list_macros(f"rows/varied/{kind}")))
    number, syntax = divmod(number, len(syntaxes))
    number, tools = divmod(number, len(get_args(ToolStyle)))
    return Form(list_macros(f"rows/varied/{kind}")[wording], syntaxes[syntax], get_args(ToolStyle)[tools], number)


def list_syntaxes(tools: Sequence[Tool]) -> tuple[Syntax, ...]:
    """The syntaxes that can write the names of these functions and of their parameters; bracket cannot write all."""
    calls = [Call(name=tool.name, arguments=dict.fromkeys(tool.properties, 0)) for tool in tools]
    return tuple(syntax for syntax in get_args(Syntax) if all(_is_writable(call, syntax) for call in calls))


def _is_writable(call: Call, syntax: Syntax) -> bool:
    try:
        format_calls([call], syntax)
    except ValueError:
        return False
    return True


class VariedColumns:
    """Writes the rows of one corpus; their shared text (tools, earlier turns) is written once for each form."""

    def __init__(self, inventory: Inventory) -> None:
        self._domains = inventory.slots
        self._lines = {syntax: TurnMemo(self._make_line_writer(syntax)) for syntax in get_args(Syntax)}
        self.set_tools((), {})

    def set_tools(self, tools: Sequence[Tool], names: QualifiedNames) -> None:
        """Set the tools of the following rows; `names` are the qualified names of those that share a name."""
        self._tools, self._names = tools, names
        self._syntaxes: tuple[Syntax, ...] | None = None
        self._services: ServicesText | None = None
        self._written: dict[ToolStyle, str] = {}
        for memo in self._lines.values():
            memo.clear()

    def write(self, sample: Sample) -> Columns:
        """The columns of a row. Raises ValueError for a call that its syntax cannot write."""
        kind = find_kind(sample)
        if kind == "agent":
            return self._write_agent(sample)
        wording = draw_form(sample.id, kind).wording
        if kind == "utterance_state":
            instruction = render_macro(f"rows/varied/{kind}", wording, self._domains)
            return instruction, f"User: {sample.current.user}", format_state(sample)
        said = [line for turn in sample.history for line in (f"User: {turn.user}", f"System: {turn.reply}")]
        text = "\n".join([*said, f"User: {sample.current.user}"])
        return render_macro(f"rows/varied/{kind}", wording, *self.services), text, format_state(sample)

    @property
    def services(self) -> ServicesText:
        """The services of the tools shown, with their slots."""
        if self._services is None:
            self._services = describe_services(self._tools)
        return self._services

    def _write_agent(self, sample: Sample) -> Columns:
        if self._syntaxes is None:
            self._syntaxes = list_syntaxes(self._tools)
        form = draw_form(sample.id, "agent", self._syntaxes)
        has_thought = sample.task in ("react_action", "react_response")
        memo, syntax_phrases = self._lines[form.syntax], _read_formats()[self._find_phrases(form.syntax)]
        memo.use_dialogue(sample.turns)
        instruction = render_macro(
            "rows/varied/agent",
            form.wording,
            format_clock(sample),
            self._write_shown_tools(form.tools),
            syntax_phrases["forms"][form.phrase % len(syntax_phrases["forms"])],
            syntax_phrases["example"],
            "\n".join(map(memo, sample.history)),
            has_thought,
            sample.system,
        )
        begun = [f"User: {sample.current.user}", *self._step_lines(sample.steps, form.syntax)]
        move = sample.current.reply if sample.step is None else self._write_calls(sample.calls, form.syntax)
        thought = f"{write_thought(sample.thought)}\n" if has_thought else ""
        return instruction, "\n".join(begun), f"{thought}{move}"

    def _find_phrases(self, syntax: Syntax) -> str:
        """The key of formats.yaml. The names of all tools decide, so that it does not tell which is called."""
        names = [self._names.get((tool.service, tool.name), tool.name) for tool in self._tools]
        is_plain = all(is_python_name(name, dotted=True) for name in names)
        is_plain = is_plain and all(is_python_name(key) for tool in self._tools for key in tool.properties)
        return syntax if is_plain or syntax != "python" else "python_quoted"

    def _write_shown_tools(self, style: ToolStyle) -> str:
        if style not in self._written:
            self._written[style] = _write_tools(self._tools, self._names, style)
        return self._written[style]

    # --- turns ---

    def _make_line_writer(self, syntax: Syntax) -> Any:
        def write(turn: Turn) -> str:
            lines = [f"User: {turn.user}", *self._step_lines(turn.steps, syntax)]
            return "\n".join([*lines, f"Assistant: {turn.reply}"] if turn.reply is not None else lines)

        return write

    def _step_lines(self, steps: Sequence[Step], syntax: Syntax) -> list[str]:
        lines = []
        for step in steps:
            lines.append(f"Assistant: {self._write_calls(step.calls, syntax)}")
            lines += [f"Observation: {_write_result(result, syntax)}" for result in step.observations]
        return lines

    def _write_calls(self, calls: Sequence[Call], syntax: Syntax) -> str:
        names = self._names
        if names:
            calls = [
                call.model_copy(update={"name": names.get((call.service, call.name), call.name)}) for call in calls
            ]
        return format_calls(calls, syntax)


def _write_result(result: Any, syntax: Syntax) -> str:
    return format_value(result) if syntax == "python" else json.dumps(result, ensure_ascii=False)


@template_cache()
def _read_formats() -> Mapping[str, Mapping[str, Any]]:
    formats: Mapping[str, Mapping[str, Any]] = read_yaml("rows/varied/formats.yaml")
    return formats


# --- tools ---


def _write_tools(tools: Sequence[Tool], names: QualifiedNames, style: ToolStyle) -> str:
    if style == "openai":
        return f"[{', '.join(format_tools(tools, names))}]"
    named = [(names.get((tool.service, tool.name), tool.name), tool) for tool in tools]
    if style == "schema":
        listed = [f'{{"name": {dump_json(name)}, {tool.signature_json}}}' for name, tool in named]
        return f"[{', '.join(listed)}]"
    return "\n".join(write_signature(name, tool) for name, tool in named)
