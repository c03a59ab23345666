"""YAML files of users, loaded as types: found by name, changed by --set, validated.

An error is reported in one line; an unknown key together with the nearest known one, at any depth of the file.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from coalm_it.assets import Kind, list_assets
from coalm_it.configs.validation import describe_errors, format_place, holds_sections, name_nearest
from coalm_it.configs.yaml_files import MAX_DEPTH, YamlError, parse_yaml, read_yaml
from coalm_it.errors import RequestError

Config = TypeVar("Config", bound=BaseModel)
Place = tuple[str, ...]
"""The path of a key in a file."""


class ConfigError(RequestError):
    """The file cannot be used; the message is one line for the user."""


def load_config(kind: Kind, name: str, model: type[Config], changes: Sequence[str] = ()) -> Config:
    """The YAML file at the path `name`, or else the file of that name in the package, as an instance of `model`.

    `changes` are of the form KEY.KEY=VALUE. Raises ConfigError: no such file, not YAML, an unknown key, a bad value.
    """
    path = find_config_file(kind, name)
    try:
        raw = read_yaml(path)
    except YamlError as error:
        raise ConfigError(f"{path.name}: {error}") from None
    if not isinstance(raw, dict):
        keys = [name for name, field in model.model_fields.items() if field.is_required()] or list(model.model_fields)
        raise ConfigError(f"{path.name}: a mapping with {', '.join(keys)} is expected")
    if kind == "recipes" and "parts" not in raw and {"reader", "layouts"} <= raw.keys():
        part = f"{{{raw.get('name', 'mine')}: {{source: {path.name}, task: function_call}}}}"
        raise ConfigError(f"{path.name}: this describes a corpus; a recipe names it, as in parts: {part}")
    added: dict[Place, str] = {}
    for change in changes:
        _apply_change(raw, change, model, added)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        unknown = list(_describe_unknown_sections(error, raw, added))
        raise ConfigError("; ".join(unknown or [f"{path.name}: {'; '.join(describe_errors(error, model))}"])) from None


def find_config_file(kind: Kind, name: str) -> Path:
    """`train/smoke.yaml` is the file at that path, or else the one in the package; `smoke` is always the latter."""
    known = {path.stem: path for path in list_assets(kind, ".yaml")}
    stem = name.removeprefix(f"{kind}/").removesuffix(".yaml")
    is_path = name.endswith((".yaml", ".yml"))
    if is_path and os.path.isfile(name):
        return Path(name)
    if stem not in known and os.path.isdir(name):
        raise ConfigError(f"{name} is a folder; give a name ({', '.join(known)}) or the path of a YAML file")
    if stem not in known and os.path.isfile(name) and not is_path:
        raise ConfigError(f"{name}: the name of a YAML file ends in .yaml or .yml")
    if stem not in known and is_path:
        beside = [path.name for path in sorted(Path(name).parent.glob("*.y*ml"))]
        near = name_nearest(Path(name).name, beside)
        if near.startswith("did you mean"):
            raise ConfigError(f"no {name}; {near}")
    if stem not in known:
        raise ConfigError(
            f"no {name if is_path else f'{kind}/{name}.yaml'}; {name_nearest(Path(stem).name, list(known))}"
        )
    return known[stem]


# --- --set ---


def _apply_change(raw: dict[str, Any], change: str, model: type[BaseModel], added: dict[Place, str]) -> None:
    """Sets one value; a section that this adds to a mapping of sections, such as a part, is noted in `added`."""
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {change}: write it as KEY.KEY=VALUE, e.g. name=mine")
    *outer, last = key.split(".")
    if len(outer) > MAX_DEPTH:
        raise ConfigError(f"--set {change:.80}...: more than {MAX_DEPTH} sections")
    try:
        value = parse_yaml(text)
    except YamlError as error:
        raise ConfigError(
            f"--set {change:.80}: the value is not YAML: {str(error).removeprefix('not YAML: ')}"
        ) from None
    section = raw
    for index, name in enumerate(outer):
        place = tuple(outer[:index])
        if name not in section and holds_sections(model, place):
            added[*place, name] = change
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {change}: {name!r} holds a value, not a section")
    if value is None and last not in section and holds_sections(model, outer):
        raise ConfigError(_describe_unknown_section(change, (*outer, last), section))
    section[last] = value


def _describe_unknown_sections(
    error: ValidationError, raw: Mapping[str, Any], added: Mapping[Place, str]
) -> Iterator[str]:
    """A phrase for each section that a change has added without its required keys: more likely its name is wrong."""
    missing = [problem["loc"] for problem in error.errors() if problem["type"] == "missing"]
    for place, change in added.items():
        keys = [str(where[-1]) for where in missing if where[: len(place)] == place]
        if keys:
            section: Any = raw
            for name in place[:-1]:
                section = section[name]
            others = {name: value for name, value in section.items() if (*place[:-1], name) not in added}
            yield f"{_describe_unknown_section(change, place, others)}; a new one needs {', '.join(keys)} too"


def _describe_unknown_section(change: str, place: Place, others: Mapping[str, Any]) -> str:
    hint = name_nearest(place[-1], [str(name) for name in others])
    return f"--set {change}: there is no {place[-1]!r} in {format_place(place[:-1])}; {hint}"
