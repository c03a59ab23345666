"""Reads the templates in templates/: Jinja templates and their macros, and YAML files of phrases.

Every room renders with the same Jinja options. Autoescape is off, since nothing is rendered as HTML. An undefined
variable is an error, so that a misspelt name cannot produce an empty string. Lines that hold only a block tag leave no
whitespace behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import jinja2
import yaml

from coalm_it.assets import asset, list_assets


def make_environment() -> jinja2.Environment:
    """A new environment for templates/, to which a caller may add its own filters."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(asset("templates")),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )


def render_macro(template: str, macro: str, *values: object) -> str:
    """The output of a macro of templates/TEMPLATE.jinja, without leading and trailing line breaks.

    Raises jinja2.TemplateNotFound or AttributeError if there is no such template or macro.
    """
    return str(_load_macro(template, macro)(*values)).strip("\n")


@cache
def list_macros(template: str) -> tuple[str, ...]:
    """The public macros of templates/TEMPLATE.jinja in alphabetical order; a private one begins with an underscore."""
    return tuple(sorted(macro for macro in vars(_load_module(template)) if not macro.startswith("_")))


@cache
def _load_macro(template: str, macro: str) -> Callable[..., str]:
    loaded: Callable[..., str] = getattr(_load_module(template), macro)
    return loaded


@cache
def _load_module(template: str) -> Any:
    return _environment().get_template(f"{template}.jinja").module


@cache
def _environment() -> jinja2.Environment:
    return make_environment()


def read_yaml(name: str) -> Any:
    """The content of templates/NAME. Raises yaml.YAMLError if it does not parse."""
    # The C loader is ten times faster, and the phrases of thoughts are long files.
    return yaml.load(asset("templates", *name.split("/")).read_text("utf-8"), yaml.CSafeLoader)


@cache
def fingerprint_templates(folder: str) -> str:
    """A hash of all templates in a folder of templates/; part of the provenance of a row."""
    digest = hashlib.blake2b(digest_size=8)
    for path in list_assets("templates", ""):
        if asset("templates", folder) in path.parents:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
