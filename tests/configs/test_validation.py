"""What is wrong with a value is said in ordinary English, for every key of every file that people write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coalm_it.assets import list_assets
from coalm_it.configs.validation import EXPLANATIONS, describe_errors, list_keys, name_nearest, show_value
from coalm_it.configs.yaml_files import read_yaml
from coalm_it.corpora.sources import Source
from coalm_it.evaluation.bfcl import BfclEvaluation
from coalm_it.evaluation.config import Evaluation
from coalm_it.recipe import Recipe
from coalm_it.training.config import TrainConfig
from coalm_it.verify.config import Verification

FILES: list[tuple[type[BaseModel], Path]] = [
    (Recipe, list_assets("recipes", "coalm_it_plus.yaml")[0]),
    (Source, list_assets("sources", "sgd.yaml")[0]),
    (TrainConfig, list_assets("train", ".yaml")[0]),
    (BfclEvaluation, list_assets("eval", "bfcl.yaml")[0]),
    (Evaluation, list_assets("eval", "held_out.yaml")[0]),
    (Verification, list_assets("eval", "verify.yaml")[0]),
]
WRONG: list[Any] = [
    None, "x", "", 1.5, -1, 0, 10**30, float("nan"), float("inf"), True, [], {}, [[]], {"a": {}}, {"a": None},
    {1: 2}, {None: 2}, {(1,): 2}, {"x" * 500: "y" * 500, "a\nb": "c\nd"}, [1, "a"], "x" * 5000, b"\xff",
]  # fmt: skip
LIBRARY_WORDS = re.compile(r"\b(Input|Value error|Field required|Tuple|Dictionary|List|instance|pydantic)\b")


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*at, key))


def put(value: Any, at: tuple[Any, ...], wrong: Any) -> Any:
    """A copy of the value with another one in that place."""
    if not at:
        return wrong
    copy = value.copy()
    copy[at[0]] = put(copy[at[0]], at[1:], wrong)
    return copy


def complaints(model: type[BaseModel], value: Any) -> list[str]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return list(describe_errors(error, model))
    return []


@pytest.mark.parametrize(("model", "path"), FILES, ids=[model.__name__ for model, _ in FILES])
def test_no_word_of_the_library_reaches_the_user(model: type[BaseModel], path: Path) -> None:
    """Every value of a shipped file replaced by values of other kinds: each complaint is ours, short, and one line."""
    right = read_yaml(path)
    assert complaints(model, right) == []
    count = 0
    for at in places(right):
        for wrong in WRONG:
            told = complaints(model, put(right, at, wrong))
            count += len(told)
            for complaint in told:
                assert not LIBRARY_WORDS.search(complaint), complaint
                assert "\n" not in complaint
                assert len(complaint) < 700, complaint
    assert count > 100


def test_every_error_type_of_the_models_is_in_the_table() -> None:
    kinds = set()
    for model, path in FILES:
        right = read_yaml(path)
        for at in places(right):
            for wrong in WRONG:
                try:
                    model.model_validate(put(right, at, wrong))
                except ValidationError as error:
                    kinds |= {problem["type"] for problem in error.errors()}
    assert kinds - EXPLANATIONS.keys() == {"missing", "extra_forbidden", "value_error"}


class Price(BaseModel):
    model_config = ConfigDict(extra="forbid")
    usd: float = Field(0, ge=0, lt=100)
    currency: str = Field("USD", pattern="^[A-Z]{3}$", description="Three capital letters.")


class Shop(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1)
    open: bool = True
    floors: int = 1
    prices: dict[str, Price] = Field({}, max_length=2)
    hours: tuple[int, ...] = Field((9,), min_length=1)
    owner: Price | None = None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "missing key 'name'"),
        ({"name": "a", "prices": {"x": {"usd": -1}}}, "prices.x.usd: should be at least 0 (found -1)"),
        ({"name": "a", "prices": {"x": {"usd": 100}}}, "prices.x.usd: should be less than 100 (found 100)"),
        ({"name": "a", "prices": {"x": {"currency": "usd"}}}, "prices.x.currency: should be: Three capital letters"),
        ({"name": "a", "prices": {"x": {"usb": 1}}}, "unknown key 'prices.x.usb'; did you mean 'usd'?"),
        ({"name": "a", "prices": {"name": {"usb": 1}}}, "unknown key 'prices.name.usb'; did you mean 'usd'?"),
        ({"name": "a", "prices": {1: {}}}, "the key 'prices.1' should be a string"),
        ({"name": "a", "prices": {"x": 1}}, "prices.x: should be a mapping of keys to values (found 1)"),
        ({"name": "a", "prices": {"x": {}, "y": {}, "z": {}}}, "prices: should have at most 2 entries"),
        ({"name": "a", "hours": []}, "hours: should have at least one entry (found [])"),
        ({"name": "a", "hours": 9}, "hours: should be a list (found 9)"),
        ({"name": "a", "hours": ["nine"]}, "hours.0: should be a whole number (found 'nine')"),
        ({"name": "a", "floors": 1.5}, "floors: should be a whole number (found 1.5)"),
        ({"name": "a", "open": "perhaps"}, "open: should be true or false (found 'perhaps')"),
        ({"name": ""}, "name: should have at least one character (found '')"),
        ({"name": 3}, "name: should be a string (found 3)"),
        ({"name": "a", "owner": {"usb": 1}}, "unknown key 'owner.usb'; did you mean 'usd'?"),
        (3, "should be a mapping of keys to values (found 3)"),
    ],
)
def test_an_error_names_the_key_and_says_what_would_be_right(value: Any, told: str) -> None:
    assert complaints(Shop, value)[0].startswith(told)


def test_many_errors_are_counted() -> None:
    value = {"name": "a", "hours": [9, *["x"] * 100]}
    assert complaints(Shop, value)[-2:] == ["hours.5: should be a whole number (found 'x')", "and 95 more errors"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        ("it's", '"it\'s"'),
        ("x" * 1_000_000, f"'{'x' * 37}...{'x' * 38}'"),
        ([[[1]]] * 1_000, "[[[...]], [[...]], [[...]], [[...]], ...]"),
        (10**10_000, "a number of thousands of digits"),
        ("https://me:secret@host/v1", "'https://***@host/v1'"),
        ("https://host/v1?api_key=secret&a=b", "'https://host/v1?api_key=***&a=b'"),
    ],
    ids=["number", "quotes", "long", "nested", "digits", "credentials", "query"],
)
def test_of_a_value_a_line_is_shown_and_no_secret(value: Any, shown: str) -> None:
    assert show_value(value) == shown


def test_keys_are_listed_at_any_depth() -> None:
    assert list_keys(Shop, []) == ["name", "open", "floors", "prices", "hours", "owner"]
    assert list_keys(Shop, ["prices", "x"]) == list_keys(Shop, ["owner"]) == ["usd", "currency"]
    assert list_keys(Shop, ["prices"]) == list_keys(Shop, ["nothing", "there"]) == []


def test_without_a_near_name_all_are_listed() -> None:
    assert name_nearest("zzz", ["one", "two"]) == "there are: one, two"
    assert name_nearest("zzz", []) == "there are: none"
