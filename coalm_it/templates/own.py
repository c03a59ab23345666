"""A user's own templates: a folder whose files are used instead of those of the same name in templates/.

They are read once, and checked against the package's: the same macros that take the same values, the same situations.
So a mistake is found before any row is made. A file may not be empty, and one with an unknown name is an error.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

from coalm_it.assets import asset, list_assets
from coalm_it.configs.validation import name_nearest
from coalm_it.templates import OwnTemplates, TemplateError, make_environment

REPLACEABLE = ("prompts", "replies", "rows", "thoughts")
"""The folders of templates/ whose files a user may replace; the others are not read for rows or requests."""
_OF_EVALUATION = "prompts/bfcl.yaml"
_WORDINGS = "rows/varied/"
"""Each macro of a template here is a wording; a user may have others, and any number of them."""
_WITH_PLACEHOLDERS = ("replies", "thoughts")
_NAMED_BY_USERS = ("slots", "intents")
"""Sections of thoughts/words.yaml with one entry for each name in a corpus."""
_BY_POSITION = ("endings", "pronouns", "vague", "months", "numbers", "rules")
"""Sections of thoughts/words.yaml whose lists are read by position."""


def read_own_templates(folder: Path) -> OwnTemplates:
    """The files of the folder by name; hidden files are ignored. Raises TemplateError."""
    if not folder.is_dir():
        raise TemplateError(f"templates: {folder} is not a folder")
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    paths = {name: path for name, path in paths.items() if not any(part[0] == "." for part in name.split("/"))}
    known = list_replaceable()
    for name, path in paths.items():
        if name not in known:
            raise TemplateError(f"{path}: no template is called {name!r}; {name_nearest(name, known)}")
    try:
        own = {name: path.read_bytes() for name, path in paths.items()}
    except OSError as error:
        raise TemplateError(f"{error.filename}: {error.strerror}") from None
    if not own:
        raise TemplateError(f"templates: {folder} has no file like {known[0]}")
    for name, content in own.items():
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            raise TemplateError(f"{paths[name]}: not UTF-8") from None
    for name, content in own.items():
        for problem in _find_problems(name, content, own):
            raise TemplateError(f"{paths[name]}: {problem}")
    return own


def list_replaceable() -> list[str]:
    """The names of the templates that a user may replace."""
    root = asset("templates")
    names = (path.relative_to(root).as_posix() for path in list_assets("templates", ""))
    return [name for name in names if name.split("/")[0] in REPLACEABLE and name != _OF_EVALUATION]


def _find_problems(name: str, content: bytes, own: OwnTemplates) -> Iterator[str]:
    """What is wrong with a user's file."""
    if name.endswith(".jinja"):
        yield from _compare_macros(name, own)
        return
    try:
        phrases = yaml.load(content, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        yield f"not YAML: {' '.join(str(error).split())}"
        return
    yield from _compare_phrases(phrases, yaml.load(asset("templates", name).read_bytes(), yaml.CSafeLoader), "")
    if name.split("/")[0] in _WITH_PLACEHOLDERS:
        yield from _find_bad_placeholders(phrases)


# --- Jinja ---


def _compare_macros(name: str, own: OwnTemplates) -> Iterator[str]:
    try:
        macros = _load_macros(name, own)
    except jinja2.TemplateSyntaxError as error:
        yield f"line {error.lineno}: {error.message}"
        return
    except Exception as error:  # whatever a template does outside its macros
        yield " ".join(str(error).split())
        return
    ours = _load_macros(name, {})
    if name.startswith(_WORDINGS):
        count = len(next(iter(ours.values())).arguments)
        wanted = dict.fromkeys(macros, count)
        if not macros:
            yield "no macro: each is a wording"
    else:
        wanted = {macro: len(one.arguments) for macro, one in ours.items()}
    for macro, count in wanted.items():
        if macro not in macros:
            yield f"no macro {macro!r}; the package's file has: {', '.join(ours)}"
        elif len(macros[macro].arguments) != count:
            example = ours.get(macro) or next(iter(ours.values()))
            arguments = ", ".join(macros[macro].arguments)
            yield f"macro {macro}({arguments}) is called with ({', '.join(example.arguments)})"


def _load_macros(name: str, own: OwnTemplates) -> dict[str, Any]:
    """The public macros of a template."""
    module = make_environment(own).get_template(name).module
    return {macro: one for macro, one in sorted(vars(module).items()) if not macro.startswith("_")}


# --- YAML ---


def _compare_phrases(phrases: Any, ours: Any, where: str) -> Iterator[str]:
    """Differences from the package's file that would make a phrase missing, or of another kind."""
    if type(phrases) is not type(ours):
        yield f"{where or 'the file'} must be {_name_kind(ours)}"
    elif isinstance(ours, dict) and where in _NAMED_BY_USERS:
        for name, entry in phrases.items():
            yield from _compare_entry(entry, list(ours.values()), f"{where}.{name}")
    elif isinstance(ours, dict):
        for name, one in ours.items():
            if name not in phrases:
                yield f"no {f'{where}.{name}'.lstrip('.')!r}; the package's file has it"
            else:
                yield from _compare_phrases(phrases[name], one, f"{where}.{name}".lstrip("."))
        for name in phrases:
            if name not in ours:
                yield f"unknown key {f'{where}.{name}'.lstrip('.')!r}; {name_nearest(str(name), list(ours))}"
    elif isinstance(ours, list):
        yield from _compare_lists(phrases, ours, where)


def _compare_lists(phrases: list[Any], ours: list[Any], where: str) -> Iterator[str]:
    by_position = where.partition(".")[0] in _BY_POSITION
    least = len(ours) if by_position else 1
    if len(phrases) < least:
        yield f"{where} needs {least} entries, as in the package's file" if least > 1 else f"{where} is empty"
    for phrase in phrases:
        if type(phrase) is not type(ours[0]):
            yield f"{where}: {phrase!r} must be {_name_kind(ours[0])}"
        elif not phrase.strip() and not by_position:
            yield f"{where} has an empty phrase"


def _compare_entry(entry: Any, ours: list[Mapping[str, Any]], where: str) -> Iterator[str]:
    """Compares an entry of a section that users may extend with what the package's entries have."""
    if not isinstance(entry, dict):
        yield f"{where} must be {_name_kind({})}"
        return
    kinds = {key: value for one in ours for key, value in one.items()}
    for key in kinds:
        if key not in entry and all(key in one for one in ours):
            yield f"{where} has no {key!r}"
    for key, value in entry.items():
        if key not in kinds:
            yield f"unknown key {f'{where}.{key}'!r}; {name_nearest(str(key), list(kinds))}"
        else:
            yield from _compare_phrases(value, kinds[key], f"{where}.{key}")


def _name_kind(value: Any) -> str:
    return {dict: "a mapping", list: "a list", bool: "true or false"}.get(type(value), "text")


def _find_bad_placeholders(phrases: Any) -> Iterator[str]:
    """A placeholder is a name in braces and nothing more; which names there are depends on the situation."""
    if isinstance(phrases, str):
        try:
            found = list(string.Formatter().parse(phrases))
        except ValueError as error:
            yield f"{phrases!r}: {error}"
            return
        if any(name is not None and (form or kind or not name.isidentifier()) for _, name, form, kind in found):
            yield f"{phrases!r}: a placeholder is a name in braces, like {{call}}; a brace itself is doubled"
    elif isinstance(phrases, (dict, list)):
        for phrase in phrases.values() if isinstance(phrases, dict) else phrases:
            yield from _find_bad_placeholders(phrase)
