from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from coalm_it.corpora.records import BadRecord
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.schema import Tool


def read_one(**function: Any) -> Tool:
    (tool,) = read_tools([{"name": "f", **function}])
    return tool


def parameter(**spec: Any) -> dict[str, Any]:
    return read_one(parameters={"x": spec}).properties["x"]


def type_of(text: Any) -> dict[str, Any]:
    return parameter(type=text)


# --- the ways to write a function ---


def test_xlam_describes_parameters_in_a_flat_map() -> None:
    spec = {
        "name": "get_rain",
        "description": "Rain at a place.",
        "parameters": {
            "city": {"description": "Where.", "type": "str"},
            "hours": {"description": "How long.", "type": "int, optional", "default": 6},
        },
    }
    (tool,) = read_tools(json.dumps([spec]))
    assert (tool.name, tool.description, tool.service) == ("get_rain", "Rain at a place.", "")
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "city": {"description": "Where.", "type": "string"},
            "hours": {"description": "How long.", "type": "integer", "default": 6},
        },
        "required": ["city"],
    }
    assert json.dumps(tool.spec) == json.dumps(spec)


def test_toolace_describes_them_in_a_schema_of_python_words() -> None:
    properties = {"stop": {"description": "Which.", "type": "string"}, "fast": {"type": "boolean", "default": False}}
    parameters = {"type": "dict", "properties": properties, "required": ["stop"]}
    tool = read_one(parameters=parameters, required=None)
    assert tool.parameters == {**parameters, "type": "object"}


def test_openai_wraps_the_function() -> None:
    spec = {
        "type": "function",
        "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "number"}}}},
    }
    (tool,) = read_tools([spec])
    assert (tool.name, tool.properties, tool.required) == ("f", {"x": {"type": "number"}}, ())
    assert tool.spec == spec


@pytest.mark.parametrize("parameters", [{}, None, [], {"type": "dict", "properties": {}}, {"type": "object"}])
def test_a_function_may_have_no_parameters(parameters: Any) -> None:
    assert read_one(parameters=parameters).parameters == {"type": "object", "properties": {}, "required": []}


def test_parameters_may_be_left_out_altogether() -> None:
    assert read_one().properties == {}


@pytest.mark.parametrize("name", ["type", "properties", "required", "items", "format", "description"])
def test_a_flat_map_may_have_a_parameter_with_a_name_of_json_schema(name: str) -> None:
    tool = read_one(parameters={name: {"type": "str", "description": "What."}})
    assert tool.properties == {name: {"type": "string", "description": "What."}}
    assert tool.required == (name,)


def test_objects_in_objects_and_items_of_lists_are_read_too() -> None:
    line = {"type": "dict", "properties": {"n": {"type": "int"}, "note": {"type": "str"}}, "required": ["n"]}
    tool = read_one(parameters={"type": "dict", "properties": {"lines": {"type": "list", "items": line}}})
    assert tool.properties["lines"] == {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"n": {"type": "integer"}, "note": {"type": "string"}},
            "required": ["n"],
        },
    }


def test_what_else_a_parameter_says_is_kept() -> None:
    spec = {"type": "int", "description": "How many.", "enum": [1, 2], "minimum": 1, "examples": [2], "default": 2}
    assert parameter(**spec) == {**spec, "type": "integer"}


def test_a_copy_is_left_out_and_a_namesake_is_kept() -> None:
    one, other = {"name": "f", "parameters": {}}, {"name": "f", "parameters": {"x": {"type": "str"}}}
    assert [tool.spec for tool in read_tools([one, other, dict(one)])] == [one, other]


def test_equal_functions_of_different_records_are_one_tool() -> None:
    spec = {"name": "f", "parameters": {"x": {"type": "str"}}}
    assert read_tools([spec])[0] is read_tools(json.dumps([spec]))[0]


# --- types ---


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("str", {"type": "string"}),
        ("String", {"type": "string"}),
        ("int", {"type": "integer"}),
        ("long", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("dict", {"type": "object"}),
        ("HashMap", {"type": "object"}),
        ("list", {"type": "array"}),
        ("tuple", {"type": "array"}),
        ("set", {"type": "array", "uniqueItems": True}),
        ("Any", {}),
        ("", {}),
        (None, {}),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("list(str)", {"type": "array", "items": {"type": "string"}}),
        ("ArrayList<String>", {"type": "array", "items": {"type": "string"}}),
        ("typing.List[List[float]]", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        ("Set[int]", {"type": "array", "uniqueItems": True, "items": {"type": "integer"}}),
        ("Tuple[int, int]", {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}),
        ("Tuple[str, ...]", {"type": "array", "items": {"type": "string"}}),
        (
            "Tuple[str, int]",
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2},
        ),
        ("Dict[str, Any]", {"type": "object"}),
        ("Dict[str, float]", {"type": "object", "additionalProperties": {"type": "number"}}),
        ("Union[int, float]", {"type": ["integer", "number"]}),
        ("int | float", {"type": ["integer", "number"]}),
        (["string", "null"], {"type": ["string", "null"]}),
        ("Optional[str]", {"type": ["string", "null"]}),
        ("Union[str, Any]", {}),
        (
            "Union[List[dict], dict]",
            {"anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}]},
        ),
    ],
)
def test_types_become_json_schema(text: Any, schema: dict[str, Any]) -> None:
    assert type_of(text) == schema


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("float (0-1)", {"type": "number", "format": "0-1"}),
        ("str, YYYY-MM-DD", {"type": "string", "format": "YYYY-MM-DD"}),
        ("Callable[[float], float]", {"format": "Callable[[float], float]"}),
        ("np.ndarray", {"format": "np.ndarray"}),
        ("List[int", {"format": "List[int"}),
        ({"kind": "str"}, {"format": '{"kind": "str"}'}),
    ],
)
def test_what_json_schema_cannot_express_is_kept_under_format(text: Any, schema: dict[str, Any]) -> None:
    assert type_of(text) == schema


