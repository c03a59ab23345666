"""Functions as signatures: the keys of nested objects can be read from them."""

from __future__ import annotations

from typing import Any

import pytest

from coalm_it.corpora.toolspecs import read_tools
from coalm_it.rendering.signatures import write_signature

TOWN = {
    "type": "object",
    "properties": {"town": {"type": "string", "description": "Its  name."}, "nights": {"type": "integer"}},
    "required": ["town"],
}


def sign(parameters: dict[str, Any], *required: str, **more: Any) -> list[str]:
    schema = {"type": "object", "properties": parameters, "required": list(required), **more}
    (tool,) = read_tools([{"name": "plan", "description": "", "parameters": schema}])
    return write_signature("plan", tool).split("\n")


@pytest.mark.parametrize(
    ("entry", "written"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["integer", "null"]}, "integer | null"),
        ({"enum": ["a", 1]}, '"a" | 1'),
        ({"type": "array", "items": {"type": "string"}}, "array of string"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, 'array of "a" | "b"'),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "array of (string | null)"),
        ({"type": "array"}, "array"),
        ({"type": "object"}, "object"),
        (TOWN, "{town: string, nights?: integer}"),
        ({"type": "array", "items": TOWN}, "array of {town: string, nights?: integer}"),
        (
            {"type": ["object", "null"], **{k: TOWN[k] for k in ("properties", "required")}},
            "{town: string, nights?: integer} | null",
        ),
        ({"type": "object", "properties": {"at": TOWN}, "required": []}, "{at?: {town: string, nights?: integer}}"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({"type": "object", "additionalProperties": False}, "object"),
        ({"anyOf": [{"type": "string"}, TOWN]}, "string | {town: string, nights?: integer}"),
        ({"allOf": [TOWN]}, "{town: string, nights?: integer}"),
        ({"$ref": "#/$defs/Town"}, "{town: string, nights?: integer}"),
        ({"$ref": "#/$defs/Tree"}, "{left?: object, town?: {town: string, nights?: integer}}"),
        ({"$ref": "#/$defs/Nothing"}, "object"),
    ],
)
def test_the_type_of_a_parameter_names_the_keys_inside_it(entry: dict[str, Any], written: str) -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}, "town": {"$ref": "#/$defs/Town"}}}
    first, *_ = sign({"a": entry, "b": entry}, "a", **{"$defs": {"Town": TOWN, "Tree": tree}})
    assert first == f"plan(a: {written}, b?: {written})"


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        (TOWN, "at.town"),
        ({"type": "array", "items": TOWN}, "at[].town"),
        ({"type": "object", "properties": {"x": {"type": "array", "items": TOWN}}}, "at.x[].town"),
        ({"anyOf": [{"type": "null"}, TOWN]}, "at.town"),
        ({"$ref": "#/$defs/Town"}, "at.town"),
    ],
)
def test_keys_inside_a_parameter_have_their_descriptions(entry: dict[str, Any], path: str) -> None:
    described = {**entry, "description": "Where."} if "$ref" not in entry else entry
    lines = sign({"at": described}, **{"$defs": {"Town": TOWN}})
    assert lines[1:] == ["    - at: Where."] * ("$ref" not in entry) + [f"    - {path}: Its name."]


def test_a_description_inside_itself_ends() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree", "description": "The left one."}}}
    lines = sign({"root": {"$ref": "#/$defs/Tree"}}, **{"$defs": {"Tree": tree}})
    assert lines == ["plan(root?: {left?: object})", "    - root.left: The left one."]
