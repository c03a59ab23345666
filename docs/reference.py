"""Writes the reference pages of docs/ from the code: every key of a recipe and of the other YAML files, every command.

    python docs/reference.py

`tests/test_docs.py` compares them, so that they cannot drift.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from coalm_it.cli import app
from coalm_it.recipe import Recipe

DOCS = Path(__file__).parent
Lines = Iterator[str]


def write_pages() -> dict[str, str]:
    """File name -> text of each reference page."""
    return {name: "\n".join(lines()) + "\n" for name, lines in PAGES.items()}


# --- YAML files ---


def describe_recipe() -> Lines:
    yield "# Recipe"
    yield ""
    yield "A recipe is a YAML file. `coalm-it recipes` lists those that come with the package, `coalm-it recipes tod"
    yield "> mine.yaml` prints one to copy; `--set parts.sgd.rows=1000` changes one value of it. An unknown key is an"
    yield "error that names the nearest known one."
    yield from describe_models(Recipe, "The recipe")


def describe_models(model: type[BaseModel], title: str, where: str = "") -> Lines:
    """A section with a table of keys for the model, and one for each model inside it."""
    yield ""
    yield f"## {title}"
    yield ""
    yield " ".join((model.__doc__ or "").split())
    yield ""
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    inner = []
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {name_type(field.annotation)} | {name_default(field)} | {field.description or ''} |"
        found = find_model(field.annotation)
        if found is not None:
            is_map = get_origin(field.annotation) is dict
            inner.append((found, f"{where}{name}{'.NAME' if is_map else ''}"))
    for found, place in inner:
        yield from describe_models(found, f"`{place}`", f"{place}.")


def name_type(annotation: Any) -> str:
    """A type as a person writes its values in YAML."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(name_type(one) for one in arguments if one is not type(None))
    if origin is tuple:
        return f"list of {name_type(arguments[0])}"
    if origin is dict:
        return f"names with {name_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(annotation, "any")


def name_default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    if field.is_required():
        return "required"
    if default is None or default in ((), {}, "") or isinstance(default, BaseModel):
        return ""
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := find_model(one))), None)


# --- commands ---


def describe_commands() -> Lines:
    yield "# Commands"
    yield ""
    yield "Results go to stdout, as a table or with `--json` as JSON; everything else goes to stderr."
    yield ""
    yield "Exit codes: 0 done; 1 the data fell short (quota, expectation, threshold); 2 the request is wrong; 3"
    yield "something outside failed (network, endpoint, Hub, disk); 4 a fault of coalm-it; 130 stopped by Ctrl-C."
    yield from describe_group(typer.main.get_group(app), "coalm-it")


def describe_group(group: TyperGroup, above: str) -> Lines:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from describe_group(command, f"{above} {name}")
            continue
        options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        yield ""
        yield f"## {' '.join([above, name, *(map(name_argument, arguments))])}"
        yield ""
        yield str(command.help)
        yield ""
        yield "| | | default |"
        yield "|---|---|---|"
        for one in arguments:
            yield f"| `{name_argument(one)}` | {getattr(one, 'help', '')} | |"
        for one in options:
            yield f"| `{', '.join(one.opts)}` | {getattr(one, 'help', '')} | {name_option_default(one)} |"


def name_argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def name_option_default(option: Any) -> str:
    if option.required:
        return "required"
    if option.name == "workers":
        return "the number of cores"
    return "" if option.default in (None, False) else f"`{option.default}`"


PAGES = {"recipe.md": describe_recipe, "commands.md": describe_commands}

if __name__ == "__main__":
    for name, text in write_pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