def test_a_format_of_its_own_is_kept() -> None:
    assert parameter(format="date", type="str (ISO)") == {"format": "date", "type": "string"}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("str, optional, default 'London'", {"type": "string", "default": "London"}),
        ("int, optional, default=100", {"type": "integer", "default": 100}),
        ("bool, default: True", {"type": "boolean", "default": True}),
        ("str, default='a, b'", {"type": "string", "default": "a, b"}),
    ],
)
def test_a_default_may_stand_in_the_type(text: str, schema: dict[str, Any]) -> None:
    tool = read_one(parameters={"x": {"type": text}})
    assert tool.properties == {"x": schema}
    assert tool.required == ()


def test_the_default_beside_the_type_counts_before_the_one_in_it() -> None:
    assert parameter(type="int, default=1", default=2)["default"] == 2


# --- what is required ---

FLAT = {
    "plain": {"type": "str"},
    "optional": {"type": "str, optional"},
    "bracketed": {"type": "str (optional)"},
    "nullable": {"type": "Optional[str]"},
    "defaulted": {"type": "str", "default": ""},
}


def test_an_unmarked_flat_parameter_is_required_unless_optional_or_with_a_default() -> None:
    assert read_one(parameters=FLAT).required == ("plain",)


def test_a_list_next_to_the_function_applies_to_a_flat_map() -> None:
    assert read_one(parameters=FLAT, required=["defaulted", "plain", "unheard of"]).required == ("defaulted", "plain")
    assert read_one(parameters=FLAT, required=[]).required == ()


def test_a_list_next_to_the_function_applies_if_the_schema_has_none() -> None:
    parameters = {"type": "dict", "properties": {"a": {"type": "str", "default": "x"}, "b": {"type": "int, optional"}}}
    assert read_one(parameters=parameters, required=["a"]).required == ("a",)
    assert read_one(parameters={**parameters, "required": ["b"]}, required=["a"]).required == ("b",)


def test_parameters_may_be_marked_as_required() -> None:
    assert read_one(parameters={"a": {"type": "str", "required": True}, "b": {"type": "str"}}).required == ("a",)
    assert read_one(parameters={"a": {"type": "str", "optional": False}, "b": {"optional": True}}).required == ("a",)


def test_marks_at_one_function_apply_to_the_others_of_the_record() -> None:
    marked = {"name": "f", "parameters": {"a": {"type": "str", "required": True}}}
    bare = {"name": "g", "parameters": {"b": {"type": "str"}}}
    assert [tool.required for tool in read_tools([marked, bare])] == [("a",), ()]
    assert [tool.required for tool in read_tools([bare])] == [("b",)]


def test_json_schema_requires_nothing_by_itself() -> None:
    assert read_one(parameters={"type": "object", "properties": {"a": {"type": "string"}}}).required == ()


