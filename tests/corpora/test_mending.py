"""Arguments that are right but for their form are brought into the form of their schema; nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest

from coalm_it.corpora.mending import mend_turns
from coalm_it.schema import Call, Mended, Step, Tool, Turn

ABSENT = object()


def mend(value: Any, schema: dict[str, Any], **more: Any) -> tuple[Any, tuple[Mended, ...]]:
    """The value of the optional argument `x` afterwards, and what was changed."""
    tool = Tool(name="do", parameters={"type": "object", "properties": {"x": schema}, "required": [], **more})
    turn = Turn(user="?", steps=(Step(calls=(Call(id="c", name="do", arguments={"x": value}),)),))
    (turn,), mended = mend_turns([turn], [tool])
    return turn.steps[0].calls[0].arguments.get("x", ABSENT), mended


INTEGER, NUMBER, BOOLEAN = {"type": "integer"}, {"type": "number"}, {"type": "boolean"}


@pytest.mark.parametrize(
    ("value", "schema", "mended"),
    [
        (5.0, INTEGER, 5),
        ("85", INTEGER, 85),
        ("-3", INTEGER, -3),
        ("5.0", INTEGER, 5),
        ("85", NUMBER, 85),
        ("3.5", NUMBER, 3.5),
        ("1.50", NUMBER, 1.5),
        ("true", BOOLEAN, True),
        ("False", BOOLEAN, False),
        ("85", {"type": ["integer", "null"]}, 85),
        ("85", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, 85),
        ("2", {"type": "integer", "enum": [1, 2]}, 2),
        (14, {"type": "string"}, "14"),
        (14, {"type": "string", "enum": ["7", "14"]}, "14"),
        ("['Ann', 'Bob']", {"type": "array"}, ["Ann", "Bob"]),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
        (["1", 2.0], {"type": "array", "items": INTEGER}, [1, 2]),
        ({"a": "1", "b": ""}, {"type": "object", "properties": {"a": INTEGER, "b": {"type": "string"}}}, {"a": 1}),
        ({"a": "1"}, {"type": "object", "additionalProperties": INTEGER}, {"a": 1}),
        ("1", {"$ref": "#/$defs/n"}, 1),
        ("", INTEGER, ABSENT),
        (None, INTEGER, ABSENT),
        ("", {"type": "string"}, ABSENT),
        (None, {"type": "string"}, ABSENT),
        ("", {"type": "string", "enum": ["a"]}, ABSENT),
    ],
)
def test_what_is_mended(value: Any, schema: dict[str, Any], mended: Any) -> None:
    found, changes = mend(value, schema, **{"$defs": {"n": INTEGER}})
    assert (found, type(found)) == (mended, type(mended))
    assert changes
    assert all(change.path.startswith("do.x") for change in changes)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (5.5, INTEGER),
        (5.0, NUMBER),
        (5.0, {"type": ["integer", "number"]}),
        (1e300, INTEGER),
        ("007", INTEGER),
        ("1,000", INTEGER),
        ("85 kg", INTEGER),
        ("0.10000000000000000001", NUMBER),
        ("85", {"type": "string"}),
        (14, {"type": ["string", "null"]}),
        (14, {"type": "string", "enum": ["7"]}),
        (True, {"type": "string"}),
        (37.7749, {"type": "string"}),
        ("85", {"type": ["string", "integer"]}),
        ("85", {}),
        ("yes", BOOLEAN),
        (1, BOOLEAN),
        ("3", {"type": "integer", "enum": [1, 2]}),
        ("[1, 2", {"type": "array"}),
        (None, {"type": ["string", "null"]}),
        (None, {}),
        ("", {"type": "string", "enum": ["", "a"]}),
        ("", {"type": "string", "default": ""}),
        ("", {"type": "string", "description": "Empty for all."}),
        ("1", {"$ref": "#/$defs/loop"}),
    ],
)
def test_what_stays_as_it_is(value: Any, schema: dict[str, Any]) -> None:
    found, changes = mend(value, schema, **{"$defs": {"loop": {"$ref": "#/$defs/loop"}}})
    assert (found, type(found), changes) == (value, type(value), ())


@pytest.mark.parametrize("value", ["", None])
def test_a_required_argument_is_never_left_out(value: Any) -> None:
    assert mend(value, {"type": "string"}, required=["x"]) == (value, ())


def test_each_change_says_where_and_what_it_was() -> None:
    schema = {"type": "array", "items": {"type": "object", "properties": {"n": INTEGER}}}
    _, changes = mend([{"n": 1}, {"n": "2"}], schema)
    assert changes == (Mended(turn=0, step=0, path="do.x[1].n", was="2"),)
