"""Texts that are not the words of one speaker: a transcript of several, marks of a simulation, and the thoughts of a
model that plays the user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from coalm_it.corpora.records import BadRecord
from coalm_it.readers.messages.markup import split_thought

_TAG = re.compile(r"\s*<(?:think|thinking|thought)>")
_END = re.compile(r"</(?:think|thinking|thought)>")


def split_transcript(text: str, speakers: Iterable[str]) -> list[dict[str, Any]]:
    """The messages of a transcript: a line that begins with one of `speakers` begins a message of this role.

    Raises BadRecord: the first line is of nobody.
    """
    first, *pieces = _find_speakers(tuple(speakers)).split(text)
    if first.strip():
        raise BadRecord(f"the transcript begins with {first.strip()!r:.60}, which is none of the speakers")
    return [{"role": who, "content": said.strip()} for who, said in zip(pieces[::2], pieces[1::2], strict=True)]


@lru_cache
def _find_speakers(speakers: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(speakers, key=len, reverse=True)
    return re.compile(rf"^[ \t]*({'|'.join(map(re.escape, longest_first))})", re.MULTILINE)


def cut_texts(messages: Iterable[dict[str, Any]], cut: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The messages without these texts; a message that consisted of them is left out."""
    for message in messages:
        changed = {key: _cut(value, cut) for key, value in message.items() if key in ("content", "value", "parts")}
        is_changed = any(message[key] != value for key, value in changed.items())
        if not is_changed:
            yield message
        elif any(changed.values()) or message.get("tool_calls") or message.get("function_call"):
            yield {**message, **changed}


def _cut(value: Any, cut: Sequence[str]) -> Any:
    """A text, or the texts of a list of parts, without `cut`; anything else as it is."""
    if isinstance(value, str) and any(one in value for one in cut):
        for one in cut:
            value = value.replace(one, "")
        return value.strip()
    if isinstance(value, list):
        return [_cut_part(part, cut) if isinstance(part, Mapping) else _cut(part, cut) for part in value]
    return value


def _cut_part(part: Mapping[str, Any], cut: Sequence[str]) -> dict[str, Any]:
    return {key: _cut(value, cut) if key == "text" else value for key, value in part.items()}


def cut_thought(text: str) -> str:
    """What the user says, without the thought before it of a model that plays the user. Raises BadRecord."""
    if "<" not in text or not (_TAG.match(text) or _END.search(text)):
        return text
    if not _TAG.match(text):
        raise BadRecord(f"a thought in the text of the user, whose beginning is not marked: {text!r:.60}")
    said = split_thought(text)[1]
    if not said:
        raise BadRecord(f"the user thinks and says nothing: {text!r:.60}")
    return said
