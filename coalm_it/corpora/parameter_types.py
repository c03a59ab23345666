"""The types of parameters as corpora write them -> JSON Schema.

Types in Python's words: `str`, `int, optional`, `List[int]`, `Union[int, float]`, `Tuple[float, float]`, `set`,
`float (0-1)`, `list(str)`, `str, optional, default 'London'`; in Java's and JavaScript's; in JSON Schema's.

The part of a type that JSON Schema cannot express (`0-1`, `Callable[[float], float]`) is kept under `format`, which
validators ignore; an unknown type allows every value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

_SIMPLE = {
    **dict.fromkeys(("str", "string", "text", "char", "character"), "string"),
    **dict.fromkeys(("int", "integer", "long", "short"), "integer"),
    **dict.fromkeys(("float", "double", "number"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("list", "array", "arraylist", "tuple", "sequence", "set"), "array"),
    **dict.fromkeys(("dict", "object", "hashmap", "map"), "object"),
    **dict.fromkeys(("none", "null"), "null"),
}
_NAMED = re.compile(r"(?:typing\.)?(\w+)\s*(?:\[(.*)\]|\((.*)\)|<(.*)>)?", re.DOTALL)
_DEFAULT = re.compile(r"default\w*\s*[:=]?\s*(.*)", re.IGNORECASE | re.DOTALL)


class ParameterType(NamedTuple):
    schema: dict[str, Any]
    optional: bool = False


def read_type(value: Any) -> ParameterType:
    """The type under `type`: a text, or a list of texts."""
    if isinstance(value, str):
        return read_type_text(value)
    if isinstance(value, list) and value and all(item is None or isinstance(item, str) for item in value):
        return _unite([read_type_text(item or "null") for item in value])
    return ParameterType({} if value is None else {"format": json.dumps(value, ensure_ascii=False)})


@lru_cache(maxsize=4096)
def read_type_text(text: str) -> ParameterType:
    """A type with its annotations: `str, optional, default 'London'`."""
    expression, *notes = _split(text, ",")
    schema, optional = _read_expression(expression.strip())
    schema = dict(schema)
    for note in (note.strip() for note in notes):
        if note.lower() == "optional":
            optional = True
        elif default := _DEFAULT.fullmatch(note):
            optional = True
            schema.setdefault("default", _read_default(default[1], schema))
        else:
            schema["format"] = f"{schema['format']}, {note}" if "format" in schema else note
    return ParameterType(schema, optional)


def _read_expression(text: str) -> ParameterType:
    parts = list(_split(text, "|"))
    if len(parts) > 1:
        return _unite([_read_expression(part.strip()) for part in parts])
    match = _NAMED.fullmatch(text)
    if not match:
        return ParameterType({"format": text} if text else {})
    name, inner = match[1].lower(), match[2] or match[3] or match[4]
    if inner is None:
        return ParameterType(_read_name(name, text))
    if inner.strip().lower() == "optional":
        return ParameterType(_read_expression(match[1]).schema, optional=True)
    return _read_container(name, inner, text)


def _read_name(name: str, text: str) -> dict[str, Any]:
    if name == "any":
        return {}
    if name == "set":
        return {"type": "array", "uniqueItems": True}
    return {"type": _SIMPLE[name]} if name in _SIMPLE else {"format": text}


def _read_container(name: str, inner: str, text: str) -> ParameterType:
    items = [_read_expression(part.strip()) for part in _split(inner, ",")]
    schemas = [item.schema for item in items]
    if name == "union":
        return _unite(items)
    if name == "optional":
        return ParameterType(_unite([*items, ParameterType({"type": "null"})]).schema, optional=True)
    if name == "tuple" and inner.strip().endswith("...") and len(schemas) == 2:
        return ParameterType({"type": "array", "items": schemas[0]})
    if name == "tuple":
        same = {"items": schemas[0]} if all(schema == schemas[0] for schema in schemas) else {"prefixItems": schemas}
        return ParameterType({"type": "array", **same, "minItems": len(schemas), "maxItems": len(schemas)})
    if name == "dict" and len(schemas) == 2:
        return ParameterType({"type": "object"} | ({"additionalProperties": schemas[1]} if schemas[1] else {}))
    if _SIMPLE.get(name) == "array" and len(schemas) == 1:
        return ParameterType(_read_name(name, text) | {"items": schemas[0]})
    if name in _SIMPLE:
        return ParameterType({"type": _SIMPLE[name], "format": inner.strip()})
    return ParameterType({"format": text})


def _unite(types: list[ParameterType]) -> ParameterType:
    schemas = [kind.schema for kind in types]
    optional = {"type": "null"} in schemas
    if any(not schema for schema in schemas):
        return ParameterType({}, optional)
    if all(set(schema) == {"type"} and isinstance(schema["type"], str) for schema in schemas):
        names = list(dict.fromkeys(schema["type"] for schema in schemas))
        return ParameterType({"type": names[0] if len(names) == 1 else names}, optional)
    return ParameterType({"anyOf": schemas}, optional)


def _read_default(text: str, schema: dict[str, Any]) -> Any:
    """`100` is a number for an integer, and text for a string or in quotes."""
    bare = text.strip().strip("'\"")
    if schema.get("type") == "string":
        return bare
    try:
        return json.loads(bare.lower() if bare in ("True", "False") else bare)
    except ValueError:
        return None if bare == "None" else bare


def _split(text: str, mark: str) -> Iterator[str]:
    """The parts between marks that are outside brackets and quotes."""
    start, depth, quote = 0, 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(<{":
            depth += 1
        elif character in "])>}":
            depth -= 1
        elif character == mark and depth == 0:
            yield text[start:index]
            start = index + 1
    yield text[start:]
