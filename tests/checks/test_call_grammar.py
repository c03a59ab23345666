from __future__ import annotations

from typing import Any

import pytest
from dinner import action, response, with_arguments, with_call

from coalm_it.checks.call_grammar import check_call_grammar
from coalm_it.schema import Sample, Tool


def messages(sample: Sample) -> list[str]:
    return [finding.message for finding in check_call_grammar(sample)]


def with_schema(schema: dict[str, Any]) -> Sample:
    """An action with a tool whose one parameter `x` has this schema."""
    defs = {"port": {"properties": {"name": {}, "next": {"$ref": "#/$defs/port"}}, "required": ["name"]}}
    parameters = {"type": "object", "properties": {"x": schema}, "required": ["x"], "$defs": defs}
    tool = Tool(name="Do", parameters=parameters)
    return with_call(action(0), name="Do", service="", arguments={}).model_copy(update={"tools": (tool,)})


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [0, -3], [True, "3", 3.5, None]),
        ({"type": "number"}, [3, 3.5], [False, "3.5"]),
        ({"type": "boolean"}, [True, False], [0, "True"]),
        ({"type": "string"}, ["", "a"], [1, True, ["a"]]),
        ({"type": ["string", "null"]}, ["a", None], [1]),
        ({"type": "integer", "enum": [1, 2]}, [1, 2], [3]),
        ({"type": "array", "items": {"type": "integer"}}, [[], [1, 2]], ["1", [1, "2"]]),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            [{"a": "b"}],
            [{}, {"a": 1}, {"a": "b", "c": 1}],
        ),
        ({"type": "object"}, [{}, {"anything": 1}], [[]]),
        ({}, [1, "a", None, {"a": [1]}], []),
        ({"type": "integer", "enum": [1]}, ["dontcare"], []),
        ({"type": "integer"}, [5.0, 10**30], [5.5]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, ["a", None], [4]),
        ({"oneOf": [{"type": "integer"}, {"type": "array", "minItems": 2}]}, [1, [1, 2]], [[1], "a"]),
        ({"type": "array", "minItems": 1, "uniqueItems": True}, [["a"], ["a", "b"]], [[], ["a", "a"]]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"a": 1}], [{"a": "1"}]),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, [{"b": 1}], []),
        ({"$ref": "#/$defs/port"}, [{"name": "Oban", "next": {"name": "Mull"}}], [{}, {"name": "Oban", "next": {}}]),
        ({"type": "string", "pattern": "^[A-Z]{3}$", "format": "0-1"}, ["OBN"], ["Oban"]),
        ({"type": "integer", "minimum": 1, "multipleOf": 2}, [2], [0, 3]),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}, [["a", 1]], [["a", "1"]]),
        (
            {"properties": {"a": {}}, "anyOf": [{"properties": {"b": {}}, "required": ["b"]}, {"required": ["a"]}]},
            [{"a": 1}, {"b": 1}],
            [{"a": 1, "c": 2}],
        ),
    ],
)
def test_arguments_follow_the_schema(schema: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    sample = with_schema(schema)
    assert [messages(with_arguments(sample, x=value)) for value in good] == [[]] * len(good)
    assert all(len(messages(with_arguments(sample, x=value))) == 1 for value in bad)


def test_the_message_names_function_parameter_and_values() -> None:
    assert messages(with_arguments(action(0), cuisine="Thai")) == [
        "FindRestaurants.cuisine is 'Thai', which is none of Mexican, Chinese, Italian"
    ]
    assert messages(with_arguments(action(3), party_size="two")) == [
        "ReserveRestaurant.party_size must be integer, not 'two'"
    ]
    assert messages(with_call(action(0), name="FindPlaces")) == [
        "FindPlaces of Restaurants_1 is not among the 3 tools shown"
    ]


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 4, "Do.x must be string or null, not 4"),
        ({"type": "array", "items": {"properties": {"a": {"type": "integer"}}}}, [{}, {"a": "1"}], "Do.x[1].a must be"),
        ({"type": "array", "minItems": 1}, [], "Do.x has 0 items and needs at least 1"),
        ({"type": "number", "maximum": 5}, 7, "Do.x is 7 and must be at most 5"),
        ({"const": "a"}, "b", "Do.x is 'b' and must be 'a'"),
        ({"anyOf": [{"minimum": 3}, {"type": "string"}]}, 1, "Do.x is 1, which fits none of the 2 forms"),
        ({"not": {"type": "string"}}, "b", "Do.x is 'b', which its schema does not allow (not)"),
    ],
)
def test_the_message_says_where_and_what_would_be_right(schema: dict[str, Any], value: Any, message: str) -> None:
    (found,) = messages(with_arguments(with_schema(schema), x=value))
    assert found.startswith(message)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "http://localhost:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$schema": "http://localhost:9/draft"},
        {"pattern": "(?P<year>a)\\Z"},
        {"type": "weird"},
        {"properties": 3},
    ],
)
def test_a_parameter_that_cannot_be_compiled_binds_no_call_and_leaves_the_others_bound(schema: dict[str, Any]) -> None:
    tool = Tool(name="Do", parameters={"type": "object", "properties": {"x": schema, "y": {"type": "integer"}}})
    sample = with_call(action(0), name="Do", service="", arguments={"x": "a", "y": "b", "z": 1})
    assert messages(sample.model_copy(update={"tools": (tool,)})) == [
        "Do.y must be integer, not 'b'",
        "Do has no parameter z",
    ]


def test_the_calls_before_a_reply_are_checked_too() -> None:
    assert messages(with_arguments(response(3), party_size="2"))


def test_a_call_is_read_back_with_quotes_and_escapes() -> None:
    assert messages(with_arguments(action(0), city='O\'Hare "north" \\ \t end')) == []


def test_a_name_that_no_syntax_can_write_is_found() -> None:
    sample = with_call(action(0), name="Find(Rest", service="", arguments={"city": "a\nb"})
    tool = Tool(name="Find(Rest", parameters={"type": "object"})
    assert messages(sample.model_copy(update={"tools": (tool,), "layout": "toolace"})) == [
        "the call of Find(Rest is not read back as it was written"
    ]


def test_state_tracking_ignores_calls() -> None:
    sample = with_call(response(0), name="BuyYacht")
    assert check_call_grammar(sample)
    assert check_call_grammar(sample.model_copy(update={"task": "state_tracking"})) == []
