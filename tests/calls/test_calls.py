from __future__ import annotations

import ast
import json
import pickle
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.calls import MAX_DEPTH, CallSyntaxError, Syntax, decode_calls, format_calls, format_value, parse_calls
from coalm_it.schema import Call, Tool

SYNTAXES: tuple[Syntax, ...] = get_args(Syntax)
SORT = Tool(name="sort", parameters={"type": "object", "properties": {"file_name": {}, "reverse": {}}})


def plain(calls: tuple[Call, ...] | list[Call]) -> list[tuple[str, str]]:
    """Names and arguments; `repr` tells 1 from True and from 1.0, and sees the order of the keys."""
    return [(call.name, repr(call.arguments)) for call in calls]


def value_of(text: str) -> Any:
    (call,) = parse_calls(f"f(x={text})", "python")
    return call.arguments["x"]


# One example of each syntax


def test_python_calls_are_one_per_line() -> None:
    calls = (
        Call(name="FindBus", arguments={"from_location": "Paris", "n": 2}),
        Call(name="FindRestaurants", arguments={"name": "Chili's", "serves_alcohol": True, "area": None}),
    )
    text = """FindBus(from_location='Paris', n=2)
FindRestaurants(name="Chili's", serves_alcohol=True, area=None)"""
    assert format_calls(calls, "python") == text
    assert parse_calls(text, "python") == calls


def test_bracket_calls_stand_in_a_list_with_double_quotes() -> None:
    calls = (
        Call(name="Market Trends API", arguments={"trend_type": "MARKET_INDEXES", "country": "us"}),
        Call(name="plan", arguments={"days": [1, 2.5], "who": {"name": 'the "boss"', "vip": True, "age": None}}),
    )
    text = (
        '[Market Trends API(trend_type="MARKET_INDEXES", country="us"), '
        'plan(days=[1, 2.5], who={"name": "the \\"boss\\"", "vip": True, "age": None})]'
    )
    assert format_calls(calls, "bracket") == text
    assert parse_calls(text, "bracket") == calls


def test_json_calls_are_a_list_of_objects() -> None:
    calls = (Call(name="search", arguments={"q": "café", "n": 2}), Call(name="Get Joke"))
    text = '[{"name": "search", "arguments": {"q": "café", "n": 2}}, {"name": "Get Joke", "arguments": {}}]'
    assert format_calls(calls, "json") == text
    assert parse_calls(text, "json") == calls


def test_no_call_is_an_empty_list_and_has_no_word_in_python() -> None:
    assert format_calls((), "bracket") == format_calls((), "json") == "[]"
    assert parse_calls(" [ ] ", "bracket") == parse_calls("```\n[]\n```", "json") == ()
    with pytest.raises(ValueError, match="there is no call"):
        format_calls((), "python")
    with pytest.raises(CallSyntaxError, match="name of a function"):
        parse_calls("", "python")


# What the corpora write


@pytest.mark.parametrize(
    "name",
    [
        "User Feed (Video Posts) V2",
        "Daily Forecast (10 days)",
        "Sending SMS OTP (Custom OTP - Custom Template)",
        "Get Walk, Transit, and Bike Score",
        "Get Agent's Active Listings",
        "Convertir cantidad a letra Moneda MXN Español",
        "/v1/cocktail",
        "symbols/get-sector-metrics",
        "M4.5+ Earthquakes, Past 7 Days",
        "ChaDri.change_drink",
        ".67xDKY",
        "获取天气",
    ],
)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_function_names_are_kept_as_they_are(name: str, syntax: Syntax) -> None:
    calls = (Call(name=name), Call(name=name, arguments={"a": "x (y)", "$top": 10, "sort-by": "n, m = 1"}))
    assert parse_calls(format_calls(calls, syntax), syntax) == calls


