"""Settings of a model behind an endpoint, shared by recipes and evaluations: requests, rates, spending limits."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from coalm_it.configs.validation import SECRET

RESERVED_PARAMETERS = frozenset(
    "model messages temperature max_tokens max_completion_tokens seed response_format stream stream_options n".split()
)
"""Request parameters that coalm-it sets itself."""


class Price(BaseModel):
    """Price of tokens, US dollars per million."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, description="US dollars per million prompt tokens.")
    output: float = Field(ge=0, description="US dollars per million completion tokens.")

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Cost of a number of tokens, US dollars."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1_000_000


class Settings(BaseModel):
    """A model and its endpoint, the parameters of requests, and the limits of a run.

    Address, rates and spending limits change no row, so manifests leave them out (`exclude`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, description="Name of the model at the endpoint.")
    base_url: str = Field(
        "https://api.openai.com/v1",
        exclude=True,
        description="URL of an OpenAI-compatible endpoint, without credentials.",
    )
    temperature: float | None = Field(None, ge=0, description="Sampling temperature; null: the server's default.")
    max_tokens: int = Field(1024, gt=0, description="Maximum tokens per answer; a truncated answer counts as failed.")
    seed: int | None = Field(None, description="Sampling seed; the number of the sample is added to it.")
    extra_body: dict[str, Any] = Field({}, description="Further parameters of the request body, passed on as they are.")
    max_in_flight: int = Field(
        64,
        gt=0,
        le=4096,
        exclude=True,
        description="Maximum concurrent requests; fewer if the server refuses some.",
    )
    requests_per_minute: float | None = Field(None, gt=0, exclude=True, description="Rate limit, requests per minute.")
    tokens_per_minute: float | None = Field(
        None, gt=0, exclude=True, description="Rate limit, tokens per minute, prompts and answers together."
    )
    timeout: float = Field(300, gt=0, exclude=True, description="Request timeout, seconds.")
    max_usd: float | None = Field(None, gt=0, exclude=True, description="Maximum cost of one run, US dollars.")
    max_tokens_total: int | None = Field(
        None, gt=0, exclude=True, description="Maximum tokens of one run, prompts and answers together."
    )
    price: Price | None = Field(
        None, exclude=True, description="Price of the tokens; null: the price that genai-prices lists."
    )

    @field_validator("base_url")
    @classmethod
    def _refuse_credentials(cls, base_url: str) -> str:
        """The address is printed in errors; what a query string or a user name holds may be secret."""
        if not re.fullmatch(r"https?://[^/@?#]+(/[^@?#]*)?", base_url):
            raise PydanticCustomError(
                SECRET,
                "must be an address like https://HOST/v1, without user, query string (?...) or fragment (#...); "
                "the API key belongs in the environment variable OPENAI_API_KEY",
            )
        return base_url

    @field_validator("extra_body")
    @classmethod
    def _refuse_reserved(cls, extra_body: dict[str, Any]) -> dict[str, Any]:
        reserved = sorted(RESERVED_PARAMETERS & extra_body.keys())
        if reserved:
            raise ValueError(f"{', '.join(reserved)}: not allowed in extra_body; use the settings of that name")
        return extra_body

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the request body that an answer depends on, besides model and messages."""
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed}
        return {**{name: value for name, value in own.items() if value is not None}, **self.extra_body}
