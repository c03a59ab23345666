"""YAML that people write, as plain values, within limits that no file written by hand reaches.

A date is read as text, since no key holds a date: `name: 2026-12-01` is a name. An alias stands for a copy, so that
a change of one place changes no other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1_000_000
"""Maximum length of a file."""
MAX_VALUES = 100_000
"""Maximum number of values once aliases are written out; a long text counts as one more every 100 characters."""
MAX_DEPTH = 64
"""Maximum nesting of lists and mappings."""

_DATE = "tag:yaml.org,2002:timestamp"
_TAB = repr("\t")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOO_DEEP = f"lists and mappings are nested deeper than {MAX_DEPTH} levels"


class YamlError(ValueError):
    """The text cannot be used; the message is one line, without the name of the file."""


class _Loader(yaml.SafeLoader):
    """Reads plain values only."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises YamlError, also for a file that cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise YamlError("is not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise YamlError(error.strerror or str(error)) from None
    except ValueError as error:  # a path with a NUL
        raise error if isinstance(error, YamlError) else YamlError(f"cannot be the name of a file: {error}") from None
    if len(content) > MAX_BYTES:
        raise YamlError(f"is longer than {MAX_BYTES:,} bytes")
    try:
        return parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise YamlError(f"not YAML: not UTF-8 at byte {error.start}") from None


def parse_yaml(text: str) -> Any:
    """The value of a YAML text, of which no two parts are the same object. Raises YamlError."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _measure(node, {})
            return _copy(loader.construct_document(node))
        finally:
            loader.dispose()
    except YamlError:
        raise
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {_one_line(error)}") from None
    except RecursionError:
        raise YamlError(_TOO_DEEP) from None
    # What the constructors of PyYAML raise for a value that its tag does not fit, such as `!!int x` or `0b_`.
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise YamlError(f"not YAML: a value does not fit its type: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        text = f"{error.problem}, in line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
        if _TAB in error.problem:
            text = f"{text}: indent with spaces, not with tabs"
    return text if len(text) <= 300 else f"{text[:300]}..."


def _measure(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """The number of values in a node and its depth, with aliases written out. Raises YamlError if either is too large.

    `known` holds the nodes measured so far, and None for those that contain the current one.
    """
    if id(node) in known:
        measured = known[id(node)]
        if measured is None:
            raise YamlError("an alias stands for a value that contains the alias")
        return measured
    known[id(node)] = None
    count, depth = 1, 0
    if isinstance(node, yaml.ScalarNode):
        count += len(node.value) // 100
        if _SURROGATE.search(node.value):
            raise YamlError("holds half a surrogate pair: write the character itself, not its two escapes")
    else:
        depth = 1
        for item in node.value:
            for inner in item if isinstance(item, tuple) else (item,):
                inner_count, inner_depth = _measure(inner, known)
                count, depth = count + inner_count, max(depth, inner_depth + 1)
                if count > MAX_VALUES:
                    raise YamlError(f"holds more than {MAX_VALUES:,} values, with its aliases written out")
    if depth > MAX_DEPTH:
        raise YamlError(_TOO_DEEP)
    known[id(node)] = count, depth
    return count, depth


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