@pytest.mark.parametrize("key", ["$top", "from", "include-lxx", "7qSgY", ".67xDKY", "https:/rapidapi.com", "最大"])
def test_argument_names_are_kept_as_they_are(key: str) -> None:
    assert parse_calls(f'[f({key}=1, b="2")]', "bracket") == (Call(name="f", arguments={key: 1, "b": "2"}),)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'single'", "single"),
        ('"double"', "double"),
        (r"'it\'s'", "it's"),
        (r'"a\nb\t\\ \/ \"c\""', 'a\nb\t\\ / "c"'),
        (r"'\u00e9 \xe9 \U0001F600 \ud83d\ude00 \101'", "é é 😀 😀 A"),
        (r"'C:\docs \d+'", "C:\\docs \\d+"),
        ("'two\nlines'", "two\nlines"),
        ("True", True),
        ("true", True),
        ("False", False),
        ("false", False),
        ("None", None),
        ("null", None),
        ("-3", -3),
        ("+3", 3),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("12345678901234567890", 12345678901234567890),
        ("[]", []),
        ("[1, 'a', [true], ]", [1, "a", [True]]),
        ("(1, 2)", [1, 2]),
        ("(1,)", [1]),
        ("(1)", 1),
        ("{}", {}),
        ("""{"a": true, 'b': [null, {"c": -1}]}""", {"a": True, "b": [None, {"c": -1}]}),
        ("  [ 1 ,\n 2 ]  ", [1, 2]),
    ],
)
def test_values_are_read_in_python_and_json_spelling(text: str, value: Any) -> None:
    assert repr(value_of(text)) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "f", "arguments": {"a": 1}}]',
        '{"name": "f", "arguments": {"a": 1}}',
        '{"name": "f", "parameters": {"a": 1}}',
        '{"tool": "f", "parameters": {"a": 1}}',
        '[{"name": "f", "arguments": "{\\"a\\": 1}"}]',
        '{"type": "function", "function": {"name": "f", "arguments": "{\\"a\\": 1}"}}',
        '```json\n[{"name": "f", "arguments": {"a": 1}}]\n```\n',
        '```\n{"name": "f", "arguments": {"a": 1}}```',
    ],
)
def test_json_calls_are_read_in_the_shapes_of_the_corpora(text: str) -> None:
    assert parse_calls(text, "json") == (Call(name="f", arguments={"a": 1}),)


def test_json_objects_may_follow_one_another() -> None:
    text = '\n{"name": "f", "parameters": {}}\n{"name": "g", "parameters": {"x": [1]}}\n'
    assert parse_calls(text, "json") == (Call(name="f"), Call(name="g", arguments={"x": [1]}))


def test_decoded_calls_keep_their_id() -> None:
    call = {"id": "call_1_0", "type": "function", "function": {"name": "f", "arguments": {"a": "3"}}}
    assert decode_calls([call]) == (Call(id="call_1_0", name="f", arguments={"a": "3"}),)


def test_an_observation_is_not_taken_for_a_call() -> None:
    with pytest.raises(CallSyntaxError, match="expected an object of arguments for 'Market Trends API'"):
        parse_calls('[{"name": "Market Trends API", "results": {"trends": []}}]', "json")


# Positional arguments


def test_positional_arguments_take_their_names_from_the_tool() -> None:
    expected = (Call(name="sort", arguments={"file_name": "a.pdf", "reverse": True}),)
    assert parse_calls("sort('a.pdf', True)", "python", [SORT]) == expected
    assert parse_calls('[sort("a.pdf", reverse=true)]', "bracket", [SORT]) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grep('a.pdf')", "no known tool could name an argument that has no name, at character 5"),
        ("sort('a', True, 3)", "no more than 2 arguments, as sort has parameters, at character 16"),
        ("sort('a', file_name='b')", "the argument file_name is given twice, at character 10"),
        (
            "sort(reverse=True, 'a')",
            "expected name=value, as after every argument with a name, at character 19",
        ),
    ],
)
def test_positional_arguments_that_no_parameter_takes_are_errors(text: str, message: str) -> None:
    with pytest.raises(CallSyntaxError, match=re.escape(message)):
        parse_calls(text, "python", [SORT])


# Errors


