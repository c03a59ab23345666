"""The longest rows that a part takes: its tokenizer, and which samples of a shard are longer than it allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coalm_it.configs import ConfigError
from coalm_it.recipe import MaxTokens, Recipe
from coalm_it.rendering import Row
from coalm_it.tokens import TokenizerError, TokenizerHubError, find_tokenizer, hash_tokenizer, load_counter


def find_tokenizers(recipe: Recipe) -> dict[str, Path]:
    """Part -> the tokenizer.json with which its `max_tokens` are counted. Raises ConfigError, OutsideError."""
    found: dict[str, Path] = {}
    for name, part in recipe.parts.items():
        if part.max_tokens:
            try:
                found[name] = find_tokenizer(part.max_tokens.tokenizer)
                load_counter(found[name])
            except TokenizerError as error:
                raise ConfigError(f"part {name}: max_tokens: {error}") from None
            except TokenizerHubError as error:
                raise TokenizerHubError(f"part {name}: max_tokens: {error}") from None
    return found


def hash_tokenizers(recipe: Recipe, found: dict[str, Path]) -> dict[str, str]:
    """Last name of a tokenizer in the recipe -> sha256 of its tokenizer.json."""
    wanted = {name: part.max_tokens for name, part in recipe.parts.items() if part.max_tokens}
    return {max_tokens.name: hash_tokenizer(found[name]) for name, max_tokens in wanted.items()}


def find_too_long(rows: Sequence[Row], wanted: MaxTokens, tokenizer: Path) -> set[int]:
    """The indexes of rows that are longer than a part allows."""
    counter = load_counter(tokenizer)
    if wanted.config == "samples":
        sizes = counter.count_json([[*row.prompt, *row.completion, *(row.tools or ())] for row in rows])
    else:
        columns = [counter.count_texts(texts) for texts in zip(*(row[:3] for row in rows), strict=True)]
        sizes = [sum(counts) for counts in zip(*columns, strict=True)]
    return {index for index, size in enumerate(sizes) if size > wanted.at_most}
