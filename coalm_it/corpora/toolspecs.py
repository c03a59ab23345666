"""The function descriptions of the corpora -> Tools with JSON Schema.

The forms that occur in corpora, all of which are read:

- A list of functions, or an object with the functions by name; each by itself, as {"type": "function", "function":
  {...}}, or as {"functionDeclarations": [...]} (Gemini). Any of these may be a JSON text.
- The parameters under `parameters`, `input_schema` (Anthropic), `inputSchema` (MCP; Bedrock, with `json` in it),
  `arguments`, `params` or `parameter_definitions` (Cohere); as a flat
  map {name: {type, description, default}} (xLAM, API-Bank, Seal-Tools, ToolAlpaca), as {"type": "dict",
  "properties": ...} (ToolACE, BFCL), as JSON Schema, as a list of {name, type, description}, as the lists
  `required_parameters` and `optional_parameters` (ToolBench), and none at all. Types: see parameter_types.
- Required parameters: a list next to the parameters or next to the function; `required: true` (or `optional`) at a
  parameter, which then applies to all functions of the record (ToolAlpaca marks nothing else); or no indication. Then
  a parameter of a flat map is required unless its type says optional or it has a default: in xLAM-60k, calls omit 26
  to 51 % of the parameters marked optional, 4.1 % of those with only a default, and 0.8 % of the others.
  Parameters in JSON Schema without such a list are not required.

What is null is absent, and so is a parameter that is null, as Arrow pads objects of different keys. A keyword of a
foreign shape (`enum` as a text, a `properties` that is no object) is left out, so that it binds no call; `$defs`,
`anyOf` and the like are kept. `Tool.spec` keeps the original description.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from coalm_it.corpora.decoding import drop_nulls
from coalm_it.corpora.parameter_schemas import list_described, read_parameters, says_required
from coalm_it.corpora.records import BadRecord, parse_json
from coalm_it.schema import Call, Tool

_MARK = b'"required":true'
_NAMES = ("name", "api_name")
_DESCRIPTIONS = ("description", "api_description", "doc")
_PARAMETERS = ("parameters", "input_schema", "inputSchema", "arguments", "params", "parameter_definitions")
_DECLARATIONS = ("functionDeclarations", "function_declarations")


def read_tools(value: Any) -> tuple[Tool, ...]:
    """The functions of a record, given as a list or as its JSON text.

    Exact duplicates are left out; two different functions with the same name are both kept, as in some rows of xLAM.
    Raises BadRecord: not a list, a function without a name, parameters that are not an object.
    """
    texts = dict.fromkeys(map(_dump, _list_functions(value)))
    marked = any(_MARK in text for text in texts)
    return tuple(_read_cached(text, marked) for text in texts)


def _list_functions(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        value = parse_json(value, "tools")
    if isinstance(value, dict):
        value = _list_by_name(value)
    if not isinstance(value, list):
        raise BadRecord(f"tools should be a list of functions, found {value!r:.60}")
    for item in value:
        if isinstance(item, str) and item.lstrip().startswith(("{", "[")):
            yield from _list_functions(item)
        elif isinstance(item, dict) and (declared := _get_first(item, _DECLARATIONS)):
            yield from _list_functions(declared)
        elif item is not None:
            yield item


def _list_by_name(value: dict[str, Any]) -> Any:
    """The functions of an object: itself, or its values by name."""
    if _get_first(value, (*_NAMES, "function", *_DECLARATIONS)):
        return [value]
    if value and all(isinstance(item, dict) for item in value.values()):
        return [{"name": name, **item} for name, item in value.items()]
    return value


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
    function = _unwrap(item)
    name = _get_first(function, _NAMES)
    if not isinstance(name, str) or not name.strip():
        raise BadRecord(f"a function of tools has no name: {function!r:.60}")
    described = _get_first(function, _DESCRIPTIONS)
    parameters, required = _find_parameters(function)
    if required is None:
        required = function.get("required", item.get("required"))
    if not isinstance(parameters, dict):
        raise BadRecord(f"the parameters of {name!r} should be an object, found {parameters!r:.60}")
    try:
        schema = read_parameters(parameters, required, marked)
    except (BadRecord, RecursionError) as error:
        raise BadRecord(f"the parameters of {name!r}: {error}") from None
    return Tool(
        name=name.strip(),
        description=described.strip() if isinstance(described, str) else "",
        parameters=schema,
        spec=drop_nulls(item) if _is_padded(parameters) else item,
    )


def loosen_tools(tools: Iterable[Tool], calls: Iterable[Call]) -> tuple[Tool, ...]:
    """The functions, without requirements that we inferred and that a call of the record does not meet."""
    omitted: dict[str, set[str]] = {}
    for call in calls:
        omitted.setdefault(call.name, set()).update(
            name for tool in tools if tool.name == call.name for name in tool.required if name not in call.arguments
        )
    return tuple(
        tool if not omitted.get(tool.name) or _states_required(tool) else _loosen(tool, omitted[tool.name])
        for tool in tools
    )


def _loosen(tool: Tool, omitted: Container[str]) -> Tool:
    required = [name for name in tool.required if name not in omitted]
    return tool.model_copy(update={"parameters": {**tool.parameters, "required": required}})


def _states_required(tool: Tool) -> bool:
    """Whether a description says which parameters are required, in any of the ways above."""
    item = tool.spec or {}
    function = _unwrap(item)
    parameters, required = _find_parameters(function)
    listed = (required, function.get("required"), item.get("required"))
    return any(isinstance(one, list) for one in listed) or says_required(parameters)


def _unwrap(item: dict[str, Any]) -> dict[str, Any]:
    """The description inside {"type": "function", "function": ...}, which may be wrapped twice or be a JSON text, or
    inside {"toolSpec": ...} (Bedrock)."""
    function = item
    while inner := function.get("function") or function.get("toolSpec"):
        if isinstance(inner, str) and inner.lstrip().startswith("{"):
            inner = parse_json(inner, "tools")
        if not isinstance(inner, dict):
            break
        function = inner
    return function


def _find_parameters(function: dict[str, Any]) -> tuple[Any, list[str] | None]:
    """The parameters of a function, and the names of the required ones where these stand in a list of their own."""
    given = _get_first(function, _PARAMETERS) or {}
    if isinstance(given, str) and given.lstrip().startswith("{"):
        given = parse_json(given, "parameters")
    if isinstance(given, list):
        return list_described(given), None
    if given is function.get("inputSchema") and isinstance(given, dict) and isinstance(given.get("json"), dict):
        given = given["json"]
    needed, optional = (list_described(function.get(f"{kind}_parameters")) for kind in ("required", "optional"))
    if not given and (needed or optional):
        return {**optional, **needed}, list(needed)
    return given, None


def _get_first(item: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((item[key] for key in keys if item.get(key)), None)


def _is_padded(parameters: dict[str, Any]) -> bool:
    """Whether a parameter is null: an object of a table, in which every object has the keys of all."""
    described = parameters.get("properties")
    if isinstance(described, dict) and all(item is None or isinstance(item, dict) for item in described.values()):
        return None in described.values()
    return None in parameters.values()  # a plain map, in which a parameter may be called properties
