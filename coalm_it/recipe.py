"""Recipes as types: which data set to build. Read from recipes/NAME.yaml or a user's file, changed by --set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from coalm_it.assets import list_assets
from coalm_it.configs import ConfigError, find_config_file, load_config
from coalm_it.configs.validation import name_nearest
from coalm_it.model_settings import Settings
from coalm_it.schema import Task


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mask(_Section):
    """Function masking: some samples get random names for their functions and parameters, in tools and calls alike, so
    that a model learns to read descriptions instead of guessing from names. The originals stay in `provenance`. Names
    stay that somebody says in the conversation or the system text (`user_id`, `getWeather`; a plain word such as
    `search` does not count), as the text would contradict the row otherwise; those without a description of their own,
    as nothing else would tell them apart; and those inside nested objects.
    """

    style: Literal["plain", "hammer"] = Field(
        "plain",
        description="Alphabet of the random names. plain: letters, digits, underscores. hammer: also dots, as in "
        "Hammer's published rows.",
    )
    probability: float = Field(
        2 / 3, ge=0, le=1, description="Share of the part's samples that are masked; each copy is drawn for itself."
    )
    descriptions: bool = Field(
        True,
        description="Whether names are replaced in descriptions and examples too; a name that cannot be replaced there "
        "stays everywhere. false: descriptions stay as they are and may say the original names, as in Hammer's rows.",
    )


class Unanswerable(_Section):
    """Requests that no call can answer, made from function_call samples that one can: the new target is a reply that
    says so, or asks for what is missing. A sample stays unchanged where the result is not certain to be unanswerable,
    so that fewer change than these shares.
    """

    no_function: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of samples from whose tools the called function is removed; the reply says that none fits.",
    )
    no_value: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of samples from whose request a required value is cut out; the reply asks for the value.",
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Unanswerable:
        if self.no_function + self.no_value > 1:
            raise ValueError("no_function and no_value add up to more than 1")
        return self


class Filter(_Section):
    """Which dialogues of its corpora a part uses: those that meet all of these conditions. The others make no samples;
    the manifest counts them as `filtered`.
    """

    services: tuple[str, ...] = Field(
        (),
        description="Use only dialogues with a function of at least one of these services (SGD: Restaurants_1; "
        "MultiWOZ: hotel). Corpora without services have none that fits.",
    )
    exclude_services: tuple[str, ...] = Field(
        (), description="Leave out dialogues with a function of any of these services."
    )
    max_turns: int | None = Field(
        None, gt=0, description="Leave out dialogues in which the user speaks more often than this; nothing is cut."
    )
    max_tools: int | None = Field(
        None, gt=0, description="Leave out dialogues that have more functions of their own; distractors do not count."
    )
    licence: Literal["any", "commercial"] = Field(
        "any",
        description="commercial: leave out dialogues whose licence is not known to permit commercial use and changed "
        "copies (see [licences](comparing.md#licences)).",
    )


class MaxTokens(_Section):
    """The longest samples that a part takes. Longer ones become no rows; the manifest counts them as `too_long`."""

    tokenizer: str = Field(
        description="A folder with a tokenizer.json, relative to the recipe's file or, if it is not there, to the "
        "current folder; or the name of a model on the Hub."
    )
    at_most: int = Field(gt=0, description="Maximum tokens of a row, prompt and completion together.")
    config: Literal["samples", "coalm_it"] = Field(
        "samples",
        description="Whose tokens are counted. samples: messages and functions, and what a chat template adds, as an "
        "estimate. coalm_it: the three columns.",
    )

    @property
    def name(self) -> str:
        """The tokenizer without the path of its folder."""
        is_path = self.tokenizer.count("/") != 1 or self.tokenizer.startswith((".", "/", "~"))
        return PurePath(self.tokenizer).name if is_path else self.tokenizer


class Part(_Section):
    """One component of the mixture: samples of some tasks from one split of one or several corpora. Parts may use the
    same corpus; each has its own number of rows.
    """

    source: tuple[str, ...] = Field(
        min_length=1,
        description="One or several corpora: names that `coalm-it sources` lists, or paths of YAML files that describe "
        "your own, relative to the recipe's file or, if none is there, to the current folder.",
    )
    split: Literal["train", "validation", "test"] = Field(
        "train",
        description="Split of the corpora to read. Whichever it is, its rows go to the split train of the data set, "
        "and to validation where the recipe holds some out.",
    )
    task: tuple[Task, ...] = Field(
        min_length=1,
        description="What the rows teach, one or several. function_call: given tools, write calls, or answer "
        "without one. react_action, react_response: with a thought, write the call or the reply of a turn. "
        "state_tracking: write what the user wants so far.",
    )
    layout: Literal["hammer", "toolace", "varied"] = Field(
        "toolace",
        description="How the three columns are written. toolace (the default) and hammer: one published wording for "
        "function_call rows; rows of the other tasks then have the published wording of their task, or, where the "
        "records of the corpus have functions of their own, those of varied. hammer has a single request and its first "
        "calls, and samples of conversations are rejects. varied: every row has one of 14 wordings, 4 call formats and "
        "3 forms of the list of functions, drawn by its id; for all tasks.",
    )
    filter: Filter = Field(Filter(), description="Which dialogues to use; default: all.")
    max_tokens: MaxTokens | None = Field(None, description="Leave out samples that are longer; default: none.")
    copies: int = Field(
        1,
        ge=1,
        description="How many times each sample is a candidate; of use with `mask`, which gives each copy other "
        "names, and with `layout: varied`, which draws a wording and formats for each copy. Else copies are identical. "
        "The copies of a dialogue are on one side of the validation split.",
    )
    checks: dict[str, bool] = Field(
        {},
        description="Checks to turn off (false), or back on (true), for this part only: `{grounding: false}`. Names: "
        "see [Checks](#checks).",
    )
    mask: Mask | None = Field(None, description="Random names for functions; without it, every name stays.")
    unanswerable: Unanswerable | None = Field(
        None, description="Shares of function_call samples made unanswerable; without it, none."
    )
    rows: int | None = Field(
        None,
        gt=0,
        description="Number of train rows to draw from the candidates that passed the checks; without it, all of "
        "them. Too few are an error, unless `fill` or `allow_short` says otherwise.",
    )
    share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Instead of `rows`: this share of the recipe's `rows`. Then every part needs one, and they add "
        "up to 1.",
    )
    fill: Literal["none", "repeat"] = Field(
        "none",
        description="What happens when a part has fewer rows than it wants. none: the build stops with a table of "
        "what is missing. repeat: marked second copies of drawn rows fill the gap, at most one of each row.",
    )

    @property
    def has_thoughts(self) -> bool:
        """Whether its rows have thoughts: those of the ReAct tasks."""
        return any(task.startswith("react") for task in self.task)

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
    """A second model that scores the coherence of each thought with its context, from 1 to 5. Without a base_url of its
    own it is asked at the writer's.
    """

    min_score: int = Field(3, ge=1, le=5, description="Minimum score; thoughts with a lower one are rejected.")


class Reasoning(Settings):
    """How the thoughts of ReAct rows are written, and the settings of the model that writes them."""

    writer: Literal["grounded", "annotate", "rewrite"] = Field(
        "grounded",
        description="grounded: the corpus's own thoughts, or templates from its annotation; no model. annotate: a "
        "model writes the thoughts of the corpus's dialogues. rewrite: a model writes each dialogue anew, as in the "
        "paper.",
    )
    model: str = Field("", description="Name of the model at the endpoint; needed unless writer is grounded.")
    turns_per_request: int = Field(8, ge=1, description="Turns of a dialogue whose thoughts one request asks for.")
    repairs: int = Field(2, ge=0, le=5, description="Maximum repair requests for rejected thoughts, with the reasons.")
    fallback: Literal["grounded", "reject"] = Field(
        "grounded", description="After the last repair: use the grounded thought, or reject the row."
    )
    judge: Judge | None = Field(
        None, description="A second model that scores thoughts which passed the checks; without it, none does."
    )

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
    """What must be true of a finished build. It is written in any case; where one of these is not met, a line says so,
    the exit code is 1, and `coalm-it publish` refuses the build.
    """

    rejects_at_most: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Maximum share of samples that a check rejected and raw records that could not be read (faults).",
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
    """A data set to build: which corpora, as which kind of row, how many of each, and what the checks must find."""

    name: str = Field(description="Name of the recipe; stands in the card and the manifest.")
    version: int = Field(
        1, description="Number of yours, part of the tag of a published version; raise it when the rows change."
    )
    seed: int = Field(12, description="Seed of every random choice: wording, distractors, masks, which rows, order.")
    order: Literal["shuffled", "corpus"] = Field(
        "shuffled", description="Order of the rows. corpus: part by part, each in the order of its files."
    )
    parts: dict[str, Part] = Field(
        min_length=1,
        description="Components of the mixture, under names of your choice; null removes one: "
        "`--set parts.multiwoz=null`.",
    )
    use: Literal["any", "commercial"] = Field(
        "any",
        description="commercial: what the rows are for. A corpus whose licence is not known to permit that, or changed "
        "copies, is refused, unless the part's `filter` leaves it out (see [licences](comparing.md#licences)).",
    )
    rows: int | None = Field(None, gt=0, description="Number of train rows of the whole, where parts have a `share`.")
    scale: float = Field(
        1, gt=0, le=1, description="Builds this share of what each part would give: 0.01 for a hundredth."
    )
    allow_short: bool = Field(
        False,
        description="Build even if a part has too few rows, or its corpus is not there; table, manifest and card say "
        "so.",
    )
    validation: float = Field(
        0,
        ge=0,
        lt=1,
        description="Share held out as the split `validation` (see `validation_by`).",
    )
    validation_by: Literal["functions", "dialogues"] = Field(
        "functions",
        description="What is held out for the function_call rows. functions: a share of the functions, so that no call "
        "of a validation row is one that train teaches. dialogues: a share of the dialogues, for conversations that "
        "all use the same functions. Rows of other tasks are held out by dialogue in any case (see "
        "[evaluation](evaluation.md#validation-rows)).",
    )
    observation_results: int = Field(
        2, ge=0, description="How many results of a search an observation shows beside those that the agent uses."
    )
    history_thoughts: bool = Field(
        True,
        description="Whether rows show the thoughts of earlier turns, in the three columns and in `samples`. Many chat "
        "templates drop them; `dialogues` has all.",
    )
    distractors: int = Field(
        6,
        ge=0,
        description="How many functions of other services are shown among the tools; for corpora with one list of "
        "functions for all dialogues.",
    )
    near_misses: int = Field(
        0,
        ge=0,
        description="How many functions that look right and are wrong are added at most to those of a request; for "
        "corpora whose records have their own functions. They share words with the request or with the right "
        "function, and make a change that nobody asked for or require a value that nobody stated.",
    )
    limit: int | None = Field(None, gt=0, description="Read only the first N dialogues of each part, for a quick look.")
    reasoning: Reasoning = Field(
        Reasoning(), description="Who writes the thoughts of ReAct rows; default: templates, from the annotation."
    )
    checks: dict[str, bool] = Field(
        {},
        description="Checks to turn off for all parts: `{grounding: false}`; all others run. Names: see "
        "[Checks](#checks).",
    )
    expect: Expect = Field(Expect(), description="What must be true of the finished build.")
    templates: str = Field(
        "",
        description="A folder with your own wordings, relative to the recipe's file: each of its files is used instead "
        "of the one of the same name in `templates/`, such as `rows/hammer.jinja` (see own_templates.md).",
    )
    card: Card = Field(Card(), description="What the data set card says besides.")

    def asks_model(self, part: Part) -> bool:
        """Whether a model writes this part's thoughts."""
        return self.reasoning.writer != "grounded" and part.has_thoughts

    @field_validator("parts", mode="before")
    @classmethod
    def _remove_null(cls, value: Any) -> Any:
        return {name: part for name, part in value.items() if part is not None} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _require_thoughts(self) -> Recipe:
        if self.reasoning.writer != "grounded" and not any(map(self.asks_model, self.parts.values())):
            raise ValueError(
                f"writer {self.reasoning.writer}: no part has rows with thoughts, which a model could write; "
                "for thoughts before the calls and replies of a function-calling corpus, "
                "give its part task: [react_action, react_response] and layout: varied"
            )
        return self

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
    folders = (Path(),) if path in list_assets("recipes", ".yaml") else (path.parent, Path())
    templates = str(path.parent / recipe.templates) if recipe.templates and len(folders) > 1 else recipe.templates
    parts = {
        name: part.model_copy(
            update={
                "source": tuple(_resolve_source(name, one, folders) for one in part.source),
                "max_tokens": _resolve_tokenizer(part.max_tokens, folders),
            }
        )
        for name, part in recipe.parts.items()
    }
    return recipe.model_copy(update={"parts": parts, "templates": templates})


