"""Requests to a model and their keys, and their outcomes: answers and failures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from coalm_it.model_settings import Settings

API = "chat/completions"
"""The API that requests go to. Part of every key: the same messages to another API are another request."""

Reason = Literal["length", "content_filter", "empty", "oversized", "rejected", "failed"]
"""Why a request has no answer. length: truncated at max_tokens; content_filter: filtered or refused; empty: no text;
oversized: larger than any answer may be; rejected: by the endpoint, for a stated reason; failed: in every attempt."""

RETRIED_LATER = frozenset[Reason](["rejected", "failed"])
"""Failures whose requests a later run sends again: they cost nothing, and may succeed later or at another server."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a model. Neither `where` nor `context` is part of its key."""

    messages: tuple[dict[str, Any], ...]
    schema: dict[str, Any] | None = None
    """JSON schema of the answer, for servers with structured output."""
    sample: int = 0
    """Number of the sample: another number asks for another answer to the same messages."""
    where: str = ""
    """Dialogue and turns, for error messages."""
    context: Any = None
    """Any value that the caller needs to handle the outcome."""
    tools: tuple[dict[str, Any], ...] = ()
    """Functions that the model may call; its calls become part of the answer's text (see responses.read_completion)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a model. Token counts are the server's; None if it reports none."""

    key: str
    text: str
    model: str
    """Name of the model in the settings."""
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    at: str
    """Time of storing: UTC, to the second."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without an answer, and why. `text` is the unusable text that was received, for inspection."""

    key: str
    reason: Reason
    detail: str
    text: str
    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    at: str


Outcome = Answer | Failure


def request_key(request: Request, settings: Settings) -> str:
    """Hash of everything that the answer depends on; neither the endpoint's address nor the API key is part of it."""
    content = {
        "api": API,
        "model": settings.model,
        "messages": request.messages,
        "parameters": settings.parameters,
        "schema": request.schema,
        "sample": request.sample,
        **({"tools": request.tools} if request.tools else {}),
    }
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Dialect:
    """The variant of the API that a server supports, learnt from its errors; request keys do not depend on it."""

    schema_format: Literal["json_schema", "json_object"] | None = "json_schema"
    """How JSON schemas are sent: as OpenAI defines them, or in `json_object` (llama-cpp-python); None: not sent."""
    limit_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


def build_body(request: Request, settings: Settings, dialect: Dialect) -> dict[str, Any]:
    """The body of the HTTP request, in the variant of the API that the server supports."""
    parameters = settings.parameters
    parameters[dialect.limit_parameter] = parameters.pop("max_tokens")
    if settings.seed is not None:
        parameters["seed"] = settings.seed + request.sample
    if request.schema is not None and dialect.schema_format == "json_schema":
        schema = {"name": "answer", "schema": request.schema, "strict": True}
        parameters["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.schema is not None and dialect.schema_format == "json_object":
        parameters["response_format"] = {"type": "json_object", "schema": request.schema}
    if request.tools:
        parameters["tools"] = request.tools
    return {"model": settings.model, "messages": request.messages, **parameters}


def bound_prompt(request: Request) -> int:
    """Upper bound of the prompt's tokens: no tokenizer makes more tokens of a text than it has bytes.

    Includes a generous allowance for the chat template and a default system message.
    """
    size = sum(len(str(message.get("content")).encode("utf-8", "replace")) for message in request.messages)
    for added in (request.schema, request.tools, [message.get("tool_calls") for message in request.messages]):
        size += len(json.dumps(added)) if added else 0
    return size + 20 * len(request.messages) + 200
