"""YAML files of users, loaded as types: found by name, changed by --set, validated.

An error is reported in one line; an unknown key together with the nearest known one, at any depth of the file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from coalm_it.assets import Kind, list_assets
from coalm_it.errors import RequestError

Config = TypeVar("Config", bound=BaseModel)

RENAMED_KEYS = {
    "at_least": "min_score",
    "extra": "extra_body",
    "requests_a_minute": "requests_per_minute",
    "tokens_a_minute": "tokens_per_minute",
    "turns_a_request": "turns_per_request",
}
"""Former name of a key -> its name, to tell the writer of an older file."""


class ConfigError(RequestError):
    """The file cannot be used; the message is one line for the user."""


def load_config(kind: Kind, name: str, model: type[Config], changes: Sequence[str] = ()) -> Config:
    """The YAML file at the path `name`, or else the file of that name in the package, as an instance of `model`.

    `changes` are of the form KEY.KEY=VALUE. Raises ConfigError: no such file, not YAML, an unknown key, a bad value.
    """
    path = find_config_file(kind, name)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        keys = [name for name, field in model.model_fields.items() if field.is_required()] or list(model.model_fields)
        raise ConfigError(f"{path.name}: a mapping with {', '.join(keys)} is expected")
    for change in changes:
        _apply_change(raw, change)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{path.name}: {'; '.join(describe_errors(error, model))}") from None


def name_nearest(name: str, known: Sequence[str]) -> str:
    """A hint for an unknown name: the nearest known name, or else all of them."""
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"


def find_config_file(kind: Kind, name: str) -> Path:
    """`train/smoke.yaml` is the file at that path, or else the one in the package; `smoke` is always the latter.

    Raises ConfigError.
    """
    known = {path.stem: path for path in list_assets(kind, ".yaml")}
    stem = name.removeprefix(f"{kind}/").removesuffix(".yaml")
    is_path = name.endswith((".yaml", ".yml"))
    if is_path and Path(name).is_file():
        return Path(name)
    if stem not in known:
        raise ConfigError(
            f"no {name if is_path else f'{kind}/{name}.yaml'}; {name_nearest(Path(stem).name, list(known))}"
        )
    return known[stem]


def _apply_change(raw: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {change}: write it as KEY.KEY=VALUE, e.g. name=mine")
    *outer, last = key.split(".")
    section = raw
    for name in outer:
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {change}: {name!r} holds a value, not a section")
    try:
        section[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {change}: the value is not YAML") from None


def describe_errors(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """One phrase for each error of a validation, with the key, what is wrong, and what was found."""
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            known = _known_keys(model, where[:-1])
            renamed = RENAMED_KEYS.get(where[-1])
            hint = f"it is now called {renamed!r}" if renamed in known else name_nearest(where[-1], known)
            yield f"unknown key {'.'.join(where)!r}; {hint}"
        elif not where:
            yield problem["msg"].removeprefix("Value error, ")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            yield f"{'.'.join(where)}: {message}{_show_value(problem)}"


def _show_value(problem: Any) -> str:
    return "" if isinstance(problem["input"], dict) else f" (found {problem['input']!r})"


def _known_keys(model: type[BaseModel], where: Sequence[str]) -> list[str]:
    """The keys of the section at `where`; names between sections, such as those of a mapping, are skipped."""
    for name in where:
        field = model.model_fields.get(name)
        inner = _find_model(field.annotation) if field else None
        model = inner or model
    return list(model.model_fields)


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _find_model(part))), None)
