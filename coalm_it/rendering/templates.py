"""The macros of templates/, as functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jinja2

from coalm_it.assets import asset


def render(name: str, macro: str, *values: object) -> str:
    """What a macro of templates/rows/NAME.jinja gives, without line breaks around it."""
    return str(_load_macro(name, macro)(*values)).strip("\n")


@cache
def list_macros(name: str) -> tuple[str, ...]:
    """The names of a template's macros, in alphabetical order; those that begin with an underscore are its own."""
    defined = vars(_environment().get_template(f"rows/{name}.jinja").module)
    return tuple(sorted(macro for macro in defined if not macro.startswith("_")))


@cache
def _load_macro(name: str, macro: str) -> Callable[..., str]:
    loaded: Callable[..., str] = getattr(_environment().get_template(f"rows/{name}.jinja").module, macro)
    return loaded


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(asset("templates"))
    return jinja2.Environment(
        loader=loader,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