def _resolve_source(part: str, source: str, folders: Sequence[Path]) -> str:
    """The path of a user's YAML file, looked for in these folders; a name in sources/ stays. Raises ConfigError."""
    if not is_own_source(source):
        return source
    for folder in folders:
        if (folder / source).exists():
            return str(folder / source)
    places = dict.fromkeys(str((folder / source).resolve().parent) for folder in folders)
    there = [path.name for place in places for path in sorted(Path(place).glob("*.y*ml"))]
    near = name_nearest(Path(source).name, there)
    hint = f"; {near}" if near.startswith("did you mean") else ""
    raise ConfigError(f"part {part}: no file {Path(source).name} in {' or '.join(places)}{hint}")


def _resolve_tokenizer(wanted: MaxTokens | None, folders: Sequence[Path]) -> MaxTokens | None:
    """With the path of the tokenizer's folder, looked for in these folders; a name on the Hub stays."""
    places = [folder / wanted.tokenizer for folder in folders] if wanted else []
    found = next((str(place) for place in places if place.exists()), None)
    return wanted.model_copy(update={"tokenizer": found}) if wanted and found else wanted


def is_own_source(source: str) -> bool:
    """Whether a part's source is the path of a user's YAML file, not a name in sources/."""
    return source.endswith((".yaml", ".yml"))