@pytest.mark.parametrize(
    ("text", "syntax", "message"),
    [
        (
            "Sure, which city?",
            "python",
            "expected the name of a function and '(' after it, at character 17, at the end",
        ),
        ("[Funny Cat GIF](https://example.org/x.gif)", "bracket", "and '(' after it, at character 14"),
        ("f(a=1)", "bracket", "expected '[' before the calls, at character 0, before 'f(a=1)'"),
        ("[f(a=1)", "bracket", "expected ',' or ']', at character 7, at the end"),
        ("[f(a=1)] Done.", "bracket", "expected the end after ']', at character 9, before 'Done.'"),
        ("f(a=1) g(b=2)", "python", "expected a line break or the end after a call, at character 7"),
        ("f(a=1", "python", "expected ',' or ')', at character 5, at the end"),
        ("f(a=1 2)", "python", "expected ',' or ')', at character 6, before '2)'"),
        (
            "f(a=Paris)",
            "python",
            "a text needs quotes, no name is looked up, at character 4, before 'Paris)'",
        ),
        ("f(a=open('x'))", "python", "no name is looked up, at character 4"),
        ("f(a=1+1)", "python", "expected ',' or ')', at character 5, before '+1)'"),
        ("f(a=2019-03-01)", "python", "expected ',' or ')', at character 8"),
        ("f(a=007)", "python", "expected a value: a quoted text, a number, True, None, a list or a dict"),
        ("f(a='Celia's')", "python", "expected ',' or ')', at character 11, before \"s')\""),
        ("f(a='x)", "python", "expected a value"),
        ("f(a=nan)", "python", "expected a value"),
        ("f(a=-Infinity)", "python", "expected a value"),
        ("f(a=1e999)", "python", "a number too large to keep, at character 4"),
        ("f(a=" + "9" * 5000 + ")", "python", "expected a value"),
        ("f(a={1: 2})", "python", "expected a quoted key, at character 5"),
        ("f(a={'b'})", "python", "expected ':' after a key, at character 8"),
        ("f(a=1, a=2)", "python", "the argument a is given twice, at character 7"),
        (
            "f(a==1)",
            "python",
            "expected a value: a quoted text, a number, True, None, a list or a dict, at character 4",
        ),
        ("f(=1)", "python", "expected the name of an argument before '=', at character 2"),
        ("(a=1)", "python", "expected the name of a function, at character 0"),
        ("f(a=b'x')", "python", "expected a value"),
        (r"f(a='\ud800')", "python", "an escape in this text stands for no character, at character 4"),
        (r"f(a='\u12')", "python", "an escape in this text stands for no character"),
        ("f(a='\ud800')", "python", "half a surrogate pair, at character 5"),
        ("", "json", "no JSON: Expecting value, at character 0, at the end"),
        ("You're welcome!", "json", "no JSON: Expecting value, at character 0"),
        ("[1]", "json", "expected an object with a name and arguments"),
        ('[{"arguments": {}}]', "json", "expected an object with the name of a function"),
        ('{"name": "f", "arguments": [1]}', "json", "expected an object of arguments for 'f'"),
        ('{"name": "f", "arguments": "x"}', "json", "in the arguments of 'f': Expecting value"),
        ('{"name": "f", "arguments": {"a": NaN}}', "json", "in the arguments of 'f': nan is no JSON value"),
        ('{"name": "f", "arguments": {"a": 1e999}}', "json", "in the arguments of 'f': inf is no JSON value"),
        (r'{"name": "f", "arguments": {"a": "\ud800"}}', "json", "half a surrogate pair, '\\ud800'"),
        ("```", "json", "no JSON: Expecting value"),
        ('```json\n{"name": "f", "arguments": {}}', "json", "expected ``` after the calls, as before them"),
    ],
)
def test_invalid_calls_are_reported_in_one_line(text: str, syntax: Syntax, message: str) -> None:
    with pytest.raises(CallSyntaxError) as caught:
        parse_calls(text, syntax)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert 0 <= caught.value.position <= len(text)


def test_the_error_survives_the_way_out_of_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(CallSyntaxError("expected '('", 7)))
    assert (str(error), error.position) == ("expected '('", 7)


