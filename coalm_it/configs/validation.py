"""What is wrong with a value, in ordinary English: pydantic's own messages speak of tuples, instances and input."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

MAX_ERRORS = 5
"""How many errors of a file are named; the others are counted."""
_MAX_MISSING = 12
_MAX_KEY = 40
_MAX_MESSAGE = 400

RENAMED_KEYS = {
    "at_least": "min_score",
    "extra": "extra_body",
    "requests_a_minute": "requests_per_minute",
    "tokens_a_minute": "tokens_per_minute",
    "turns_a_request": "turns_per_request",
}
"""Former name of a key -> its name, to tell the writer of an older file."""

_STRING, _WHOLE, _NUMBER, _TRUTH = "a string", "a whole number", "a number", "true or false"
_LIST, _MAPPING, _PATTERN = "a list", "a mapping of keys to values", "a regular expression"

EXPLANATIONS = {
    "string_type": f"should be {_STRING}",
    "string_sub_type": f"should be {_STRING}",
    "string_unicode": "holds half a surrogate pair, which is no character",
    "int_type": f"should be {_WHOLE}",
    "int_parsing": f"should be {_WHOLE}",
    "int_from_float": f"should be {_WHOLE}",
    "int_parsing_size": "has too many digits",
    "float_type": f"should be {_NUMBER}",
    "float_parsing": f"should be {_NUMBER}",
    "finite_number": f"should be {_NUMBER}, not infinite",
    "bool_type": f"should be {_TRUTH}",
    "bool_parsing": f"should be {_TRUTH}",
    "none_required": "should be null",
    "literal_error": "should be {expected}",
    "enum": "should be {expected}",
    "list_type": f"should be {_LIST}",
    "tuple_type": f"should be {_LIST}",
    "set_type": f"should be {_LIST}",
    "iterable_type": f"should be {_LIST}",
    "dict_type": f"should be {_MAPPING}",
    "mapping_type": f"should be {_MAPPING}",
    "model_type": f"should be {_MAPPING}",
    "model_attributes_type": f"should be {_MAPPING}",
    "dataclass_type": f"should be {_MAPPING}",
    "pattern_type": f"should be {_PATTERN}",
    "pattern_str_type": f"should be {_PATTERN}",
    "pattern_regex": f"should be {_PATTERN}",
    "greater_than": "should be greater than {gt}",
    "greater_than_equal": "should be at least {ge}",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be at most {le}",
    "too_short": "should have at least {min_length} entries",
    "too_long": "should have at most {max_length} entries",
    "string_too_short": "should have at least {min_length} characters",
    "string_too_long": "should have at most {max_length} characters",
    "string_pattern_mismatch": "should match {pattern}",
    "invalid_key": "should be a string: write it in quotes",
    "date_type": "should be a date, as YYYY-MM-DD",
    "date_parsing": "should be a date, as YYYY-MM-DD",
    "date_from_datetime_parsing": "should be a date, as YYYY-MM-DD",
}
"""Error type of pydantic -> its explanation, in which the limits of the error are filled in."""

_SINGULAR = {"at least 1 entries": "at least one entry", "at least 1 characters": "at least one character"}


def explain_error(problem: ErrorDetails) -> str:
    """What an error says of the value at its place, without the place: "should be a whole number"."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in EXPLANATIONS:
        shown = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
        text = EXPLANATIONS[kind].format(**shown)
        return next((text.replace(many, one) for many, one in _SINGULAR.items() if many in text), text)
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = " ".join(message.removeprefix("Input ").split())
    return message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}..."


