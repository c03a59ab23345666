"""The call syntaxes, read and written, never evaluated.

    python     FindBus(from_location='Paris', n=2)                       one call a line
    bracket    [Market Trends API(trend_type="GAINERS"), Get Joke()]     ToolACE's and BFCL's
    json       [{"name": "FindBus", "arguments": {"from_location": "Paris"}}]
    openai     {"tool_calls": [{"type": "function", "function": {"name": "FindBus", "arguments": {...}}}]}

Python and bracket share one grammar, which is wider than Python's, because the corpora are:

- A function's name is whatever stands before its arguments: `Get Walk, Transit, and Bike Score`,
  `/v1/cocktail`, `Daily Forecast (10 days)`. A group in parentheses belongs to the name where more of the
  name or the arguments follow. A name holds no `= " [ ] { }`, no lone parenthesis and no line break.
- So are the names of arguments: `$top`, `sort-by`, `.67xDKY`, `from`. They hold no `= , " '`, no bracket of
  any kind and no line break.
- Values are JSON values in Python or JSON spelling: True and true, None and null, both quotes, the escapes
  of both; a tuple is read as a list. Any other expression is an error. So are NaN and infinity (JSON has
  none), half a surrogate pair (no file takes it), and lists and dicts deeper than MAX_DEPTH.
- An argument without a name takes the name of the tool's parameter at its place.

Reading takes time linear in the text. What was written is read back as the same names and arguments.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from coalm_it.schema import Call, Tool

Syntax = Literal["python", "bracket", "json", "openai"]

MAX_DEPTH = 64
"""Lists and dicts inside one another in one argument; no corpus at hand needs more than 3."""

_LINE_BREAK = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_NAME_PART = rf"""[^()\[\]{{}}="{_LINE_BREAK}]*+"""
_NAME_GROUP = rf"""\([^()\[\]{{}}="'{_LINE_BREAK}]*+\)(?=[ \t]*+[^\s,)\]])"""
_NAME = re.compile(rf"{_NAME_PART}(?:{_NAME_GROUP}{_NAME_PART})*+")
_KEYWORD = re.compile(rf"""([^()\[\]{{}}=,"'{_LINE_BREAK}]*+)=""")
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
_SURROGATE = re.compile("[\ud800-\udfff]")
_FENCE = re.compile(r"\s*+```[\w+-]*+")
_DECODER = json.JSONDecoder()


class CallSyntaxError(ValueError):
    """The text is not calls in this syntax; `position` counts the characters before the place, from 0."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message, position)
        self.position = position

    def __str__(self) -> str:
        return str(self.args[0])


def parse_calls(text: str, syntax: Syntax, tools: Sequence[Tool] = ()) -> tuple[Call, ...]:
    """Reads the calls that a text consists of, and nothing beside them; `[]` is no call.

    `tools` name the arguments that come without a name (of tools with one name, the first does); without the
    tool such an argument is an error. JSON is a list, an object, or several of them on end, and may stand in
    a code fence. Raises CallSyntaxError.
    """
    if half := _SURROGATE.search(text):
        raise _error("half a surrogate pair", text, half.start())
    if syntax in ("json", "openai"):
        return tuple(_parse_json(text))
    reader = _Reader(text, tools)
    return tuple(reader.bracket() if syntax == "bracket" else reader.lines())


def decode_calls(value: Any) -> tuple[Call, ...]:
    """Makes calls of decoded JSON, one object or a list of them.

    An object is {name, arguments} (xLAM, Glaive), {name, parameters} (ToolRL), {tool, parameters}
    (Seal-Tools) or {id, function: {name, arguments}} (OpenAI); the arguments are a dict or its JSON text. A whole
    message, {tool_calls: [...]}, stands for its calls. Raises CallSyntaxError.
    """
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    return tuple(_decode_call(item) for item in (value if isinstance(value, list) else [value]))


def find_tool(call: Call, tools: tuple[Tool, ...]) -> Tool | None:
    """The tool that a call means: by name, and by service where the call has one."""
    for tool in tools:
        if tool.name == call.name and (not call.service or tool.service == call.service):
            return tool
    return None


def format_calls(calls: Sequence[Call], syntax: Syntax) -> str:
    """Writes calls; bracket puts texts in double quotes, as ToolACE does, python as `repr` does.

    Raises ValueError for what could not be read back: in python and bracket a name that the grammar would
    cut elsewhere; everywhere an argument that `format_value` refuses; in python no calls, for which it has
    no word.
    """
    if syntax in ("json", "openai"):
        for call in calls:
            _check_value(call.arguments, MAX_DEPTH + 1)
        objects = [{"name": call.name, "arguments": call.arguments} for call in calls]
        if syntax == "json":
            return json.dumps(objects, ensure_ascii=False)
        tool_calls = [{"type": "function", "function": function} for function in objects]
        return json.dumps({"tool_calls": tool_calls}, ensure_ascii=False)
    if syntax == "bracket":
        return f"[{', '.join(_format_call(call, _format_double_quoted) for call in calls)}]"
    if not calls:
        raise ValueError("python syntax cannot say that there is no call; bracket and json can, by []")
    return "\n".join(_format_call(call, format_value) for call in calls)


def format_value(value: Any) -> str:
    """Writes a JSON value as a Python literal on one line: an argument, or a whole observation.

    Raises ValueError for NaN, infinity, half a surrogate pair, and nesting deeper than MAX_DEPTH.
    """
    try:
        text = repr(value)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    # A walk costs several times the repr, so only a value whose text looks like one of the faults is walked.
    if "nan" in text or "inf" in text or "\\ud" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        _check_value(value, MAX_DEPTH)
    return text


class _Reader:
    """Goes once over a text in python or bracket syntax; `position` is the next character to read."""

    def __init__(self, text: str, tools: Sequence[Tool]) -> None:
        self.text = text
        self.tools = tools
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
        self.position = _end(_NAME, self.text, start)
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
            if keyword := _KEYWORD.match(self.text, start):
                named = True
                name = keyword[1].strip()
                self.position = keyword.end()
            elif named:
                raise self.error("expected name=value, as after every argument with a name")
            else:
                name = self.parameter(function, len(arguments))
            if not name:
                raise self.error("expected the name of an argument before '='", start)
            if name in arguments:
                raise self.error(f"the argument {name} is given twice", start)
            arguments[name] = self.value(MAX_DEPTH)
        return arguments

    def parameter(self, function: str, index: int) -> str:
        tool = next((tool for tool in self.tools if tool.name == function), None)
        if tool is None:
            raise self.error("expected name=value; no known tool could name an argument that has no name")
        names = list(tool.properties)
        if index >= len(names):
            raise self.error(f"expected no more than {len(names)} arguments, as {function} has parameters")
        return names[index]

    def value(self, room: int) -> Any:
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
        if not room:
            raise self.error(f"nested deeper than {MAX_DEPTH} levels", start)
        return self.entries(room - 1) if token[0] == "{" else self.elements(token[0], room - 1)

    def elements(self, opening: str, room: int) -> Any:
        values = []
        comma = False
        for _ in self.items("]" if opening == "[" else ")"):
            values.append(self.value(room))
            self.skip_blanks()
            comma = self.text.startswith(",", self.position)
        return values[0] if opening == "(" and len(values) == 1 and not comma else values

    def entries(self, room: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for _ in self.items("}"):
            if not self.text.startswith(('"', "'"), self.position):
                raise self.error("expected a quoted key")
            key = self.value(room)
            self.skip_blanks()
            self.take(":", "expected ':' after a key")
            entries[key] = self.value(room)
        return entries

    def items(self, closing: str) -> Iterator[None]:
        """Stops before each item, which the caller then reads, and ends behind the closing mark."""
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
            # JSON spells a character beyond U+FFFF as two escapes; a way through UTF-16 makes it one again.
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except ValueError:
            raise self.error("an escape in this text stands for no character", start) from None

    def skip_blanks(self) -> None:
        self.position = _end(_BLANKS, self.text, self.position)

    def take(self, mark: str, complaint: str) -> None:
        if not self.text.startswith(mark, self.position):
            raise self.error(complaint)
        self.position += 1

    def error(self, complaint: str, position: int | None = None) -> CallSyntaxError:
        return _error(complaint, self.text, self.position if position is None else position)


def _unescape(escape: re.Match[str]) -> str:
    x, u, long_u, octal, other = escape.groups()
    if digits := x or u or long_u:
        return chr(int(digits, 16))
    if octal:
        return chr(int(octal, 8))
    if other in "xuU":
        raise ValueError("too few digits")
    return _ESCAPED.get(other, escape[0])  # As in Python, an unknown escape keeps its backslash.


def _parse_json(text: str) -> Iterator[Call]:
    start, end = 0, len(text.rstrip())
    if fence := _FENCE.match(text):
        start, end = fence.end(), end - 3
        if not text.startswith("```", end):
            raise _error("expected ``` after the calls, as before them", text, len(text))
    body = text[:end].rstrip()
    while True:
        start = _end(_BLANKS, body, start)
        try:
            value, end = _DECODER.raw_decode(body, start)
            yield from decode_calls(value)
        except json.JSONDecodeError as error:
            raise _error(f"no JSON: {error.msg}", text, error.pos) from None
        except (ValueError, RecursionError) as error:
            raise _error(str(error), text, start) from None
        if end == len(body):
            return
        start = end


def _decode_call(item: Any) -> Call:
    function = item.get("function", item) if isinstance(item, dict) else None
    if not isinstance(function, dict):
        raise CallSyntaxError("expected an object with a name and arguments")
    name = function.get("name", function.get("tool"))
    if not isinstance(name, str):
        raise CallSyntaxError("expected an object with the name of a function")
    arguments = function.get("arguments", function.get("parameters"))
    try:
        if isinstance(arguments, str):
            arguments = json.loads(arguments)
        _check_value([name, arguments], MAX_DEPTH + 2)
    except (ValueError, RecursionError) as error:
        raise CallSyntaxError(f"in the arguments of {name!r}: {error}") from None
    if not isinstance(arguments, dict):
        raise CallSyntaxError(f"expected an object of arguments for {name!r}")
    id = item.get("id")
    return Call(id=id if isinstance(id, str) else "", name=name, arguments=arguments)


def _format_call(call: Call, write: Callable[[Any], str]) -> str:
    name = call.name
    if not name or name != name.strip() or _end(_NAME, name + "(", 0) != len(name):
        raise ValueError(f"only json can hold the function name {name!r}")
    for key in call.arguments:
        if not key or key != key.strip() or _end(_KEYWORD, key + "=", 0) != len(key) + 1:
            raise ValueError(f"only json can hold the argument name {key!r} of {name}")
    return f"{name}({', '.join(f'{key}={write(value)}' for key, value in call.arguments.items())})"


def _format_double_quoted(value: Any) -> str:
    """As `format_value`, but every text in double quotes."""
    _check_value(value, MAX_DEPTH)

    def write(value: Any) -> str:
        if isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(write, value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{write(key)}: {write(item)}' for key, item in value.items())}}}"
        return repr(value)

    return write(value)


def _check_value(value: Any, room: int) -> None:
    if isinstance(value, str):
        if not value.isascii() and (half := _SURROGATE.search(value)):
            raise ValueError(f"half a surrogate pair, {half[0]!r}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no JSON value")
    elif isinstance(value, list | tuple | dict):
        if not room:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        for item in value:
            _check_value(item, room - 1)
        for item in value.values() if isinstance(value, dict) else ():
            _check_value(item, room - 1)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _error(complaint: str, text: str, position: int) -> CallSyntaxError:
    rest = text[position : position + 30]
    place = f"before {rest!r}" if rest else "at the end"
    return CallSyntaxError(f"{complaint}, at character {position}, {place}", position)
