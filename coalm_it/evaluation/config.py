"""The YAML of an evaluation as a type: the keys that all benchmarks share. A benchmark adds its own in a subclass."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from coalm_it.configs import ConfigError
from coalm_it.configs.validation import describe_errors
from coalm_it.model_settings import Settings
from coalm_it.rendering.chat import Form

_SET_ELSEWHERE = ("model", "base_url", "max_tokens")

_ENDPOINT_FIELDS: dict[str, Any] = {
    name: (field.annotation, field) for name, field in Settings.model_fields.items() if name not in _SET_ELSEWHERE
}
Endpoint = create_model("Endpoint", __config__=ConfigDict(frozen=True, extra="forbid"), **_ENDPOINT_FIELDS)
"""The settings of a model behind an endpoint (see model_settings) that neither the command nor another key sets."""


class Evaluation(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the evaluation.")
    version: int = Field(description="Changes when the results may change.")
    benchmark: str = Field(description="held_out: validation rows of a build; bfcl: single-turn questions of BFCL.")
    seed: int = Field(12, description="Seed of the selection of rows and of the resampling.")
    form: Form = Field("columns", description="columns: instruction and input as one message; messages: with tools.")
    thoughts: bool = Field(
        True, description="Form messages: whether prompts show earlier thoughts and the model should write its own."
    )
    rows: int | None = Field(None, gt=0, description="Maximum rows per part and task, or per category; null: all.")
    max_tokens: int = Field(512, gt=0, description="Maximum tokens per answer; a truncated answer counts as wrong.")
    batch_size: int = Field(8, gt=0, description="Prompts per batch, for a model that runs here.")
    resamples: int = Field(1000, gt=0, description="Bootstrap resamples for each confidence interval.")
    endpoint: Endpoint = Field(Endpoint(), description="Settings of requests to an endpoint.")

    def settings(self, model: str, base_url: str) -> Settings:
        """The settings of a model behind an endpoint. Raises ConfigError."""
        try:
            return Settings(model=model, base_url=base_url, max_tokens=self.max_tokens, **dict(self.endpoint))
        except ValidationError as error:
            raise ConfigError("; ".join(describe_errors(error, Settings))) from None
