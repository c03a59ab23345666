"""Recipes as types: which data set to build. Read from recipes/NAME.yaml or a user's file, changed by --set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from coalm_it.assets import list_assets
from coalm_it.configs import find_config_file, load_config
from coalm_it.model_settings import Settings
from coalm_it.schema import Task


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mask(_Section):
    """Function masking: other names for functions and parameters, as Hammer trains with (see samples/masking)."""

    style: Literal["plain", "hammer"] = Field(
        "plain", description="hammer: lengths and alphabet of names as published."
    )
    probability: float = Field(2 / 3, ge=0, le=1, description="Probability that a copy is masked.")


class Unanswerable(_Section):
    """Samples whose request no call can answer, made from answerable ones (see samples/unanswerable)."""

    no_function: float = Field(0, ge=0, le=1, description="Share of samples from which the called function is removed.")
    no_value: float = Field(0, ge=0, le=1, description="Share of samples whose request loses a required value.")

    @model_validator(mode="after")
    def _check_shares(self) -> Unanswerable:
        if self.no_function + self.no_value > 1:
            raise ValueError("no_function and no_value add up to more than 1")
        return self


class Filter(_Section):
    """Selects the dialogues of a part; the number of excluded dialogues is reported."""

    services: tuple[str, ...] = Field((), description="Only dialogues that use one of these services.")
    exclude_services: tuple[str, ...] = Field((), description="Exclude dialogues that use one of these services.")
    max_turns: int | None = Field(None, gt=0, description="Maximum number of user turns.")
    max_tools: int | None = Field(None, gt=0, description="Maximum number of the dialogue's own functions.")


class Part(_Section):
    """One component of the mixture: samples of some tasks from one split of one or several sources."""

    source: tuple[str, ...] = Field(
        min_length=1,
        description="Names in sources/, or paths of your own YAML files, relative to the recipe's file or, if none is "
        "there, to the current folder.",
    )
    split: Literal["train", "validation", "test"] = Field("train", description="Split of the corpus.")
    task: tuple[Task, ...] = Field(min_length=1, description="Tasks of the rows.")
    layout: Literal["hammer", "toolace", "varied"] = Field(
        "toolace",
        description="Layout of function_call rows; varied: random wording and call format, for all tasks.",
    )
    filter: Filter = Field(Filter(), description="Which dialogues to use.")
    copies: int = Field(1, ge=1, description="Copies of each sample among the candidates, each masked independently.")
    checks: dict[str, bool] = Field({}, description="Checks to turn off or on for this part only.")
    mask: Mask | None = Field(None, description="Function masking.")
    unanswerable: Unanswerable | None = Field(None, description="Shares of function_call samples made unanswerable.")
    rows: int | None = Field(None, gt=0, description="Number of rows; null: every available row.")
    share: float | None = Field(None, gt=0, le=1, description="Share of the recipe's rows, instead of a number.")
    fill: Literal["none", "repeat"] = Field("none", description="repeat: fill a shortage with second copies of rows.")

    @field_validator("source", "task", mode="before")
    @classmethod
    def _accept_single(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("source", "task")
    @classmethod
    def _refuse_duplicates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each may be named only once; use copies to repeat samples")
        return value


class Judge(Settings):
    """A second model that scores the coherence of each thought with its context, from 1 to 5."""

    min_score: int = Field(3, ge=1, le=5, description="Minimum score; thoughts with a lower one are rejected.")


class Reasoning(Settings):
    """How the thoughts of ReAct rows are written, and the settings of the model that writes them."""

    writer: Literal["grounded", "annotate", "rewrite"] = Field(
        "grounded",
        description="grounded: from the corpus's annotation. annotate: a model writes only the thoughts. "
        "rewrite: a model rewrites each dialogue, as in the paper.",
    )
    model: str = Field("", description="Name of the model at the endpoint.")
    turns_per_request: int = Field(8, ge=1, description="Turns of a dialogue whose thoughts one request asks for.")
    repairs: int = Field(2, ge=0, le=5, description="Maximum repair requests for rejected thoughts, with the reasons.")
    fallback: Literal["grounded", "reject"] = Field(
        "grounded", description="After the last repair: use the grounded thought, or reject the row."
    )
    judge: Judge | None = Field(None, description="A second model that scores accepted thoughts.")

    @field_validator("judge", mode="before")
    @classmethod
    def _default_judge_url(cls, value: Any, info: ValidationInfo) -> Any:
        """The judge's base_url is the writer's by default: texts go to no server that the recipe does not name."""
        if isinstance(value, dict) and "base_url" in info.data:
            return {"base_url": info.data["base_url"], **value}
        return value

    @model_validator(mode="after")
    def _require_model(self) -> Reasoning:
        if self.writer != "grounded" and not self.model:
            raise ValueError(f"writer {self.writer} needs a model: --set reasoning.model=NAME")
        return self


class Expect(_Section):
    """Expectations of the build; when one is not met, the exit code is 1."""

    rejects_at_most: float = Field(
        0.02, ge=0, le=1, description="Maximum share of rejects and faults in all candidates."
    )
    validation_at_least: int = Field(0, ge=0, description="Minimum number of validation rows.")


class Card(_Section):
    """What the data set card (README.md) says beside what coalm-it knows; text in Markdown."""

    title: str = Field("", description="Title of the data set; default: the name of the recipe.")
    summary: str = Field("", description="What the data set is, below the title.")
    authors: tuple[str, ...] = Field((), description="Who made the data set.")
    sections: dict[str, str] = Field({}, description="Further sections: heading and text, after `Composition`.")
    citation: str = Field("", description="How to cite the data set (BibTeX); the corpora are cited besides.")

    @field_validator("authors", mode="before")
    @classmethod
    def _accept_single(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Recipe(_Section):
    """A data set to build."""

    name: str = Field(description="Name of the recipe.")
    version: int = Field(1, description="Version of the recipe; changes whenever its rows may change.")
    seed: int = Field(12, description="Seed of every random choice: phrasing, distractors, draw, order.")
    order: Literal["shuffled", "corpus"] = Field("shuffled", description="Order of the rows in the data set.")
    parts: dict[str, Part] = Field(min_length=1, description="Components of the mixture by name; null removes one.")
    rows: int | None = Field(None, gt=0, description="Total number of rows, when parts have shares.")
    scale: float = Field(1, gt=0, le=1, description="Scale of the build: this share of each part.")
    allow_short: bool = Field(False, description="Build even if a part has too few rows.")
    validation: float = Field(
        0, ge=0, lt=1, description="Share held out for validation: of dialogues, or of functions for function calls."
    )
    observation_results: int = Field(2, ge=0, description="Maximum unused results shown in an observation.")
    distractors: int = Field(6, ge=0, description="Number of functions of other services among the tools shown.")
    limit: int | None = Field(None, gt=0, description="Use only the first N dialogues of each part.")
    reasoning: Reasoning = Field(Reasoning(), description="How thoughts are written.")
    checks: dict[str, bool] = Field({}, description="Checks to turn off, as name: false; all others run.")
    expect: Expect = Field(Expect(), description="Expectations of the build.")
    templates: str = Field(
        "",
        description="A folder with your own wordings, relative to the recipe's file: each of its files is used instead "
        "of the one of the same name in `templates/`, such as `rows/hammer.jinja` (see own_templates.md).",
    )
    card: Card = Field(Card(), description="What the data set card says besides.")

    def asks_model(self, part: Part) -> bool:
        """Whether a model writes this part's thoughts; only ReAct rows have thoughts."""
        return self.reasoning.writer != "grounded" and any(task.startswith("react") for task in part.task)

    @field_validator("parts", mode="before")
    @classmethod
    def _remove_null(cls, value: Any) -> Any:
        return {name: part for name, part in value.items() if part is not None} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _check_shares(self) -> Recipe:
        shares = [part.share for part in self.parts.values() if part.share is not None]
        if not shares:
            return self
        if len(shares) < len(self.parts) or any(part.rows is not None for part in self.parts.values()):
            raise ValueError("if one part has a share, every part needs one, and none may have rows")
        if self.rows is None:
            raise ValueError("shares need the recipe's rows")
        if abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"the shares add up to {sum(shares):g} instead of 1")
        return self


def list_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return [path.stem for path in list_assets("recipes", ".yaml")]


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of that name in recipes/, or in the YAML file at that path, with KEY.KEY=VALUE `changes` applied.

    Paths in it are resolved: those in a user's file are relative to that file. Raises ConfigError.
    """
    recipe = load_config("recipes", name, Recipe, changes)
    path = find_config_file("recipes", name)
    return recipe if path in list_assets("recipes", ".yaml") else _resolve_paths(recipe, path.parent)


def _resolve_paths(recipe: Recipe, folder: Path) -> Recipe:
    def resolve(source: str) -> str:
        beside = folder / source
        return str(beside) if is_own_source(source) and beside.is_file() else source

    parts = {
        name: part.model_copy(update={"source": tuple(map(resolve, part.source))})
        for name, part in recipe.parts.items()
    }
    templates = str(folder / recipe.templates) if recipe.templates else ""
    return recipe.model_copy(update={"parts": parts, "templates": templates})


def is_own_source(source: str) -> bool:
    """Whether a part's source is the path of a user's YAML file, not a name in sources/."""
    return source.endswith((".yaml", ".yml"))
