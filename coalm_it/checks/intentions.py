"""What a thought means to do now, read by a small lexicon: call a function, or reply.

An intention is a phrase ("I'll", "let me", "time to", "I need to") and the verb after it. What is offered, asked,
conditional or for later ("once they confirm I'll book it") is none, and where a phrase can be read in two ways it is
left alone: "I need to book the table, but the time is missing" states an aim, "I'll find out when" asks.

Throughout, `lowered` is a thought in small letters with straight apostrophes and `words` are its words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from coalm_it.checks.wording import split_name
from coalm_it.schema import Call, Tool


class Intention(NamedTuple):
    """A phrase in a thought: where it begins and ends, and whether it means this moment without doubt."""

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
"""Every phrase has one of these words."""
_CLAUSE_START = (". ", ", ", "; ", ": ", "! ", "? ", "— ", "– ", "so ", "it's ", "now ")
_AT_ONCE = re.compile(r"[^.;!?]* (?:right away|straight away|at once|now)\b")


def _find_intentions(lowered: str) -> Iterator[Intention]:
    for phrase, sure in _PHRASES:
        place = lowered.find(phrase)
        while place >= 0:
            end = place + len(phrase)
            if not (
                (place and lowered[place - 1].isalnum())
                # "a time to book the table" means nothing, nor does "I can book it" by itself
                or (phrase == "time to " and place and not lowered.endswith(_CLAUSE_START, 0, place))
                or (phrase == "i can " and not _AT_ONCE.match(lowered, end))
            ):
                yield Intention(place, end, sure)
            place = lowered.find(phrase, end)


def _find_sentence(lowered: str, place: int) -> int:
    """Where the sentence of a place begins."""
    return max(lowered.rfind(mark, 0, place) for mark in (". ", "! ", "? ")) + 1


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
"""Whatever announces a call by a verb has one of these."""
_USE = re.compile(_ADVERBS + r"(?:call|use|invoke|run|try|query|execute|rerun) (?:the )?(\w+)")
_BEFORE_TOOL = ("on to ", "a case for ", "calling ", "back to ", "time for ")
_AFTER_TOOL = re.compile(r"(?: again)? (?:it is|can (?:go out|run|go ahead)|comes next|next|once more|again)\b")
_AGAIN = re.compile(r"[^.;!?]*\b(?:again|now|once more|this time|right away|at once|immediately)\b")
"""What makes an aim ("I need to find a restaurant") an intention of this moment."""
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
    """Whether a thought with these words can announce a call by a verb; most that precede a reply can't."""
    return not (_CALLING.isdisjoint(words) or _INTENDING.isdisjoint(words))


def find_call(lowered: str, words: Collection[str], tools: Collection[str]) -> str:
    """The words by which a thought announces a call of this moment; '' where there are none.

    `tools` are the names of functions in it, in small letters.
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
        place = lowered.find(tool)
        end = place + len(tool)
        goes_on = _AFTER_TOOL.match(lowered, end)
        if place >= 0 and (goes_on or lowered.endswith(_BEFORE_TOOL, 0, place)):
            end = goes_on.end() if goes_on else end
            if _is_for_now(lowered, place, end, True):
                return lowered[place:end]
    return ""


def _match_tool(lowered: str, place: int, tools: Collection[str]) -> re.Match[str] | None:
    """The words "call FindBus" at a place of the text."""
    found = _USE.match(lowered, place) if tools else None
    return found if found and found[1] in tools else None


def _is_for_now(lowered: str, start: int, end: int, sure: bool) -> bool:
    """Whether words that mean a call are said of this moment: nothing in their sentence puts it off, and nothing that
    follows (nothing at all, where the words are not sure) says what is in the way."""
    ends = [place for mark in ".!?" if (place := lowered.find(mark, end)) >= 0]
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
"""Whatever announces a reply has one of these."""
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
"""Whatever says that something is missing has one of these."""
_NO_GAP = re.compile(
    r"\b(?:nothing|none|no|not|optional|if|whether|default|today|assum\w+|usual|can wait)\b"
    r"|n't (?:need|insist|require|matter)"
)


def find_reply(lowered: str, words: Collection[str], tools: Collection[Tool]) -> str:
    """The words by which a thought announces a question or another reply, and no call besides; '' where none do.

    What the tools take tells that "I'll ask for the city" asks the user; "I'll ask for the cheapest" may ask a service.
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
    """The clause that says that an argument of the calls is not known; '' where none does, or a call is announced."""
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
