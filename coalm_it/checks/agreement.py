"""Checks that a thought agrees with what follows it: a thought before a call leads to that call, others to no call."""

from __future__ import annotations

import re
from functools import lru_cache

from coalm_it.calls import find_tool
from coalm_it.checks.evidence import read_leaves
from coalm_it.checks.intentions import find_call, find_gap, find_reply, may_call
from coalm_it.checks.wording import (
    is_code_name,
    is_of_corpus,
    names_tool,
    read_thought,
    read_words,
    split_name,
    stem_word,
)
from coalm_it.schema import Call, Finding, Sample, Tool
from coalm_it.values import mentions


def check_agreement(sample: Sample) -> list[Finding]:
    """Finds thoughts before a call that lead to no call, another tool or a question, and thoughts before a reply that
    lead to a call.

    A thought leads to a call if it names the function or contains a word of its name, service or description, a verb
    for such functions (look up for a search, make for a booking), or a value of its arguments.
    """
    if is_of_corpus(sample):
        return []
    thought = read_thought(sample)
    if not thought:
        return []
    message = _check_before_reply(sample, thought) if sample.step is None else _check_before_calls(sample, thought)
    return [Finding(check="agreement", where="thought", message=f"the thought {message}")] if message else []


def _check_before_reply(sample: Sample, thought: str) -> str:
    words = read_words(thought)
    names = [tool.name.lower() for tool in sample.tools if tool.name in thought and names_tool(thought, tool.name)]
    if not names and not may_call(words):
        return ""
    found = find_call(_lower(thought), words, names)
    if not found:
        return ""
    return f"announces a call ({found!r}), but the reply follows without one; say what the reply is to do"


def _check_before_calls(sample: Sample, thought: str) -> str:
    calls = sample.calls
    if not calls or not sample.tools:
        return ""
    name = calls[0].name
    if not any(names_tool(thought, call.name) for call in calls):
        for tool in sample.tools:
            if tool.name in thought and _is_named_instead(tool, calls, thought):
                return f"names {tool.name}, but the call that follows is of {name}; lead to that"
        if not any(_is_meant(sample, call, thought) for call in calls):
            return (
                f"does not lead to the call of {name} that follows; name the function, or say what it is to find or do"
            )
        if _says_goodbye(calls, thought):
            return f"announces a goodbye, but a call of {name} follows; say why the call can be made"
    lowered, words = _lower(thought), read_words(thought)
    if found := find_reply(lowered, words, sample.tools):
        return f"announces a reply ({found!r}), but a call of {name} follows; say why the call can be made"
    if found := find_gap(lowered, words, calls):
        return f"says that something is missing ({found!r}), but {name} is called with it; say where it comes from"
    return ""


def _lower(thought: str) -> str:
    """The thought in lower case, without quoted titles, with straight apostrophes."""
    return (_TITLE.sub("", thought) if '"' in thought else thought).lower().replace("’", "'")


_TITLE = re.compile(r'"[^"]*"')


def _says_goodbye(calls: tuple[Call, ...], thought: str) -> bool:
    """Whether a thought leads to the end of the dialogue. Arguments do not count: a song is called "Goodbye Angels"."""
    named = repr([call.arguments for call in calls]).lower()
    return any(word in thought.lower() and word not in named for word in ("goodbye", "farewell"))


# --- whether a tool is meant ---

_SEARCHING = (
    "find search look get fetch check see query try list browse pull retrieve narrow filter lookup tell show".split()
)
_DOING = (
    "book reserve buy purchase pay transfer send schedule play start put add set make place order rent arrange confirm "
    "get call complete finalise finalize submit commit proceed yes agree approve accept take secure settle sign bought"
).split()
_CALLING = "call run again request service function tool use need answer result option".split()
_COMMON = frozenset("a an and the of in on at for to by with or from is it this that particular given based".split())


def _is_meant(sample: Sample, call: Call, thought: str) -> bool:
    tool = find_tool(call, sample.tools)
    stems = _read_stems(call.name, call.service, tool.description if tool else "", bool(tool and tool.transactional))
    if not stems.isdisjoint(map(stem_word, read_words(thought))):
        return True
    values = read_leaves([call.arguments])
    return any(value in thought or mentions(thought, value, sample.clock) for value in values)


@lru_cache(maxsize=1 << 10)
def _read_stems(name: str, service: str, description: str, transactional: bool) -> frozenset[str]:
    """The stems of the words that can refer to a function."""
    own = split_name(f"{name} {service} {description}")
    verbs = _DOING if transactional else _SEARCHING if own[0] in _SEARCHING else [*_SEARCHING, *_DOING]
    return frozenset(stem_word(word) for word in (*own, *verbs, *_CALLING) if word not in _COMMON)


_NOT_NOW = re.compile(
    r"\b(?:already|earlier|before|returned|gave|given|found|showed|shown|came back|previous|last|from|after|instead"
    r"|rather|not|no|without|later|then|once|afterwards|next|would|could|also|results?)\b|n't\b"
)
"""Words in a clause that mentions the call of another tool as past, as later, or as not intended."""


def _is_named_instead(tool: Tool, calls: tuple[Call, ...], thought: str) -> bool:
    if (
        not is_code_name(tool.name)
        or any(call.name == tool.name for call in calls)
        or not names_tool(thought, tool.name)
    ):
        return False
    clauses = re.split(r"[.;!?,]+ ", _lower(thought))
    return any(tool.name.lower() in clause and not _NOT_NOW.search(clause) for clause in clauses)