@pytest.mark.parametrize("opening", ["[", "(", "{'a':"])
def test_nesting_is_bounded(opening: str) -> None:
    with pytest.raises(CallSyntaxError, match="nested deeper than 64 levels"):
        value_of(opening * 100_000)


def test_nesting_is_bounded_in_json() -> None:
    with pytest.raises(CallSyntaxError):
        parse_calls('{"name": "f", "arguments": ' + '{"a":' * 100_000, "json")
    too_deep = '{"name": "f", "arguments": {"x": ' + "[" * 65 + "]" * 65 + "}}"
    with pytest.raises(CallSyntaxError, match="nested deeper than 64 levels"):
        parse_calls(too_deep, "json")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_deepest_value_that_is_written_can_be_read(syntax: Syntax) -> None:
    value: Any = "x"
    for _ in range(MAX_DEPTH // 2):
        value = [{"a": value}]
    calls = (Call(name="f", arguments={"x": value}),)
    assert parse_calls(format_calls(calls, syntax), syntax) == calls
    with pytest.raises(ValueError, match="nested deeper than 64 levels"):
        format_calls([Call(name="f", arguments={"x": [value]})], syntax)


def test_a_value_too_deep_for_python_itself_is_refused_alike() -> None:
    value: Any = []
    for _ in range(5000):
        value = [value]
    for syntax in SYNTAXES:
        with pytest.raises(ValueError, match="nested deeper than 64 levels"):
            format_calls([Call(name="f", arguments={"x": value})], syntax)


# What cannot be written


ODD_FUNCTIONS = [" f", "f ", "f(", "f)", "f(a=1)", "f (a), g", "f=g", 'say "x"', "a[0]", "{f}", "f\ng"]
ODD_ARGUMENTS = [" a", "a=b", "a,b", "it's", '"a"', "a(b)", "a\nb", "a[0]"]


@pytest.mark.parametrize("name", ["", *ODD_FUNCTIONS])
def test_a_function_name_that_could_not_be_read_back_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can hold the function name"):
        format_calls([Call(name=name, arguments={"a": 1})], "bracket")


@pytest.mark.parametrize("key", ["", *ODD_ARGUMENTS])
def test_an_argument_name_that_could_not_be_read_back_is_refused(key: str) -> None:
    call = Call(name="f", arguments={key: 1})
    with pytest.raises(ValueError, match="can hold the argument name"):
        format_calls([call], "bracket")
    assert parse_calls(format_calls([call], "json"), "json") == (call,)


@pytest.mark.parametrize("call", [Call(name="", arguments={"a": 1}), Call(name="f", arguments={"": 1})])
def test_python_has_no_empty_name(call: Call) -> None:
    with pytest.raises(ValueError, match="empty name"):
        format_calls([call], "python")


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": -float("inf")}, "\ud800", {"\udfff": 1}])
def test_a_value_that_json_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"no JSON value|half a surrogate pair"):
        format_value(value)
    for syntax in SYNTAXES:
        with pytest.raises(ValueError, match=r"no JSON value|half a surrogate pair"):
            format_calls([Call(name="f", arguments={"a": value})], syntax)


def test_words_that_look_like_faults_are_written() -> None:
    value = {"info": "Nan's finance", "path": "C:\\udder"}
    assert ast.literal_eval(format_value(value)) == value


# Round trips

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
WORDS = st.text(st.characters(categories=["L", "N"]) | st.sampled_from("/.-_&+$#"), min_size=1, max_size=8)
NAMES = st.builds(
    lambda words, group: " ".join(words) + (f" ({group})" if group else ""),
    st.lists(WORDS, min_size=1, max_size=4),
    st.none() | WORDS,
)
CALLS = st.lists(
    st.builds(Call, name=NAMES, arguments=st.dictionaries(WORDS, VALUES, max_size=3)), min_size=1, max_size=3
)


@given(CALLS, st.sampled_from(SYNTAXES))
def test_what_is_written_is_read_back(calls: list[Call], syntax: Syntax) -> None:
    assert plain(parse_calls(format_calls(calls, syntax), syntax)) == plain(calls)


