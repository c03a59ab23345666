"""The published three-column set itself (instruction, input, output), read back into Samples.

Layout: Parquet shards, JSON or JSON lines of {"instruction", "input", "output"}. The task of a row is recognised by its
block markers and labels, shown in figures 4 to 7 of the paper:

- state tracking (SNIPS): no blocks; output `System: {"domain": ..., "slot_values": ...}`
- function calling in the layout of Hammer: a query block (in the input, or upstream in the instruction); output a JSON
  list of calls, with or without a code fence
- function calling in the layout of ToolACE: a JSON list of tools; output `System: ` and bracket calls or text
- ReAct (SGD): an input of labelled lines; output `Action: f(a='x')` or `System: ...`

A sample keeps its three columns and is written again with the same bytes; without `columns` it is laid out anew. The
ReAct rows have no types and descriptions of parameters, so every argument of their calls is allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from coalm_it.calls import CallSyntaxError, Syntax, parse_calls
from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.records import BadRecord, convert_records, get_field, parse_json, report_unreadable_file
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.observations import read_content
from coalm_it.schema import (
    Call,
    Fault,
    Inventory,
    Layout,
    Sample,
    Step,
    Task,
    Tool,
    Turn,
    format_dialogue_name,
    format_sample_id,
)

_BLOCK = re.compile(r"\[BEGIN OF ([A-Z ]+)\]\n?(.*?)\n?\[END OF \1\]", re.DOTALL)
_QUERY = re.compile(r"\[BEGIN OF QUERY\].*?\[END OF QUERY\]", re.DOTALL)
_SIGNATURE = re.compile(r"\d+\. (.+?)\((.*)\)$")
_LABEL = re.compile(r"^(User|Thought|Action|Observation|System|Tool): ?", re.MULTILINE)

Parsed = tuple[Task, Layout, tuple[Tool, ...], tuple[Turn, ...], int | None]
"""Task, layout, tools, turns, and the step of the last turn that is the target."""


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Empty: every row contains all that it needs to know of its corpus."""
    return Inventory()


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Sample | Fault]:
    """A Sample for each row; a row of unknown layout, or with calls that cannot be read, is a Fault."""

    def convert(row: Any, index: int) -> Sample:
        columns = tuple(get_field(row, name, str) for name in ("instruction", "input", "output"))
        if not columns[1] and "[BEGIN OF QUERY]" in columns[0]:
            columns = _move_query(*columns)
        task, layout, tools, turns, step = _parse_row(*columns)
        name = f"{shard.file.name.removesuffix('.parquet')}-{index}".replace("/", "-")
        full_name = format_dialogue_name(corpus.source, split, name)
        return Sample(
            id=format_sample_id(full_name, len(turns) - 1, task),
            part="",
            task=task,
            layout=layout,
            source=corpus.source,
            split=split,
            dialogue_id=name,
            turn=len(turns) - 1,
            licence=licence,
            tools=tools,
            turns=turns,
            step=step,
            columns=columns,
            provenance={"file": shard.file.name, "record": index},
        )

    return convert_records(shard, read_records(shard.file), convert, lambda row, index: str(index))


def _move_query(instruction: str, text: str, output: str) -> tuple[str, str, str]:
    """Upstream Hammer has the query block in the instruction and an empty input; CoALM moved it."""
    found = _QUERY.search(instruction)
    if found is None:
        raise BadRecord("the query's block has no end")
    rest = instruction[: found.start()].rstrip("\n") + instruction[found.end() :].rstrip("\n")
    return rest, found.group(), output


def _parse_row(instruction: str, text: str, output: str) -> Parsed:
    blocks = dict(_BLOCK.findall(instruction))
    query = _QUERY.search(text)
    try:
        if query:
            return _parse_hammer(blocks, _BLOCK.findall(query.group())[0][1], output)
        if output.startswith('System: {"domain"'):
            return _parse_state(text, output)
        if "Thought:" in text or output.startswith("Action:"):
            return _parse_react(blocks, text, output)
        if "AVAILABLE TOOLS" in blocks and output.startswith("System:"):
            return _parse_toolace(blocks, text, output)
    except CallSyntaxError as error:
        raise BadRecord(f"calls cannot be read: {error}") from None
    raise BadRecord("unknown layout: no query block, no state, no labelled lines")


def _parse_state(text: str, output: str) -> Parsed:
    state = parse_json(output.removeprefix("System: "), "output")
    slots = get_field(state, "slot_values", dict)
    values = {slot: (str(value),) for slot, value in slots.items()}
    turn = Turn(user=text.removeprefix("User: "), state={get_field(state, "domain", str): values})
    return "state_tracking", "state_tracking", (), (turn,), None


def _parse_hammer(blocks: dict[str, str], query: str, output: str) -> Parsed:
    step = Step(calls=_read_calls(output, "json", 0))
    return "function_call", "hammer", _read_tool_list(blocks), (Turn(user=query, steps=(step,)),), 0


def _parse_toolace(blocks: dict[str, str], text: str, output: str) -> Parsed:
    turns = _read_turns(blocks.get("CONVERSATION HISTORY", ""), text, "bracket")
    answer = output.removeprefix("System:").strip()
    turns, step = _add_target(turns, answer, "bracket", None, _is_calls(answer))
    return "function_call", "toolace", _read_tool_list(blocks), turns, step