# --- bad input ---


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[{]", r"^tools: not JSON: Expecting property name"),
        ('[{"name": "f", "x": NaN}]', r"^tools: not JSON: NaN is no JSON value"),
        ('[{"name": "f\\ud800"}]', r"^tools: half a surrogate pair"),
        ("3", r"^tools should be a list of functions, found 3"),
        ({"x": 1}, r"^tools should be a list of functions, found \{'x': 1\}"),
        (["f"], r"^tools should hold objects, found 'f'"),
        ([{"description": "?"}], r"^a function of tools has no name: \{'description': '\?'\}"),
        ([{"name": " "}], r"^a function of tools has no name"),
        ([{"name": "f", "parameters": "none"}], r"^the parameters of 'f' should be an object, found 'none'"),
        ([{"name": "f", "parameters": {"x": 3}}], r"^the parameters of 'f': 'x' should be an object with its type"),
    ],
)
def test_a_broken_list_is_explained(value: Any, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        read_tools(value)


def test_integers_of_any_length_are_kept() -> None:
    assert (
        read_tools('[{"name": "f", "parameters": {"x": {"type": "int", "default": 123456789012345678901}}}]')[
            0
        ].properties["x"]["default"]
        == 123456789012345678901
    )


# --- real ones ---


@pytest.mark.corpora
def test_every_function_of_bfcl_is_read(corpora: Path) -> None:
    listed = [
        json.loads(line)["function"]
        for path in sorted((corpora / "benchmarks" / "bfcl_v3").glob("BFCL_v3_*.json"))
        for line in path.read_text().splitlines()
        if '"function":' in line
    ]
    tools = [tool for value in listed for tool in read_tools(value)]
    assert len(listed) == 3641
    assert len(tools) == 8726
    formats = {spec["format"] for tool in tools for spec in tool.properties.values() if "format" in spec}
    assert formats == {"date"}, "every type is understood; this format is BFCL's own"


# --- functions as found in the wild ---


@pytest.mark.parametrize("key", ["parameters", "input_schema", "inputSchema", "arguments", "params"])
def test_parameters_have_many_names(key: str) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    assert read_one(**{key: schema}).parameters == schema


@pytest.mark.parametrize(
    "value",
    [
        {"name": "f", "parameters": {"x": {"type": "int"}}},
        {"f": {"parameters": {"x": {"type": "int"}}}},
        [{"functionDeclarations": [{"name": "f", "parameters": {"x": {"type": "INTEGER"}}}]}],
        ['{"name": "f", "parameters": {"x": {"type": "int"}}}'],
        [{"type": "function", "function": '{"name": "f", "parameters": {"x": {"type": "int"}}}'}],
        [{"function": {"function": {"name": "f", "parameters": {"x": {"type": "int"}}}}}],
        [{"api_name": "f", "parameters": '{"x": {"type": "int"}}'}],
        [{"name": "f", "parameters": {"x": "int"}}],
        [{"name": "f", "parameters": [{"name": "x", "type": "int"}]}],
        [{"name": "f", "required_parameters": [{"name": "x", "type": "NUMBER"}], "optional_parameters": []}, None],
        [{"type": "function", "name": "f", "strict": True, "parameters": {"x": {"type": "int"}}}],
    ],
)
def test_functions_come_in_many_shapes(value: Any) -> None:
    (tool,) = read_tools(value)
    assert (tool.name, tool.required) == ("f", ("x",))
    assert tool.properties["x"]["type"] in ("integer", "number")


def test_the_lists_of_toolbench_say_what_is_required() -> None:
    needed, other = {"name": "a", "type": "STRING"}, {"name": "b", "type": "NUMBER", "default": 3}
    tool = read_one(required_parameters=[needed], optional_parameters=[other])
    assert tool.required == ("a",)
    assert tool.properties == {"a": {"type": "string"}, "b": {"type": "number", "default": 3}}


@pytest.mark.parametrize(
    ("spec", "read"),
    [
        ({"type": "string", "enum": None, "description": None}, {"type": "string"}),
        ({"type": "string", "enum": "a, b"}, {"type": "string"}),
        ({"type": "array", "items": None}, {"type": "array"}),
        ({"type": "array", "items": True}, {"type": "array"}),
        (
            {"type": "array", "items": [{"type": "int"}, {"type": "str"}]},
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
        ),
        ({"type": "array", "items": "str"}, {"type": "array", "items": {"type": "string"}}),
        ({"items": {"type": "object", "properties": ["x"]}}, {"items": {"type": "object"}}),
        ({"type": "object", "properties": ["x", "y"], "required": "x"}, {"type": "object"}),
        (
            {"type": "object", "properties": '{"x": {"type": "int"}}', "required": ["x"]},
            {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
        ),
        ({"type": "object", "additionalProperties": "yes"}, {"type": "object"}),
        ({"type": "string", "pattern": "(", "minLength": "2"}, {"type": "string"}),
        ({"type": ["string", None]}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"], "nullable": True}),
        ({"enum": ["a"], "nullable": True}, {"enum": ["a", None], "nullable": True}),
        (
            {"anyOf": [{"type": "int"}, {"type": "null"}], "default": None},
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        ),
        ({"anyOf": "int"}, {}),
    ],
)
def test_what_is_null_is_absent_and_a_foreign_shape_binds_nobody(spec: dict[str, Any], read: dict[str, Any]) -> None:
    assert parameter(**spec) == read


def test_definitions_and_references_are_kept() -> None:
    boat = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    properties = {"boat": {"$ref": "#/$defs/Boat"}}
    schema = {"type": "object", "properties": properties, "required": ["boat"], "$defs": {"Boat": boat}}
    assert read_one(parameters=schema).parameters == schema


def test_a_parameter_that_is_null_is_the_padding_of_a_table() -> None:
    padded = {"x": {"type": "string", "enum": None}, "port": None}
    tool = read_one(parameters={"type": "object", "properties": padded, "required": ["x"]})
    plain = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    assert tool.parameters == plain
    assert tool.spec == {"name": "f", "parameters": plain}


@pytest.mark.parametrize("shape", [7, "x", True, [], [7], {}, {"y": 7}, None])
def test_no_keyword_of_any_shape_is_an_error_of_ours(shape: Any) -> None:
    keywords = "type enum items properties required anyOf $defs $ref not default pattern nullable".split()
    for keyword in keywords:
        for parameters in ({"type": "object", "properties": {"x": {keyword: shape}}}, {keyword: shape}):
            with contextlib.suppress(BadRecord):
                read_one(parameters=parameters)