@given(st.lists(st.builds(Call, name=TEXTS, arguments=st.dictionaries(TEXTS, TEXTS, max_size=2)), min_size=1))
def test_any_name_is_read_back_or_refused(calls: list[Call]) -> None:
    for syntax in SYNTAXES:
        try:
            text = format_calls(calls, syntax)
        except ValueError:
            assert syntax != "json"
        else:
            assert plain(parse_calls(text, syntax)) == plain(calls)


@given(VALUES)
def test_a_written_value_is_one_line_that_python_itself_reads(value: Any) -> None:
    text = format_value(value)
    assert len(text.splitlines()) == 1
    assert repr(ast.literal_eval(text)) == repr(value)


@given(VALUES)
def test_bracket_values_are_python_literals_too(value: Any) -> None:
    text = format_calls([Call(name="f", arguments={"x": value})], "bracket")
    assert repr(ast.literal_eval(text.removeprefix("[f(x=").removesuffix(")]"))) == repr(value)


@given(VALUES)
def test_values_in_json_spelling_are_read(value: Any) -> None:
    assert repr(value_of(json.dumps(value))) == repr(value)
    assert repr(value_of(json.dumps(value, ensure_ascii=False, indent=1))) == repr(value)


@given(st.lists(VALUES, max_size=3), st.dictionaries(st.sampled_from("xyz"), VALUES))
def test_positional_arguments_are_read_in_the_order_of_the_parameters(values: list[Any], named: dict[str, Any]) -> None:
    tool = Tool(name="f", parameters={"properties": {"a": {}, "b": {}, "c": {}}})
    arguments = [
        *map(format_value, values),
        *(f"{key}={format_value(value)}" for key, value in named.items()),
    ]
    expected = dict(zip("abc", values, strict=False)) | named
    for text, syntax in [
        (f"f({', '.join(arguments)})", "python"),
        (f"[f({','.join(arguments)} )]", "bracket"),
    ]:
        assert plain(parse_calls(text, syntax, [tool])) == [("f", repr(expected))]  # type: ignore[arg-type]


MARKS = "()[]{}=,:'\"\\ 1-.\n\u2028é"
CHUNKS = [
    "f",
    "g h",
    "\\u",
    "\\ud800",
    "\ud800",
    "e9",
    "x",
    "true",
    "None",
    "f(a=1)",
    '"name"',
    '"arguments"',
    "```",
]
PIECES = st.sampled_from([*MARKS, *CHUNKS])


@given(st.text() | st.lists(PIECES).map("".join), st.sampled_from(SYNTAXES))
def test_any_text_is_calls_or_a_call_syntax_error(text: str, syntax: Syntax) -> None:
    try:
        calls = parse_calls(text, syntax, [SORT])
    except CallSyntaxError:
        return
    if calls or syntax != "python":
        assert plain(parse_calls(format_calls(calls, syntax), syntax)) == plain(calls)


# Real corpora; the counts are taken a second time without the parser, by ast, json or a plain search


@pytest.mark.corpora
def test_toolace_in_its_native_form(corpora: Path) -> None:
    lines = (corpora / "function_calling/toolace/native_sample.jsonl").read_text().splitlines()
    turns = [
        turn["value"] for line in lines for turn in json.loads(line)["conversations"] if turn["from"] == "assistant"
    ]
    calls = [parse_calls(turn, "bracket")[0] for turn in turns if turn.startswith("[")]
    assert calls == [
        Call(name="get_market_trends", arguments={"trend_type": "MARKET_INDEXES", "country": "us"}),
        Call(name="User Feed (Video Posts) V2", arguments={"user_id": "12345"}),
    ]


@pytest.mark.corpora
def test_toolace_and_glaive_in_sharegpt_form(corpora: Path) -> None:
    for file, texts, count in [
        ("function_calling/toolace/sharegpt_func_fixed.json", 181, 200),
        ("messages/glaive_toolcall_en_demo.json", 211, 211),
    ]:
        turns = [turn for row in json.loads((corpora / file).read_text()) for turn in row["conversations"]]
        called = [turn["value"] for turn in turns if turn["from"] == "function_call"]
        calls = [call for text in called for call in parse_calls(text, "json")]
        assert (len(called), len(calls)) == (texts, count)
        assert count == sum(text.count('"arguments":') for text in called)
        assert plain(parse_calls(format_calls(calls, "bracket"), "bracket")) == plain(calls)
        for turn in turns:
            if turn["from"] in ("gpt", "observation"):
                for syntax in SYNTAXES:
                    with pytest.raises(CallSyntaxError):
                        parse_calls(turn["value"], syntax)


