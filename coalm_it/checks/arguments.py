"""The arguments of a call against the JSON Schema of its function: jsonschema-rs finds what is wrong, we say it.

Stricter than JSON Schema in one respect: an object that lists its properties has no others, unless its schema says
that it may. A schema or parameter that cannot be compiled (a reference that leads nowhere, a pattern of another
dialect) binds no call. References to other documents are never fetched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind

from coalm_it.schema import DONT_CARE, Call, Tool


def find_argument_faults(call: Call, tool: Tool) -> Iterator[str]:
    """What is wrong with the arguments, each in one sentence that begins with its path: FindBus.to must be string..."""
    validator = _compile(tool.signature_json)
    if validator is None or validator.is_valid(call.arguments):
        return
    errors = [error for error in validator.iter_errors(call.arguments) if error.instance != DONT_CARE]
    of_another_type = [error.instance_path for error in errors if error.kind.name == "type"]
    for error in errors:
        if error.kind.name == "type" or error.instance_path not in of_another_type:
            yield from _describe(_write_path(call.name, error.instance_path), error)


# --- schemas ---


# Thousands of samples show the same function. The key is a text that rendering needs anyway.
@lru_cache(maxsize=4096)
def _compile(signature: str) -> Draft202012Validator | None:
    """`signature` has the members of a JSON object, one of which is `parameters`."""
    schema = _close(json.loads(f"{{{signature}}}")["parameters"])
    validator = _build_validator(schema)
    properties = schema.get("properties")
    if validator is None and isinstance(properties, dict):
        shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        usable = {
            name: one if _build_validator({**shared, "properties": {name: one}}) else {}
            for name, one in properties.items()
        }
        validator = _build_validator({**schema, "properties": usable})
    return validator


def _build_validator(schema: Any) -> Draft202012Validator | None:
    try:
        return Draft202012Validator(schema, offline=True, validate_formats=False)
    except (ValueError, RecursionError):  # a ValidationError is a ValueError
        return None


_COMBINING = ("$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas")
"""Keywords that may bring in more properties."""


def _close(schema: Any) -> Any:
    """The schema with its objects closed. Alternatives, references and their targets stay as they are: what one of them
    does not list, another may."""
    if not isinstance(schema, dict):
        return schema
    closed = dict(schema)
    if isinstance(schema.get("properties"), dict):
        closed["properties"] = {name: _close(one) for name, one in schema["properties"].items()}
        if "additionalProperties" not in schema and "unevaluatedProperties" not in schema:
            word = "unevaluatedProperties" if any(key in schema for key in _COMBINING) else "additionalProperties"
            closed[word] = False
    for key in ("items", "additionalProperties"):
        if key in schema:
            closed[key] = _close(closed[key])
    if isinstance(schema.get("prefixItems"), list):
        closed["prefixItems"] = [_close(one) for one in schema["prefixItems"]]
    return closed


# --- findings ---

_UNDECIDED = (ValidationErrorKind.BacktrackLimitExceeded, ValidationErrorKind.RegexEngineFailure)
"""A pattern that takes too long to match: nothing is known of the value."""


def _write_path(name: str, path: list[str | int]) -> str:
    return name + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def _describe(path: str, error: ValidationError) -> Iterator[str]:
    kind: Any = error.kind
    if kind.name in ("additionalProperties", "unevaluatedProperties"):
        yield from (f"{path} has no parameter {name}" for name in kind.unexpected)
    elif kind.name == "required":
        yield f"{path} needs {kind.property}, which is missing"
    elif isinstance(kind, _UNDECIDED):
        return
    elif kind.name in _WORDS:
        yield f"{path} {_WORDS[kind.name](kind, error.instance)}"
    else:
        yield f"{path} is {_show(error.instance)}, which its schema does not allow ({kind.name})"


def _describe_alternatives(kind: Any, value: Any) -> str:
    errors = [alternative[0] for alternative in kind.context if alternative]
    if errors and all(error.kind.name == "type" and error.instance == value for error in errors):
        types = dict.fromkeys(name for error in errors for name in error.kind.types)
        return f"must be {' or '.join(types)}, not {_show(value)}"
    return f"is {_show(value)}, which fits none of the {len(kind.context)} forms that its schema allows"


def _count_items(value: Any) -> str:
    return f"{len(value)} item{'s' * (len(value) != 1)}"


def _show(value: Any) -> str:
    written = repr(value)
    return written if len(written) <= 80 else f"{written[:77]}..."


_WORDS: dict[str, Callable[[Any, Any], str]] = {
    "type": lambda kind, value: f"must be {' or '.join(kind.types)}, not {_show(value)}",
    "enum": lambda kind, value: f"is {_show(value)}, which is none of {', '.join(map(str, kind.options))}",
    "const": lambda kind, value: f"is {_show(value)} and must be {kind.expected_value!r}",
    "anyOf": _describe_alternatives,
    "oneOf": lambda kind, value: (
        f"is {_show(value)}, which must fit exactly one of the forms that its schema allows, and does not"
    ),
    "minItems": lambda kind, value: f"has {_count_items(value)} and needs at least {kind.limit}",
    "maxItems": lambda kind, value: f"has {_count_items(value)} and may have at most {kind.limit}",
    "uniqueItems": lambda kind, value: "has an item more than once",
    "minLength": lambda kind, value: f"is {_show(value)} and needs at least {kind.limit} characters",
    "maxLength": lambda kind, value: f"is {_show(value)} and may have at most {kind.limit} characters",
    "pattern": lambda kind, value: f"is {_show(value)}, which does not match the pattern {kind.pattern}",
    "minimum": lambda kind, value: f"is {value} and must be at least {kind.limit}",
    "maximum": lambda kind, value: f"is {value} and must be at most {kind.limit}",
    "exclusiveMinimum": lambda kind, value: f"is {value} and must be more than {kind.limit}",
    "exclusiveMaximum": lambda kind, value: f"is {value} and must be less than {kind.limit}",
    "multipleOf": lambda kind, value: f"is {value} and must be a multiple of {kind.multiple_of}",
}
"""Keyword of JSON Schema -> the rest of the sentence."""
