"""What a model is asked and what comes of it: settings, requests and their keys, answers and failures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

API = "chat/completions"
"""The class of endpoints that is spoken to. Part of every key: the same words to another API are another request."""

OWN_PARAMETERS = frozenset(
    "model messages temperature max_tokens max_completion_tokens seed response_format stream stream_options n".split()
)

Reason = Literal["length", "content_filter", "empty", "oversized", "rejected", "failed"]
"""Why there is no answer: cut off at max_tokens; filtered or refused; nothing in it; larger than any answer may be;
turned down by the endpoint (it says why); or none came, however often it was tried."""

ASKED_AGAIN = frozenset[Reason](["rejected", "failed"])
"""A later run asks these again: they cost nothing, and another day or another server may answer."""


class Price(BaseModel):
    """Dollars a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, description="Dollars a million tokens of prompt.")
    output: float = Field(ge=0, description="Dollars a million tokens of answer.")

    def cost(self, prompt: int, answer: int) -> float:
        """Dollars for so many tokens."""
        return (prompt * self.input + answer * self.output) / 1_000_000


class Settings(BaseModel):
    """Which model is asked, how, and how fast."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, description="The model's name, as the endpoint knows it.")
    base_url: str = Field(
        "https://api.openai.com/v1",
        pattern=r"^https?://[^/@]+(/[^@]*)?$",
        description="Any OpenAI-compatible endpoint; no password in it.",
    )
    temperature: float | None = Field(None, ge=0, description="Without it, the server's own.")
    max_tokens: int = Field(1024, gt=0, description="Most tokens of one answer; what is longer is no answer.")
    seed: int | None = Field(None, description="Sent with each request, plus the number of the sample.")
    extra: dict[str, Any] = Field({}, description="Further parameters of the request, as the server names them.")
    max_in_flight: int = Field(64, gt=0, le=4096, description="Most requests at a time; fewer where it refuses some.")
    requests_a_minute: float | None = Field(None, gt=0, description="Send no more than this.")
    tokens_a_minute: float | None = Field(None, gt=0, description="Use no more than this, prompts and answers.")
    timeout: float = Field(300, gt=0, description="Seconds after which an answer is given up.")
    max_usd: float | None = Field(None, gt=0, description="What one run may cost at most, in dollars.")
    max_tokens_total: int | None = Field(None, gt=0, description="What one run may use at most, prompts and answers.")
    price: Price | None = Field(None, description="What tokens cost; without it, the list of genai-prices.")

    @field_validator("extra")
    @classmethod
    def _leave_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(OWN_PARAMETERS & extra.keys())
        if taken:
            raise ValueError(f"{', '.join(taken)}: not for extra; what may be set of these has a key of its own")
        return extra

    @property
    def parameters(self) -> dict[str, Any]:
        """What of a request's body changes its answer, beside model and messages."""
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed}
        return {**{name: value for name, value in own.items() if value is not None}, **self.extra}


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
    }
    return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Dialect:
    """What the server at hand turned out to understand; the key of a request does not depend on it."""

    schemas: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


def build_body(request: Request, settings: Settings, dialect: Dialect) -> dict[str, Any]:
    """The request as the endpoint wants it."""
    parameters = settings.parameters
    parameters[dialect.limit] = parameters.pop("max_tokens")
    if settings.seed is not None:
        parameters["seed"] = settings.seed + request.sample
    if request.schema is not None and dialect.schemas:
        schema = {"name": "answer", "schema": request.schema, "strict": True}
        parameters["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {"model": settings.model, "messages": request.messages, **parameters}


def bound_prompt(request: Request) -> int:
    """At least as many tokens as the prompt has: no tokenizer makes more of a text than it has bytes.

    What a chat template or a default system text adds is allowed for, generously.
    """
    size = len(json.dumps(request.messages, ensure_ascii=False).encode("utf-8", "replace"))
    if request.schema is not None:
        size += len(json.dumps(request.schema))
    return size + 20 * len(request.messages) + 200
