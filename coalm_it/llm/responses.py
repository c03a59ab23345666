"""Reads the responses of an endpoint: completions, errors, and the outcome of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from coalm_it.llm.request import Answer, Failure, Outcome, Reason


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion as received. Token counts are None if the server reports none."""

    text: str
    finish_reason: str
    refusal: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error response of a server."""

    status: int
    message: str
    kinds: frozenset[str] = frozenset()
    """Its `code` and its `type`."""
    param: str = ""
    wait: float | None = None
    """Seconds to wait, by its Retry-After."""


@dataclass(frozen=True, slots=True)
class TransientError:
    """An attempt that failed in a way that another attempt may not."""

    detail: str
    refused: bool = False
    """Whether the server refused the request because it is overloaded (429, 529, 503)."""
    timed_out: bool = False
    wait: float | None = None
    """Seconds to wait, by the server's Retry-After."""
    charged: bool = True
    """Whether tokens may have been charged."""
    reached: bool = True
    """Whether the server could be connected to."""
    adapted: bool = False
    """Whether requests are written differently from now on, so that this one can be sent again at once."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An endpoint's final refusal to answer this request, with its reason."""

    detail: str
    filtered: bool = False
    oversized: bool = False
    charged: bool = False


AttemptResult = Completion | Rejection | TransientError


def read_completion(body: Any, seconds: float) -> Completion:
    """The first choice. Its calls are appended to the text, in the tags of Qwen's and Hermes's templates.

    Raises ValueError, LookupError, TypeError, AttributeError if `body` is no chat completion.
    """
    choice = body["choices"][0]
    message, usage = choice["message"], body.get("usage") or {}
    calls = [_write_call(call["function"]) for call in message.get("tool_calls") or ()]
    text = "\n".join([message.get("content") or "", *calls])
    prompt, answer = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Completion(
        # JSON can hold a lone surrogate; SQLite and UTF-8 cannot.
        text=text.encode("utf-8", "replace").decode(),
        finish_reason=str(choice.get("finish_reason") or "stop"),
        refusal=bool(message.get("refusal")),
        prompt_tokens=prompt if isinstance(prompt, int) else None,
        completion_tokens=answer if isinstance(answer, int) else None,
        seconds=round(seconds, 3),
    )


def _write_call(function: Mapping[str, Any]) -> str:
    """The arguments stay as received, valid JSON or not."""
    arguments = function["arguments"] or "{}"
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return f'<tool_call>{{"name": {json.dumps(function["name"])}, "arguments": {arguments}}}</tool_call>'


def read_error(status: int, body: Any, wait: float | None = None) -> ServerError:
    """An error body in OpenAI's form or in that of other servers."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return ServerError(status, str(error or ""), wait=wait)
    message = error.get("message") or error.get("detail") or error
    kinds = frozenset(str(error.get(name)) for name in ("code", "type"))
    return ServerError(status, str(message), kinds, str(error.get("param") or ""), wait)


def make_outcome(key: str, result: AttemptResult, model: str) -> Outcome:
    """The outcome of a request, to be stored, from the result of its last attempt."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    reason: Reason = "failed"
    if isinstance(result, Completion):
        prompt, answer, seconds = result.prompt_tokens, result.completion_tokens, result.seconds
        failure = classify_failure(result)
        if failure is None:
            return Answer(key, result.text, model, result.finish_reason, prompt, answer, seconds, at)
        return Failure(key, *failure, result.text, model, prompt, answer, seconds, at)
    if isinstance(result, Rejection):
        reason = "content_filter" if result.filtered else "oversized" if result.oversized else "rejected"
    return Failure(key, reason, result.detail, "", model, None, None, 0.0, at)


def classify_failure(completion: Completion) -> tuple[Reason, str] | None:
    """Why a completion is no usable answer: reason and detail; None if it is one."""
    if completion.finish_reason == "length":
        return "length", "cut off at max_tokens"
    if completion.finish_reason == "content_filter" or completion.refusal:
        return "content_filter", "filtered or refused"
    if not completion.text.strip():
        return "empty", f"nothing in it (finish_reason {completion.finish_reason!r})"
    return None
