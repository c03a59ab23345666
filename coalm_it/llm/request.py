"""What a model is asked and what comes of it: settings, requests and their keys, answers and failures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from coalm_it.model_settings import Settings

API = "chat/completions"
"""The class of endpoints that is spoken to. Part of every key: the same words to another API are another request."""

Reason = Literal["length", "content_filter", "empty", "oversized", "rejected", "failed"]
"""Why there is no answer: cut off at max_tokens; filtered or refused; nothing in it; larger than any answer may be;
turned down by the endpoint (it says why); or none came, however often it was tried."""

ASKED_AGAIN = frozenset[Reason](["rejected", "failed"])
"""A later run asks these again: they cost nothing, and another day or another server may answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask. Neither `where` nor `context` is part of its key."""

    messages: tuple[dict[str, Any], ...]
    schema: dict[str, Any] | None = None
    """A JSON schema, for the servers that can keep to one."""
    sample: int = 0
    """Another number asks the same thing another time."""
    where: str = ""
    """Dialogue and turn, for the person who reads an error."""
    context: Any = None
    """Whatever the asker wants to have beside the outcome."""
    tools: tuple[dict[str, Any], ...] = ()
    """Functions that the model may call; its calls become part of the answer's text (see replies.py)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said. Token counts are the server's; None where it gives none."""

    key: str
    text: str
    model: str
    """As the recipe names it."""
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    at: str
    """When it was stored: UTC, to the second."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without an answer, and why. `text` is what came all the same, for a person to look at."""

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
    """The hash of all that the answer depends on; neither the endpoint's address nor the API key is in it."""
    asked = {
        "api": API,
        "model": settings.model,
        "messages": request.messages,
        "parameters": settings.parameters,
        "schema": request.schema,
        "sample": request.sample,
        **({"tools": request.tools} if request.tools else {}),
    }
    return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Dialect:
    """What the server at hand turned out to understand; the key of a request does not depend on it."""

    schemas: Literal["json_schema", "json_object"] | None = "json_schema"
    """How it is told a schema: as OpenAI has it, or beside `json_object`, as llama-cpp-python wants it; None: not."""
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


def build_body(request: Request, settings: Settings, dialect: Dialect) -> dict[str, Any]:
    """The request as the endpoint wants it."""
    parameters = settings.parameters
    parameters[dialect.limit] = parameters.pop("max_tokens")
    if settings.seed is not None:
        parameters["seed"] = settings.seed + request.sample
    if request.schema is not None and dialect.schemas == "json_schema":
        schema = {"name": "answer", "schema": request.schema, "strict": True}
        parameters["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.schema is not None and dialect.schemas == "json_object":
        parameters["response_format"] = {"type": "json_object", "schema": request.schema}
    if request.tools:
        parameters["tools"] = request.tools
    return {"model": settings.model, "messages": request.messages, **parameters}


def bound_prompt(request: Request) -> int:
    """At least as many tokens as the prompt has: no tokenizer makes more of a text than it has bytes.

    What a chat template or a default system text adds is allowed for, generously.
    """
    size = sum(len(str(message.get("content")).encode("utf-8", "replace")) for message in request.messages)
    for added in (request.schema, request.tools, [message.get("tool_calls") for message in request.messages]):
        size += len(json.dumps(added)) if added else 0
    return size + 20 * len(request.messages) + 200
