"""What makes a build folder enough to build its data set again: a recipe without paths of this machine, and its files.

A user's own templates are copied to OUT/templates/, the descriptions of a user's own corpora to OUT/sources/, and
OUT/recipe.yaml refers to these copies.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

from coalm_it.corpora.sources import Source, SourceError, load_source
from coalm_it.dataset.attachments import SOURCES, TEMPLATES
from coalm_it.recipe import MaxTokens, Recipe, is_own_source
from coalm_it.templates import list_templates_in_use


class PortableRecipe(NamedTuple):
    recipe: Recipe
    """The recipe as it is written to OUT/recipe.yaml."""
    files: dict[str, bytes]
    """Path below OUT -> content, of the files that it refers to."""


def make_portable(recipe: Recipe) -> PortableRecipe:
    """The recipe with paths relative to its file. Its templates must be in use. Raises SourceError."""
    files = {f"{TEMPLATES}/{name}": content for name, content in list_templates_in_use().items()}
    paths: dict[str, str] = {}
    for name in dict.fromkeys(name for part in recipe.parts.values() for name in part.source if is_own_source(name)):
        source = load_source(name)
        path = paths[name] = f"{SOURCES}/{_check_name(source.name, name)}.yaml"
        if files.setdefault(path, _write_source(source)) != _write_source(source):
            raise SourceError(f"{name}: another source of this recipe is called {source.name!r} too")
    parts = {
        name: part.model_copy(
            update={
                "source": tuple(paths.get(one, one) for one in part.source),
                "max_tokens": _name_tokenizer(part.max_tokens),
            }
        )
        for name, part in recipe.parts.items()
    }
    templates = TEMPLATES if recipe.templates else ""
    return PortableRecipe(recipe.model_copy(update={"parts": parts, "templates": templates}), files)


def _name_tokenizer(wanted: MaxTokens | None) -> MaxTokens | None:
    """Without the path of its folder: tokenizers have licences of their own, so that none is copied into a build."""
    return wanted and wanted.model_copy(update={"tokenizer": wanted.name})


def _check_name(name: str, path: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise SourceError(f"{path}: {name!r} is not a name: use letters, digits, and between them . _ -")
    return name


def _write_source(source: Source) -> bytes:
    described = source.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(described, sort_keys=False, allow_unicode=True).encode()
