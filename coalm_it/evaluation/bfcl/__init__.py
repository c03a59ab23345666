"""The benchmark `bfcl`: single-turn questions of BFCL, judged by the rules of its AST evaluation.

A question becomes a sample of function calling and is rendered like a row of a build: as three columns in a layout of
the published set, or as messages with tools. So a model is prompted as it was trained, and needs no special prompt.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from coalm_it.calls.markup import TEMPLATE_FORMATS, Format, read_move
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.draw import stable_hash
from coalm_it.evaluation.bfcl.ast_score import find_mismatch
from coalm_it.evaluation.bfcl.questions import CATEGORIES, Question, read_questions
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import (
    Item,
    ItemList,
    JudgedItem,
    Judgement,
    Output,
    Verdict,
    dump_calls,
    judge_missing,
    judge_unreadable,
)
from coalm_it.evaluation.metrics import Scores
from coalm_it.rendering import Renderer
from coalm_it.rendering.chat import Conversation, read_conversation
from coalm_it.rendering.varied import draw_form, list_syntaxes
from coalm_it.schema import Inventory, Sample, Step, Turn
from coalm_it.templates import read_yaml

PART = "bfcl"
READS_BUILD = False

_LANGUAGES = {"java": "Java", "javascript": "JavaScript"}
_LAYOUT_FORMATS: Mapping[str, tuple[Format, ...]] = {"hammer": ("json",), "toolace": ("bracket",)}
_METRICS = {"calls": "accuracy", "some call": "relevance", "no call": "refusal"}

_NON_LIVE = (("simple", "java", "javascript"), ("multiple",), ("parallel",), ("parallel_multiple",))
"""The mean of non_live_ast is over these groups, and the mean of a group over its categories."""
_LIVE = ("live_simple live_multiple live_parallel live_parallel_multiple live_irrelevance live_relevance").split()


class BfclEvaluation(Evaluation):
    benchmark: Literal["bfcl"] = Field("bfcl", description="Name of the benchmark.")
    categories: tuple[str, ...] = Field((), description="Categories of BFCL; none: all 13 single-turn categories.")
    layout: Literal["hammer", "toolace", "varied"] = Field("hammer", description="Form columns: layout of the prompt.")

    @field_validator("categories")
    @classmethod
    def _refuse_unknown(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        for name in categories:
            if name not in CATEGORIES:
                raise ValueError(f"no single-turn category {name!r} of BFCL; there are: {', '.join(CATEGORIES)}")
        return categories


CONFIG: type[Evaluation] = BfclEvaluation


# --- items ---


def list_items(data: Path, config: BfclEvaluation) -> ItemList:
    """The prompts of the selected categories, at most `config.rows` per category, selected by a stable hash.

    Raises BenchmarkError.
    """
    items: list[Item] = []
    renderer = Renderer(Inventory())
    for category in config.categories or CATEGORIES:
        questions = read_questions(data, category)
        order = sorted((stable_hash("bfcl", config.seed, question.id), question.id) for question in questions)
        drawn = {name for _, name in order[: config.rows]}
        items += [_make_item(question, config, renderer) for question in questions if question.id in drawn]
    return ItemList(items, {"benchmark": "BFCL"})


def _make_item(question: Question, config: BfclEvaluation, renderer: Renderer) -> Item:
    sample = _make_sample(question, config.layout)
    row = renderer.render_row(sample)._asdict()
    conversation = read_conversation(row, config.form, config.thoughts)
    return Item(
        id=question.id,
        part=PART,
        task=question.category,
        cluster=question.id,
        prompt=conversation._replace(messages=conversation.messages[:-1]),
        reference=question,
        gold=question.answers if question.expected == "calls" else question.expected,
        formats=TEMPLATE_FORMATS if config.form == "messages" else _find_formats(sample),
        functions=tuple(tool.name for tool in sample.tools),
    )


def _find_formats(sample: Sample) -> tuple[Format, ...]:
    """The formats that the columns of the sample ask for."""
    if sample.layout == "varied":
        return (draw_form(sample.id, "agent", list_syntaxes(sample.tools)).syntax,)
    return _LAYOUT_FORMATS[sample.layout]


def _make_sample(question: Question, layout: Any) -> Sample:
    """The question as a sample; its target is a placeholder that is not shown. System text precedes the question."""
    functions = question.functions
    if question.language in _LANGUAGES:
        functions = [_ask_for_source(function, _LANGUAGES[question.language]) for function in functions]
    text = "\n\n".join(message["content"] for message in question.messages)
    is_text = layout != "hammer"  # which holds calls alone
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
        turns=(Turn(user=text, steps=() if is_text else (Step(),), reply="-"),),
        step=None if is_text else 0,
    )


def _ask_for_source(function: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The function with every parameter a string of source text, as BFCL asks for languages other than Python.

    The described type of a parameter is added to its description.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(function))
    hints = _read_hints()
    for parameter in changed["parameters"]["properties"].values():
        kind = parameter["type"]
        sentences = [parameter.get("description", "")]
        sentences.append(hints["any" if kind == "any" else "typed"].format(language=language, kind=kind))
        if "items" in parameter:
            sentences.append(hints["items"].format(kind=parameter.pop("items")["type"]))
        if "properties" in parameter:
            sentences.append(hints["entries"].format(schema=json.dumps(parameter.pop("properties"))))
        parameter |= {"type": "string", "description": " ".join(sentences)}
    return changed


@cache
def _read_hints() -> Mapping[str, str]:
    hints: Mapping[str, str] = read_yaml("prompts/bfcl.yaml")
    return hints


def next_prompt(item: Item, outputs: Sequence[Output]) -> Conversation | None:
    """A single-turn question has one prompt."""
    return None


# --- answers ---


def judge(item: Item, outputs: Sequence[Output]) -> Judgement:
    """Scores: accuracy if certain calls are expected, relevance if any call is, refusal if none is."""
    (output,) = outputs
    question: Question = item.reference
    worst = _score(question, right=False)
    if judgement := judge_missing(output, worst):
        return judgement
    reading = read_move(output.text, item.formats, item.functions)
    if judgement := judge_unreadable(reading, worst):
        return judgement
    parsed = dump_calls(reading.calls) if reading.calls is not None else reading.text
    if question.expected == "no call" or reading.makes_no_call:
        right = question.expected == "no call" and reading.makes_no_call
        verdict: Verdict = "right" if right else "needless call" if question.expected == "no call" else "no call"
        return Judgement(verdict, _score(question, right), parsed, reading.thought)
    mismatch = None
    if question.expected == "calls":
        mismatch = find_mismatch(reading.calls or (), question.answers, question.functions, question.language)
    right = mismatch is None
    return Judgement("right" if right else "wrong", _score(question, right), parsed, reading.thought, mismatch)


def _score(question: Question, right: bool) -> Scores:
    return {_METRICS[question.expected]: (float(right), 1)}


# --- the columns of the leaderboard ---


def sum_up(judged: Sequence[JudgedItem]) -> dict[str, float]:
    """The columns of the leaderboard, in percent, for which every category was asked.

    Counted by the rules of the leaderboard: if no call is expected, an unreadable answer counts as no call.
    non_live_ast is a mean of means, live a mean over all live questions, irrelevance the mean of its two categories.
    """
    right: dict[str, list[bool]] = {}
    for item, _, judgement in judged:
        unread = judgement.verdict in ("unparsable", "other format", "truncated")
        counts = judgement.verdict == "right" or (unread and item.reference.expected == "no call")
        right.setdefault(item.task, []).append(counts)
    share = {category: 100 * sum(answers) / len(answers) for category, answers in right.items()}
    columns = {}
    if all(category in share for group in _NON_LIVE for category in group):
        columns["non_live_ast"] = _mean([_mean([share[category] for category in group]) for group in _NON_LIVE])
    if all(category in share for category in _LIVE):
        columns["live"] = 100 * _mean([float(counts) for category in _LIVE for counts in right[category]])
        columns["relevance"] = share["live_relevance"]
        if "irrelevance" in share:
            columns["irrelevance"] = _mean([share["irrelevance"], share["live_irrelevance"]])
    return columns


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
