"""Which arguments are free text: messages, queries, notes, code. The agent words them, so no source has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from coalm_it.checks.wording import split_name, stem_word

_NAMES = frozenset(
    map(
        stem_word,
        "message msg text body content note comment description summary query question prompt keyword topic "
        "reason reasoning thought rationale explanation detail feedback review answer reply "
        "response instruction requirement purpose code script sql regex pattern expression formula equation html "
        "markdown tweet post bio agenda issue problem symptom resolution statement sentence paragraph abstract essay "
        "story transcript search phrase hashtag tag objective goal task hint snippet command template greeting "
        "introduction announcement remark context".split(),
    )
)
_TITLES = frozenset("title subject headline caption label".split())
_MAKING = frozenset(
    "create add make new schedule plan post send write compose save draft generate publish open start set record "
    "register book insert upload build update edit submit".split()
)
_ABOUT = (
    "free text",
    "free-text",
    "free form",
    "natural language",
    "the text",
    "message to",
    "a short text",
    "内容",
    "文本",
)
_WORDS, _CHARACTERS = 10, 20
"""From how many words, or in a script without blanks characters, a value is a text and no name."""


_KINDS = frozenset("id ids code codes number type format length count size language lang url date time".split())
"""Words that make a name of another kind, where they end it: message_id, text_language."""
_ID = re.compile(r"(?=\S*\d)(?=\S*[^\W\d]|\d{4})\S+")


def creates_something(function: str) -> bool:
    """Whether a function makes something new, by its name: create_event, AddAgenda."""
    return not _MAKING.isdisjoint(split_name(function))


def is_free_text(slot: str, schema: Mapping[str, Any], value: Any, creates: bool = False) -> bool:
    """Whether the agent may word this value: by the name or the description of its parameter, or by its length.

    Titles are free text only of what the call `creates`.
    """
    if not isinstance(value, str) or looks_like_id(value):
        return False
    words = split_name(slot)
    is_another_kind = len(words) > 1 and words[-1] in _KINDS
    stems = set(map(stem_word, words))
    if not is_another_kind and (not _NAMES.isdisjoint(stems) or (creates and words and words[-1] in _TITLES)):
        return True
    description = str(schema.get("description", "")).lower()
    if any(phrase in description for phrase in _ABOUT):
        return True
    return len(value.split()) >= _WORDS or (not value.isascii() and len(value) >= _CHARACTERS) or "\n" in value.strip()


def looks_like_id(value: str) -> bool:
    """Whether a value is one word with digits: an id, a code, a number."""
    return _ID.fullmatch(value) is not None
