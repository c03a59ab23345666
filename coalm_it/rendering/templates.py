"""The macros of templates/, as functions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache

import jinja2

from coalm_it.assets import asset, list_assets


def render(name: str, macro: str, *values: object) -> str:
    """What a macro of templates/rows/NAME.jinja gives, without line breaks around it."""
    return str(_load_macro(name, macro)(*values)).strip("\n")


@cache
def list_macros(name: str) -> tuple[str, ...]:
    """The names of a template's macros, in alphabetical order; those that begin with an underscore are its own."""
    defined = vars(_environment().get_template(f"rows/{name}.jinja").module)
    return tuple(sorted(macro for macro in defined if not macro.startswith("_")))


@cache
def fingerprint_templates(folder: str) -> str:
    """A hash of every template of a folder of templates/: it is part of a row's provenance."""
    digest = hashlib.blake2b(digest_size=8)
    for path in list_assets("templates", ""):
        if asset("templates", folder) in path.parents:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


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
