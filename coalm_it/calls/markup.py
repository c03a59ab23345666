"""The output of a model, read: its thought, and its calls or its text; or why it cannot be read.

The reader names the call formats that are expected. Calls in another known format are reported as such ("another
format: tags"), so that a report can tell a wrong format from no format at all. Text that looks like a call but is not
one cannot be read either; it is never taken for the decision not to call.

    python, bracket, json, openai      the syntaxes of calls/; JSON may stand in a code fence, as in the rows of Hammer
    tags                               as chat templates write calls: <tool_call>{...}</tool_call> (Qwen, Hermes; SmolLM
                                       with a list inside), <|python_tag|>{...} and a bare {"name", "parameters"}
                                       (Llama), [TOOL_CALLS][...] (Mistral), <|tool_call|>[...] (Granite)

Reading takes time linear in the length of the output.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

from coalm_it.calls import CallSyntaxError, parse_calls
from coalm_it.schema import Call

Format = Literal["python", "bracket", "json", "openai", "tags"]
FORMATS: tuple[Format, ...] = get_args(Format)
COLUMN_FORMATS: tuple[Format, ...] = ("json", "openai", "bracket", "python")
"""The formats of the three columns; python last, since a bracket list may contain a call that looks like python."""
TEMPLATE_FORMATS: tuple[Format, ...] = ("tags", "json", "openai", "bracket")
"""The formats of chat templates, where the text before the answer names none."""

OTHER_FORMAT = "another format"
"""How the fault begins when calls are in a known format that is not among the expected ones."""

_THINK = re.compile(r"\s*+(?:<think>)?(?P<thought>.*?)</think>", re.DOTALL)
_THOUGHT_LINE = re.compile(r"\s*Thought:(?P<thought>[^\n]*)(?:\n|$)")
_SPEAKER = re.compile(r"\s*(?:System|Assistant):[ \t]*")
_ACTION = re.compile(r"^[ \t]*Action:[ \t]*", re.MULTILINE)
_TAG, _END_TAG = "<tool_call>", "</tool_call>"
_TAIL = re.compile(r"(?:<\|python_tag\|>|\[TOOL_CALLS\]|<\|tool_call\|>)(.*)", re.DOTALL)
# The blanks before a fence are taken from their first one only: a long run of them is read once, not once a blank.
FENCE = re.compile(r"(?:(?<!\s)\s++)?```[\w+-]*+\s*+")
_SEEMS_CALL = re.compile(
    r"""\s*(?:[\[{<]|```|Action:|[\w.]+\(|functions\[)|<tool_call|<\|python_tag|\[TOOL_CALLS|"tool_calls"\s*:"""
)


class Reading(NamedTuple):
    """An output as read. Without calls, `calls` is None and `text` the message; `fault` says why it cannot be read."""

    thought: str | None
    text: str
    calls: tuple[Call, ...] | None = None
    fault: str | None = None

    @property
    def makes_no_call(self) -> bool:
        """Whether it is plain text or the empty list of calls."""
        return self.fault is None and not self.calls


def read_move(output: str, formats: Sequence[Format], functions: Collection[str] = ()) -> Reading:
    """Reads calls in one of the `formats`, or text. `functions` are the names of the functions that were shown."""
    thought, body = split_thought(output)
    if not body.strip():
        return Reading(thought, "", fault="nothing was written" if thought is None else "nothing but a thought")
    for form in formats:
        calls = _parse(body, form)
        if calls is not None:
            return Reading(thought, body, calls)
    for form in FORMATS:
        if form not in formats and _parse(body, form):
            return Reading(thought, body, fault=f"{OTHER_FORMAT}: {form}")
    if _SEEMS_CALL.match(body) or _names_call(body, functions):
        return Reading(thought, body, fault="a call that cannot be read")
    return Reading(thought, body)


def find_format(output: str) -> Format | None:
    """The format of the calls in the output column of a row; None where it is text."""
    _, body = split_thought(output)
    return next((form for form in COLUMN_FORMATS if _parse(body, form) is not None), None)


def split_thought(output: str) -> tuple[str | None, str]:
    """The thought, where the output marks one, and the rest without the speaker's label."""
    thought = None
    if found := _THINK.match(output):
        thought, output = found["thought"].strip(), output[found.end() :]
    elif output.lstrip().startswith("<think>"):
        return output.lstrip().removeprefix("<think>").strip(), ""
    if found := _THOUGHT_LINE.match(output):
        thought, output = found["thought"].strip(), output[found.end() :]
    speaker = _SPEAKER.match(output)
    return thought, output[speaker.end() :] if speaker else output


def _parse(body: str, form: Format) -> tuple[Call, ...] | None:
    try:
        if form == "tags":
            return _parse_tags(body)
        if form in ("json", "openai"):
            opening = FENCE.sub("", body, count=1).lstrip()[:1]
            is_openai = opening == "{" and '"tool_calls"' in body
            return parse_calls(body, "json") if (is_openai if form == "openai" else opening == "[") else None
        return parse_calls(_ACTION.sub("", body) if form == "python" else body, form)
    except CallSyntaxError:
        return None


def _parse_tags(body: str) -> tuple[Call, ...] | None:
    """The calls inside tags; text before and between the tags is ignored. Raises CallSyntaxError."""
    inside = list(_find_tagged(body))
    if not inside and (tail := _TAIL.search(body)):
        inside = [tail[1]]
    if not inside and body.lstrip().startswith("{"):
        inside = [body]
    return tuple(call for text in inside for call in _parse_inside(text)) if inside else None


def _find_tagged(body: str) -> Iterator[str]:
    """The texts inside tags; nothing if no tag ends. Raises CallSyntaxError if the last of several does not end."""
    end = 0
    while (start := body.find(_TAG, end)) >= 0:
        close = body.find(_END_TAG, start)
        if close < 0 and not end:
            return
        if close < 0:
            raise CallSyntaxError("a tag that does not end")
        yield body[start + len(_TAG) : close]
        end = close + len(_END_TAG)


def _parse_inside(text: str) -> Iterator[Call]:
    text = text.strip()
    if text.startswith("[") and not re.match(r"\[\s*[{\]]", text):
        yield from parse_calls(text, "bracket")
    else:  # Llama separates several calls with a semicolon
        yield from parse_calls(re.sub(r"\}\s*;\s*\{", "}\n{", text), "json")


def _names_call(body: str, functions: Collection[str]) -> bool:
    """Whether the text calls one of the functions somewhere, in any syntax."""
    if not functions:
        return False
    names = "|".join(map(re.escape, sorted(functions, key=len, reverse=True)))
    called = rf"""(?<![\w.])(?:{names})\(|functions\[["'](?:{names})["']\]\("""
    return re.search(rf"""{called}|"(?:name|tool)"\s*:\s*"(?:{names})\"""", body) is not None
