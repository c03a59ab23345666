"""Reads with a small lexicon what a thought intends to do now: call a function, or reply.

An intention is a phrase ("I'll", "let me", "time to", "I need to") and the verb after it. What is offered, asked,
conditional or for later ("once they confirm I'll book it") is no intention, and neither is an ambiguous phrase: "I need
to book the table, but the time is missing" states an aim, "I'll find out when" asks.

In this module `lowered` is a thought in lower case with straight apostrophes, and `words` are its words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from coalm_it.checks.wording import split_name
from coalm_it.schema import Call, Tool


class Intention(NamedTuple):
    """A phrase in a thought: its start and end, and whether it certainly refers to this moment."""

    start: int
    end: int
    sure: bool


_SURE = (
    *("i'll", "i will", "i shall", "i'm going to", "i am going to", "let me", "let's", "i'd best", "i'd better"),
    *("so i can", "so i may", "now i can", "now i may", "i can now", "i may now", "time to"),
)
_LIKELY = (
    *("i need to", "i have to", "i must", "i should", "i want to", "i can", "we need to", "we should"),
    *("the agent needs to", "the agent has to", "the agent must", "the agent should", "the agent will"),
    "next step is to",
)
_PHRASES = tuple((f"{phrase} ", phrase in _SURE) for phrase in (*_SURE, *_LIKELY))
_INTENDING = frozenset("i i'll i'm i'd let let's time agent we step".split())
"""Every phrase contains one of these words."""
_CLAUSE_START = (". ", ", ", "; ", ": ", "! ", "? ", "— ", "– ", "so ", "it's ", "now ")
_AT_ONCE = re.compile(r"[^.;!?]* (?:right away|straight away|at once|now)\b")


def _find_intentions(lowered: str) -> Iterator[Intention]:
    for phrase, sure in _PHRASES:
        position = lowered.find(phrase)
        while position >= 0:
            end = position + len(phrase)
            if not (
                (position and lowered[position - 1].isalnum())
                # "a time to book the table" states no intention, nor does "I can book it" by itself
                or (phrase == "time to " and position and not lowered.endswith(_CLAUSE_START, 0, position))
                or (phrase == "i can " and not _AT_ONCE.match(lowered, end))
            ):
                yield Intention(position, end, sure)
            position = lowered.find(phrase, end)


def _find_sentence(lowered: str, position: int) -> int:
    """The start of the sentence at a position."""
    return max(lowered.rfind(mark, 0, position) for mark in (". ", "! ", "? ")) + 1


# --- to call ---

_ADVERBS = (
    r"(?:(?:\w+ly|now|just|also|first|next|still|again|at once|right away|go ahead and|go on and|then|once more) )*"
)
_CALL = re.compile(
    _ADVERBS
    + r"(?:search(?! my)|look (?:up|for(?! their| a yes)|again|(?:it|that|this|them) up)|query(?! them| the user)|fetch"
    r"|find(?! out| a way| another way| the (?:right|words))|retrieve|book|reserve|buy(?! time)|purchase|schedule|rent"
    r"|pay(?! (?:close )?attention)|transfer|play(?! it (?:safe|back|by)| along)|send (?:the money|it to|\$)"
    r"|(?:re-?)?run (?:it again|(?:the|a|another|that|this) (?:\w+ )?(?:search|query|call|request|lookup))"
    r"|add (?:the (?:event|alarm)|it to)|set the alarm|place the order"
    r"|make (?:the|a|that|this) (?:booking|reservation|transfer|payment|appointment|purchase|call)"
    r"|get the (?:tickets|forecast|weather|balance)|re-?do the search|start the (?:song|film|music)"
    r"|call (?:the (?:service|function|tool|cab|taxi)|a (?:cab|taxi)|it again)"
    r"|check (?:avail\w+|the (?:weather|forecast|calendar|balance|account|availability|listings"
    r"|available (?!tool|func))))"
    r"\b(?! (?:it )?(?:back|with them|with the user|by them)\b)"
)
_CALLING = frozenset(
    "search redo look find query fetch retrieve book reserve buy purchase pay transfer schedule rent play send run "
    "rerun re add set place make get start call check use invoke try execute".split()
)
"""Every announcement of a call by a verb contains one of these words."""
_USE = re.compile(_ADVERBS + r"(?:call|use|invoke|run|try|query|execute|rerun) (?:the )?(\w+)")
_BEFORE_TOOL = ("on to ", "a case for ", "calling ", "back to ", "time for ")
_AFTER_TOOL = re.compile(r"(?: again)? (?:it is|can (?:go out|run|go ahead)|comes next|next|once more|again)\b")
_AGAIN = re.compile(r"[^.;!?]*\b(?:again|now|once more|this time|right away|at once|immediately)\b")
"""Turns an aim ("I need to find a restaurant") into an intention of this moment."""
_LATER = re.compile(
    r"\b(?:if|once(?! (?:more|again))|when|whenever|(?<!as )(?<!from )before|after(?! all)|afterwards|until|till|unless"
    r"|as soon as|whether|later|provided|in case|pending|await|wait|upon|offer|ask|shall|would|could|may want|might"
    r"|can't|cannot|wants?|like me|suggest|propose|permission"
    r"|their (?:yes|word|answer|confirmation|approval|go-ahead))\b|\S.*\bthen\b"
)
_LACKING = re.compile(
    r"\b(?:ask|asking|missing|lacks?|needs?|needed|don't know|do not know|haven't|hasn't|without|unknown|question"
    r"|confirm|confirmation|check|read-back|read (?:it|that|this|them|everything|the \w+) back|but|though|which|first"
    r"|yes|permission|approval|unclear|open|agree|object|repeat|right(?! (?:away|now))|sure|approved|clear)\b"
)


def may_call(words: Collection[str]) -> bool:
    """Whether a thought with these words can announce a call by a verb; a quick test that most others fail."""
    return not (_CALLING.isdisjoint(words) or _INTENDING.isdisjoint(words))


def find_call(lowered: str, words: Collection[str], tools: Collection[str]) -> str:
    """The words that announce a call now; '' if there are none.

    `tools` are the names of the functions that the thought names, in lower case.
    """
    if may_call(words):
        for start, end, sure in _find_intentions(lowered):
            match = _CALL.match(lowered, end) or _match_tool(lowered, end, tools)
            if (
                match
                and (sure or match.re is _USE or _AGAIN.match(lowered, match.end()))
                and _is_for_now(lowered, start, match.end(), sure)
            ):
                return lowered[start : match.end()]
    for tool in tools:
        position = lowered.find(tool)
        end = position + len(tool)
        goes_on = _AFTER_TOOL.match(lowered, end)
        if position >= 0 and (goes_on or lowered.endswith(_BEFORE_TOOL, 0, position)):
            end = goes_on.end() if goes_on else end
            if _is_for_now(lowered, position, end, True):
                return lowered[position:end]
    return ""


def _match_tool(lowered: str, position: int, tools: Collection[str]) -> re.Match[str] | None:
    """The match of words such as "call FindBus" at a position of the text; None if there is none."""
    found = _USE.match(lowered, position) if tools else None
    return found if found and found[1] in tools else None


def _is_for_now(lowered: str, start: int, end: int, sure: bool) -> bool:
    """Whether words that announce a call refer to this moment.

    Nothing in their sentence may postpone the call, and nothing after them may name an obstacle; if the phrase is not
    sure, nothing in the whole thought may.
    """
    ends = [position for mark in ".!?" if (position := lowered.find(mark, end)) >= 0]
    if _LATER.search(lowered[_find_sentence(lowered, start) : min(ends, default=len(lowered))].strip()):
        return False
    return not _LACKING.search(lowered[end:] if sure else lowered[:start] + lowered[end:])


# --- to reply ---

_REPLY = re.compile(
    _ADVERBS + r"(?:ask(?: (?:them|the user|him|her|which|what|when|where|how|whether|if|back|first|now)\b|(?=[.,;!]|$)"
    r"| for (?:both|(?:the|a|an|their) (?P<wanted>\w+)))|check with (?:them|the user)|confirm with (?:them|the user)"
    r"|read (?:it|that|this|them|everything|the \w+) back|clarify|wait for (?:their|a)\b"
    r"|tell (?:them|the user)|let them know|reply|say (?:so|goodbye)|thank|apologi[sz]e|wish them"
    r"|offer (?:them|it|this|that|to)|suggest|propose)"
)
_REPLYING = frozenset(
    "ask check confirm read clarify wait tell let reply say thank apologise apologize wish offer suggest "
    "propose".split()
)
"""Every announcement of a reply contains one of these words."""
_AFTERWARDS = re.compile(r"[^.!?]*\b(?:once|as soon as|when i|after|afterwards|later)\b")
_CALL_AT_ALL = re.compile(
    r"\b(?:i'll|i will|i'm going to|let me|let's|i (?:need|have|want) to|i (?:must|should|can|may)|so i|now i|to) "
    + _ADVERBS
    + r"(?:search|look (?:up|for|again|it up)|find(?! out)|query|fetch|retrieve|check(?! with)|run|book|reserve|buy"
    r"|purchase|pay|transfer|schedule|rent|play|send|make the|place the|call|get|use|go ahead|start)\b"
)
_GAP = re.compile(
    r"\b(?:is|are) (?:still |also |both )?(?:missing|unknown)\b|\b(?:have|has)n't (?:said|given|told)\b"
    r"|\bi don't (?:have|know)\b|\bi have neither\b|\bstill (?:needs?|lacks?)\b"
    r"|\b(?:only|one|last) thing (?:left|missing)\b"
    r"|\bi can(?:'t|not) (?!say|tell)(?:\w+ )+?(?:without|until|yet)\b|\bremaining gap\b"
)
_GAPS = frozenset("missing unknown haven't hasn't don't neither still can't cannot gap thing".split())
"""Every statement that something is missing contains one of these words."""
_NO_GAP = re.compile(
    r"\b(?:nothing|none|no|not|optional|if|whether|default|today|assum\w+|usual|can wait)\b"
    r"|n't (?:need|insist|require|matter)"
)


def find_reply(lowered: str, words: Collection[str], tools: Collection[Tool]) -> str:
    """The words that announce a question or another reply; '' if there are none, or if a call is announced as well.

    The parameters of the tools show that "I'll ask for the city" asks the user; "I'll ask for the cheapest" may ask a
    service.
    """
    if _REPLYING.isdisjoint(words) or _INTENDING.isdisjoint(words):
        return ""
    for start, end, _ in _find_intentions(lowered):
        match = _REPLY.match(lowered, end)
        if (
            match
            and (not match["wanted"] or any(match["wanted"] in name for tool in tools for name in tool.properties))
            and not _LATER.search(lowered[_find_sentence(lowered, start) : start])
            and not _AFTERWARDS.match(lowered, match.end())
        ):
            return "" if _CALL_AT_ALL.search(lowered) else lowered[start : match.end()]
    return ""


def find_gap(lowered: str, words: Collection[str], calls: Collection[Call]) -> str:
    """The clause that says that an argument of the calls is unknown; '' if there is none, or if a call is announced."""
    if _GAPS.isdisjoint(words) or not _GAP.search(lowered):
        return ""
    for clause in re.split(r"[.;:!?] ?", lowered):
        said = set(re.findall(r"\w+", clause))
        if (
            _GAP.search(clause)
            and not _NO_GAP.search(clause)
            and any(not said.isdisjoint(split_name(name)) for call in calls for name in call.arguments)
        ):
            return "" if _CALL_AT_ALL.search(lowered) else clause
    return ""