def _parse_react(blocks: dict[str, str], text: str, output: str) -> Parsed:
    lines = _split_lines(text)
    thought = lines.pop()[1] if lines and lines[-1][0] == "Thought" else None
    turns = _read_turns(blocks.get("CONVERSATION HISTORY", ""), _join_lines(lines), "python")
    is_action = output.startswith("Action:")
    answer = "\n".join(value for _, value in _split_lines(output))
    turns, step = _add_target(turns, answer, "python", thought, is_action)
    task: Literal["react_action", "react_response"] = "react_action" if is_action else "react_response"
    return task, task, _read_signatures(blocks.get("AVAILABLE TOOLS", "")), turns, step


# --- labelled lines ---


def _split_lines(text: str) -> list[tuple[str, str]]:
    """(label, text) of each labelled line; a line without a label belongs to the one before."""
    found = list(_LABEL.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [(match[1], text[match.end() : end].rstrip("\n")) for match, end in zip(found, ends, strict=False)]


def _join_lines(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{label}: {text}" for label, text in lines)


def _read_turns(history: str, current: str, syntax: Syntax) -> tuple[Turn, ...]:
    """The turns of the history, and the current one up to the target."""
    groups: list[list[tuple[str, str]]] = []
    for label, text in [*_split_lines(history), *_split_lines(current)]:
        if label == "User" or not groups:
            groups.append([])
        groups[-1].append((label, text))
    return tuple(_read_turn(lines, number, syntax) for number, lines in enumerate(groups))


def _read_turn(lines: Sequence[tuple[str, str]], number: int, syntax: Syntax) -> Turn:
    if lines[0][0] != "User":
        raise BadRecord(f"turn {number} begins with {lines[0][0]}, not with the user")
    steps: list[Step] = []
    thought: str | None = None
    reply: str | None = None
    for label, text in lines[1:]:
        if label == "Thought":
            thought = text
        elif label == "Action" or (label == "System" and syntax == "bracket" and _is_calls(text)):
            calls = _read_calls(text, syntax, number, sum(len(step.calls) for step in steps))
            if label == "Action" and steps and thought is None and not steps[-1].observations:
                steps[-1] = steps[-1].model_copy(update={"calls": steps[-1].calls + calls})
            else:
                steps.append(Step(thought=thought, calls=calls))
            thought = None
        elif label in ("Observation", "Tool") and steps:
            results = _read_results(text) if label == "Tool" else (_read_value(text),)
            steps[-1] = steps[-1].model_copy(update={"observations": steps[-1].observations + results})
        else:
            reply = text
    return Turn(user=lines[0][1], steps=tuple(steps), thought=thought, reply=reply)


def _add_target(
    turns: tuple[Turn, ...], answer: str, syntax: Syntax, thought: str | None, is_call: bool
) -> tuple[tuple[Turn, ...], int | None]:
    if not turns:
        raise BadRecord("the input has no line of the user")
    last = turns[-1]
    if not is_call:
        return (*turns[:-1], last.model_copy(update={"thought": thought, "reply": answer})), None
    made = sum(len(step.calls) for step in last.steps)
    step = Step(thought=thought, calls=_read_calls(answer, syntax, len(turns) - 1, made))
    return (*turns[:-1], last.model_copy(update={"steps": (*last.steps, step)})), len(last.steps)


def _read_calls(text: str, syntax: Syntax, turn: int, made: int = 0) -> tuple[Call, ...]:
    """The calls of a text, numbered from `made`, the number of earlier calls in this turn."""
    calls = parse_calls(text, syntax)
    return tuple(call.model_copy(update={"id": f"call_{turn}_{made + n}"}) for n, call in enumerate(calls))


def _is_calls(text: str) -> bool:
    """Whether a line of the agent is a list of calls; text may begin with a bracket too."""
    try:
        return text.startswith("[") and bool(parse_calls(text, "bracket") or text == "[]")
    except CallSyntaxError:
        return False


def _read_value(text: str) -> Any:
    """The value of an observation: of a literal, or else the text itself."""
    try:
        return parse_calls(f"observed(value={text})", "python")[0].arguments["value"]
    except CallSyntaxError:
        return text


def _read_results(text: str) -> tuple[Any, ...]:
    try:
        results = json.loads(text)
    except ValueError:
        return (text,)
    return tuple(map(read_content, results))


# --- tools ---


def _read_tool_list(blocks: dict[str, str]) -> tuple[Tool, ...]:
    return read_tools(parse_json(blocks.get("AVAILABLE TOOLS", ""), "available tools"))


def _read_signatures(text: str) -> tuple[Tool, ...]:
    """The tools of numbered lines `Name(required, ...)`, which do not give optional parameters."""
    tools = []
    for line in text.splitlines():
        found = _SIGNATURE.match(line.strip())
        if found:
            required = [name.strip() for name in found[2].split(",") if name.strip()]
            properties: dict[str, Any] = {name: {} for name in required}
            schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": True}
            tools.append(Tool(name=found[1], parameters=schema))
    return tuple(tools)