@pytest.mark.corpora
def test_toolrl_has_objects_one_a_line(corpora: Path) -> None:
    rows = json.loads((corpora / "function_calling/toolrl/rlla_sft.json").read_text())
    blocks = [found[1] for row in rows if (found := re.search(r"<tool_call>\n(.*?)</tool_call>", row["output"], re.S))]
    calls = [call for block in blocks for call in parse_calls(block, "json")]
    assert (len(blocks), len(calls)) == (346, 576)
    assert sum(block.count('\n{"name": ') for block in ["\n" + block for block in blocks]) == 576
    # Cut at commas inside quotes when the rows were made: names like '"end_year": 2021}, regions'.
    cut = [call for call in calls if any(re.search(r'["\[\]{}]', name) for name in (call.name, *call.arguments))]
    assert len(cut) == 12
    for call in calls:
        if call in cut:
            with pytest.raises(ValueError, match="only json and python can hold"):
                format_calls([call], "bracket")
            assert plain(parse_calls(format_calls([call], "python"), "python")) == plain([call])
        else:
            assert plain(parse_calls(format_calls([call], "bracket"), "bracket")) == plain([call])


@pytest.mark.corpora
def test_xlam_rows_and_hammer_masks(corpora: Path) -> None:
    folder = corpora / "function_calling"
    for name, count in [("sealtool", 294), ("toolalpaca", 143), ("apibank_l1", 399)]:
        rows = json.loads((folder / f"xlam_format/{name}.json").read_text())
        calls = [call for row in rows for call in decode_calls(row["answers"])]
        assert len(calls) == count == sum(len(row["answers"]) for row in rows)
        assert plain(parse_calls(format_calls(calls, "python"), "python")) == plain(calls)
    rows = json.loads((folder / "hammer/masking_sft_data_example.json").read_text())
    outputs = [parse_calls(row["output"], "json") for row in rows]
    assert ([len(calls) for calls in outputs].count(0), sum(map(len, outputs))) == (2, 14)


@pytest.mark.corpora
def test_reasoning_demo_has_one_object_a_part(corpora: Path) -> None:
    lines = (corpora / "messages/reason_tool_use_demo_50.jsonl").read_text().splitlines()
    parts = [part for line in lines for message in json.loads(line)["messages"] for part in message["content"]]
    calls = [parse_calls(part["value"], "json") for part in parts if part["type"] == "tool_call"]
    assert (len(calls), sum(map(len, calls))) == (68, 68)


@pytest.mark.corpora
def test_bfcl_calls_are_what_python_itself_makes_of_them(corpora: Path) -> None:
    folder = corpora / "benchmarks/bfcl_v3"
    docs = [json.loads(line) for file in (folder / "multi_turn_func_doc").iterdir() for line in file.open()]
    tools = [Tool(name=doc["name"], parameters=doc["parameters"]) for doc in docs]
    count = positional = 0
    for file in (folder / "possible_answer").glob("*multi_turn*.json"):
        for text in (text for line in file.open() for turn in json.loads(line)["ground_truth"] for text in turn):
            (call,) = parse_calls(text, "python", tools)
            tree = ast.parse(text, mode="eval").body
            assert isinstance(tree, ast.Call)
            named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in tree.keywords}
            values = [ast.literal_eval(value) for value in tree.args]
            assert call.name == ast.unparse(tree.func)
            assert list(call.arguments.values()) == [*values, *named.values()]
            assert list(call.arguments)[len(values) :] == list(named)
            assert parse_calls(f"[{text}]", "bracket", tools) == (call,)
            count += 1
            positional += bool(values)
    assert (count, positional) == (4701, 160)
