"""YAML that a person wrote: found, changed, validated; what is wrong is one line that says what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from coalm_it.configs import ConfigError, load_config


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rate: float = Field(1.0, gt=0)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: Inner | None = None
    several: dict[str, Inner] = {}


def load(tmp_path: Path, text: str, *changes: str) -> Outer:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config("train", str(path), Outer, changes)


def test_changes_are_made_before_the_file_is_validated(tmp_path: Path) -> None:
    assert load(tmp_path, "name: a", "inner.rate=0.5", "several.x.rate=2") == Outer(
        name="a", inner=Inner(rate=0.5), several={"x": Inner(rate=2)}
    )


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("name: a\ninner: {rat: 1}", (), "own.yaml: unknown key 'inner.rat'; did you mean 'rate'?"),
        ("name: a\nseveral: {x: {rat: 1}}", (), "own.yaml: unknown key 'several.x.rat'; did you mean 'rate'?"),
        ("nam: a", (), "own.yaml: missing key 'name'; unknown key 'nam'; did you mean 'name'?"),
        ("name: a\nzzz: 1", (), "own.yaml: unknown key 'zzz'; there are: name, inner, several"),
        ("name: a\ninner: {rate: -1}", (), "own.yaml: inner.rate: should be greater than 0 (found -1)"),
        ("[1]", (), "own.yaml: a mapping with name is expected"),
        ("name: a", ("inner",), "--set inner: write it as KEY.KEY=VALUE, e.g. name=mine"),
        ("name: a", ("name.x=1",), "--set name.x=1: 'name' holds a value, not a section"),
        (
            "name: a",
            ("inner='",),
            "--set inner=': the value is not YAML: found unexpected end of stream, in line 1, column 2",
        ),
    ],
)
def test_a_mistake_is_one_line(text: str, changes: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, *changes)
    assert str(caught.value) == message


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")
    requests_per_minute: int = 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("requests_a_minute: 1", "unknown key 'requests_a_minute'; it is now called 'requests_per_minute'"),
        ("extra: {}", "unknown key 'extra'; there are: requests_per_minute"),  # it was a key of other sections
    ],
)
def test_the_former_name_of_a_key_is_answered_with_its_name(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("recipes", str(path), Limits)
    assert str(caught.value) == f"old.yaml: {message}"


def test_what_is_not_yaml_says_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^own.yaml: not YAML: .* line 2"):
        load(tmp_path, "name: a\n  b: c: d")


@pytest.mark.parametrize("name", ["smoke", "smoke.yaml", "train/smoke.yaml"])
def test_a_packaged_file_is_found_by_its_name_wherever_one_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    class Anything(BaseModel):
        name: str

    assert load_config("train", name, Anything).name == "smoke"
    (tmp_path / "smoke.yaml").write_text("name: my own", encoding="utf-8")
    assert load_config("train", "smoke.yaml", Anything).name == "my own"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smok", "no train/smok.yaml; did you mean 'smoke'?"),
        ("there/smoke2.yaml", "no there/smoke2.yaml; did you mean 'smoke'?"),
    ],
)
def test_a_file_that_is_not_there_names_the_nearest(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("train", name, Outer)
    assert str(caught.value) == message
