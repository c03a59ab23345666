"""What to measure and how: an evaluation's YAML as types."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from coalm_it.evaluation.bfcl_data import CATEGORIES
from coalm_it.model_settings import Settings
from coalm_it.rendering.chat import Form

_FROM_ELSEWHERE = ("model", "base_url", "max_tokens")

_LEFT_OPEN: dict[str, Any] = {
    name: (field.annotation, field) for name, field in Settings.model_fields.items() if name not in _FROM_ELSEWHERE
}
Endpoint = create_model("Endpoint", __config__=ConfigDict(frozen=True, extra="forbid"), **_LEFT_OPEN)
"""How an endpoint is asked: of a model's settings (see model_settings) those that the evaluation leaves open."""


class Evaluation(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the evaluation.")
    version: int = Field(description="Changes when the numbers that it gives may change.")
    benchmark: Literal["held_out", "bfcl"] = Field(
        description="held_out: a build's validation rows; bfcl: the single-turn questions of BFCL."
    )
    seed: int = Field(12, description="Draws the rows and the intervals.")
    form: Form = Field("columns", description="columns: instruction and input as one message; messages: with tools.")
    thoughts: bool = Field(
        True, description="messages: whether earlier messages show theirs, and the model is to think."
    )
    rows: int | None = Field(None, gt=0, description="At most so many of each part and task, or category; null: all.")
    categories: tuple[str, ...] = Field((), description="bfcl: which categories; none named: all of single turns.")
    layout: Literal["hammer", "toolace", "varied"] = Field(
        "hammer", description="bfcl, columns: how they are laid out."
    )
    max_tokens: int = Field(512, gt=0, description="Most tokens of one answer; what is longer is cut off and wrong.")
    batch_size: int = Field(8, gt=0, description="Prompts at a time, for a model that runs here.")
    resamples: int = Field(1000, gt=0, description="Draws for an interval.")
    endpoint: Endpoint = Field(Endpoint(), description="How an endpoint is asked.")

    @model_validator(mode="after")
    def _know_categories(self) -> Evaluation:
        for name in self.categories:
            if name not in CATEGORIES:
                raise ValueError(f"no single-turn category {name!r} of BFCL; there are: {', '.join(CATEGORIES)}")
        if self.categories and self.benchmark != "bfcl":
            raise ValueError("categories are for the benchmark bfcl")
        return self

    def settings(self, model: str, base_url: str) -> Settings:
        """Those of a model behind an endpoint."""
        return Settings(model=model, base_url=base_url, max_tokens=self.max_tokens, **dict(self.endpoint))
