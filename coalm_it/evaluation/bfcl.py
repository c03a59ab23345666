"""BFCL's single-turn questions, asked as rows of a build are, and judged by the rules of its AST evaluation.

A question becomes a sample of function calling and is rendered like any other: as three columns in a layout of the
published set, or as messages with tools. So a model is asked as it was taught, and needs no prompt of its own.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from coalm_it.calls.markup import TEMPLATE_FORMATS, Format, read_move
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.draw import stable_hash
from coalm_it.evaluation.ast_score import find_fault
from coalm_it.evaluation.bfcl_data import CATEGORIES, Question, read_questions
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import Item, Judged, Outcome, Output, explain_silence, explain_unread, write_calls
from coalm_it.evaluation.metrics import Scores
from coalm_it.rendering import Renderer
from coalm_it.rendering.chat import read_conversation
from coalm_it.rendering.varied import draw_form, list_syntaxes
from coalm_it.schema import Inventory, Sample, Turn
from coalm_it.templates import read_yaml

PART = "bfcl"
_LANGUAGES = {"java": "Java", "javascript": "JavaScript"}
_LAYOUT_FORMATS: Mapping[str, tuple[Format, ...]] = {"hammer": ("json",), "toolace": ("bracket",)}
_METRICS = {"calls": "accuracy", "some call": "relevance", "no call": "refusal"}

NON_LIVE = (("simple", "java", "javascript"), ("multiple",), ("parallel",), ("parallel_multiple",))
"""Means of means: of the three languages, then of these four."""
LIVE = ("live_simple live_multiple live_parallel live_parallel_multiple live_irrelevance live_relevance").split()


# --- the questions ---


def list_items(data: Path, wanted: Evaluation) -> list[Item]:
    """The prompts of the wanted categories; of each at most as many as are wanted, drawn by a hash. BenchmarkError."""
    items: list[Item] = []
    renderer = Renderer(Inventory())
    for category in wanted.categories or CATEGORIES:
        questions = read_questions(data, category)
        order = sorted((stable_hash("bfcl", wanted.seed, question.id), question.id) for question in questions)
        drawn = {name for _, name in order[: wanted.rows]}
        items += [_make_item(question, wanted, renderer) for question in questions if question.id in drawn]
    return items


def _make_item(question: Question, wanted: Evaluation, renderer: Renderer) -> Item:
    sample = _make_sample(question, wanted.layout)
    row = renderer.render_row(sample)._asdict()
    conversation = read_conversation(row, wanted.form, wanted.thoughts)
    return Item(
        id=question.id,
        part=PART,
        task=question.category,
        cluster=question.id,
        prompt=conversation._replace(messages=conversation.messages[:-1]),
        due=question,
        formats=TEMPLATE_FORMATS if wanted.form == "messages" else _find_formats(sample),
        functions=tuple(tool.name for tool in sample.tools),
    )


def _find_formats(sample: Sample) -> tuple[Format, ...]:
    """Those that the columns of the sample ask for."""
    if sample.layout == "varied":
        return (draw_form(sample.id, "agent", list_syntaxes(sample.tools)).syntax,)
    return _LAYOUT_FORMATS[sample.layout]


def _make_sample(question: Question, layout: Any) -> Sample:
    """With a reply for a target, which nobody sees. What a question says as the system stands before what it asks."""
    functions = question.functions
    if question.language in _LANGUAGES:
        functions = [_ask_for_source(one, _LANGUAGES[question.language]) for one in functions]
    said = "\n\n".join(message["content"] for message in question.messages)
    return Sample(
        id=f"bfcl/test/{question.id}/0/function_call",
        part=PART,
        task="function_call",
        layout=layout,
        source="bfcl",
        split="test",
        dialogue_id=question.id,
        turn=0,
        licence="Apache-2.0",
        tools=read_tools(functions),
        turns=(Turn(user=said, reply="-"),),
    )


def _ask_for_source(function: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The function with every parameter a string of source text, as the benchmark asks for other languages than Python.

    What the type was is said in the description.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(function))
    hints = _read_hints()
    for parameter in changed["parameters"]["properties"].values():
        kind = parameter["type"]
        said = [parameter.get("description", "")]
        said.append(hints["any" if kind == "any" else "typed"].format(language=language, kind=kind))
        if "items" in parameter:
            said.append(hints["items"].format(kind=parameter.pop("items")["type"]))
        if "properties" in parameter:
            said.append(hints["entries"].format(schema=json.dumps(parameter.pop("properties"))))
        parameter |= {"type": "string", "description": " ".join(said)}
    return changed


@cache
def _read_hints() -> Mapping[str, str]:
    hints: Mapping[str, str] = read_yaml("prompts/bfcl.yaml")
    return hints


# --- the answers ---


def judge_question(item: Item, output: Output) -> Judged:
    """Score: accuracy where calls are due, relevance where any is, refusal where none is."""
    question: Question = item.due
    nothing = _score(question, right=False)
    if silence := explain_silence(output, nothing):
        return silence
    reading = read_move(output.text, item.formats, item.functions)
    if unread := explain_unread(reading, nothing):
        return unread
    parsed = write_calls(reading.calls) if reading.calls is not None else reading.text
    if question.due == "no call" or reading.makes_no_call:
        right = question.due == "no call" and reading.makes_no_call
        outcome: Outcome = "right" if right else "needless call" if question.due == "no call" else "no call"
        return Judged(outcome, _score(question, right), parsed, reading.thought)
    fault = None
    if question.due == "calls":
        fault = find_fault(reading.calls or (), question.answers, question.functions, question.language)
    return Judged("wrong" if fault else "right", _score(question, not fault), parsed, reading.thought, fault)


def _score(question: Question, right: bool) -> Scores:
    return {_METRICS[question.due]: (float(right), 1)}


def describe_due(item: Item) -> Any:
    """As JSON can hold it."""
    question: Question = item.due
    return question.answers if question.due == "calls" else question.due


# --- as the leaderboard sums up ---


def sum_up(judged: Sequence[tuple[Item, Judged]]) -> dict[str, float]:
    """The columns of published tables, in percent, for those of which every category was asked.

    Counted as the leaderboard counts: where no call is due, what cannot be read is as good as none. non_live_ast is a
    mean of means, live a mean over all live questions, irrelevance the mean of both its categories.
    """
    right: dict[str, list[bool]] = {}
    for item, verdict in judged:
        unread = verdict.outcome in ("unparsable", "other format", "cut off")
        good = verdict.outcome == "right" or (unread and item.due.due == "no call")
        right.setdefault(item.task, []).append(good)
    share = {name: 100 * sum(some) / len(some) for name, some in right.items()}
    columns = {}
    if all(name in share for group in NON_LIVE for name in group):
        columns["non_live_ast"] = _mean([_mean([share[name] for name in group]) for group in NON_LIVE])
    if all(name in share for name in LIVE):
        columns["live"] = 100 * _mean([float(good) for name in LIVE for good in right[name]])
        columns["relevance"] = share["live_relevance"]
        if "irrelevance" in share:
            columns["irrelevance"] = _mean([share["irrelevance"], share["live_irrelevance"]])
    return columns


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
