"""The function descriptions of the corpora -> Tools with JSON Schema.

The forms that occur in corpora, all of which are read:

- `parameters` as a flat map {name: {type, description, default}} (xLAM, API-Bank, Seal-Tools, ToolAlpaca), as
  {"type": "dict", "properties": ...} (ToolACE, BFCL), as JSON Schema, and none at all; the function by itself
  or as {"type": "function", "function": {...}}.
- Types in Python's words: `str`, `int, optional`, `List[int]`, `Union[int, float]`, `Tuple[float, float]`, `set`,
  `float (0-1)`, `list(str)`, `str, optional, default 'London'`; in Java's and JavaScript's; in JSON Schema's.
- Required parameters: a list next to the parameters or next to the function; `required: true` (or `optional`) at a
  parameter, which then applies to all functions of the record (ToolAlpaca marks nothing else); or no indication. Then
  a parameter of a flat map is required unless its type says optional or it has a default: in xLAM-60k, calls omit 26
  to 51 % of the parameters marked optional, 4.1 % of those with only a default, and 0.8 % of the others.
  Parameters in JSON Schema without such a list are not required.

The part of a type that JSON Schema cannot express (`0-1`, `Callable[[float], float]`) is kept under `format`, which
validators ignore; an unknown type allows every value. `Tool.spec` keeps the original description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from coalm_it.corpora.records import BadRecord, parse_json
from coalm_it.schema import Tool

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
_MARK = b'"required":true'
_DEFAULT = re.compile(r"default\w*\s*[:=]?\s*(.*)", re.IGNORECASE | re.DOTALL)


class _Type(NamedTuple):
    schema: dict[str, Any]
    optional: bool = False


def read_tools(value: Any) -> tuple[Tool, ...]:
    """The functions of a record, given as a list or as its JSON text.

    Exact duplicates are left out; two different functions with the same name are both kept, as in some rows of xLAM.
    Raises BadRecord: not a list, a function without a name, parameters that are not an object.
    """
    if isinstance(value, str):
        value = parse_json(value, "tools")
    if not isinstance(value, list):
        raise BadRecord(f"tools should be a list of functions, found {value!r:.60}")
    texts = dict.fromkeys(map(_dump, value))
    marked = any(_MARK in text for text in texts)
    return tuple(_read_cached(text, marked) for text in texts)


def _dump(item: Any) -> bytes:
    try:
        return orjson.dumps(item)
    except TypeError:  # an integer of more than 64 bits, or half a surrogate pair
        try:
            return json.dumps(item, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BadRecord(f"tools: half a surrogate pair in {item!r:.60}") from None


# Thousands of records list the same function; sharing one Tool saves time and memory.
@lru_cache(maxsize=16_384)
def _read_cached(text: bytes, marked: bool) -> Tool:
    return _read_tool(json.loads(text), marked)


def _read_tool(item: Any, marked: bool) -> Tool:
    """`marked`: whether the record marks required parameters individually."""
    if not isinstance(item, dict):
        raise BadRecord(f"tools should hold objects, found {item!r:.60}")
    function = item["function"] if isinstance(item.get("function"), dict) else item
    name = function.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadRecord(f"a function of tools has no name: {function!r:.60}")
    described = function.get("description")
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadRecord(f"the parameters of {name!r} should be an object, found {parameters!r:.60}")
    try:
        schema = _read_parameters(parameters, function.get("required", item.get("required")), marked)
    except (BadRecord, RecursionError) as error:
        raise BadRecord(f"the parameters of {name!r}: {error}") from None
    return Tool(
        name=name.strip(),
        description=described.strip() if isinstance(described, str) else "",
        parameters=schema,
        spec=item,
    )


# --- parameters ---


def _read_parameters(parameters: dict[str, Any], outer_required: Any, marked: bool = False) -> dict[str, Any]:
    """`outer_required`: the `required` of the function itself."""
    if _is_schema(parameters):
        described = parameters.get("properties") or {}
        required = parameters.get("required", outer_required)
    else:
        described, required = parameters, outer_required
    properties, optional = {}, {}
    for name, spec in described.items():
        properties[name], optional[name] = _read_property(name, spec)
    if not isinstance(required, list):
        marks = {name: _read_mark(spec) for name, spec in described.items()}
        if marked or any(mark is not None for mark in marks.values()):
            required = [name for name, mark in marks.items() if mark]
        elif _is_schema(parameters):
            required = []
        else:
            required = [name for name in properties if not optional[name] and "default" not in properties[name]]
    known = [name for name in dict.fromkeys(map(str, required)) if name in properties]
    return {"type": "object", "properties": properties, "required": known}


def _is_schema(parameters: dict[str, Any]) -> bool:
    """Whether this is a schema, not a flat map, in which `type` and `properties` may be names of parameters."""
    properties = parameters.get("properties")
    nested = isinstance(properties, dict) and all(isinstance(spec, dict) for spec in properties.values())
    return isinstance(parameters.get("type"), str) or nested


def _read_mark(spec: dict[str, Any]) -> bool | None:
    """Whether a parameter is marked as required; None if it is not marked."""
    if isinstance(spec.get("required"), bool):
        return bool(spec["required"])
    if isinstance(spec.get("optional"), bool):
        return not spec["optional"]
    return None


def _read_property(name: str, spec: Any) -> tuple[dict[str, Any], bool]:
    """The JSON Schema of a parameter, with keys in the order of the corpus, and whether its type says optional."""
    if not isinstance(spec, dict):
        raise BadRecord(f"{name!r} should be an object with its type, found {spec!r:.60}")
    schema: dict[str, Any] = {}
    optional = False
    for key, value in spec.items():
        if key == "type":
            kind = _read_type(value)
            optional = kind.optional
            for word, meaning in kind.schema.items():
                schema.setdefault(word, meaning)
        elif key == "properties" and isinstance(value, dict):
            inner = _read_parameters({"type": "object", "properties": value}, spec.get("required"))
            schema |= {word: inner[word] for word in ("properties", "required")}
        elif key == "items" and isinstance(value, dict):
            schema["items"] = _read_property("items", value)[0]
        elif key not in ("required", "optional"):
            schema[key] = value
    return schema, optional


# --- types ---


def _read_type(value: Any) -> _Type:
    if isinstance(value, str):
        return _read_type_text(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return _unite([_read_type_text(item) for item in value])
    return _Type({} if value is None else {"format": json.dumps(value, ensure_ascii=False)})


@lru_cache(maxsize=4096)
def _read_type_text(text: str) -> _Type:
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
    return _Type(schema, optional)


def _read_expression(text: str) -> _Type:
    parts = list(_split(text, "|"))
    if len(parts) > 1:
        return _unite([_read_expression(part.strip()) for part in parts])
    match = _NAMED.fullmatch(text)
    if not match:
        return _Type({"format": text} if text else {})
    name, inner = match[1].lower(), match[2] or match[3] or match[4]
    if inner is None:
        return _Type(_read_name(name, text))
    if inner.strip().lower() == "optional":
        return _Type(_read_expression(match[1]).schema, optional=True)
    return _read_container(name, inner, text)


def _read_name(name: str, text: str) -> dict[str, Any]:
    if name == "any":
        return {}
    if name == "set":
        return {"type": "array", "uniqueItems": True}
    return {"type": _SIMPLE[name]} if name in _SIMPLE else {"format": text}


def _read_container(name: str, inner: str, text: str) -> _Type:
    items = [_read_expression(part.strip()) for part in _split(inner, ",")]
    schemas = [item.schema for item in items]
    if name == "union":
        return _unite(items)
    if name == "optional":
        return _Type(_unite([*items, _Type({"type": "null"})]).schema, optional=True)
    if name == "tuple" and inner.strip().endswith("...") and len(schemas) == 2:
        return _Type({"type": "array", "items": schemas[0]})
    if name == "tuple":
        same = {"items": schemas[0]} if all(schema == schemas[0] for schema in schemas) else {"prefixItems": schemas}
        return _Type({"type": "array", **same, "minItems": len(schemas), "maxItems": len(schemas)})
    if name == "dict" and len(schemas) == 2:
        return _Type({"type": "object"} | ({"additionalProperties": schemas[1]} if schemas[1] else {}))
    if _SIMPLE.get(name) == "array" and len(schemas) == 1:
        return _Type(_read_name(name, text) | {"items": schemas[0]})
    if name in _SIMPLE:
        return _Type({"type": _SIMPLE[name], "format": inner.strip()})
    return _Type({"format": text})


def _unite(types: list[_Type]) -> _Type:
    schemas = [kind.schema for kind in types]
    optional = {"type": "null"} in schemas
    if any(not schema for schema in schemas):
        return _Type({}, optional)
    if all(set(schema) == {"type"} and isinstance(schema["type"], str) for schema in schemas):
        names = list(dict.fromkeys(schema["type"] for schema in schemas))
        return _Type({"type": names[0] if len(names) == 1 else names}, optional)
    return _Type({"anyOf": schemas}, optional)


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
