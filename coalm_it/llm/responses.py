"""What comes back from an endpoint, read: completions, errors, and what either means for a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from coalm_it.llm.request import Answer, Failure, Outcome, Reason


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. Token counts are None where the server gives none."""

    text: str
    finish_reason: str
    refusal: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ServerError:
    """What a server says when it does not answer."""

    status: int
    message: str
    kinds: frozenset[str] = frozenset()
    """Its code and its type."""
    param: str = ""
    wait: float | None = None
    """Seconds that it asks to wait."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Another attempt may mend it."""

    detail: str
    refused: bool = False
    """The server has too much to do, and says so at once."""
    timed_out: bool = False
    wait: float | None = None
    """Seconds that the server asks to wait."""
    charged: bool = True
    """Whether tokens may have been charged for."""
    reached: bool = True
    """Whether there was a server at all."""
    changed: bool = False
    """The request is put in another way now, and can go out again at once."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The endpoint will not answer this request, and says why."""

    detail: str
    filtered: bool = False
    oversized: bool = False
    charged: bool = False


Result = Completion | Rejection | Trouble


def read_completion(body: Any, seconds: float) -> Completion:
    """The first choice. Calls stand at the end of its text, tagged as Qwen's and Hermes's templates have them.

    Raises ValueError, LookupError, TypeError, AttributeError where it has another form.
    """
    choice = body["choices"][0]
    message, usage = choice["message"], body.get("usage") or {}
    calls = [_write_call(call["function"]) for call in message.get("tool_calls") or ()]
    text = "\n".join([message.get("content") or "", *calls])
    prompt, answer = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Completion(
        # Half of a character that takes two, as JSON can hold it, cannot be stored.
        text=text.encode("utf-8", "replace").decode(),
        finish_reason=str(choice.get("finish_reason") or "stop"),
        refusal=bool(message.get("refusal")),
        prompt_tokens=prompt if isinstance(prompt, int) else None,
        completion_tokens=answer if isinstance(answer, int) else None,
        seconds=round(seconds, 3),
    )


def _write_call(function: Mapping[str, Any]) -> str:
    """With the arguments as they came, JSON or not."""
    arguments = function["arguments"] or "{}"
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return f'<tool_call>{{"name": {json.dumps(function["name"])}, "arguments": {arguments}}}</tool_call>'


def read_error(status: int, body: Any, wait: float | None = None) -> ServerError:
    """An error as OpenAI writes it, or as others do."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return ServerError(status, str(error or ""), wait=wait)
    said = error.get("message") or error.get("detail") or error
    kinds = frozenset(str(error.get(name)) for name in ("code", "type"))
    return ServerError(status, str(said), kinds, str(error.get("param") or ""), wait)


def make_outcome(key: str, result: Result, model: str) -> Outcome:
    """What is stored of how the last attempt at a request went."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    reason: Reason = "failed"
    if isinstance(result, Completion):
        prompt, answer, seconds = result.prompt_tokens, result.completion_tokens, result.seconds
        fault = find_fault(result)
        if fault is None:
            return Answer(key, result.text, model, result.finish_reason, prompt, answer, seconds, at)
        return Failure(key, *fault, result.text, model, prompt, answer, seconds, at)
    if isinstance(result, Rejection):
        reason = "content_filter" if result.filtered else "oversized" if result.oversized else "rejected"
    return Failure(key, reason, result.detail, "", model, None, None, 0.0, at)


def find_fault(completion: Completion) -> tuple[Reason, str] | None:
    """Why what came is no answer."""
    if completion.finish_reason == "length":
        return "length", "cut off at max_tokens"
    if completion.finish_reason == "content_filter" or completion.refusal:
        return "content_filter", "filtered or refused"
    if not completion.text.strip():
        return "empty", f"nothing in it (finish_reason {completion.finish_reason!r})"
    return None
