from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from coalm_it.configs import ConfigError
from coalm_it.recipe import Recipe, list_recipes, load_recipe

MINE = """
name: mine
seed: 7
parts:
  sgd: {source: sgd, task: [react_action, react_response], rows: 100}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE, encoding="utf-8")
    return path


def sections(model: type[BaseModel], at: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section of a recipe, by the keys that lead to it."""
    yield at, model
    for name, field in model.model_fields.items():
        for inner in [field.annotation, *get_args(field.annotation)]:
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from sections(inner, f"{at}.{name}".lstrip("."))


def test_a_recipe_of_the_package_goes_by_its_name() -> None:
    recipe = load_recipe("tod")
    assert recipe.name == "tod"
    assert recipe.parts["snips"].source == ("snips",)
    assert recipe.parts["sgd"].task == ("react_action", "react_response")


def test_a_recipe_of_your_own_goes_by_its_path(mine: Path) -> None:
    recipe = load_recipe(str(mine))
    assert (recipe.name, recipe.seed, recipe.parts["sgd"].rows) == ("mine", 7, 100)
    assert recipe.distractors == 6


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_of_the_package_can_be_read_and_has_its_name(name: str) -> None:
    assert load_recipe(name).name == name


def test_one_source_or_task_needs_no_list(mine: Path) -> None:
    assert load_recipe(str(mine)).parts["sgd"].source == ("sgd",)


def test_set_changes_one_value_and_leaves_the_rest(mine: Path) -> None:
    recipe = load_recipe(str(mine), ["parts.sgd.rows=5", "order=corpus", "checks.leak=false"])
    assert (recipe.parts["sgd"].rows, recipe.order, recipe.checks) == (5, "corpus", {"leak": False})
    assert recipe.seed == 7
    assert recipe.parts["sgd"].task == ("react_action", "react_response")


def test_a_part_set_to_null_is_left_out(mine: Path) -> None:
    other = "parts.snips={source: snips, task: state_tracking}"
    assert set(load_recipe(str(mine), [other]).parts) == {"sgd", "snips"}
    assert set(load_recipe(str(mine), [other, "parts.sgd=null"]).parts) == {"snips"}
    with pytest.raises(ConfigError, match=r"parts: .*at least one entry"):
        load_recipe(str(mine), ["parts.sgd=null"])


def test_a_date_is_a_name(mine: Path) -> None:
    assert load_recipe(str(mine), ["name=2026-12-01"]).name == "2026-12-01"
    assert load_recipe(str(mine), ["name=2026-13-45"]).name == "2026-13-45"


def test_a_change_of_one_part_leaves_the_part_with_the_same_alias_alone(tmp_path: Path) -> None:
    path = tmp_path / "twins.yaml"
    path.write_text("name: twins\nparts: {one: &one {source: sgd, task: react_action}, other: *one}")
    recipe = load_recipe(str(path), ["parts.one.rows=3"])
    assert (recipe.parts["one"].rows, recipe.parts["other"].rows) == (3, None)


