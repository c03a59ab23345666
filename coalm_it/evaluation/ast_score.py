"""Whether calls are the right ones, by the rules of BFCL's AST evaluation, in code of our own.

    find_fault([Call(name="f", arguments={"n": 1})], [{"f": {"n": [1], "unit": ["m", ""]}}], [description_of_f])

The rules (https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html#metrics, and where that is
silent the official checker's behaviour, so that results can be laid beside published ones):

- As many calls as there are answers. They are matched regardless of order: each answer takes the first call that fits.
- The function's name is the described one. Every required parameter is there, and none that the answer does not list.
- Each value has the described type; a whole number will do for a float, a boolean for no number. Or it has the type of
  the answer's own values, where these are of another type: a variable's name in place of a value.
- An answer lists the values that it accepts. "" among them means that the parameter may be left out.
- Texts agree without case, blanks and the marks , . / - _ * ^, and ' is as good as ". So do texts in a list, and those
  directly in a dict; further inside, and for a variable, they must be the same.
- A dict's values are lists of accepted values too. Lists agree in order and length.
- Java and JavaScript: every value comes as source text and is read by its described type (see source_values.py).

benchmarks/bfcl_agreement.py compares each verdict with the official checker's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from coalm_it.evaluation.source_values import JAVA_TYPES, JAVASCRIPT_TYPES, read_java, read_javascript
from coalm_it.schema import Call

Language = Literal["python", "java", "javascript"]
Answer = Mapping[str, Mapping[str, list[Any]]]
"""One key, the function's name; parameter -> accepted values."""

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
_UNSEEN = str.maketrans({**dict.fromkeys(" ,./-_*^"), "'": '"'})


def find_fault(
    calls: Sequence[Call],
    answers: Sequence[Answer],
    functions: Sequence[Mapping[str, Any]],
    language: Language = "python",
) -> str | None:
    """Why the calls are wrong, in a few words; None where they are right.

    `functions` are the descriptions that the model was shown: {name, parameters: {properties, required}}. An answer
    whose name is none of theirs is about the first of them: the benchmark has two such slips.
    """
    if len(calls) != len(answers):
        return f"{len(calls)} calls, not {len(answers)}"
    described = {str(function["name"]): function for function in reversed(functions)}
    left = list(calls)
    for answer in answers:
        (name,) = answer
        function = described.get(name, functions[0])
        faults = [_find_call_fault(call, answer[name], function, language) for call in left]
        if None not in faults:
            return faults[0] if len(calls) == 1 else f"no call fits the answer {name}"
        del left[faults.index(None)]
    return None


def _find_call_fault(
    call: Call, answer: Mapping[str, list[Any]], function: Mapping[str, Any], language: Language
) -> str | None:
    if call.name != function["name"]:
        return f"function {call.name}, not {function['name']}"
    parameters = function["parameters"]
    given = call.arguments
    for name in parameters.get("required", ()):
        if name not in given:
            return f"required {name} is missing"
    for name, value in given.items():
        if name not in parameters["properties"] or name not in answer:
            return f"{name} is none of the arguments"
        fault = _find_value_fault(value, answer[name], parameters["properties"][name], language)
        if fault:
            return f"{name}: {fault}"
    for name, accepted in answer.items():
        if name not in given and "" not in accepted:
            return f"{name} is missing"
    return None


def _find_value_fault(
    value: Any, accepted: Sequence[Any], described: Mapping[str, Any], language: Language
) -> str | None:
    kind = described["type"]
    inner_kind = described["items"]["type"] if kind in _WITH_ITEMS else ""
    expected: Any = _TYPES[language][kind]
    inner = _TYPES[language][inner_kind] if inner_kind else None
    if language != "python":
        if type(value) is not str:
            return "not given as source text"
        value = _READERS[language](value, kind, inner_kind)
    elif expected is float and type(value) is int:
        value = float(value)
    stated = _stated_type(accepted)
    if type(value) is expected:
        if inner and not any(_fits_items(value, one, inner) for one in accepted):
            return f"items of another type than {inner_kind}"
        is_variable = stated not in (None, expected)
    elif type(value) is stated:
        is_variable = True
    else:
        return f"not of type {kind}"
    if is_variable:
        agrees = value in accepted
    elif expected is dict:
        agrees = any(_agrees_dict(value, one) for one in accepted)
    elif expected is list and inner is dict:
        agrees = any(_agrees_dicts(value, one) for one in accepted)
    elif expected is str or expected is list:
        agrees = _normalise(value) in [_normalise(one) for one in accepted if one != "" or expected is str]
        agrees = agrees or (value == [] and "" in accepted)
    else:
        agrees = value in accepted
    return None if agrees else f"{value!r} is not among the accepted values"


def _stated_type(accepted: Iterable[Any]) -> type | None:
    """The type of the accepted values; None where only leaving out is accepted."""
    return next((type(one) for one in accepted if one != ""), None)


def _fits_items(value: Sequence[Any], accepted: Any, inner: type) -> bool:
    """Whether each item is of the described type, or of the type of the accepted items."""
    if not isinstance(accepted, list):
        return True
    return all(type(item) in (inner, _stated_type(accepted)) for item in value)


def _normalise(value: Any) -> Any:
    """A text without what does not count; in a list, each text."""
    if isinstance(value, str):
        return value.translate(_UNSEEN).lower()
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
    """`accepted` is a list of dicts; or "", which an empty list agrees with too."""
    return len(value) == len(accepted) and all(map(_agrees_dict, value, accepted))
