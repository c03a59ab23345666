"""Items of a benchmark and what becomes of them: the same types for the rows of a build and for other benchmarks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from coalm_it.calls.markup import OTHER_FORMAT, Format, Reading
from coalm_it.evaluation.metrics import Scores
from coalm_it.rendering.chat import Conversation
from coalm_it.schema import Call

Verdict = Literal["right", "wrong", "no call", "needless call", "other format", "unparsable", "truncated", "no answer"]
"""`wrong`: calls or a state, but not the expected ones; `no call` where one is expected, `needless call` where none is;
`truncated`: max_tokens was reached; `no answer`: the request failed. All but `right` count as wrong answers."""


@dataclass(frozen=True)
class Item:
    """One unit of a benchmark: a row, a question, or a whole conversation."""

    id: str
    part: str
    task: str
    """Task of the row, or category of the benchmark."""
    cluster: str
    """Items of one cluster (rows of one dialogue) are not independent evidence; intervals resample clusters."""
    prompt: Conversation
    """The first request; later ones come from `next_prompt` of the benchmark."""
    reference: Any
    """The right answer, in the form that `judge` of the benchmark takes."""
    gold: Any
    """The right answer as JSON, for predictions.jsonl."""
    formats: tuple[Format, ...] = ()
    """Call formats that the prompt allows."""
    functions: tuple[str, ...] = ()
    """Names of the functions that the prompt shows."""

    @cached_property
    def prompt_hash(self) -> str:
        text = json.dumps([self.prompt.messages, self.prompt.tools], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class ItemList(NamedTuple):
    """The items of an evaluation."""

    items: list[Item]
    data: dict[str, Any]
    """What they were made from, for results.json."""
    not_asked: int = 0
    """Rows that ask for no decision, and are not among the items."""


class Output(NamedTuple):
    """The answer of a model to one request."""

    text: str
    truncated: bool = False
    """Whether max_tokens was reached before the answer ended."""
    failure: str | None = None
    """Why there is no answer: "REASON: details"."""


NextPrompt = Callable[[Item, Sequence[Output]], Conversation | None]


class Judgement(NamedTuple):
    """The verdict on the answer (or answers) to an item."""

    verdict: Verdict
    scores: Scores
    parsed: Any = None
    """The answer as it was read, as JSON."""
    thought: str | None = None
    reason: str | None = None
    """What is wrong, in a few words."""


class JudgedItem(NamedTuple):
    item: Item
    outputs: Sequence[Output]
    judgement: Judgement


def judge_missing(output: Output, scores: Scores) -> Judgement | None:
    """The judgement on an answer that is missing or truncated, with these `scores`; None for a complete answer."""
    if output.failure is not None:
        return Judgement("no answer", scores, reason=output.failure)
    if output.truncated:
        return Judgement("truncated", scores, reason="max_tokens was reached before the answer ended")
    return None


def judge_unreadable(reading: Reading, scores: Scores) -> Judgement | None:
    """The judgement on an answer that cannot be read, or is in another format; None for one that can be read."""
    if reading.fault is None:
        return None
    verdict: Verdict = "other format" if reading.fault.startswith(OTHER_FORMAT) else "unparsable"
    return Judgement(verdict, scores, None, reading.thought, reading.fault)


def dump_calls(calls: Iterable[Call]) -> list[Mapping[str, Any]]:
    """Calls as JSON values."""
    return [{"name": call.name, "arguments": call.arguments} for call in calls]
