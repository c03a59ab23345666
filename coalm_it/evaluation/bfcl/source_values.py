"""Values in Java and JavaScript source text, read by the type that a BFCL function describes for them.

    read_java("new int[]{1, 2}", "Array", "integer")       [1, 2]
    read_java("5L", "long")                                5
    read_javascript("{'a': [1, 2], b: 'x'}", "dict")       {"a": [1, 2], "b": "x"}

Text that is not a literal of its type is returned unchanged: the name of a variable, or a mistake. Values without a
described type are read by their syntax: true, 5, 2.5f, "text", else plain text. Nothing is evaluated.

Quirks of the official checker that change results are reproduced: strings in a Java array, and in an ArrayList of
`any`, keep their quotes, so ten Java questions can be answered correctly only without quotes; text after the closing
bracket of a JavaScript array or object is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

JAVA_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("byte", "short", "integer", "long"), int),
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("char", "String", "any"), str),
    **dict.fromkeys(("Array", "ArrayList", "Queue", "Stack"), list),
    **dict.fromkeys(("HashMap", "Hashtable"), dict),
    "boolean": bool,
    "Set": set,
}
JAVASCRIPT_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("integer", "Bigint"), int),
    **dict.fromkeys(("String", "any"), str),
    "float": float,
    "Boolean": bool,
    "array": list,
    "dict": dict,
}
_REAL = r"-?\d+(?:\.\d+)?"
_SCIENTIFIC = rf"{_REAL}(?:[eE][+-]?\d+)?"
_JAVA_NUMBERS: Mapping[str, tuple[str, Callable[[str], int | float]]] = {
    **dict.fromkeys(("byte", "short", "integer"), (r"(-?\d+)", int)),
    "long": (r"(-?\d+)[lL]", int),
    "float": (rf"({_SCIENTIFIC})[fF]", float),
    "double": (rf"({_SCIENTIFIC})", float),
}
_JAVASCRIPT_NUMBERS: Mapping[str, tuple[str, Callable[[str], int | float]]] = {
    "integer": (r"(-?\d+)", int),
    "float": (rf"({_REAL})", float),
    "Bigint": (r"(-?\d+)n", int),
}
_JAVA_ARRAY = re.compile(r"new\s+\w+\[\]\s*\{(.*?)\}")
_JAVA_LIST = re.compile(
    r"new\s+ArrayList<\w*>\((?:Arrays\.asList\((?P<items>.+)\))?\)\s*(?:\{\{(?P<adds>.*)\}\})?", re.S
)
_JAVA_MAP = re.compile(r"new\s+HashMap<.*?>\s*\(\)\s*(?:\{(?P<puts>.*)\})?", re.DOTALL)
_ADD = re.compile(r"add\((.+?)\)")
_PUT = re.compile(r'put\("(.*?)",\s*(.*?)\)')
_JAVASCRIPT_ARRAY = re.compile(r"(?:\[(.*)\]|new\s+Array\((.*)\))", re.DOTALL)
_KEY = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\"|([^:'\"]+?))\s*:\s*(.*)", re.DOTALL)
_OPENING, _CLOSING, _QUOTES = "[{(", "]})", "'\""


def read_java(text: str, kind: str, items: str = "") -> Any:
    """The value, or the text if it is not a literal of its type; `items` is the type of the items of a list."""
    if kind in _JAVA_NUMBERS:
        return _read_number(text, *_JAVA_NUMBERS[kind])
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind == "Array" and (array := _JAVA_ARRAY.search(text)):
        return [read_java(item, items) for item in _split_plainly(array[1])]
    if kind == "ArrayList" and (written := _JAVA_LIST.search(text)):
        inside = written["items"]
        listed = _split_plainly(inside) if inside else [one.strip() for one in _ADD.findall(written["adds"] or "")]
        return [item[1:-1] if items in ("char", "String") else read_java(item, items) for item in listed]
    if kind == "HashMap" and (written := _JAVA_MAP.search(text)):
        return {key: _read_by_syntax(value.strip(), '"') for key, value in _PUT.findall(written["puts"] or "")}
    return text


def read_javascript(text: str, kind: str, items: str = "") -> Any:
    """The value, or the text if it is not a literal of its type; `items` is the type of the items of a list."""
    if kind in _JAVASCRIPT_NUMBERS:
        return _read_number(text, *_JAVASCRIPT_NUMBERS[kind])
    if kind == "Boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind == "String":
        return text[1:-1] if _is_quoted(text, _QUOTES) else text
    if kind == "array":
        written = _JAVASCRIPT_ARRAY.match(text.strip())
        return text.strip() if written is None else _read_items(written[1] or written[2] or "", items)
    if kind == "dict":
        return _read_object(text.strip())
    return text


def _read_items(inside: str, kind: str) -> list[Any]:
    """The items of a JavaScript array; nested arrays are read by their syntax."""
    return [
        _read_inner(item) if item[:1] in ("[", "{") or not kind else read_javascript(item, kind)
        for item in _split(inside)
    ]


def _read_object(text: str) -> Any:
    end = text.rfind("}")
    if not text.startswith("{") or end < 0:
        return text
    entries = {}
    for entry in _split(text[1:end]):
        found = _KEY.fullmatch(entry)
        if found is None:
            return text
        entries[found[1] or found[2] or found[3]] = _read_inner(found[4].strip(), strip=True)
    return entries


def _read_inner(text: str, *, strip: bool = False) -> Any:
    """A nested value; in an object it is read without its quotes ('5' is 5)."""
    if text.startswith("[") and text.endswith("]"):
        return _read_items(text[1:-1], "")
    if text.startswith("{") and text.endswith("}"):
        return _read_object(text)
    return _read_by_syntax(text.strip(_QUOTES) if strip else text, _QUOTES)


def _read_by_syntax(text: str, quotes: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if _is_quoted(text, quotes):
        return text[1:-1]
    if quotes == '"':
        for kind in ("long", "float"):
            if not isinstance(number := read_java(text, kind), str):
                return number
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def _read_number(text: str, pattern: str, convert: Callable[[str], int | float]) -> int | float | str:
    found = re.fullmatch(pattern, text)
    return convert(found[1]) if found else text


def _is_quoted(text: str, quotes: str) -> bool:
    return len(text) > 1 and text[0] in quotes and text[-1] == text[0]


def _split_plainly(text: str) -> list[str]:
    """At every comma."""
    return [item.strip() for item in text.split(",") if item.strip()]


def _split(text: str) -> Iterator[str]:
    """At the commas outside of brackets and quotes."""
    depth, quote, start = 0, "", 0
    for index, mark in enumerate(text):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in _QUOTES:
            quote = mark
        elif mark in _OPENING:
            depth += 1
        elif mark in _CLOSING:
            depth -= 1
        elif mark == "," and not depth:
            yield text[start:index].strip()
            start = index + 1
    if text[start:].strip():
        yield text[start:].strip()