def test_a_later_set_wins(mine: Path) -> None:
    assert load_recipe(str(mine), ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize("at", [at for at, _ in sections(Recipe)])
def test_every_key_says_what_it_means(at: str) -> None:
    model = dict(sections(Recipe))[at]
    for name, field in model.model_fields.items():
        assert field.description, f"{at}.{name} has no description"
        assert field.description.endswith("."), f"{at}.{name}: {field.description!r} is no sentence"


def test_the_walk_over_the_keys_reaches_the_parts() -> None:
    assert {"", "parts", "reasoning", "expect"} <= {at for at, _ in sections(Recipe)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sede=3", r"unknown key 'sede'; did you mean 'seed'\?"),
        ("parts.sgd.row=3", r"unknown key 'parts\.sgd\.row'; did you mean 'rows'\?"),
        ("expect.rejects_at_least=1", r"unknown key 'expect\.rejects_at_least'; did you mean 'rejects_at_most'\?"),
        ("reasoning.xyz=1", r"unknown key 'reasoning\.xyz'; there are: .*writer"),
        (
            "reasoning.turns_a_request=4",
            r"unknown key 'reasoning\.turns_a_request'; it is now called 'turns_per_request'",
        ),
        ("reasoning.tokens_a_minute=4", r"'reasoning\.tokens_a_minute'; it is now called 'tokens_per_minute'"),
        ("reasoning.requests_a_minute=4", r"'reasoning\.requests_a_minute'; it is now called 'requests_per_minute'"),
        ("reasoning.extra={top_p: 1}", r"unknown key 'reasoning\.extra'; it is now called 'extra_body'"),
        (
            "reasoning.judge={model: j, at_least: 4}",
            r"unknown key 'reasoning\.judge\.at_least'; it is now called 'min_score'",
        ),
        ("parts.sgd.rows=0", r"parts\.sgd\.rows: should be greater than 0 \(found 0\)"),
        ("parts.sgd.rows=many", r"parts\.sgd\.rows: .* \(found 'many'\)"),
        ("parts.sgd.split=dev", r"parts\.sgd\.split: .*'train', 'validation' or 'test' \(found 'dev'\)"),
        ("parts.sgd.task=act", r"parts\.sgd\.task\.0: .*'react_action'.* \(found 'act'\)$"),
        ("parts.sgd.task=function_cal", r"task\.0: .* \(found 'function_cal'\); did you mean 'function_call'\?$"),
        ("parts.sgd.layout=varid", r"layout: .* \(found 'varid'\); did you mean 'varied'\?$"),
        ("checks=null", r"checks: should be a mapping of keys to values \(found None\), such as {grounding: false}$"),
        ("checks=false", r"checks: should be a mapping of keys to values \(found False\), such as {grounding: false}$"),
        (
            "checks={grounding:false}",
            r"checks\.grounding:false: should be true or false \(found None\); in YAML a blank follows the colon: "
            r"grounding: false$",
        ),
        ("parts.sgd.source=[]", r"parts\.sgd\.source: .*at least one entry"),
        ("parts.sgd.task=[]", r"parts\.sgd\.task: .*at least one entry"),
        ("parts={}", r"parts: .*at least one entry"),
        ("parts.new.rows=3", r"there is no 'new' in parts; there are: sgd; a new one needs source, task too"),
        ("parts.sdg.rows=3", r"^--set parts\.sdg\.rows=3: there is no 'sdg' in parts; did you mean 'sgd'\?; a new one"),
        ("parts.sdg=null", r"^--set parts\.sdg=null: there is no 'sdg' in parts; did you mean 'sgd'\?$"),
        ("parts.sgd.mask.stile=plain", r"unknown key 'parts\.sgd\.mask\.stile'; did you mean 'style'\?"),
        ("name=[2026-13-45]", r"name: should be a string \(found \['2026-13-45'\]\)"),
        (
            "reasoning.base_url=https://me:secret@host",
            r"base_url: must be an address like https://HOST/v1, without user, (?!.*secret@)",
        ),
        (
            "parts.sgd.unanswerable.no_vaule=0.1",
            r"unknown key 'parts\.sgd\.unanswerable\.no_vaule'; did you mean 'no_value'\?",
        ),
        ("parts.sgd.unanswerable={no_function: 0.6, no_value: 0.6}", r"no_function and no_value add up to more than 1"),
        ("order=random", r"order: .*'shuffled' or 'corpus' \(found 'random'\)"),
        ("expect.rejects_at_most=2", r"expect\.rejects_at_most: .*at most 1 \(found 2\)"),
        ("name.first=x", r"--set name\.first=x: 'name' holds a value, not a section"),
        ("seed", r"--set seed: write it as KEY\.KEY=VALUE, e\.g\. name=mine"),
        ("=3", r"--set =3: write it as KEY\.KEY=VALUE"),
        ("seed=[1", r"--set seed=\[1: the value is not YAML"),
    ],
)
def test_a_wrong_change_is_one_line_that_says_what_is_right(mine: Path, change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(str(mine), [change])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: [unclosed", r"^bad\.yaml: not YAML: .*line"),
        (b"\xff\xfe\x00", r"^bad\.yaml: not YAML"),
        (b"", r"^bad\.yaml: a mapping with name, parts is expected"),
        (b"- name: tod", r"^bad\.yaml: a mapping with name, parts is expected"),
        (b"name: !!python/object:os.system {}", r"^bad\.yaml: not YAML"),
        (b"name: x\nparts: {a: 3}", r"^bad\.yaml: parts\.a: .* \(found 3\)"),
        (b"name: x", r"^bad\.yaml: missing key 'parts'"),
        (b"1: x", r"^bad\.yaml: missing keys 'name', 'parts'; the key '1' should be a string: write it in quotes"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(str(path))
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_is_met_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"^no recipes/todd\.yaml; did you mean 'tod'\?$"):
        load_recipe("todd")
    with pytest.raises(ConfigError, match=r"^no recipes/something else\.yaml; there are: .*\btod\b"):
        load_recipe("something else")
    with pytest.raises(ConfigError, match=r"^no here/tod\.yaml; did you mean 'tod'"):
        load_recipe("here/tod.yaml")


def test_a_judge_without_an_address_is_asked_where_the_writer_is() -> None:
    local = ["reasoning.writer=annotate", "reasoning.model=m", "reasoning.base_url=http://127.0.0.1:1/v1"]
    judge = load_recipe("tod", [*local, "reasoning.judge={model: j}"]).reasoning.judge
    assert judge is not None
    assert judge.base_url == "http://127.0.0.1:1/v1"
    other = load_recipe("tod", [*local, "reasoning.judge={model: j, base_url: http://127.0.0.1:2/v1}"]).reasoning.judge
    assert other is not None
    assert other.base_url == "http://127.0.0.1:2/v1"
