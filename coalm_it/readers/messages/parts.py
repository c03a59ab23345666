"""The content of a message: a text, a list of parts, or (of a result) any value.

Parts as OpenAI (text, input_text, output_text, reasoning), Anthropic (text, thinking, tool_use, tool_result), Gemini
({text}, {functionCall}, {functionResponse}), Bedrock ({text}, {toolUse}, {toolResult}) and others (tool_call with JSON)
write them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coalm_it.calls import CallSyntaxError, decode_calls, parse_calls
from coalm_it.corpora.decoding import decode_strictly
from coalm_it.corpora.pairing import Result
from coalm_it.corpora.records import BadRecord, decode_literal, decode_result, get_field, parse_json
from coalm_it.readers.messages.markup import take_tagged
from coalm_it.schema import Call

_TEXTS = ("text", "output_text", "input_text", "summary_text", "reasoning_text")
_THOUGHTS = ("reasoning", "thinking")
_IGNORED = ("redacted_thinking", "refusal")
NAMES = ("name", "tool", "tool_name", "api_name", "api")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "kwargs")
_SINGLE = ('"', "-", "true", "false", "null", *"0123456789")
"""How JSON of a single value begins."""
_IDS = ("tool_call_id", "tool_use_id", "call_id", "id", "toolUseId")


@dataclass(slots=True)
class Content:
    """The parts of a message by what they are."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.texts).strip()

    @property
    def thought(self) -> str | None:
        return "\n".join(self.thoughts).strip() or None


def read_content(value: Any) -> Content:
    """Raises BadRecord."""
    content = Content()
    if value is None or isinstance(value, str):
        content.texts.append(value or "")
    elif isinstance(value, list):
        for part in value:
            _add_part(content, part)
    else:
        raise BadRecord(f"the content should be a text or a list of parts, found {value!r:.60}")
    return content


def _add_part(content: Content, part: Any) -> None:
    if isinstance(part, str):
        content.texts.append(part)
        return
    kind = _find_kind(part)
    if kind in _TEXTS:
        content.texts.append(get_field(part, "text" if "text" in part else "value", str))
    elif kind in _THOUGHTS:
        key = next((key for key in ("text", "value", "thinking", "reasoning") if key in part), "text")
        content.thoughts.append(get_field(part, key, str))
    elif kind == "tool_call":
        text = get_field(part, "text" if "text" in part else "value", str)
        content.calls += decode_calls(parse_json(text, "tool_call"))
    elif kind in ("tool_use", "toolUse", "functionCall", "function_call"):
        content.calls.append(read_call(part if kind == "tool_use" else part[kind]))
    elif kind == "tool_result":
        content.results.append(Result(read_value(part.get("content")), id=read_id(part, _IDS)))
    elif kind == "toolResult":
        answer = get_field(part, kind, dict)
        content.results.append(Result(_read_bedrock(answer.get("content")), id=read_id(answer, _IDS)))
    elif kind in ("functionResponse", "function_response"):
        answer = get_field(part, kind, dict)
        content.results.append(Result(answer.get("response"), str(answer.get("name") or ""), read_id(answer, _IDS)))
    elif kind not in _IGNORED:
        known = "text, reasoning, thinking, tool_call, tool_use, tool_result"
        raise BadRecord(f"a part of the type {kind!r}, which is none of {known}")


def _find_kind(part: Any) -> str:
    if isinstance(part, dict) and "type" not in part:
        keys = (
            "functionCall",
            "function_call",
            "functionResponse",
            "function_response",
            "toolUse",
            "toolResult",
            "text",
        )
        for key in keys:
            if part.get(key) is not None:
                return key
    return str(get_field(part, "type", str))


# --- thoughts ---


def read_thought(message: Mapping[str, Any]) -> str | None:
    """The reasoning beside the text of a message: a text, or a list of texts or parts. Raises BadRecord."""
    for key in ("reasoning_content", "reasoning", "thinking"):
        value = message.get(key)
        if value:
            parts = value if isinstance(value, list) else [value]
            return "\n".join(_read_thought_part(key, part) for part in parts).strip() or None
    return None


def _read_thought_part(key: str, part: Any) -> str:
    if isinstance(part, dict):
        text = next((part[name] for name in ("text", "thinking", "content", "summary") if part.get(name)), None)
        if isinstance(text, str):
            return text
    if not isinstance(part, str):
        raise BadRecord(f"{key} should be a text, found {part!r:.60}")
    return part


# --- calls ---


