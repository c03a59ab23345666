"""Compares calls with the expected ones by the rules of BFCL's AST evaluation; an independent implementation.

    find_mismatch([Call(name="f", arguments={"n": 1})], [{"f": {"n": [1], "unit": ["m", ""]}}], [description_of_f])

The rules are those of https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html#metrics, and
beyond them the behaviour of the official checker, so that results are comparable with published ones:

- There are as many calls as expected calls, in any order: each expected call takes the first call that matches.
- The function has the described name. Every required parameter is given, and none that the expected call does not list.
- A value has the described type; an integer is accepted for a float, a boolean for no number. Or it has the type of the
  accepted values, if that is another one: the name of a variable instead of a value.
- An expected call lists the accepted values of each parameter; "" among them makes the parameter optional.
- Strings are compared without case, blanks and the characters , . / - _ * ^, and ' equals ". The same holds for strings
  in a list and for the values of a dict; deeper inside, and for a variable, they must be identical.
- The values of a dict are lists of accepted values too. Lists must agree in order and length.
- In Java and JavaScript every value is given as source text and is read by its described type (see source_values.py).

benchmarks/bfcl_agreement.py compares the results with those of the official checker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from coalm_it.evaluation.bfcl.source_values import JAVA_TYPES, JAVASCRIPT_TYPES, read_java, read_javascript
from coalm_it.schema import Call

Language = Literal["python", "java", "javascript"]
ExpectedCall = Mapping[str, Mapping[str, list[Any]]]
"""One key, the name of the function -> parameter -> accepted values."""

PYTHON_TYPES: Mapping[str, type] = {
    "string": str,
    "any": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
}
_TYPES = {"python": PYTHON_TYPES, "java": JAVA_TYPES, "javascript": JAVASCRIPT_TYPES}
_READERS = {"java": read_java, "javascript": read_javascript}
_WITH_ITEMS = {"array", "tuple", "Array", "ArrayList"}
_IGNORED = str.maketrans({**dict.fromkeys(" ,./-_*^"), "'": '"'})


def find_mismatch(
    calls: Sequence[Call],
    expected: Sequence[ExpectedCall],
    functions: Sequence[Mapping[str, Any]],
    language: Language = "python",
) -> str | None:
    """Why the calls are wrong, in a few words; None if they are right.

    `functions` are the descriptions that the model was shown: {name, parameters: {properties, required}}. An expected
    call of a function that is not among them refers to the first: the benchmark has two such mistakes.
    """
    if len(calls) != len(expected):
        return f"{len(calls)} calls instead of {len(expected)}"
    descriptions = {str(function["name"]): function for function in reversed(functions)}
    unmatched = list(calls)
    for expected_call in expected:
        (name,) = expected_call
        function = descriptions.get(name, functions[0])
        mismatches = [_find_call_mismatch(call, expected_call[name], function, language) for call in unmatched]
        if None not in mismatches:
            return mismatches[0] if len(calls) == 1 else f"no call matches the expected call of {name}"
        del unmatched[mismatches.index(None)]
    return None


def _find_call_mismatch(
    call: Call, expected: Mapping[str, list[Any]], function: Mapping[str, Any], language: Language
) -> str | None:
    if call.name != function["name"]:
        return f"function {call.name} instead of {function['name']}"
    parameters = function["parameters"]
    for name in parameters.get("required", ()):
        if name not in call.arguments:
            return f"required argument {name} is missing"
    for name, value in call.arguments.items():
        if name not in parameters["properties"] or name not in expected:
            return f"unexpected argument {name}"
        mismatch = _find_value_mismatch(value, expected[name], parameters["properties"][name], language)
        if mismatch:
            return f"{name}: {mismatch}"
    for name, accepted in expected.items():
        if name not in call.arguments and "" not in accepted:
            return f"argument {name} is missing"
    return None


def _find_value_mismatch(
    value: Any, accepted: Sequence[Any], described: Mapping[str, Any], language: Language
) -> str | None:
    kind = described["type"]
    inner_kind = described["items"]["type"] if kind in _WITH_ITEMS else ""
    described_type: Any = _TYPES[language][kind]
    inner_type = _TYPES[language][inner_kind] if inner_kind else None
    if language != "python":
        if type(value) is not str:
            return "not given as source text"
        value = _READERS[language](value, kind, inner_kind)
    elif described_type is float and type(value) is int:
        value = float(value)
    accepted_type = _find_type(accepted)
    if type(value) not in (described_type, accepted_type):
        return f"not of type {kind}"
    is_literal = type(value) is described_type
    if is_literal and inner_type and not any(_has_item_type(value, one, inner_type) for one in accepted):
        return f"not all items are of type {inner_kind}"
    is_variable = not is_literal or accepted_type not in (None, described_type)
    agrees = value in accepted if is_variable else _is_accepted(value, accepted, inner_type)
    return None if agrees else f"{value!r} is not among the accepted values"


def _is_accepted(value: Any, accepted: Sequence[Any], inner_type: type | None) -> bool:
    """Whether a value of the described type is among the accepted ones."""
    match value:
        case dict():
            return any(_agrees_dict(value, one) for one in accepted)
        case list() if inner_type is dict:
            return any(_agrees_dicts(value, one) for one in accepted)
        case list():
            lists = [_normalise(one) for one in accepted if one != ""]
            return _normalise(value) in lists or (value == [] and "" in accepted)
        case str():
            return _normalise(value) in [_normalise(one) for one in accepted]
    return value in accepted


def _find_type(accepted: Iterable[Any]) -> type | None:
    """The type of the accepted values; None if the parameter may only be left out."""
    return next((type(one) for one in accepted if one != ""), None)


def _has_item_type(value: Sequence[Any], accepted: Any, inner: type) -> bool:
    """Whether every item is of the described type, or of the type of the accepted items."""
    if not isinstance(accepted, list):
        return True
    return all(type(item) in (inner, _find_type(accepted)) for item in value)


def _normalise(value: Any) -> Any:
    """A string without the ignored characters, in lower case; the same for each string of a list."""
    if isinstance(value, str):
        return value.translate(_IGNORED).lower()
    return [_normalise(item) if isinstance(item, str) else item for item in value] if isinstance(value, list) else value


def _agrees_dict(value: Any, accepted: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(accepted, dict):
        return False
    for key, item in value.items():
        if key not in accepted:
            return False
        of_key = accepted[key]
        same = _normalise(item) in [_normalise(one) if isinstance(one, str) else one for one in of_key]
        if not (same if isinstance(item, str) else item in of_key):
            return False
    return all(key in value or "" in of_key for key, of_key in accepted.items())


def _agrees_dicts(value: Sequence[Any], accepted: Any) -> bool:
    """`accepted` is a list of dicts, or "", which agrees with an empty list."""
    return len(value) == len(accepted) and all(map(_agrees_dict, value, accepted))