def describe_errors(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """One phrase for each of the first errors, with the key, what is wrong, and what was found; then their number."""
    problems = error.errors(include_url=False)
    missing = [format_place(problem["loc"]) for problem in problems if problem["type"] == "missing"]
    if missing:
        named = ", ".join(repr(place) for place in missing[:_MAX_MISSING])
        yield f"missing key{'s' * (len(missing) > 1)} {named}{', ...' * (len(missing) > _MAX_MISSING)}"
    problems = [problem for problem in problems if problem["type"] != "missing" and not _follows(problem, problems)]
    for problem in problems[:MAX_ERRORS]:
        yield _describe_error(problem, model)
    if len(problems) > MAX_ERRORS:
        yield f"and {len(problems) - MAX_ERRORS:,} more errors"


def _follows(problem: ErrorDetails, problems: Sequence[ErrorDetails]) -> bool:
    """Whether it only says that a list without its wrong items is too short."""
    where = problem["loc"]
    return problem["type"] == "too_short" and any(
        len(other["loc"]) > len(where) and other["loc"][: len(where)] == where for other in problems
    )


def _describe_error(problem: ErrorDetails, model: type[BaseModel]) -> str:
    where = [str(part) for part in problem["loc"] if part != "[key]"]
    place = format_place(where)
    if problem["type"] == "extra_forbidden":
        known = list_keys(model, where[:-1])
        renamed = RENAMED_KEYS.get(where[-1])
        hint = f"it is now called {renamed!r}" if renamed in known else name_nearest(where[-1], known)
        return f"unknown key {place!r}; {hint}"
    if problem["type"] == "invalid_key" or "[key]" in problem["loc"]:
        return f"the key {place!r} {explain_error(problem)}"
    message = explain_error(problem)
    if problem["type"] == "string_pattern_mismatch" and (description := _find_description(model, where)):
        message = f"should be: {description.rstrip('.')}"
    found = (
        ""
        if isinstance(problem["input"], Mapping) or problem["type"] == SECRET
        else f" (found {show_value(problem['input'])})"
    )
    if not where:
        return f"{message}{found if problem['type'] in EXPLANATIONS else ''}"
    return f"{place}: {message}{found}{_hint_at_meaning(problem, model, where)}"


def _hint_at_meaning(problem: ErrorDetails, model: type[BaseModel], where: Sequence[str]) -> str:
    """What was probably meant: the nearest of the allowed values, a blank after a colon, the form of a mapping."""
    value, last = problem["input"], where[-1]
    if problem["type"] == "literal_error" and isinstance(value, str):
        near = name_nearest(value, re.findall("'([^']*)'", problem["ctx"]["expected"]))
        return f"; {near}" if near.startswith("did you mean") else ""
    if value is None and ":" in last:
        key, _, text = last.partition(":")
        return f"; in YAML a blank follows the colon: {key}: {text.strip()}"
    if EXPLANATIONS.get(problem["type"]) == f"should be {_MAPPING}":
        example = re.search(r"`(\{.+?\})`", _find_description(model, where) or "")
        return f", such as {example[1]}" if example else ""
    return ""


def format_place(where: Sequence[object]) -> str:
    """The path of a key, on one line: "parts.sgd.rows"."""
    return ".".join(_shorten(" ".join(str(part).split())) for part in where)


def _shorten(key: str) -> str:
    return key if len(key) <= _MAX_KEY else f"{key[: _MAX_KEY - 3]}..."


# --- values ---

_VALUES = reprlib.Repr()
_VALUES.maxlevel, _VALUES.maxdict, _VALUES.maxlist, _VALUES.maxtuple = 2, 3, 4, 4
_VALUES.maxstring, _VALUES.maxother, _VALUES.maxlong = 80, 80, 40

SECRET = "secret"
"""Type of the error of a value that must not be shown, as it may hold a key (see PydanticCustomError)."""
_SECRETS = re.compile(
    r"(?<=://)[^/@\s'\"]*(?=@)|(?<=[?&])([\w-]*(?:key|token|secret|password)=)[^&\s'\"]*", re.IGNORECASE
)


def show_value(value: object) -> str:
    """A value as it is shown in a message: at most about a line of it, without the credentials of a URL."""
    if isinstance(value, str):
        value = _SECRETS.sub(lambda found: f"{found[1] or ''}***", value)
    try:
        return _VALUES.repr(value)
    except ValueError:  # Python does not write integers of more than 4,300 digits
        return "a number of thousands of digits"


def name_nearest(name: str, known: Sequence[str]) -> str:
    """A hint for an unknown name: the nearest known name, or else all of them."""
    near = difflib.get_close_matches(name[:100], known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(map(_shorten, known)) or 'none'}"


# --- the sections of a model ---


def list_keys(model: type[BaseModel], where: Sequence[str]) -> list[str]:
    """The keys of the section at `where`, a path through sections, mappings of sections, and lists of them."""
    found = _unwrap(_find_annotation(model, where))
    return list(found.model_fields) if _is_model(found) else []


def holds_sections(model: type[BaseModel], where: Sequence[str]) -> bool:
    """Whether the value at `where` is a mapping of free names to sections, as `parts` of a recipe."""
    found = _unwrap(_find_annotation(model, where))
    return get_origin(found) is dict and _is_model(_unwrap(get_args(found)[1]))


def _find_description(model: type[BaseModel], where: Sequence[str]) -> str | None:
    if not where:
        return None
    section = _unwrap(_find_annotation(model, where[:-1]))
    field = section.model_fields.get(where[-1]) if _is_model(section) else None
    return field.description if field else None


def _find_annotation(model: type[BaseModel], where: Sequence[str]) -> Any:
    annotation: Any = model
    for name in where:
        annotation = _unwrap(annotation)
        if _is_model(annotation):
            field = annotation.model_fields.get(name)
            annotation = field.annotation if field else None
        else:
            inner = [part for part in get_args(annotation) if part is not ...]
            annotation = inner[-1] if get_origin(annotation) in (dict, tuple, list) and inner else None
    return annotation


def _unwrap(annotation: Any) -> Any:
    """Without the None of an optional value."""
    inner = [part for part in get_args(annotation) if part is not NoneType]
    return inner[0] if NoneType in get_args(annotation) and len(inner) == 1 else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
