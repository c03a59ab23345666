"""Which model is asked, how, how fast, and for how much: the settings that recipes and evaluations share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

OWN_PARAMETERS = frozenset(
    "model messages temperature max_tokens max_completion_tokens seed response_format stream stream_options n".split()
)


class Price(BaseModel):
    """Dollars a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, description="Dollars a million tokens of prompt.")
    output: float = Field(ge=0, description="Dollars a million tokens of answer.")

    def cost(self, prompt: int, answer: int) -> float:
        """Dollars for so many tokens."""
        return (prompt * self.input + answer * self.output) / 1_000_000


class Settings(BaseModel):
    """Which model is asked, how, and how fast.

    What only says where it is and how fast and dear a run may be changes no row: it is left out of manifests.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, description="The model's name, as the endpoint knows it.")
    base_url: str = Field(
        "https://api.openai.com/v1",
        pattern=r"^https?://[^/@]+(/[^@]*)?$",
        exclude=True,
        description="Any OpenAI-compatible endpoint; no password in it.",
    )
    temperature: float | None = Field(None, ge=0, description="Without it, the server's own.")
    max_tokens: int = Field(1024, gt=0, description="Most tokens of one answer; what is longer is no answer.")
    seed: int | None = Field(None, description="Sent with each request, plus the number of the sample.")
    extra: dict[str, Any] = Field({}, description="Further parameters of the request, as the server names them.")
    max_in_flight: int = Field(
        64, gt=0, le=4096, exclude=True, description="Most requests at a time; fewer where it refuses some."
    )
    requests_a_minute: float | None = Field(None, gt=0, exclude=True, description="Send no more than this.")
    tokens_a_minute: float | None = Field(
        None, gt=0, exclude=True, description="Use no more than this, prompts and answers."
    )
    timeout: float = Field(300, gt=0, exclude=True, description="Seconds after which an answer is given up.")
    max_usd: float | None = Field(None, gt=0, exclude=True, description="What one run may cost at most, in dollars.")
    max_tokens_total: int | None = Field(
        None, gt=0, exclude=True, description="What one run may use at most, prompts and answers."
    )
    price: Price | None = Field(
        None, exclude=True, description="What tokens cost; without it, the list of genai-prices."
    )

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
