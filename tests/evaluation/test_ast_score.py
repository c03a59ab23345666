"""The AST scorer: cases checked by hand against the rules, and the official checker where it is installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coalm_it.evaluation.bfcl.ast_score import Language, find_mismatch
from coalm_it.evaluation.bfcl.source_values import read_java, read_javascript
from coalm_it.schema import Call

ROOT = Path(__file__).parents[2]


def function(name: str = "f", *required: str, **kinds: str) -> dict[str, Any]:
    """A description; `array of float` is an array of floats."""
    properties = {}
    for key, kind in kinds.items():
        kind, _, items = kind.partition(" of ")
        properties[key] = {"type": kind, "description": ""} | ({"items": {"type": items}} if items else {})
    return {"name": name, "parameters": {"type": "dict", "properties": properties, "required": list(required)}}


def judge(kind: str, value: Any, *accepted: Any, language: Language = "python") -> bool:
    """Whether a value of one argument is right."""
    calls = [Call(name="f", arguments={"x": value})]
    return find_mismatch(calls, [{"f": {"x": list(accepted)}}], [function(x=kind)], language) is None


@pytest.mark.parametrize(
    ("kind", "value", "accepted", "right"),
    [
        # strings: case, blanks and , . / - _ * ^ are ignored, and ' equals "
        ("string", "April 1,2024", ["April 1, 2024"], True),
        ("string", "san_francisco", ["San Francisco"], True),
        ("string", "it's", ['it"s'], True),
        ("string", "San Jose", ["San Francisco"], False),
        ("string", "a:b", ["ab"], False),
        ("string", "", ["", "x"], True),
        ("any", "Red", ["red"], True),
        # numbers: an integer is accepted for a float, a boolean for no number, a string never
        ("float", 5, [5.0], True),
        ("float", 5.0, [5], True),
        ("integer", 5.0, [5], False),
        ("integer", True, [1], False),
        ("boolean", 1, [True], False),
        ("float", True, [1.0], False),
        ("integer", "5", [5], False),
        ("string", 5, ["5"], False),
        ("boolean", True, [True], True),
        ("boolean", "true", [True], False),
        # the type of the accepted values, if it is not the described one: a variable, must be identical
        ("integer", "TYPE_A", ["TYPE_A"], True),
        ("integer", "type_a", ["TYPE_A"], False),
        ("integer", 3, ["TYPE_A"], False),
        ("string", None, [None], True),
        ("string", "dontcare", [None], False),
        # lists: order and length count, strings in them as above
        ("array of string", ["New York", "boston"], [["new york", "Boston"]], True),
        ("array of string", ["boston", "New York"], [["New York", "Boston"]], False),
        ("array of integer", [1, 2], [[1, 2, 3]], False),
        ("array of integer", [1, "2"], [[1, 2]], False),
        ("array of float", [1.0, 2.5], [[1.0, 2.5]], True),
        ("array of float", [1, 2.5], [[1.0, 2.5]], False),
        ("tuple of float", [1.0, 2.0], [[1.0, 2.0]], True),
        ("array of string", [], ["", ["a"]], True),
        ("array of array", [["a"], ["b"]], [[["a"], ["b"]]], True),
        ("array of array", [["A"], ["b"]], [[["a"], ["b"]]], False),
        ("array of string", "a", [["a"]], False),
        # dicts: lists of accepted values inside, "" for optional keys
        ("dict", {"city": "new york", "n": 2}, [{"city": ["New York"], "n": [2, 3]}], True),
        ("dict", {"city": "new york"}, [{"city": ["New York"], "n": [2, ""]}], True),
        ("dict", {"city": "new york"}, [{"city": ["New York"], "n": [2]}], False),
        ("dict", {"city": "new york", "more": 1}, [{"city": ["New York"]}], False),
        ("dict", {"n": "2"}, [{"n": [2]}], False),
        ("dict", {"a": 2}, ["", {"a": [1]}, {"a": [2]}], True),
        ("dict", [["a", 1]], [{"a": [1]}], False),
        # lists of dicts
        ("array of dict", [{"a": 1}, {"a": 2}], [[{"a": [1]}, {"a": [2]}]], True),
        ("array of dict", [{"a": 2}, {"a": 1}], [[{"a": [1]}, {"a": [2]}]], False),
        ("array of dict", [{"a": 1}], [[{"a": [1]}, {"a": [2]}]], False),
        ("array of dict", ["a"], ["", [{"a": [1]}]], False),
    ],
)
def test_a_value(kind: str, value: Any, accepted: list[Any], right: bool) -> None:
    assert judge(kind, value, *accepted) is right


AREA = function("area", "base", "height", base="integer", height="integer", unit="string")
ANSWER: dict[str, dict[str, list[Any]]] = {"area": {"base": [10], "height": [5], "unit": ["m", ""]}}


@pytest.mark.parametrize(
    ("name", "arguments", "mismatch"),
    [
        ("area", {"base": 10, "height": 5}, None),
        ("area", {"height": 5, "base": 10, "unit": "M"}, None),
        ("area", {"base": 10}, "required argument height is missing"),
        ("area", {"base": 10, "height": 5, "width": 1}, "unexpected argument width"),
        ("area", {"base": 10, "height": 6}, "height: 6 is not among the accepted values"),
        ("area", {"base": 10, "height": "5"}, "height: not of type integer"),
        ("Area", {"base": 10, "height": 5}, "function Area instead of area"),
    ],
)
def test_a_call(name: str, arguments: dict[str, Any], mismatch: str | None) -> None:
    assert find_mismatch([Call(name=name, arguments=arguments)], [ANSWER], [AREA]) == mismatch


def test_an_optional_parameter_may_be_required_by_the_expected_call() -> None:
    answer: dict[str, dict[str, list[Any]]] = {"area": {"base": [10], "height": [5], "unit": ["m"]}}
    calls = [Call(name="area", arguments={"base": 10, "height": 5})]
    assert find_mismatch(calls, [answer], [AREA]) == "argument unit is missing"


def test_a_parameter_that_the_expected_call_does_not_list_is_wrong() -> None:
    answer = {"area": {"base": [10], "height": [5]}}
    calls = [Call(name="area", arguments={"base": 10, "height": 5, "unit": "m"})]
    assert find_mismatch(calls, [answer], [AREA]) == "unexpected argument unit"


ONE, TWO = Call(name="f", arguments={"x": 1}), Call(name="f", arguments={"x": 2})


@pytest.mark.parametrize(
    ("calls", "mismatch"),
    [
        ([ONE, TWO], None),
        ([TWO, ONE], None),
        ([ONE], "1 calls instead of 2"),
        ([ONE, TWO, TWO], "3 calls instead of 2"),
        ([ONE, ONE], "no call matches the expected call of f"),
        ([], "0 calls instead of 2"),
    ],
)
def test_several_calls_are_matched_in_any_order(calls: list[Call], mismatch: str | None) -> None:
    answers = [{"f": {"x": [1]}}, {"f": {"x": [2]}}]
    assert find_mismatch(calls, answers, [function(x="integer"), function("g", x="integer")]) == mismatch


def test_an_expected_call_of_an_unknown_function_refers_to_the_first_one() -> None:
    calls = [Call(name="search.find", arguments={"x": 1})]
    assert find_mismatch(calls, [{"find": {"x": [1]}}], [function("search.find", x="integer")]) is None


@pytest.mark.parametrize(
    ("kind", "text", "accepted", "right"),
    [
        ("integer", "5", [5], True),
        ("integer", 5, [5], False),
        ("integer", "5L", [5], False),
        ("long", "5L", [5], True),
        ("long", "5", [5], False),
        ("float", "2.5f", [2.5], True),
        ("double", "2.5", [2.5], True),
        ("boolean", "true", [True], True),
        ("boolean", "True", [True], False),
        ("integer", "ResultSet.CONCUR_READ_ONLY", ["ResultSet.CONCUR_READ_ONLY"], True),
        ("String", "User Input", ["userinput"], True),
        ("Array of integer", "new int[]{2, 7}", [[2, 7]], True),
        ("Array of integer", "new int[]{2, 7, 1}", [[2, 7]], False),
        ("Array of String", "args", ["args"], True),
        ("ArrayList of String", 'new ArrayList<String>(Arrays.asList("GC pause"))', [["GC pause"]], True),
        ("ArrayList of long", "new ArrayList<Long>() {{ add(1L); add(2L); }}", [[1, 2]], True),
        ("HashMap", 'new HashMap<String, Integer>() {{ put("limit", 50); }}', [{"limit": [50]}], True),
        ("HashMap", "envVariables", ["envVariables"], True),
    ],
)
def test_a_value_in_java(kind: str, text: Any, accepted: list[Any], right: bool) -> None:
    assert judge(kind, text, *accepted, language="java") is right


@pytest.mark.parametrize(
    ("kind", "text", "accepted", "right"),
    [
        ("String", "'userInput'", ["userInput"], True),
        ("String", "userInput", ["userInput"], True),
        ("float", "3", [3.0], True),
        ("Bigint", "5n", [5], True),
        ("Boolean", "false", [False], True),
        ("array of String", "['a', \"b\"]", [["a", "b"]], True),
        ("array of float", "[1.0, 2.0, 3.0]", [[1.0, 2.0]], False),
        ("array of array", "[[1.0, 2.0], [3.0, 4.0]]", [[[1.0, 2.0], [3.0, 4.0]]], True),
        ("array of String", "new Array('a', 'b')", [["a", "b"]], True),
        ("dict", "{method: 'GET', 'n': 5}", [{"method": ["GET"], "n": [5]}], True),
        ("dict", "{list: ['a', 'b']}", [{"list": [["a", "b"]]}], True),
        ("dict", "responseData", ["responseData"], True),
        ("dict", "{}", ["", {}], True),
    ],
)
def test_a_value_in_javascript(kind: str, text: Any, accepted: list[Any], right: bool) -> None:
    assert judge(kind, text, *accepted, language="javascript") is right


def test_source_text_is_parsed_and_never_executed() -> None:
    assert read_java("System.exit(1)", "Array", "any") == "System.exit(1)"
    assert read_javascript("{a: process.exit(1)}", "dict") == {"a": "process.exit(1)"}
    assert read_javascript("{a: {b: [1, 'x, y']}}", "dict") == {"a": {"b": [1, "x, y"]}}


OFFICIAL = importlib.util.find_spec("bfcl_eval")


@pytest.mark.skipif(OFFICIAL is None, reason="pip install --no-deps bfcl-eval, to compare with the official checker")
def test_the_official_checker_agrees_on_every_output() -> None:
    assert OFFICIAL
    assert OFFICIAL.submodule_search_locations
    data = Path(OFFICIAL.submodule_search_locations[0]) / "data"
    command = [sys.executable, str(ROOT / "benchmarks" / "bfcl_agreement.py"), str(data)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = re.search(r"([\d,]+) outputs of [\d,]+ questions; 0 disagreements", ran.stdout)
    assert found
    assert int(found[1].replace(",", "")) > 25_000
