"""The validation rows of a build, asked and judged: calls, the decision not to call, and states."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from coalm_it.calls.markup import (
    COLUMN_FORMATS,
    FENCE,
    TEMPLATE_FORMATS,
    Format,
    Reading,
    find_format,
    read_move,
    split_thought,
)
from coalm_it.dataset.finished import CONFIGS, FinishedBuild, open_build
from coalm_it.draw import stable_hash
from coalm_it.errors import RequestError, ShortfallError
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import Item, Judged, Outcome, Output, explain_silence, explain_unread, write_calls
from coalm_it.evaluation.metrics import Scores, score_calls, score_state
from coalm_it.rendering.chat import Form, read_conversation
from coalm_it.schema import Call, parse_dialogue_name


class HeldOutError(RequestError):
    """The build cannot be evaluated on; one line."""


Due = tuple[Call, ...] | dict[str, Any]
"""Calls (none where none is due), or a state."""


# --- the rows ---


def open_held_out(data: Path) -> FinishedBuild:
    """Raises HeldOutError: no validation rows; FolderError: no finished build, a file that is not as it was built."""
    build = open_build(data)
    names = [name for config in CONFIGS.values() for name in build.list_files(config, "validation")]
    if not names:
        raise HeldOutError(f"{data} has no validation rows: build it with --set validation=0.01")
    build.check_files(names)
    return build


def list_items(build: FinishedBuild, wanted: Evaluation) -> tuple[list[Item], int]:
    """The prompts, and how many rows are none: replies of the published layout, whose prompt shows no functions.

    Where there are more rows of a part and task than are wanted, they are drawn by a hash of seed and id.
    """
    rows = list(_read_rows(build, wanted.form))
    asked = [row for row in rows if not _decides_nothing(row, build, wanted.form)]
    order = sorted(asked, key=lambda row: (stable_hash("held out rows", wanted.seed, row["id"]), row["id"]))
    taken: Counter[tuple[str, str]] = Counter()
    chosen = []
    for row in order:
        group = row["part"], row["task"]
        taken[group] += 1
        if wanted.rows is None or taken[group] <= wanted.rows:
            chosen.append(_make_item(row, wanted))
    return sorted(chosen, key=lambda item: (item.part, item.task, item.id)), len(rows) - len(asked)


def _read_rows(build: FinishedBuild, form: Form) -> Iterator[dict[str, Any]]:
    """The rows of `samples`, with the three columns in them where these are asked."""
    for name in build.list_files("samples", "validation"):
        rows: list[dict[str, Any]] = pq.read_table(build.folder / name).to_pylist()
        if form == "columns":
            beside = build.folder / name.replace("/samples/", f"/{CONFIGS[form]}/")
            columns = pq.read_table(beside).to_pylist()
            rows = [{**row, **three} for row, three in zip(rows, columns, strict=True)]
        yield from rows


def _decides_nothing(row: Mapping[str, Any], build: FinishedBuild, form: Form) -> bool:
    layout = build.manifest.recipe.parts[row["part"]].layout
    return form == "columns" and row["task"] == "react_response" and layout != "varied"


def _make_item(row: Mapping[str, Any], wanted: Evaluation) -> Item:
    conversation = read_conversation(row, wanted.form, wanted.thoughts)
    *before, target = conversation.messages
    functions = tuple(tool["function"]["name"] for tool in json.loads(row["tools"] or "[]"))
    due, formats = _read_due(row, target, wanted.form, functions)
    return Item(
        id=row["id"],
        part=row["part"],
        task=row["task"],
        cluster=parse_dialogue_name(row["id"]),
        prompt=conversation._replace(messages=before),
        due=due,
        formats=formats,
        functions=functions,
    )


def _read_due(
    row: Mapping[str, Any], target: Mapping[str, Any], form: Form, functions: tuple[str, ...]
) -> tuple[Due, tuple[Format, ...]]:
    """What the row's own target says, read as a model's answer is; and the formats that an answer may have."""
    if row["task"] == "state_tracking":
        state = read_object(target["content"])[1]
        if state is None:
            raise ShortfallError(f"{row['id']}: its target is no state")
        return state, ()
    if form == "messages":
        calls = [one["function"] for one in target.get("tool_calls", ())]
        return tuple(Call(name=one["name"], arguments=one["arguments"]) for one in calls), TEMPLATE_FORMATS
    if row["messages"][-1]["tool_calls"] is None:
        return (), COLUMN_FORMATS
    found = find_format(target["content"])
    if found is None:
        raise ShortfallError(f"{row['id']}: its own calls cannot be read")
    return read_move(target["content"], [found], functions).calls or (), (found,)


# --- the answers ---


def judge_row(item: Item, output: Output) -> Judged:
    """Scores: exact, function and argument_f1 where calls are due; refusal where none is; jga and slot_f1 of states."""
    nothing = _score(item.due, None)
    if silence := explain_silence(output, nothing):
        return silence
    if isinstance(item.due, dict):
        return _judge_state(item.due, output.text)
    reading = read_move(output.text, item.formats, item.functions)
    if unread := explain_unread(reading, nothing):
        return unread
    scores = _score(item.due, reading)
    parsed = write_calls(reading.calls) if reading.calls is not None else reading.text
    return Judged(_name_outcome(item.due, reading, scores), scores, parsed, reading.thought)


def _judge_state(due: dict[str, Any], text: str) -> Judged:
    thought, state = read_object(text)
    scores = score_state(state, due)
    if state is None:
        return Judged("unparsable", scores, None, thought, "no JSON object")
    return Judged("right" if scores["jga"][0] else "wrong", scores, state, thought)


def _score(due: Due, reading: Reading | None) -> Scores:
    """`reading` None: nothing of use was written, and every score is 0."""
    if isinstance(due, dict):
        return score_state(None, due)
    if due:
        return score_calls(reading.calls if reading else None, due)
    return {"refusal": (float(reading is not None and reading.makes_no_call), 1)}


def _name_outcome(due: tuple[Call, ...], reading: Reading, scores: Scores) -> Outcome:
    if not due:
        return "right" if reading.makes_no_call else "needless call"
    if reading.makes_no_call:
        return "no call"
    return "right" if scores["exact"][0] else "wrong"


def describe_due(item: Item) -> Any:
    """As JSON can hold it; "no call" where none is due."""
    if isinstance(item.due, dict):
        return item.due
    return write_calls(item.due) or "no call"


def read_object(output: str) -> tuple[str | None, dict[str, Any] | None]:
    """Thought, and the one JSON object that a state is; None where it is none."""
    thought, body = split_thought(output)
    try:
        value = json.loads(FENCE.sub("", body))
    except (ValueError, RecursionError):
        return thought, None
    return thought, value if isinstance(value, dict) else None
