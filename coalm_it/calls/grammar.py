"""The grammar of calls in python and bracket syntax, which is wider than Python's, because the corpora are.

- A function's name is whatever stands before its arguments: `Get Walk, Transit, and Bike Score`,
  `/v1/cocktail`, `Daily Forecast (10 days)`. A group in parentheses belongs to the name where more of the
  name or the arguments follow. A name contains no `= " [ ] { }`, no single parenthesis and no line break.
- The same holds for the names of arguments: `$top`, `sort-by`, `.67xDKY`, `from`. They contain no `= , " '`, no
  bracket of any kind and no line break.
- Values are JSON values in Python or JSON spelling: True and true, None and null, both quotes, the escapes
  of both; a tuple is read as a list. Any other expression is an error. So are NaN and infinity (JSON has
  neither), half a surrogate pair (no file can hold it), and lists and dicts nested deeper than MAX_DEPTH.
- A name that is no Python name may stand in quotes: `functions['Get Joke'](n=1, **{'sort-by': 'day'})`. Any text is
  a name there. This is part of python syntax alone, which is written so (`is_python_name` says for which names).
- A positional argument takes the name of the tool's parameter at the same position.

Reading takes time linear in the length of the text.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from coalm_it.calls.limits import MAX_DEPTH, CallSyntaxError, locate_error, match_end
from coalm_it.calls.lookup import find_tool
from coalm_it.schema import Call, Tool

_LINE_BREAK = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_NAME_PART = rf"""[^()\[\]{{}}="{_LINE_BREAK}]*+"""
_NAME_GROUP = rf"""\([^()\[\]{{}}="'{_LINE_BREAK}]*+\)(?=[ \t]*+[^\s,)\]])"""
_NAME = re.compile(rf"{_NAME_PART}(?:{_NAME_GROUP}{_NAME_PART})*+")
_KEYWORD = re.compile(rf"""([^()\[\]{{}}=,"'{_LINE_BREAK}]*+)=""")
_QUOTED_NAME = re.compile(r"functions\s*+\[\s*+(?=[\"'])")
_BLANKS = re.compile(r"\s*+")
_EXPONENT = r"[eE][-+]?[0-9]++"
_VALUE = re.compile(
    rf"""(?P<text>"(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+')
    |(?P<integer>[-+]?(?:0|[1-9][0-9]{{0,4299}}+))(?![\w.])  # int() takes no more digits
    |(?P<float>[-+]?(?:(?:[0-9]++\.[0-9]*+|\.[0-9]++)(?:{_EXPONENT})?|[0-9]++{_EXPONENT}))(?![\w.])
    |(?P<word>[^\W\d]\w*+)
    |(?P<open>[\[({{])""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "\n": ""}
_ESCAPED |= {mark: mark for mark in "\\'\"/"}


def read_python(text: str, tools: Sequence[Tool]) -> Iterator[Call]:
    """The calls of a text, one per line. Raises CallSyntaxError."""
    return _Reader(text, tools, quoted_names=True).lines()


def read_bracket(text: str, tools: Sequence[Tool]) -> Iterator[Call]:
    """The calls of a list in square brackets. Raises CallSyntaxError."""
    return _Reader(text, tools).bracket()


def is_function_name(name: str) -> bool:
    """Whether the grammar reads this as the whole name of a function."""
    return bool(name) and name == name.strip() and match_end(_NAME, name + "(", 0) == len(name)


def is_argument_name(name: str) -> bool:
    """Whether the grammar reads this as the whole name of an argument."""
    return bool(name) and name == name.strip() and match_end(_KEYWORD, name + "=", 0) == len(name) + 1


def is_python_name(name: str, *, dotted: bool = False) -> bool:
    """Whether Python reads this as a name that is no keyword, or, if `dotted`, as such names with dots between them.

    Python takes some letters for others (NFKC), and a name with such letters for another name.
    """
    parts = name.split(".") if dotted else [name]
    plain = name.isascii() or unicodedata.normalize("NFKC", name) == name
    return plain and all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)


class _Reader:
    """Reads a text in python or bracket syntax in one pass; `position` is the next character to read."""

    def __init__(self, text: str, tools: Sequence[Tool], *, quoted_names: bool = False) -> None:
        self.text = text
        self.tools = tools
        self.quoted_names = quoted_names
        self.position = 0

    def lines(self) -> Iterator[Call]:
        self.skip_blanks()
        while True:
            yield self.call()
            end = self.position
            self.skip_blanks()
            if self.position == len(self.text):
                return
            if "\n" not in self.text[end : self.position]:
                raise self.error("expected a line break or the end after a call")

    def bracket(self) -> Iterator[Call]:
        self.skip_blanks()
        self.take("[", "expected '[' before the calls")
        for _ in self.items("]"):
            yield self.call()
        self.skip_blanks()
        if self.position < len(self.text):
            raise self.error("expected the end after ']'")

    def call(self) -> Call:
        start = self.position
        if self.quoted_names and (quoted := _QUOTED_NAME.match(self.text, start)):
            self.position = quoted.end()
            name = self.value(0)
            self.skip_blanks()
            self.take("]", "expected ']' after the name of a function in quotes")
            self.skip_blanks()
        else:
            self.position = match_end(_NAME, self.text, start)
            name = self.text[start : self.position].strip()
        self.take("(", "expected the name of a function and '(' after it")
        if not name:
            raise self.error("expected the name of a function", start)
        return Call(name=name, arguments=self.arguments(name))

    def arguments(self, function: str) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        named = False
        for _ in self.items(")"):
            start = self.position
            if self.quoted_names and self.text.startswith("**", start):
                named = True
                given = self.unpacked()
            elif label := _KEYWORD.match(self.text, start):
                named = True
                self.position = label.end()
                given = {label[1].strip(): self.value(MAX_DEPTH)}
            elif named:
                raise self.error("expected name=value, as after every argument with a name")
            else:
                given = {self.parameter(function, len(arguments)): self.value(MAX_DEPTH)}
            if "" in given:
                raise self.error("expected the name of an argument before '='", start)
            if doubled := arguments.keys() & given.keys():
                raise self.error(f"the argument {min(doubled)} is given twice", start)
            arguments |= given
        return arguments

    def unpacked(self) -> dict[str, Any]:
        """The arguments of `**{'sort-by': 1}`."""
        self.position += 2
        start = self.position
        given = self.value(MAX_DEPTH + 1)
        if not isinstance(given, dict):
            raise self.error("expected a dict after '**'", start)
        return given

    def parameter(self, function: str, index: int) -> str:
        tool = find_tool(Call(name=function), self.tools)
        if tool is None:
            raise self.error("expected name=value; no known tool could name an argument that has no name")
        names = list(tool.properties)
        if index >= len(names):
            raise self.error(f"expected no more than {len(names)} arguments, as {function} has parameters")
        return names[index]

    def value(self, depth: int) -> Any:
        self.skip_blanks()
        start = self.position
        token = _VALUE.match(self.text, start)
        if token is None:
            raise self.error("expected a value: a quoted text, a number, True, None, a list or a dict")
        self.position = token.end()
        match token.lastgroup:
            case "text":
                return self.unescape(token[0][1:-1], start)
            case "integer":
                return int(token[0])
            case "float":
                number = float(token[0])
                if math.isinf(number):
                    raise self.error("a number too large to keep", start)
                return number
            case "word":
                if token[0] not in _WORDS:
                    raise self.error("expected a value; a text needs quotes, no name is looked up", start)
                return _WORDS[token[0]]
        if not depth:
            raise self.error(f"nested deeper than {MAX_DEPTH} levels", start)
        return self.entries(depth - 1) if token[0] == "{" else self.elements(token[0], depth - 1)

    def elements(self, opening: str, depth: int) -> Any:
        values = []
        comma = False
        for _ in self.items("]" if opening == "[" else ")"):
            values.append(self.value(depth))
            self.skip_blanks()
            comma = self.text.startswith(",", self.position)
        return values[0] if opening == "(" and len(values) == 1 and not comma else values

    def entries(self, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for _ in self.items("}"):
            if not self.text.startswith(('"', "'"), self.position):
                raise self.error("expected a quoted key")
            key = self.value(depth)
            self.skip_blanks()
            self.take(":", "expected ':' after a key")
            entries[key] = self.value(depth)
        return entries

    def items(self, closing: str) -> Iterator[None]:
        """Yields before each item, which the caller then reads, and ends after the closing mark."""
        self.skip_blanks()
        while not self.text.startswith(closing, self.position):
            yield
            self.skip_blanks()
            if self.text.startswith(",", self.position):
                self.position += 1
                self.skip_blanks()
            elif not self.text.startswith(closing, self.position):
                raise self.error(f"expected ',' or '{closing}'")
        self.position += 1

    def unescape(self, text: str, start: int) -> str:
        if "\\" not in text:
            return text
        try:
            text = _ESCAPE.sub(_unescape, text)
            # JSON writes a character above U+FFFF as two escapes; encoding to UTF-16 and back joins them.
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except ValueError:
            raise self.error("an escape in this text stands for no character", start) from None

    def skip_blanks(self) -> None:
        self.position = match_end(_BLANKS, self.text, self.position)

    def take(self, mark: str, complaint: str) -> None:
        if not self.text.startswith(mark, self.position):
            raise self.error(complaint)
        self.position += 1

    def error(self, complaint: str, position: int | None = None) -> CallSyntaxError:
        return locate_error(complaint, self.text, self.position if position is None else position)


def _unescape(escape: re.Match[str]) -> str:
    x, u, long_u, octal, other = escape.groups()
    if digits := x or u or long_u:
        return chr(int(digits, 16))
    if octal:
        return chr(int(octal, 8))
    if other in "xuU":
        raise ValueError("too few digits")
    return _ESCAPED.get(other, escape[0])  # As in Python, an unknown escape keeps its backslash.
