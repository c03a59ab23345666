"""What a record tells its agent before the conversation, beside its messages, and on which day it takes place."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from coalm_it.corpora.columns import Columns
from coalm_it.corpora.conversations import RawMessage, join_texts
from coalm_it.corpora.records import BadRecord, DialogueContent
from coalm_it.corpora.system_text import clean_system_text
from coalm_it.readers.messages.lookup import find_values
from coalm_it.readers.messages.own_rows import is_task
from coalm_it.readers.messages.parts import read_content
from coalm_it.schema import Tool
from coalm_it.values.today import find_today, read_day

_COLUMNS = ("system", "system_prompt", "instructions", "systemInstruction", "system_instruction")
_CONTENTS = ("content", "parts", "text", "value")


def find_system_texts(record: Any, columns: Columns) -> list[str]:
    """The texts of a record that stand beside its messages, where they say what the system says. Raises BadRecord."""
    if columns.system is None:
        values = [record[key] for key in _COLUMNS if isinstance(record, dict) and record.get(key)]
    else:
        places = columns.system if isinstance(columns.system, tuple) else (columns.system,)
        values = [value for place in places for value in find_values(record, place)]
    return [text for text in map(_read_text, values) if text]


def _read_text(value: Any) -> str:
    """A text, the parts of Anthropic, or a message such as Gemini's {parts: [{text: ...}]}."""
    if isinstance(value, dict) and "type" not in value:
        value = next((value[key] for key in _CONTENTS if value.get(key) is not None), "")
    return read_content([value] if isinstance(value, dict) else value).text


def clean_messages(messages: Iterable[RawMessage], tools: Sequence[Tool]) -> list[RawMessage]:
    """The messages; those of the system without functions, the format of calls, and the task as rows write it."""
    names = tuple(tool.name for tool in tools)
    return [
        replace(message, text=_clean_text(message.text, names)) if message.role == "system" else message
        for message in messages
    ]


def _clean_text(text: str, functions: tuple[str, ...]) -> str:
    return "" if is_task(text) else clean_system_text(text, functions)


def find_task_day(messages: Sequence[dict[str, Any]]) -> datetime.date | None:
    """The day that a task names which a build has written (see own_rows): it is left out as a system text."""
    said = messages[0].get("content") if messages and messages[0].get("role") == "system" else None
    return find_today(said) if isinstance(said, str) and is_task(said) else None


def add_system(
    content: DialogueContent, record: Any, columns: Columns, texts: Iterable[str], day: datetime.date | None
) -> DialogueContent:
    """The content with the system texts beside the messages, and with its day, which is `day` where nothing else says
    it. Raises BadRecord."""
    names = tuple(tool.name for tool in content.tools)
    system = join_texts([*(clean_system_text(text, names) for text in texts), content.system])
    clock = _read_clock(record, columns.clock) if columns.clock else None
    return content._replace(system=system, clock=clock or find_today(system) or day)


def _read_clock(record: Any, place: str) -> datetime.date | None:
    value = next(find_values(record, place), None)
    if value is None or value == "":
        return None
    day = read_day(value) if isinstance(value, str) else None
    if day is None:
        raise BadRecord(f"{place!r} should be a date like 2024-05-15, found {value!r:.60}")
    return day
