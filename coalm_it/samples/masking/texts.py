"""Names inside descriptions: "Needs the `user_id` that find_user returns", examples, titles, whatever is text.

A name that could be a word, several words, or a value is kept where a text may mean it: renaming it could break a
sentence, and leaving it there would give the new name away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from coalm_it.schema import Sample, Tool

Rewrite = Callable[[str], str]

_NO_TEXTS = frozenset("$ref const default enum format name pattern required type".split())
"""Keys of a schema whose values are names or data."""
_DATA = frozenset(("const", "default", "enum"))
PLAIN_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def list_texts(tool: Tool) -> str:
    """All texts of a function as one."""
    return "\n".join((tool.description, *_walk(tool.parameters, _is_text), *_walk(tool.spec or {}, _is_text)))


def rewrite_texts(value: Any, rewrite: Rewrite) -> Any:
    """The same value with other texts; names and data stay."""
    if isinstance(value, dict):
        return {key: _rewrite_item(key, item, rewrite) for key, item in value.items()}
    if isinstance(value, list):
        return [rewrite(item) if isinstance(item, str) else rewrite_texts(item, rewrite) for item in value]
    return value


def _rewrite_item(key: str, item: Any, rewrite: Rewrite) -> Any:
    if isinstance(item, dict):
        return rewrite_texts(item, rewrite)
    if key in _NO_TEXTS:
        return item
    return rewrite(item) if isinstance(item, str) else rewrite_texts(item, rewrite)


def make_rewrite(names: Mapping[str, str]) -> Rewrite | None:
    """Replaces whole names, the longest first; None if there are none."""
    if not names:
        return None
    listed = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    pattern = re.compile(rf"(?<![A-Za-z0-9_])(?:{listed})(?![A-Za-z0-9_])")
    return lambda text: pattern.sub(lambda match: names[match[0]], text)


def is_ordinary(name: str) -> bool:
    """Whether a name may be a word or several words of a sentence."""
    return " " in name or PLAIN_WORD.fullmatch(name) is not None


def mentions_name(text: str, name: str) -> bool:
    """Whether a text has the name as a whole."""
    return name in text and re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text) is not None


def find_unsafe_names(sample: Sample) -> frozenset[str]:
    """Names that must stay, as a text or a value of the sample mentions them and cannot be changed safely."""
    texts = [(list_texts(tool), tool) for tool in sample.tools]
    data = "\n".join(_list_data(sample))
    names = {name for tool in sample.tools for name in (tool.name, *tool.properties)}
    return frozenset(
        name
        for name in names
        if (not is_ordinary(name) and mentions_name(data, name))
        or any(name in text and _is_unsafe(name, text, tool, sample.tools) for text, tool in texts)
    )


def _is_unsafe(name: str, text: str, tool: Tool, tools: Sequence[Tool]) -> bool:
    """Whether a text of the tool mentions a name that is a word or words, or that several things have."""
    if PLAIN_WORD.fullmatch(name):  # "the city" is no mention of `city`; city='Oslo' is one
        return re.search(rf"(?<!\w)(?:[`'\"]{name}[`'\"]|{name}(?:\(|\s?=\s?[\w'\"]))", text) is not None
    if not mentions_name(text, name):
        return False
    if " " in name:
        return True
    owners = [other for other in tools if name in other.properties]
    is_function = any(name == other.name for other in tools)
    return bool(owners) if is_function else name not in tool.properties and len(owners) > 1


def _list_data(sample: Sample) -> Iterator[str]:
    """The values of calls, and those that schemas allow."""
    for turn in sample.turns:
        for step in turn.steps:
            for call in step.calls:
                yield from _walk(call.arguments, lambda key, path: True)
    for tool in sample.tools:
        for entry in tool.properties.values():
            yield from _walk(entry, lambda key, path: not _DATA.isdisjoint((key, *path)))


def _is_text(key: str, path: tuple[str, ...]) -> bool:
    return key not in _NO_TEXTS


def _walk(value: Any, wanted: Callable[[str, tuple[str, ...]], bool], path: tuple[str, ...] = ()) -> Iterator[str]:
    """The texts in a value whose nearest key, and the keys above it, are wanted."""
    if isinstance(value, str):
        if wanted(path[-1] if path else "", path[:-1]):
            yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, wanted, (*path, key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item, wanted, path)
