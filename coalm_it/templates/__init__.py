"""Reads the templates in templates/: Jinja templates and their macros, and YAML files of phrases.

Every room renders with the same Jinja options. Autoescape is off, since nothing is rendered as HTML. An undefined
variable is an error, so that a misspelt name cannot produce an empty string. Lines that hold only a block tag leave no
whitespace behind.

A user's own files (see `own`) go before those of the package from `use_templates` on, in this process. A worker calls
it with the files of its task, so that it does not matter how it was started.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jinja2
import jinja2.sandbox
import yaml

from coalm_it.assets import asset, list_assets
from coalm_it.errors import RequestError

T = TypeVar("T")
OwnTemplates = Mapping[str, bytes]
"""Name of a file below templates/ ("rows/hammer.jinja") -> the content that is used instead of the package's."""

_own: OwnTemplates = {}
_clear_functions: list[Callable[[], None]] = []


class TemplateError(RequestError):
    """A user's own template cannot be used; the message is one line for the user."""


def template_cache(maxsize: int | None = None) -> Callable[[Callable[..., T]], functools._lru_cache_wrapper[T]]:
    """functools.lru_cache for what is made from templates; `use_templates` empties it."""

    def decorate(function: Callable[..., T]) -> functools._lru_cache_wrapper[T]:
        cached = functools.lru_cache(maxsize)(function)
        _clear_functions.append(cached.cache_clear)
        return cached

    return decorate


def use_templates(own: OwnTemplates) -> None:
    """Uses these files before those of the package, until the next call; without any, only the package's."""
    global _own
    if dict(own) != dict(_own):
        _own = dict(own)
        for clear in _clear_functions:
            clear()


def list_templates_in_use() -> OwnTemplates:
    """The user's own files that are in use."""
    return _own


def make_environment(own: OwnTemplates | None = None) -> jinja2.Environment:
    """A new environment for templates/, to which a caller may add its own filters.

    With a user's own files (None: those in use) it is a sandbox: they may come with a recipe of somebody else.
    """
    own = _own if own is None else own
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment if own else jinja2.Environment
    texts = {name: content.decode("utf-8") for name, content in own.items() if name.endswith(".jinja")}
    return environment(
        loader=jinja2.ChoiceLoader([jinja2.DictLoader(texts), jinja2.FileSystemLoader(asset("templates"))]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )


def render_macro(template: str, macro: str, *values: object) -> str:
    """The output of a macro of templates/TEMPLATE.jinja, without leading and trailing line breaks.

    Raises jinja2.TemplateNotFound or AttributeError if there is no such template or macro; TemplateError if a user's
    own template fails.
    """
    try:
        return str(_load_macro(template, macro)(*values)).strip("\n")
    except Exception as error:
        if f"{template}.jinja" not in _own:
            raise
        raise TemplateError(f"{template}.jinja, macro {macro}: {' '.join(str(error).split())}") from None


@template_cache()
def list_macros(template: str) -> tuple[str, ...]:
    """The public macros of templates/TEMPLATE.jinja in alphabetical order; a private one begins with an underscore."""
    return tuple(sorted(macro for macro in vars(_load_module(template)) if not macro.startswith("_")))


@template_cache()
def _load_macro(template: str, macro: str) -> Callable[..., str]:
    loaded: Callable[..., str] = getattr(_load_module(template), macro)
    return loaded


@template_cache()
def _load_module(template: str) -> Any:
    return _environment().get_template(f"{template}.jinja").module


@template_cache()
def _environment() -> jinja2.Environment:
    return make_environment()


def read_yaml(name: str) -> Any:
    """The content of templates/NAME. Raises yaml.YAMLError if it does not parse."""
    content = _own.get(name) or asset("templates", *name.split("/")).read_bytes()
    # The C loader is ten times faster, and the phrases of thoughts are long files.
    return yaml.load(content, yaml.CSafeLoader)


def fill_phrase(phrase: str, values: Mapping[str, str], where: str) -> str:
    """A phrase of a YAML file with its placeholders filled. Raises TemplateError if it names one that is not there."""
    try:
        return phrase.format_map(values)
    except KeyError as error:
        if not _own:
            raise
        raise TemplateError(f"{where}: {phrase!r}: no placeholder {error}; there are: {', '.join(values)}") from None


@template_cache()
def fingerprint_own_templates() -> str:
    """A hash of the user's own files that are in use; empty if there are none."""
    if not _own:
        return ""
    digest = hashlib.blake2b(digest_size=16)
    for name, content in sorted(_own.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@template_cache()
def fingerprint_templates(folder: str) -> str:
    """A hash of all templates in a folder of templates/; part of the provenance of a row."""
    digest = hashlib.blake2b(digest_size=8)
    root = asset("templates")
    for path in list_assets("templates", ""):
        name = path.relative_to(root).as_posix()
        if name.startswith(f"{folder}/"):
            digest.update(path.name.encode() + b"\0" + (_own.get(name) or path.read_bytes()))
    return digest.hexdigest()
