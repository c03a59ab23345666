"""The text of an assistant message -> its thought, its calls and what is left as text.

Calls in tags and behind marks (<tool_call>, <TOOLCALL>, <functioncall>, [TOOL_CALLS], <|python_tag|>, <|tool_call|>),
and texts that are calls as a whole (JSON, a list in brackets, Python), are read by the parsers of calls/markup; so are
the lines `Action:` and `Action Input:` of ReAct. What looks like markup and cannot be read is a BadRecord: it never
becomes a reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import NamedTuple

from coalm_it.calls.markup import FENCE, Format, read_move
from coalm_it.corpora.records import BadRecord, decode_result
from coalm_it.schema import Call

_THOUGHTS = ("think", "thinking", "reasoning", "thought", "scratch_pad", "scratchpad")
_CALL_TAGS = ("tool_call", "TOOLCALL", "tool_calls", "functioncall")
_MARKS = ("[TOOL_CALLS]", "<|python_tag|>", "<|tool_call|>", "<functioncall>")
_ENDS = ("<|endoftext|>", "</s>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>")
_QUOTED = re.compile(r"""("arguments"\s*:\s*)'(.*)'(\s*\})\s*$""", re.DOTALL)
"""The arguments in Glaive: JSON in single quotes."""
_LEFT_OVER = re.compile(
    r"</?(?:think|thinking|tool_calls?|TOOLCALL|functioncall|function_calls?|tool_response)>"
    r"|<(?:function=|parameter=|invoke |tool_call )|\[/?TOOL_CALLS\]|\[ARGS\]"
    r"|<[|｜](?:python_tag|tool|im_start|channel|start_header)"
)
_REACT = re.compile(r"^\s*Action:[ \t]*(\S[^\n]*?)[ \t]*\n\s*Action Input:(.*)", re.DOTALL | re.MULTILINE)
"""The last lines of a move in ReAct, as in ToolLLaMA: after a line of thought, the function and its arguments."""
_CALL_KEYS = ({"name", "arguments"}, {"name", "parameters"})
_WHOLE: tuple[Format, ...] = ("tags", "json", "openai", "bracket", "python")


class MarkedText(NamedTuple):
    """A text taken apart; `calls` is None where it holds none, and empty for the stated decision to call nothing."""

    thought: str | None
    text: str
    calls: tuple[Call, ...] | None = None


def read_marked_text(text: str, functions: Collection[str]) -> MarkedText:
    """`functions` are the names of the functions of the record. Raises BadRecord."""
    thought, body = split_thought(text)
    for end in _ENDS:
        body = body.removesuffix(end).rstrip()
    if "Action Input:" in body and (react := _REACT.search(body)):
        before = body[: react.start()].strip().removeprefix("Thought:").strip()
        thoughts = "\n".join(text for text in (thought, before) if text)
        return MarkedText(thoughts or None, "", (_read_action(*react.groups()),))
    body, calls = _take_calls(body)
    if calls is None:
        calls = _read_whole(body, functions)
        body = body if calls is None else ""
    if found := _LEFT_OVER.search(body):
        raise BadRecord(f"markup in the text that cannot be read: {body[found.start() :]!r:.60}")
    if calls is None and _holds_call(body, functions):
        raise BadRecord(f"a call in the text that cannot be read: {body!r:.60}")
    return MarkedText(thought, body, calls)


def split_thought(text: str) -> tuple[str | None, str]:
    """The thought in tags at the beginning of a text, and the rest; the first tag may be missing. Raises BadRecord."""
    start = text.lstrip()
    for tag in _THOUGHTS:
        opening, closing = f"<{tag}>", f"</{tag}>"
        if closing not in start and not start.startswith(opening):
            continue
        thought, closed, rest = start.removeprefix(opening).partition(closing)
        if not closed:
            raise BadRecord(f"a thought that does not end: {start!r:.60}")
        if opening not in thought:
            return thought.strip() or None, rest.strip()
    return None, text.strip()


def take_tagged(text: str, tag: str) -> tuple[str, list[str]]:
    """The text outside of <tag>...</tag>, and the texts inside. Raises BadRecord for a tag that does not end."""
    opening, closing = f"<{tag}>", f"</{tag}>"
    outside, *pieces = text.split(opening)
    rest, inside = [outside], []
    for piece in pieces:
        content, closed, after = piece.partition(closing)
        if not closed:
            raise BadRecord(f"a tag that does not end: {opening + piece!r:.60}")
        inside.append(content.strip())
        rest.append(after)
    return "\n".join(part for part in (one.strip() for one in rest) if part), inside


def _take_calls(body: str) -> tuple[str, tuple[Call, ...] | None]:
    """The text without the calls in tags or behind a mark, and these."""
    for tag in _CALL_TAGS:
        if f"</{tag}>" in body:
            rest, inside = take_tagged(body, tag)
            return rest, tuple(call for one in inside for call in _parse_tagged(one))
    for mark in _MARKS:
        before, found, after = body.partition(mark)
        if found:
            after = after.removesuffix("[/TOOL_CALLS]").strip()
            return before.strip(), _parse_tagged(_QUOTED.sub(_unquote, after.removesuffix("<|endoftext|>").strip()))
    return body, None


def _read_action(name: str, given: str) -> Call:
    arguments = decode_result(given.strip()) if given.strip() else {}
    if not isinstance(arguments, dict):
        raise BadRecord(f"the Action Input of {name!r} should be an object, found {given.strip()!r:.60}")
    return Call(name=name, arguments=arguments)


def _unquote(found: re.Match[str]) -> str:
    return found[1] + found[2].replace("\\'", "'") + found[3]


def _parse_tagged(inside: str) -> tuple[Call, ...]:
    read = read_move(f"<tool_call>{_QUOTED.sub(_unquote, inside)}</tool_call>", ("tags",))
    if read.calls is None:
        raise BadRecord(f"markup of calls that cannot be read: {inside!r:.60}")
    return read.calls


def _read_whole(body: str, functions: Collection[str]) -> tuple[Call, ...] | None:
    """The calls, where the whole text is calls of functions of the record, or the decision `[]` to make none.

    JSON of names and arguments alone is a call whatever it names: a reply has no such form.
    """
    body = FENCE.sub("", body).strip() if body.startswith("```") else body
    if not functions or not body.startswith(("{", "[", *functions)):
        return None
    if body == "[]":
        return ()
    for form in _WHOLE:
        read = read_move(body, (form,), functions)
        if read.calls and (all(call.name in functions for call in read.calls) or _is_json_of_calls(body)):
            return read.calls
    return None


def _is_json_of_calls(body: str) -> bool:
    """Whether a text is an object in JSON with a name and arguments and nothing else, or a list of such."""
    try:
        value = json.loads(body)
    except ValueError:
        return False
    return all(
        isinstance(one, dict)
        and set(one) in _CALL_KEYS
        and all(isinstance(one[key], dict) for key in {*one} - {"name"})
        for one in (value if isinstance(value, list) else [value])
    )


def _holds_call(body: str, functions: Collection[str]) -> bool:
    """Whether a text holds a call of one of the functions, in brackets, in a code fence, or as JSON with arguments."""
    in_brackets = "(" in body and ("[" in body or "```" in body)
    in_json = '"name"' in body and ('"arguments"' in body or '"parameters"' in body)
    if not functions or not (in_brackets or in_json):
        return False
    names = "|".join(map(re.escape, sorted(functions, key=len, reverse=True)))
    return re.search(rf'(?:\[|```\w*)\s*(?:{names})\s*\(|"name"\s*:\s*"(?:{names})"', body) is not None
