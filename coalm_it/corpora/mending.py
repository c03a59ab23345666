"""Arguments that are right but for their form -> arguments as the function's schema has them, with nothing lost.

- 5.0 for an integer is 5.
- An integer is a text where the schema allows nothing else: 14 -> "14".
- A numeral in a text is a number, and "true" a boolean, where the schema allows no text: "85" -> 85.
- A list or an object in a text, in JSON or Python notation, is itself: "['Ann', 'Bob']".
- "" or null for an optional parameter is an absent one, unless the schema allows that value: null by its types, "" by
  its default, its listed values, or a description that speaks of what is empty.

Each change is kept with the value as it was. What is wrong in another way stays, and the checks reject it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from coalm_it.corpora.records import decode_literal
from coalm_it.schema import Call, Mended, Step, Tool, Turn

_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0+)?")
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)\.\d+")
_EXACT = 2**53
"""Above it, a float no longer tells one integer from the next."""
_Change = tuple[str, Any]


def mend_turns(turns: Sequence[Turn], tools: Iterable[Tool]) -> tuple[tuple[Turn, ...], tuple[Mended, ...]]:
    """The turns with mended calls, and every value that was changed."""
    functions = {tool.name: tool for tool in tools}
    mended: list[Mended] = []
    kept = []
    for number, turn in enumerate(turns):
        steps = []
        for index, step in enumerate(turn.steps):
            changes: list[_Change] = []
            steps.append(_mend_step(step, functions, changes))
            mended += [Mended(number, index, path, was) for path, was in changes]
        kept.append(turn.model_copy(update={"steps": tuple(steps)}) if mended else turn)
    return tuple(kept), tuple(mended)


def _mend_step(step: Step, functions: Mapping[str, Tool], changes: list[_Change]) -> Step:
    before = len(changes)
    calls = tuple(mend_call(call, functions.get(call.name), changes) for call in step.calls)
    return step if len(changes) == before else step.model_copy(update={"calls": calls})


def mend_call(call: Call, tool: Tool | None, changes: list[_Change]) -> Call:
    """The call with mended arguments; the path and the old value of each change are added to `changes`."""
    if tool is None:
        return call
    before = len(changes)
    arguments = _mend_object(call.name, call.arguments, tool.parameters, tool.parameters, changes)
    return call if len(changes) == before else call.model_copy(update={"arguments": arguments})


def _mend_object(
    path: str, value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], changes: list[_Change]
) -> dict[str, Any]:
    properties, required = schema.get("properties"), schema.get("required") or ()
    described = properties if isinstance(properties, dict) else {}
    kept = {}
    for name, item in value.items():
        inner = _resolve(described.get(name, schema.get("additionalProperties")), root)
        if name in described and name not in required and _is_absent(item, inner):
            changes.append((f"{path}.{name}", item))
        else:
            kept[name] = _mend_value(f"{path}.{name}", item, inner, root, changes)
    return kept


def _mend_value(path: str, value: Any, schema: dict[str, Any], root: dict[str, Any], changes: list[_Change]) -> Any:
    if isinstance(value, dict):
        return _mend_object(path, value, schema, root, changes)
    if isinstance(value, list):
        items = _resolve(schema.get("items"), root)
        return [_mend_value(f"{path}[{index}]", item, items, root, changes) for index, item in enumerate(value)]
    mended = _convert(value, _list_types(schema))
    if mended is value or ("enum" in schema and mended not in schema["enum"]):
        return value
    changes.append((path, value))
    return mended


def _convert(value: Any, types: frozenset[str]) -> Any:
    """The value in one of the types, if that loses nothing; otherwise the value itself."""
    if isinstance(value, float) and types & {"integer", "number"} == {"integer"}:
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if type(value) is int and types == {"string"}:
        return str(value)
    if not isinstance(value, str) or "string" in types:
        return value
    if "boolean" in types and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if types & {"integer", "number"} and _INTEGER.fullmatch(value):
        return int(value.partition(".")[0])
    if not types.isdisjoint(("array", "object")) and value.lstrip().startswith(("[", "{")):
        read = decode_literal(value.strip())
        return read if isinstance(read, list if "array" in types else dict) else value
    if "number" in types and _DECIMAL.fullmatch(value) and Decimal(repr(float(value))) == Decimal(value):
        return float(value)
    return value


def _is_absent(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value stands for none, where the parameter is optional."""
    types, listed = _list_types(schema), schema.get("enum")
    if value is None:
        return bool(types) and "null" not in types and None not in (listed or ())
    if value != "" or not types or schema.get("default") == "":
        return False
    if isinstance(listed, list):
        return "" not in listed
    return "string" not in types or "empty" not in str(schema.get("description", "")).lower()


def _list_types(schema: dict[str, Any]) -> frozenset[str]:
    """The types that a schema allows; none if it does not say."""
    kinds = schema.get("type")
    if kinds:
        return frozenset((kinds,) if isinstance(kinds, str) else kinds)
    for key in ("anyOf", "oneOf"):
        alternatives = [_list_types(one) if isinstance(one, dict) else frozenset[str]() for one in schema.get(key, ())]
        if alternatives and all(alternatives):
            return frozenset[str]().union(*alternatives)
    return frozenset()


def _resolve(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """The schema, or what it refers to in `$defs`."""
    for _ in range(8):  # a reference may lead to itself
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith(("#/$defs/", "#/definitions/")):
            break
        _, key, name = reference.split("/", 2)
        defined = root.get(key)
        schema = defined.get(name) if isinstance(defined, dict) else None
    return schema if isinstance(schema, dict) else {}
