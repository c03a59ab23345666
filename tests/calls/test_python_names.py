"""A call in python syntax is Python, whatever the names of the function and of its arguments are."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.calls import CallSyntaxError, format_calls, parse_calls
from coalm_it.calls.markup import read_move
from coalm_it.schema import Call

NAMES = st.text(min_size=1).filter(lambda text: not any("\ud800" <= mark <= "\udfff" for mark in text))
PIECES = st.lists(
    st.sampled_from(["f", "Get Joke", ".", "-", " ", "class", "functions", "['", "']", "**", "(", "=", '"', "é", "ﬁ"]),
    min_size=1,
).map("".join)
CALLS = st.builds(
    Call,
    name=NAMES | PIECES,
    arguments=st.dictionaries(NAMES | PIECES, st.integers() | st.text(st.characters(exclude_categories=["Cs"]))),
)


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("find", {"a": 1}, "find(a=1)"),
        ("math.factorial", {"number": 5}, "math.factorial(number=5)"),
        ("Get Joke", {}, "functions['Get Joke']()"),
        ("a.class", {"a": 1}, "functions['a.class'](a=1)"),
        (".67xDKY", {"a": 1}, "functions['.67xDKY'](a=1)"),
        ("symbols/get", {"sort-by": 1}, "functions['symbols/get'](**{'sort-by': 1})"),
        ("f", {"a": 1, "from": "x", "$top": [2], "b": None}, "f(a=1, **{'from': 'x', '$top': [2]}, b=None)"),
        ("f", {"a.b": 1}, "f(**{'a.b': 1})"),
        ("f", {"ﬁ": 1}, "f(**{'ﬁ': 1})"),
        ("functions", {"a": 1}, "functions(a=1)"),
        ("获取天气", {"城市": "Oslo"}, "获取天气(城市='Oslo')"),
        ("it's", {}, 'functions["it\'s"]()'),
    ],
)
def test_names_that_python_does_not_allow_are_quoted(name: str, arguments: dict[str, Any], text: str) -> None:
    call = Call(name=name, arguments=arguments)
    assert format_calls([call], "python") == text
    assert parse_calls(text, "python") == (call,)
    ast.parse(text)


@given(st.lists(CALLS, min_size=1, max_size=3))
def test_every_call_is_python_and_is_read_back(calls: list[Call]) -> None:
    text = format_calls(calls, "python")
    assert len(ast.parse(text).body) == len(calls)
    read = parse_calls(text, "python")
    assert [(call.name, list(call.arguments.items())) for call in read] == [
        (call.name, list(call.arguments.items())) for call in calls
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("functions['']()", "expected the name of a function"),
        ("functions['f'(a=1)", "expected ']' after the name"),
        ("functions['f']", "and '\\(' after it"),
        ("f(**[1])", "expected a dict after '\\*\\*'"),
        ("f(**{'': 1})", "expected the name of an argument"),
        ("f(a=1, **{'a': 1})", "the argument a is given twice"),
        ("f(**{'a': 1}, 2)", "expected name=value"),
    ],
)
def test_a_quoted_name_has_its_own_faults(text: str, complaint: str) -> None:
    with pytest.raises(CallSyntaxError, match=complaint):
        parse_calls(text, "python")


def test_quoted_names_are_of_python_alone() -> None:
    with pytest.raises(CallSyntaxError):
        parse_calls("[functions['f'](a=1)]", "bracket")


def test_an_output_that_tries_a_quoted_name_is_no_text() -> None:
    assert read_move("functions['Get Joke'](n=1)", ["python"]).calls == (Call(name="Get Joke", arguments={"n": 1}),)
    assert read_move("functions['Get Joke'](n=", ["python"]).fault == "a call that cannot be read"
    assert read_move("Sure: functions['Get Joke'](n=1)", ["python"], ["Get Joke"]).fault == "a call that cannot be read"
