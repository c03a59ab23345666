"""Rows that a build of this package wrote, and others with a prompt and its completion -> messages.

In such a row only the completion is learnt: the answers in its prompt are the completions of other rows. What a build
tells its model by itself (the task, in the system message) is no text of a corpus: rows have it in their own way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from coalm_it.corpora.decoding import BrokenRecord
from coalm_it.corpora.records import BadRecord, UnwantedRecord
from coalm_it.templates import render_macro, template_cache

_DIALOGUE = "dialogue_id"
_BLANK = "\ue000"
"""Stands for what a template is filled with."""
_DAY = r"\w+, \d{4}-\d\d-\d\d"
"""The day of a dialogue, as rows write it."""


def has_completion(record: Any) -> bool:
    return isinstance(record, dict) and "prompt" in record and "completion" in record and "messages" not in record


def refuse_plain_text(column: str, value: Any) -> None:
    """Raises BadRecord for a text where messages, or their JSON text, are expected."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        advice = "if the user says it, the settings are `query: prompt` and `answer: completion`"
        raise BadRecord(f"{column!r} should be a list of messages, found the text {value!r:.60}; {advice}")


def find_dialogue_column(records: Sequence[Any]) -> str | None:
    """The column by which the rows of one dialogue stay on one side of a split; None where there is none."""
    first = next((record for record in records if not isinstance(record, BrokenRecord)), None)
    return _DIALOGUE if isinstance(first, dict) and has_completion(first) and _DIALOGUE in first else None


# --- what a build says by itself ---


def refuse_state(record: Any, messages: Sequence[dict[str, Any]]) -> None:
    """Raises UnwantedRecord for a row of state tracking: its completion is a state, and no move of an agent."""
    is_state = has_completion(record) and record.get("task") == "state_tracking"
    said = messages[0].get("content") if messages else None
    if is_state or (isinstance(said, str) and said.startswith(_begin_states())):
        raise UnwantedRecord("left out: a row of state tracking, whose completion is no move of an agent")


@template_cache()
def _begin_states() -> tuple[str, ...]:
    """How the system messages of rows of state tracking begin, up to the services or the number of domains."""
    filled = (
        render_macro("rows/system", "state_tracking", _BLANK),
        render_macro("rows/state_tracking", "instruction", {_BLANK: []}),
    )
    begins = (re.split(rf"[{_BLANK}\d]", text)[0].strip() for text in filled)
    return tuple(text for text in begins if text)


def is_task(text: str) -> bool:
    """Whether a system text is the task as a build writes it where a corpus has no system text."""
    return _match_tasks().fullmatch(text.strip()) is not None


@template_cache()
def _match_tasks() -> re.Pattern[str]:
    macros = ("react", "function_call")
    filled = (render_macro("rows/system", macro, clock).strip() for macro in macros for clock in ("", _BLANK))
    return re.compile("|".join(re.escape(text).replace(_BLANK, _DAY) for text in filled))
