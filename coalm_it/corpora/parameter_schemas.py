"""The parameters of a function, however a corpus describes them -> one JSON Schema."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from coalm_it.corpora.parameter_types import read_type, read_type_text
from coalm_it.corpora.records import BadRecord, parse_json

_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("$defs", "definitions", "patternProperties", "dependentSchemas")
_SCHEMAS = ("not", "if", "then", "else", "contains", "propertyNames", "additionalProperties", "unevaluatedProperties")
_OF_OBJECTS = (*_LISTS[:3], *_MAPS, *_SCHEMAS, "minProperties", "maxProperties")
"""What the schema of all parameters may say beside its properties."""
_MAY_BE_NULL = ("default", "const", "example", "examples")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_pattern(value: Any) -> bool:
    try:
        re.compile(value)
    except (TypeError, ValueError, RecursionError, re.error):
        return False
    return True


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "enum": lambda value: isinstance(value, list) and bool(value),
    "pattern": _is_pattern,
    "uniqueItems": lambda value: isinstance(value, bool),
    **dict.fromkeys(("$ref", "title", "description", "format"), lambda value: isinstance(value, str)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _is_number),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains"), _is_count
    ),
}
"""Keyword -> whether its value has the shape that JSON Schema asks for. Others are left out."""


def read_parameters(parameters: dict[str, Any], outer_required: Any, marked: bool = False) -> dict[str, Any]:
    """A JSON Schema object with properties and required.

    `outer_required` is the `required` of the function itself; `marked` says that the record marks required parameters
    individually. Raises BadRecord.
    """
    is_schema = _is_schema(parameters)
    if is_schema:
        described = _read_properties(parameters.get("properties"))
        required = parameters.get("required", outer_required)
    else:
        described, required = parameters, outer_required
    described = {name: spec for name, spec in described.items() if spec is not None}
    properties, optional = {}, {}
    for name, spec in described.items():
        properties[name], optional[name] = _read_property(name, spec)
    if not isinstance(required, list):
        marks = {name: _read_mark(spec) for name, spec in described.items()}
        if marked or any(mark is not None for mark in marks.values()):
            required = [name for name, mark in marks.items() if mark]
        elif is_schema:
            required = []
        else:
            required = [name for name in properties if not optional[name] and "default" not in properties[name]]
    known = [name for name in dict.fromkeys(map(str, required)) if name in properties]
    more = {key: parameters[key] for key in _OF_OBJECTS if key in parameters} if is_schema else {}
    return {"type": "object", "properties": properties, "required": known, **_read_property("", more)[0]}


def says_required(parameters: Any) -> bool:
    """Whether parameters say themselves which of them are required: as a schema, or one by one."""
    if not isinstance(parameters, dict) or _is_schema(parameters):
        return True
    return any(_read_mark(spec) is not None for spec in parameters.values())


def list_described(value: Any) -> dict[str, Any]:
    """A list of {name, type, description} or of names, as a map by name."""
    described: dict[str, Any] = {}
    for item in value if isinstance(value, list) else ():
        if isinstance(item, str):
            described[item] = {}
        elif isinstance(item, dict) and isinstance(item.get("name"), str):
            described[item["name"]] = {key: kept for key, kept in item.items() if key != "name"}
    return described


def _read_properties(value: Any) -> dict[str, Any]:
    """The properties, which may be a JSON text or a list, as a map by name; empty for any other shape."""
    if isinstance(value, str):
        try:
            value = parse_json(value, "properties")
        except BadRecord:
            return {}
    return value if isinstance(value, dict) else list_described(value)


def _is_schema(parameters: dict[str, Any]) -> bool:
    """Whether this is a schema, not a flat map, in which `type` and `properties` may be names of parameters."""
    if isinstance(parameters.get("type"), str):
        return True
    properties = parameters.get("properties")
    if isinstance(properties, dict):
        return all(spec is None or isinstance(spec, dict) for spec in properties.values())
    return isinstance(properties, str | list)


def _read_mark(spec: Any) -> bool | None:
    """Whether a parameter is marked as required; None if it is not marked."""
    if not isinstance(spec, dict):
        return None
    if isinstance(spec.get("required"), bool):
        return bool(spec["required"])
    if isinstance(spec.get("optional"), bool):
        return not spec["optional"]
    return None


def _read_property(name: str, spec: Any) -> tuple[dict[str, Any], bool]:
    """The JSON Schema of a parameter, with keys in the order of the corpus, and whether its type says optional."""
    if isinstance(spec, bool):  # in JSON Schema: any value
        return {}, False
    if isinstance(spec, str):  # the type alone, or a description
        kind = read_type_text(spec)
        return (kind.schema if kind.schema.keys() - {"format"} else {"description": spec}), kind.optional
    if not isinstance(spec, dict):
        raise BadRecord(f"{name!r} should be an object with its type, found {spec!r:.60}")
    schema: dict[str, Any] = {}
    optional = False
    for key, value in spec.items():
        if value is None and key not in _MAY_BE_NULL:
            continue
        if key == "type":
            kind = read_type(value)
            optional = kind.optional
            for word, meaning in kind.schema.items():
                schema.setdefault(word, meaning)
        elif key == "properties":
            inner = _read_inner(value, spec.get("required"))
            schema |= {word: inner[word] for word in ("properties", "required") if word in inner}
        elif key not in ("required", "optional"):
            schema |= _read_keyword(key, value)
    if spec.get("nullable") is True:
        _allow_null(schema)
    return schema, optional


def _read_inner(value: Any, required: Any) -> dict[str, Any]:
    """The schema of a parameter that is an object; empty where its properties have a foreign shape."""
    described = {} if isinstance(value, list) and any(isinstance(item, str) for item in value) else value
    described = _read_properties(described)
    if not described and value:
        return {}
    return read_parameters({"type": "object", "properties": described}, required)


def _read_keyword(key: str, value: Any) -> dict[str, Any]:
    """A keyword of a parameter in the shape that JSON Schema asks for; empty if it has another."""
    if key == "items" and isinstance(value, list):
        key = "prefixItems"  # as JSON Schema wrote it until 2019
    if key == "items":
        return {key: _read_property(key, value)[0]} if isinstance(value, dict | str) else {}
    if key in _SCHEMAS:
        if isinstance(value, bool):
            return {key: value}
        return {key: _read_property(key, value)[0]} if isinstance(value, dict) else {}
    if key in _LISTS:
        items = value if isinstance(value, list) else ()
        inner = [_read_property(key, item)[0] for item in items if _is_schema_shape(item)]
        return {key: inner} if inner else {}
    if key in _MAPS:
        if not isinstance(value, dict):
            return {}
        return {key: {name: _read_property(name, item)[0] for name, item in value.items() if _is_schema_shape(item)}}
    fits = _SHAPES.get(key)
    return {} if fits and not fits(value) else {key: value}


def _is_schema_shape(value: Any) -> bool:
    return isinstance(value, dict | bool)


def _allow_null(schema: dict[str, Any]) -> None:
    """What OpenAPI writes as `nullable`."""
    kinds = schema.get("type")
    if isinstance(kinds, str):
        schema["type"] = [kinds, "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
