"""A recipe: what to build, as types. Read from recipes/NAME.yaml or a file of the user's, changed by --set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from coalm_it.assets import list_assets
from coalm_it.configs import load_config
from coalm_it.model_settings import Settings
from coalm_it.schema import Task


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mask(_Section):
    """Other names for functions and parameters, as Hammer trains with them (see samples/masking)."""

    style: Literal["plain", "hammer"] = Field("plain", description="hammer: lengths and alphabet as published.")
    probability: float = Field(2 / 3, ge=0, le=1, description="Share of the copies that are masked.")


class Unanswerable(_Section):
    """Samples whose request no call can answer, made from those that a call answers (see samples/unanswerable)."""

    no_function: float = Field(0, ge=0, le=1, description="Share that loses the function that it calls.")
    no_value: float = Field(0, ge=0, le=1, description="Share whose request loses a required value.")

    @model_validator(mode="after")
    def _leave_no_less_than_nothing(self) -> Unanswerable:
        if self.no_function + self.no_value > 1:
            raise ValueError("no_function and no_value add up to more than 1")
        return self


class Filter(_Section):
    """Which dialogues a part takes; what it leaves is counted."""

    services: tuple[str, ...] = Field((), description="Only dialogues that use one of these services.")
    exclude_services: tuple[str, ...] = Field((), description="No dialogue that uses one of these services.")
    max_turns: int | None = Field(None, gt=0, description="No dialogue of more user turns.")
    max_tools: int | None = Field(None, gt=0, description="No dialogue with more functions of its own.")


class Part(_Section):
    """One ingredient of the mix: samples of some tasks, made from one split of one or several sources."""

    source: tuple[str, ...] = Field(min_length=1, description="Names in sources/, or paths of YAML files of your own.")
    split: Literal["train", "validation", "test"] = Field("train", description="Which split of the corpus.")
    task: tuple[Task, ...] = Field(min_length=1, description="What each row teaches.")
    layout: Literal["hammer", "toolace", "varied"] = Field(
        "toolace", description="Layout of function_call rows; varied: of all rows, wording and call format drawn."
    )
    filter: Filter = Field(Filter(), description="Which dialogues to take.")
    copies: int = Field(1, ge=1, description="How often each sample enters the draw; masked each time anew.")
    checks: dict[str, bool] = Field({}, description="Checks to turn off or on for this part alone.")
    mask: Mask | None = Field(None, description="Other names for functions and parameters.")
    unanswerable: Unanswerable | None = Field(None, description="Shares of function_call rows to be made unanswerable.")
    rows: int | None = Field(None, gt=0, description="How many rows; without it, every row there is.")
    share: float | None = Field(None, gt=0, le=1, description="Instead of rows: a share of the recipe's rows.")
    fill: Literal["none", "repeat"] = Field("none", description="repeat: second copies of kept rows fill a shortage.")

    @field_validator("source", "task", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("source", "task")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each may be named once; a second draw is what copies are for")
        return value


class Judge(Settings):
    """A second model that scores, from 1 to 5, how well each thought hangs together with what is around it."""

    at_least: int = Field(3, ge=1, le=5, description="Thoughts with a lower score count as not passed.")


class Reasoning(Settings):
    """Who writes the thoughts of ReAct rows; where it is a model, which one, and how it is asked."""

    writer: Literal["grounded", "annotate", "rewrite"] = Field(
        "grounded",
        description="grounded: from the corpus's annotation. annotate: a model writes the thoughts and nothing else. "
        "rewrite: a model writes each dialogue anew, as in the paper.",
    )
    model: str = Field("", description="The model's name, as the endpoint knows it.")
    turns_a_request: int = Field(8, ge=1, description="Turns of a dialogue whose thoughts are asked for at once.")
    repairs: int = Field(2, ge=0, le=5, description="How often what did not pass is asked for again, with the reason.")
    fallback: Literal["grounded", "reject"] = Field(
        "grounded", description="What becomes of a thought that never passed: a grounded one instead, or a reject."
    )
    judge: Judge | None = Field(None, description="A second model that scores what passed.")

    @field_validator("judge", mode="before")
    @classmethod
    def _judge_where_it_is_written(cls, value: Any, info: ValidationInfo) -> Any:
        """A judge of no address of its own is asked where the writer is: no text goes anywhere else unsaid."""
        if isinstance(value, dict) and "base_url" in info.data:
            return {"base_url": info.data["base_url"], **value}
        return value

    @model_validator(mode="after")
    def _name_a_model(self) -> Reasoning:
        if self.writer != "grounded" and not self.model:
            raise ValueError(f"the writer {self.writer} is a model: name it, --set reasoning.model=NAME")
        return self


class Expect(_Section):
    """What the build must meet; where it falls short the exit code is 1."""

    rejects_at_most: float = Field(0.02, ge=0, le=1, description="Share of rejects and faults among all candidates.")
    validation_at_least: int = Field(0, ge=0, description="Validation rows, where some are held out.")


class Recipe(_Section):
    name: str = Field(description="Name of the recipe.")
    version: int = Field(1, description="Changes when the rows that it makes may change.")
    seed: int = Field(12, description="Every choice hangs on it: phrasing, distractors, draw, order.")
    order: Literal["shuffled", "corpus"] = Field("shuffled", description="Order of the rows in the data set.")
    parts: dict[str, Part] = Field(min_length=1, description="The ingredients, by name; null leaves one out.")
    rows: int | None = Field(None, gt=0, description="Rows of the whole; what the parts' shares are of.")
    scale: float = Field(1, gt=0, le=1, description="A smaller build: this share of each part.")
    allow_short: bool = Field(False, description="Build also where a part has too few rows.")
    validation: float = Field(
        0, ge=0, lt=1, description="Share held out of train: of dialogues, for function calls of functions."
    )
    observation_results: int = Field(2, ge=0, description="Unused results that an observation shows beside the used.")
    distractors: int = Field(6, ge=0, description="Functions of other services among the tools of `messages`.")
    limit: int | None = Field(None, gt=0, description="A quick look: the first so many dialogues that a part takes.")
    reasoning: Reasoning = Field(Reasoning(), description="Who writes the thoughts.")
    checks: dict[str, bool] = Field({}, description="Checks to turn off (name: false); all others run.")
    expect: Expect = Field(Expect(), description="What the build must meet.")

    def asks_model(self, part: Part) -> bool:
        """Whether a model writes this part's thoughts; only ReAct rows have any."""
        return self.reasoning.writer != "grounded" and any(task.startswith("react") for task in part.task)

    @field_validator("parts", mode="before")
    @classmethod
    def _leave_out(cls, value: Any) -> Any:
        return {name: part for name, part in value.items() if part is not None} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _shares_add_up(self) -> Recipe:
        shares = [part.share for part in self.parts.values() if part.share is not None]
        if not shares:
            return self
        if len(shares) < len(self.parts) or any(part.rows is not None for part in self.parts.values()):
            raise ValueError("where one part has a share, every part has one, and none has rows")
        if self.rows is None:
            raise ValueError("shares need rows of the whole")
        if abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"the shares add up to {sum(shares):g}, not to 1")
        return self


def list_recipes() -> list[str]:
    return [path.stem for path in list_assets("recipes", ".yaml")]


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of that name in recipes/, or in the YAML file at that path, with `key.key=value` changes made.

    Raises ConfigError.
    """
    return load_config("recipes", name, Recipe, changes)
