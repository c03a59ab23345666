"""A model rewrites a seed dialogue as a ReAct dialogue, observations included, as in table 6 of the CoALM paper.

Its answer is parsed strictly into a Dialogue. That has no annotation, so it is checked only against its own text, calls
and results.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coalm_it.calls import CallSyntaxError, find_tool, parse_calls
from coalm_it.checks import run_checks
from coalm_it.llm.json_answers import read_object
from coalm_it.llm.multistep import MultistepRequest
from coalm_it.llm.request import Answer, Failure, Outcome, Request
from coalm_it.recipe import Reasoning
from coalm_it.schema import Call, Dialogue, Place, Step, Tool, Turn
from coalm_it.thoughts.framed import FramedDialogue, ThoughtResult, make_place_samples
from coalm_it.thoughts.prompts import Messages, describe_tools, format_clock, make_message, render_prompt
from coalm_it.thoughts.repair import describe_failure, request_with_repairs
from coalm_it.thoughts.transcript import format_utterances, list_places

MAX_REASONS = 12
"""Maximum number of reasons in a repair request."""


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


def _object_schema(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_STEP = _object_schema(thought=_TEXT, call=_TEXT, result=_TEXT)
_TURN = _object_schema(user=_TEXT, steps={"type": "array", "items": _STEP}, thought=_TEXT, answer=_TEXT)
SCHEMA = _object_schema(turns={"type": "array", "items": _TURN})


class InvalidDialogueError(ValueError):
    """The answer is not a valid dialogue; one sentence for the model that wrote it."""


Rewritten = tuple[Dialogue, dict[Place, ThoughtResult]]
"""The rewritten dialogue and the result for each of its places; the seed dialogue if the answer was not valid."""


def plan_rewriting(framed: FramedDialogue, reasoning: Reasoning) -> MultistepRequest[Rewritten]:
    """A multistep request for the whole dialogue; a dialogue with findings is requested again, with the reasons."""
    seed = framed.dialogue
    clock, functions = format_clock(seed.clock), describe_tools(seed.tools)
    user = render_prompt("rewrite", "user", clock, seed.system, functions, format_utterances(seed))
    messages = (make_message("system", render_prompt("rewrite", "system")), make_message("user", user))
    rewriting = _Rewriting(framed)
    yield from request_with_repairs(messages, reasoning.repairs, rewriting.make_request, rewriting.review)
    return rewriting.result


class _Rewriting:
    """The last rewritten version of a dialogue."""

    def __init__(self, framed: FramedDialogue) -> None:
        self.framed = framed
        self.result: Rewritten = (framed.dialogue, {})

    def make_request(self, messages: Messages, sample: int) -> Request:
        return Request(messages, SCHEMA, sample, self.framed.name)

    def review(self, outcome: Outcome, attempt: int) -> str:
        """Records the dialogue of an outcome; what to tell the model about it, if it is rejected."""
        if isinstance(outcome, Failure):
            failed = ThoughtResult(None, outcome.key, attempt, reasons=(describe_failure(outcome),))
            self.result = _reject_all(self.framed.dialogue, failed)
            return ""
        self.result, reasons = _read_rewritten(outcome, attempt, self.framed)
        return render_prompt("rewrite", "again", reasons[:MAX_REASONS]) if reasons else ""


def _read_rewritten(answer: Answer, attempt: int, framed: FramedDialogue) -> tuple[Rewritten, list[str]]:
    """The dialogue of an answer, and why it is rejected, if it is."""
    parsed = read_object(answer.text)
    try:
        if parsed is None:
            raise InvalidDialogueError(render_prompt("annotate", "unread"))
        dialogue = parse_dialogue(parsed.value, framed.dialogue)
    except InvalidDialogueError as error:
        mended = parsed is not None and parsed.mended
        invalid = ThoughtResult(None, answer.key, attempt, mended, (str(error),))
        return _reject_all(framed.dialogue, invalid), [str(error)]
    results, reasons = {}, []
    for place, sample in make_place_samples(dialogue, framed.tools).items():
        found = tuple(finding.message for finding in run_checks(sample, framed.checks))
        reasons += [f"turn {place.turn + 1}: {message}" for message in found]
        results[place] = ThoughtResult(None if found else sample.thought, answer.key, attempt, parsed.mended, found)
    return (dialogue, results), list(dict.fromkeys(reasons))


def _reject_all(seed: Dialogue, result: ThoughtResult) -> Rewritten:
    return seed, dict.fromkeys(list_places(seed), result)


def parse_dialogue(value: dict[str, Any], seed: Dialogue) -> Dialogue:
    """The dialogue that a model wrote, with id, source and functions of the seed. Raises InvalidDialogueError."""
    try:
        raw = _RawDialogue.model_validate(value)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InvalidDialogueError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    turns = tuple(_parse_turn(index, turn, seed.tools) for index, turn in enumerate(raw.turns))
    return seed.model_copy(update={"turns": turns})


def _parse_turn(index: int, raw: _RawTurn, tools: Sequence[Tool]) -> Turn:
    steps: list[Step] = []
    for step in raw.steps:
        calls = _parse_calls(index, len(steps), step.call, tools)
        result = _parse_result(index, step.result)
        steps.append(Step(thought=_collapse_spaces(step.thought), calls=calls, observations=(result,)))
    return Turn(
        user=_collapse_spaces(raw.user),
        steps=tuple(steps),
        thought=_collapse_spaces(raw.thought),
        reply=_collapse_spaces(raw.answer),
    )


def _parse_calls(turn: int, step: int, text: str, tools: Sequence[Tool]) -> tuple[Call, ...]:
    try:
        calls = parse_calls(text.strip(), "python", tools)
    except CallSyntaxError as error:
        raise InvalidDialogueError(f"turn {turn + 1}: {text!r} is no call: {error}") from None
    if len(calls) != 1:
        raise InvalidDialogueError(f"turn {turn + 1}: a step has one call, and {text!r} has {len(calls)}")
    tool = find_tool(calls[0], tools)
    if tool is None:
        raise InvalidDialogueError(f"turn {turn + 1}: there is no function {calls[0].name!r} in the list")
    return (calls[0].model_copy(update={"id": f"call_{turn}_{step}", "service": tool.service}),)


def _parse_result(turn: int, result: Any) -> Any:
    if not isinstance(result, str):
        return result
    try:
        return json.loads(result)
    except (ValueError, RecursionError):
        raise InvalidDialogueError(f"turn {turn + 1}: the result {result[:60]!r} is not JSON") from None


def _collapse_spaces(text: str) -> str:
    return " ".join(text.split())
