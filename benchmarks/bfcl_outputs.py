"""Outputs for bfcl_agreement.py: the gold answer of each BFCL question, and mutations of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from coalm_it.draw import draw_items, stable_hash
from coalm_it.evaluation.bfcl.questions import Question
from coalm_it.schema import Call

ODD: list[Any] = [
    *(0, 1, True, False, "", [], {}, "x", 1.0, 2.5, ["a"], [1], [[1]], [{}], {"a": 1}, "0", "true", "None", [""], " 5"),
    *(
        "new int[]{}",
        "[1, 2]",
        "{}",
        "{a: 1}",
        "new HashMap<>()",
        "new ArrayList<>()",
        "5L",
        "5n",
        "2.5f",
        "'a'",
        '"a"',
    ),
    *("new String[]{a}", "[['a'], ['b']]", "{a: {b: 1}}", "[{a: 1}]", "1e5", "-3"),
]


class Output(NamedTuple):
    question: Question
    mutation: str
    calls: list[Call]


def make_outputs(question: Question) -> Iterator[Output]:
    """The gold answer, and each mutation of it."""
    gold = [_make_call(question, answer) for answer in question.answers]
    yield Output(question, "none (gold)", gold)
    for name, mutate in MUTATIONS.items():
        calls = mutate(question, gold)
        if calls is not None and calls != gold:
            yield Output(question, name, calls)


def _make_call(question: Question, answer: Any) -> Call:
    """A call with the first accepted value of each argument; optional arguments that may be left out are left out."""
    (name,) = answer
    function = _describe(question, name)
    parameters = function["parameters"]
    arguments = {}
    for key, accepted in answer[name].items():
        value = next((one for one in accepted if one != ""), "")
        if key in parameters["properties"] and (value != "" or key in parameters["required"]):
            arguments[key] = _write_value(_pick_first(value), parameters["properties"][key], question.language)
    return Call(name=function["name"], arguments=arguments)


def _describe(question: Question, name: str) -> dict[str, Any]:
    return next((one for one in question.functions if one["name"] == name), question.functions[0])


def _pick_first(value: Any) -> Any:
    """The first accepted value of each entry, for dicts whose values are lists of accepted values."""
    if isinstance(value, dict):
        return {key: options[0] for key, options in value.items() if options and options[0] != ""}
    return [_pick_first(item) for item in value] if isinstance(value, list) else value


def _write_value(value: Any, described: dict[str, Any], language: str) -> Any:
    """The value in the language: source text in Java and JavaScript."""
    if language == "python":
        return value
    kind, items = described["type"], described.get("items", {}).get("type", "any")
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list):
        inside = ", ".join(_write_item(item, items, language) for item in value)
        if language == "javascript":
            return f"[{inside}]"
        if kind == "ArrayList":
            return f"new ArrayList<{items if items.isidentifier() else ''}>(Arrays.asList({inside}))"
        return f"new {items}[]{{{inside}}}"
    if isinstance(value, dict):
        if language == "javascript":
            return json.dumps(value)
        puts = " ".join(f'put("{key}", {json.dumps(item)});' for key, item in value.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
    return f"{value}{'L' if kind == 'long' else ''}" if language == "java" or not isinstance(value, str) else value


def _write_item(item: Any, kind: str, language: str) -> str:
    if language == "java" and kind == "long":
        return f"{item}L"
    return str(item) if language == "java" and isinstance(item, str) and kind == "any" else json.dumps(item)


# --- mutations of the calls of an answer; None if there is nothing to change ---


def _change_argument(question: Question, calls: Sequence[Call], kind: str, change: Callable[[Any], Any]) -> Any:
    """Changes one argument, drawn from those for which `change` returns another value."""
    places = [(number, key) for number, call in enumerate(calls) for key in call.arguments]
    for number, key in draw_items(places, len(places), kind, question.id):
        value = calls[number].arguments[key]
        changed = change(value)
        if changed is not None and (changed != value or type(changed) is not type(value)):
            return _replace(calls, number, {**calls[number].arguments, key: changed})
    return None


def _replace(calls: Sequence[Call], number: int, arguments: dict[str, Any]) -> list[Call]:
    return [
        call.model_copy(update={"arguments": arguments}) if place == number else call
        for place, call in enumerate(calls)
    ]


def _other_value(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case list():
            return value[:-1] if value else ["x"]
    return None


def _other_type(value: Any) -> Any:
    match value:
        case bool():
            return int(value)
        case int():
            return float(value)
        case float():
            return int(value)
        case str():
            return [value]
        case list():
            return {"items": value}
        case dict():
            return list(value)
    return None


def _drop(question: Question, calls: Sequence[Call], required: bool) -> list[Call] | None:
    places = [
        (number, key)
        for number, call in enumerate(calls)
        for key in call.arguments
        if (key in _describe(question, call.name)["parameters"].get("required", ())) is required
    ]
    for number, key in draw_items(places, 1, "drop", required, question.id):
        return _replace(calls, number, {name: v for name, v in calls[number].arguments.items() if name != key})
    return None


def _add_argument(question: Question, calls: Sequence[Call]) -> list[Call]:
    """Adds a parameter of the function that the answer leaves out, or else an unknown one."""
    call = calls[0]
    known = [key for key in _describe(question, call.name)["parameters"]["properties"] if key not in call.arguments]
    return _replace(calls, 0, {**call.arguments, (known or ["more"])[0]: "x"})


def _rename(question: Question, calls: Sequence[Call]) -> list[Call]:
    others = [one["name"] for one in question.functions if one["name"] != calls[0].name]
    name = others[0] if others else calls[0].name.swapcase()
    return [calls[0].model_copy(update={"name": name}), *calls[1:]]


def _reorder(question: Question, calls: Sequence[Call]) -> list[Call] | None:
    """Reverses the calls; for a single call its arguments, or the items of a list in it."""
    if len(calls) > 1:
        return list(reversed(calls))
    found = _change_argument(question, calls, "order", lambda v: v[::-1] if isinstance(v, list) else None)
    turned = dict(reversed(calls[0].arguments.items()))
    return list(found) if found else [calls[0].model_copy(update={"arguments": turned})]


def _change_text(kind: str, change: Callable[[str], str]) -> Callable[[Question, Sequence[Call]], Any]:
    def change_value(value: Any) -> Any:
        match value:
            case str():
                return change(value)
            case list():
                return [change(one) if isinstance(one, str) else one for one in value]
        return None

    return lambda question, calls: _change_argument(question, calls, kind, change_value)


def _change_inside(value: Any) -> Any:
    """Changes, adds or drops something inside a list or a dict, or inside its source text."""
    drawn = stable_hash("inside", json.dumps(value)) % 3
    match value:
        case {**entries} if entries:
            key = min(map(str, entries))
            changed = {key: _other_value(entries[key])} if drawn == 0 else {"more": 1} if drawn == 1 else {}
            return {name: item for name, item in entries.items() if name != key or drawn < 2} | changed
        case [first, *rest]:
            inner = _change_inside(first) if isinstance(first, dict | list) else _other_value(first)
            return [[inner, *rest], [*value, first], rest][drawn]
        case str() if value[-1:] in ("}", "]", ")"):
            return value.replace('"', "'") if drawn == 0 else value.replace(", ", ",") if drawn == 1 else value[:-1]
    return None


def _as_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | int | float | list) else None


def _odd_value(value: Any) -> Any:
    return ODD[stable_hash("odd", json.dumps(value)) % len(ODD)]


def _as_number(value: Any) -> Any:
    """The number, if the source text is one."""
    return int(value) if isinstance(value, str) and value.isdecimal() else None


def _text_for_number(question: Question, calls: Sequence[Call]) -> Any:
    change = _as_text if question.language == "python" else _as_number
    return _change_argument(question, calls, "text", change)


MUTATIONS: dict[str, Callable[[Question, Sequence[Call]], Any]] = {
    "value": lambda question, calls: _change_argument(question, calls, "value", _other_value),
    "type": lambda question, calls: _change_argument(question, calls, "type", _other_type),
    "missing optional": lambda question, calls: _drop(question, calls, required=False),
    "missing required": lambda question, calls: _drop(question, calls, required=True),
    "extra argument": _add_argument,
    "wrong name": _rename,
    "order": _reorder,
    "case": _change_text("case", str.upper),
    "white space": _change_text("space", lambda text: f" {text.replace(' ', '  ')}."),
    "nested change": lambda question, calls: _change_argument(question, calls, "nested", _change_inside),
    "number as text": _text_for_number,
    "odd value": lambda question, calls: _change_argument(question, calls, "odd", _odd_value),
    "a call too few": lambda question, calls: list(calls[:-1]),
    "a call twice": lambda question, calls: [*calls, calls[-1]],
}
