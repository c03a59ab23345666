"""What is asked of a model and what becomes of the answer: the same for a build's rows and for benchmarks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from coalm_it.calls.markup import OTHER_FORMAT, Format, Reading
from coalm_it.evaluation.metrics import Scores
from coalm_it.rendering.chat import Conversation
from coalm_it.schema import Call

Outcome = Literal["right", "wrong", "no call", "needless call", "other format", "unparsable", "cut off", "lost"]
"""`wrong`: what is due, but not as it should be; `no call` where one is due, `needless call` where none is; `cut off`
at the most tokens of an answer; `lost`: no answer came. All but the first are wrong answers."""


@dataclass(frozen=True)
class Item:
    """One prompt, and what is right."""

    id: str
    part: str
    task: str
    """Of a row; of a benchmark, its category."""
    cluster: str
    """What it belongs to: rows of one dialogue are no independent evidence."""
    prompt: Conversation
    """What comes before the answer."""
    due: Any
    """What is right, as `judge` of its benchmark takes it."""
    formats: tuple[Format, ...] = ()
    """The call formats that the prompt allows."""
    functions: tuple[str, ...] = ()
    """Names of the functions that it shows."""

    @cached_property
    def prompt_hash(self) -> str:
        text = json.dumps([self.prompt.messages, self.prompt.tools], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Output(NamedTuple):
    """What a model wrote."""

    text: str
    cut: bool = False
    """Whether it was still writing when it was stopped."""
    lost: str | None = None
    """Why nothing came."""


class Judged(NamedTuple):
    outcome: Outcome
    scores: Scores
    parsed: Any = None
    """What was read of it, as JSON can hold it."""
    thought: str | None = None
    fault: str | None = None
    """What is wrong, in a few words."""


Judge = Callable[[Item, Output], Judged]


def explain_silence(output: Output, scores: Scores) -> Judged | None:
    """The verdict on an output that is no answer; `scores` are those of a wrong one. None where there is an answer."""
    if output.lost is not None:
        return Judged("lost", scores, fault=output.lost)
    if output.cut:
        return Judged("cut off", scores, fault="still writing at the most tokens of an answer")
    return None


def explain_unread(reading: Reading, scores: Scores) -> Judged | None:
    """The verdict on an answer that cannot be read, or not in its format; None where it can."""
    if reading.fault is None:
        return None
    outcome: Outcome = "other format" if reading.fault.startswith(OTHER_FORMAT) else "unparsable"
    return Judged(outcome, scores, None, reading.thought, reading.fault)


def write_calls(calls: Iterable[Call]) -> list[Mapping[str, Any]]:
    """Calls as JSON can hold them."""
    return [{"name": call.name, "arguments": call.arguments} for call in calls]
