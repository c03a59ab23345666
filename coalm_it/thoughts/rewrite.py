"""A model writes the whole ReAct dialogue anew from a seed dialogue, observations included, as table 6 of the CoALM
paper has it. What comes back is read strictly into a Dialogue, which then has no annotation: only its text, its calls
and its results can vouch for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coalm_it.calls import CallSyntaxError, find_tool, parse_calls
from coalm_it.checks import run_checks
from coalm_it.llm.json_answers import read_object
from coalm_it.llm.multistep import Inquiry
from coalm_it.llm.request import Answer, Failure, Request
from coalm_it.recipe import Reasoning
from coalm_it.schema import Call, Dialogue, Place, Step, Tool, Turn
from coalm_it.thoughts.annotate import FINAL, LONGEST_QUOTE
from coalm_it.thoughts.framed import FramedDialogue, ThoughtResult, sample_places
from coalm_it.thoughts.prompts import Message, describe_tools, format_clock, render, say
from coalm_it.thoughts.transcript import list_places, write_speech

MOST_REASONS = 12
"""Faults that the model is told of at once."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _RawStep(_Part):
    thought: str = Field(min_length=1)
    call: str = Field(min_length=1)
    result: str | dict[str, Any] | list[Any]


class _RawTurn(_Part):
    user: str = Field(min_length=1)
    steps: list[_RawStep]
    thought: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class _RawDialogue(_Part):
    turns: list[_RawTurn] = Field(min_length=1)


def _object(**properties: Any) -> dict[str, Any]:
    kept = {"type": "object", "properties": properties, "required": list(properties)}
    return {**kept, "additionalProperties": False}


_TEXT = {"type": "string"}
_STEP = _object(thought=_TEXT, call=_TEXT, result=_TEXT)
_TURN = _object(user=_TEXT, steps={"type": "array", "items": _STEP}, thought=_TEXT, answer=_TEXT)
SCHEMA = _object(turns={"type": "array", "items": _TURN})


class UnreadError(ValueError):
    """What came back is no dialogue; one sentence for the model that wrote it."""


Rewritten = tuple[Dialogue, dict[Place, ThoughtResult]]
"""The model's dialogue and what became of each of its places; the seed where nothing could be read."""


def plan_rewriting(asked: FramedDialogue, reasoning: Reasoning) -> Inquiry[Rewritten]:
    """Asks for the whole dialogue, and anew with the reasons while a check turns something of it away."""
    seed = asked.dialogue
    user = render("rewrite", "user", format_clock(seed.clock), describe_tools(seed.tools), write_speech(seed))
    first = (say("system", render("rewrite", "system")), say("user", user))
    messages: tuple[Message, ...] = first
    sample = 0
    for attempt in range(1, reasoning.repairs + 2):
        outcome = yield Request(messages, SCHEMA, sample, asked.where)
        if isinstance(outcome, Failure):
            reasons = [f"{outcome.reason}: {outcome.detail}"]
            rewritten = _fail(seed, ThoughtResult(None, outcome.key, attempt, reasons=tuple(reasons)))
            sample += 1
            if outcome.reason in FINAL:
                break
            continue
        rewritten, reasons = _read_rewritten(outcome, attempt, asked)
        if not reasons:
            break
        again = render("rewrite", "again", reasons[:MOST_REASONS])
        messages = (*first, say("assistant", outcome.text[:LONGEST_QUOTE]), say("user", again))
    return rewritten


def _read_rewritten(answer: Answer, attempt: int, asked: FramedDialogue) -> tuple[Rewritten, list[str]]:
    """The dialogue of an answer, checked; and what is wrong with it."""
    read = read_object(answer.text)
    try:
        if read is None:
            raise UnreadError(render("annotate", "unread"))
        dialogue = parse_dialogue(read.value, asked.dialogue)
    except UnreadError as error:
        failed = ThoughtResult(None, answer.key, attempt, read is not None and read.mended, (str(error),))
        return _fail(asked.dialogue, failed), [str(error)]
    written, reasons = {}, []
    for place, sample in sample_places(dialogue, asked.tools).items():
        found = tuple(finding.message for finding in run_checks(sample, asked.checks))
        reasons += [f"turn {place.turn + 1}: {message}" for message in found]
        written[place] = ThoughtResult(None if found else sample.thought, answer.key, attempt, read.mended, found)
    return (dialogue, written), list(dict.fromkeys(reasons))


def _fail(seed: Dialogue, written: ThoughtResult) -> Rewritten:
    return seed, dict.fromkeys(list_places(seed), written)


def parse_dialogue(value: dict[str, Any], seed: Dialogue) -> Dialogue:
    """What a model wrote as a Dialogue of the seed's name and functions. Raises UnreadError."""
    try:
        raw = _RawDialogue.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        raise UnreadError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    turns = tuple(_parse_turn(number, turn, seed.tools) for number, turn in enumerate(raw.turns))
    return seed.model_copy(update={"turns": turns})


def _parse_turn(number: int, raw: _RawTurn, tools: Sequence[Tool]) -> Turn:
    steps: list[Step] = []
    for step in raw.steps:
        calls = _parse_calls(number, len(steps), step.call, tools)
        result = _parse_result(number, step.result)
        steps.append(Step(thought=_join(step.thought), calls=calls, observations=(result,)))
    return Turn(user=_join(raw.user), steps=tuple(steps), thought=_join(raw.thought), reply=_join(raw.answer))


def _parse_calls(number: int, place: int, text: str, tools: Sequence[Tool]) -> tuple[Call, ...]:
    try:
        calls = parse_calls(text.strip(), "python", tools)
    except CallSyntaxError as error:
        raise UnreadError(f"turn {number + 1}: {text!r} is no call: {error}") from None
    if len(calls) != 1:
        raise UnreadError(f"turn {number + 1}: a step has one call, and {text!r} has {len(calls)}")
    tool = find_tool(calls[0], tools)
    if tool is None:
        raise UnreadError(f"turn {number + 1}: there is no function {calls[0].name!r} in the list")
    return (calls[0].model_copy(update={"id": f"call_{number}_{place}", "service": tool.service}),)


def _parse_result(number: int, result: Any) -> Any:
    if not isinstance(result, str):
        return result
    try:
        return json.loads(result)
    except (ValueError, RecursionError):
        raise UnreadError(f"turn {number + 1}: the result {result[:60]!r} is not JSON") from None


def _join(text: str) -> str:
    return " ".join(text.split())