def read_calls(value: Any, what: str) -> tuple[Call, ...]:
    """The calls of a field of a message; a text is JSON, a Python value, or calls of Python. Raises BadRecord."""
    if isinstance(value, str):
        try:
            value = _parse_notation(value, what)
        except BadRecord:
            try:
                return parse_calls(value, "bracket" if value.startswith("[") else "python")
            except CallSyntaxError:
                pass
            raise
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    items = value if isinstance(value, list) else [value]
    return tuple(read_call(item) for item in items if item is not None)


def read_call(item: Any) -> Call:
    """One call, in any of the words for its name and its arguments. Raises BadRecord and CallSyntaxError."""
    if isinstance(item, str):
        item = parse_json(item, "tool_calls")
    inner = item.get("function") if isinstance(item, dict) else None
    function = inner if isinstance(inner, dict) else item
    if not isinstance(function, dict):
        raise BadRecord(f"a call should be an object with a name and arguments, found {item!r:.60}")
    name = next((function[key] for key in NAMES if function.get(key) is not None), None)
    arguments = next((function[key] for key in _ARGUMENTS if function.get(key) is not None), None)
    if isinstance(arguments, str):
        arguments = _parse_notation(arguments, f"in the arguments of {name!r}") if arguments.strip() else {}
    id = read_id(item, ("id", "call_id", "tool_call_id", "toolUseId"))
    return decode_calls({"id": id, "name": name, "arguments": {} if arguments is None else arguments})[0]


def _parse_notation(text: str, what: str) -> Any:
    try:
        return parse_json(text, what)
    except BadRecord:
        value = decode_literal(text)
        if isinstance(value, str):
            raise
        return value


def read_id(item: Any, keys: Collection[str]) -> str:
    """The first id that an object has; numbers and texts are alike."""
    for key in keys:
        value = item.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    return ""


# --- results ---


def read_results(value: Any, message: Mapping[str, Any], called: Collection[str]) -> Iterator[Result]:
    """The results of a tool message: one, or a list of {name, content} (or results), or one in each <tool_response>."""
    name, id = str(message.get("name") or ""), read_id(message, _IDS[:3])
    if isinstance(value, str) and "<tool_response>" in value:
        text, inside = take_tagged(value, "tool_response")
        if text:
            raise BadRecord(f"text beside a <tool_response>: {text!r:.60}")
        for one in inside:
            yield from _list_results(decode_result(one), name, id, called)
        return
    yield from _list_results(read_value(value), name, id, called)


def read_value(value: Any) -> Any:
    """A result: the value of a text, of a list of texts in parts, or any other value as it is. Raises BadRecord."""
    if value is None:
        return ""
    if isinstance(value, list) and value and all(_is_text(part) for part in value):
        value = "\n".join(part.get("text", part.get("value")) for part in value)
    return _decode_text(value.strip()) if isinstance(value, str) else value


def _decode_text(text: str) -> Any:
    """The value of a result that is JSON; of a single value only where it is written again as it stands."""
    value = decode_result(text)
    if not isinstance(value, str) or not text.startswith(_SINGLE):
        return value
    try:
        single = decode_strictly(text)
    except (ValueError, RecursionError):
        return value
    return single if json.dumps(single, ensure_ascii=False) == text else value


def _read_bedrock(value: Any) -> Any:
    """A result of Bedrock: a list of one {json}, or of {text}s."""
    parts = value if isinstance(value, list) else []
    if len(parts) == 1 and isinstance(parts[0], dict) and "json" in parts[0]:
        return parts[0]["json"]
    if parts and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts):
        return decode_result("\n".join(part["text"] for part in parts).strip())
    return value


def _is_text(part: Any) -> bool:
    return (
        isinstance(part, dict) and part.get("type") in _TEXTS and isinstance(part.get("text", part.get("value")), str)
    )


def _list_results(value: Any, name: str, id: str, called: Collection[str]) -> Iterator[Result]:
    items = value if isinstance(value, list) and value else [value]
    may_be_wrapped = isinstance(value, list) or not (name or id)
    if may_be_wrapped and all(_is_wrapped(item, called) for item in items):
        yield from map(_unwrap, items)
    else:
        yield Result(value, name, id)


def _is_wrapped(item: Any, called: Collection[str]) -> bool:
    """Whether an object consists of a result, the name of its function, and perhaps an id."""
    keys = item.keys() if isinstance(item, dict) else set()
    return keys - {"tool_call_id"} in ({"name", "content"}, {"name", "results"}) and item["name"] in called


def _unwrap(item: dict[str, Any]) -> Result:
    value = item["content"] if "content" in item else item["results"]
    value = decode_result(value) if isinstance(value, str) else value
    return Result(value, item["name"], read_id(item, ("tool_call_id",)))
