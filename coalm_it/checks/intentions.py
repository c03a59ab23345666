"""What a thought means to do now, read by a small lexicon: call a function, or reply.

An intention is a phrase ("I'll", "let me", "time to", "I need to") and the verb after it. What is offered, asked,
conditional or for later ("once they confirm I'll book it") is none, and where a phrase can be read in two ways it is
left alone: "I need to book the table, but the time is missing" states an aim, "I'll find out when" asks.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from coalm_it.checks.wording import split_name

_ADVERBS = (
    r" (?:(?:\w+ly|now|just|also|first|next|still|again|at once|right away|go ahead and|go on and|then|once more) )*"
)
_INTENTION = re.compile(
    r"(?<!\w)(?:(?P<sure>i'll|i will|i shall|i'm going to|i am going to|let me|let's|i'd best|i'd better|so i (?:can|may)"
    r"|now i (?:can|may)|i (?:can|may) now|(?:^|(?<=[.,;:!?—–] )|(?<=so )|(?<=it's ))time to)"
    r"|(?P<likely>(?:i|we|the agent) (?:need to|needs to|have to|has to|must|should)|i want to|the agent will"
    r"|next step is to|i can(?=[^.;!?]* (?:right away|straight away|at once|now)\b)))(?= )"
)
_INTENDING = frozenset("i i'll i'm i'd let let's time agent we step".split())

# --- to call ---

_CALL = re.compile(
    _ADVERBS
    + r"(?:search(?! my)|look (?:up|for|again|(?:it|that|this|them) up)|find(?! out| a way)|query|fetch|retrieve|book"
    r"|reserve|buy|purchase|pay(?! attention)|transfer|schedule|rent|play(?! it safe)|send (?:the money|it to|\$)"
    r"|(?:re-?)?run (?:the|a|another|that|this|it again)|add (?:the (?:event|alarm)|it to)|set the alarm|place the order"
    r"|make (?:the|a|that|this) (?:booking|reservation|transfer|payment|appointment|purchase|call)"
    r"|get the (?:tickets|forecast|weather|balance)|re-?do the search|start the (?:song|film|music)"
    r"|call (?:the (?:service|function|tool|cab|taxi)|a (?:cab|taxi)|it again)"
    r"|check (?:the (?:weather|forecast|calendar|balance|account|availability|listings|available (?!tools|functions))|availability))\b"
    r"(?! (?:it )?(?:back|with them|with the user|by them)\b)"
)
_CALLING = frozenset(
    "search redo look find query fetch retrieve book reserve buy purchase pay transfer schedule rent play send run rerun re add "
    "set place make get start call check use invoke try execute".split()
)
"""Whatever announces a call by a verb has one of these, and one of the intending words."""
_USE = re.compile(_ADVERBS + r"(?:call|use|invoke|run|try|query|execute|rerun) (?:the )?(\w+)")
_BEFORE_TOOL = ("on to ", "a case for ", "calling ", "back to ", "time for ")
_AFTER_TOOL = re.compile(r"(?: again)? (?:it is|can (?:go out|run|go ahead)|comes next|next|once more|again)\b")
_LATER = re.compile(
    r"\b(?:if|once(?! (?:more|again))|when|whenever|(?<!as )(?<!from )before|after(?! all)|afterwards|until|till|unless|"
    r"as soon as|whether|later|provided|in case|pending|await|wait|upon|offer|ask|shall|would|could|may want|might|can't|"
    r"cannot|wants?|like me|suggest|propose|permission|their (?:yes|word|answer|confirmation|approval|go-ahead))\b"
    r"|\S.*\bthen\b"
)
_LACKING = re.compile(
    r"\b(?:ask|asking|missing|lacks?|needs?|needed|don't know|do not know|haven't|hasn't|without|unknown|question|confirm"
    r"|confirmation|check|read-back|read (?:it|that|this|them|everything|the \w+) back|but|though|which|first|yes|permission|approval|unclear|open|agree|object|repeat|right(?! (?:away|now))|sure"
    r"|approved|clear)\b"
)


def find_call(lowered: str, words: Collection[str], tools: Collection[str]) -> str:
    """The words by which a thought announces a call of this moment; '' where there are none.

    `lowered` is the thought in small letters with straight apostrophes, `words` its words, `tools` the names of
    functions in it, in small letters.
    """
    if not (_CALLING.isdisjoint(words) or _INTENDING.isdisjoint(words)):
        for found in _INTENTION.finditer(lowered):
            match = _CALL.match(lowered, found.end()) or _match_tool(lowered, found.end(), tools)
            if match and _is_for_now(lowered, found.start(), match.end(), bool(found["sure"])):
                return lowered[found.start() : match.end()]
    for tool in tools:
        place = lowered.find(tool)
        end = place + len(tool)
        goes_on = _AFTER_TOOL.match(lowered, end)
        if (
            place >= 0
            and (goes_on or lowered.endswith(_BEFORE_TOOL, 0, place))
            and _is_for_now(lowered, place, end, True)
        ):
            return lowered[place : goes_on.end() if goes_on else end]
    return ""


def _match_tool(lowered: str, place: int, tools: Collection[str]) -> re.Match[str] | None:
    """The words "call FindBus" at a place of the text."""
    found = _USE.match(lowered, place)
    return found if found and found[1] in tools else None


def _is_for_now(lowered: str, start: int, end: int, sure: bool) -> bool:
    """Whether words that mean a call are said of this moment: nothing in their sentence puts it off, and nothing that
    follows (nothing at all, where the words are not sure) says what is in the way."""
    ends = [place for mark in ".!?" if (place := lowered.find(mark, end)) >= 0]
    if _LATER.search(lowered[_find_sentence(lowered, start) : min(ends, default=len(lowered))].strip()):
        return False
    return not _LACKING.search(lowered[end:] if sure else lowered[:start] + lowered[end:])


def _find_sentence(lowered: str, place: int) -> int:
    """Where the sentence of a place begins."""
    return max(lowered.rfind(mark, 0, place) for mark in (". ", "! ", "? ")) + 1


# --- to reply ---

_REPLY = re.compile(
    _ADVERBS + r"(?:ask(?: (?:them|the user|him|her|which|what|when|where|how|whether|if|back|first|now)\b|(?=[.,;!]|$)"
    r"| for (?:both|(?:the|a|an|their) (?P<wanted>\w+)))|check with (?:them|the user)|confirm with (?:them|the user)"
    r"|read (?:it|that|this|them|everything|the \w+) back|clarify|wait for (?:their|a)\b"
    r"|tell (?:them|the user)|let them know|reply|say (?:so|goodbye)|thank|apologi[sz]e|wish them"
    r"|offer (?:them|it|this|that|to)|suggest|propose)"
)
_REPLYING = frozenset(
    "ask check confirm read clarify wait tell let reply say thank apologise apologize wish offer suggest propose".split()
)
"""Whatever announces a reply has one of these."""
_CALL_AT_ALL = re.compile(
    _ADVERBS
    + r"(?:search|look (?:up|for|again|it up)|find(?! out)|query|fetch|retrieve|check(?! with)|run|book|reserve|buy|purchase|pay|"
    r"transfer|schedule|rent|play|send|make the|place the|call|get|use|go ahead|start)\b"
)
_MEANING_AT_ALL = re.compile(rf"{_INTENTION.pattern}|\b(?:i can|so i|i may|now i|to)(?= )")
_GAP = re.compile(
    r"\b(?:is|are) (?:still |also |both )?(?:missing|unknown)\b|\b(?:have|has)n't (?:said|given|told)\b"
    r"|\bi don't (?:have|know)\b|\bi have neither\b|\bstill (?:needs?|lacks?)\b|\b(?:only|one|last) thing (?:left|missing)\b"
    r"|\bi can(?:'t|not) (?!say|tell)(?:\w+ )+?(?:without|until|yet)\b|\bremaining gap\b"
)
_GAPS = frozenset("missing unknown haven't hasn't don't neither still can't cannot gap thing".split())
"""Whatever says that something is missing has one of these."""
_NO_GAP = re.compile(
    r"\b(?:nothing|none|no|not|optional|if|whether|default|can wait)\b|n't (?:need|insist|require|matter)"
)


def find_reply(lowered: str, words: Collection[str], parameters: Collection[str]) -> str:
    """The words by which a thought announces a question or another reply, and no call besides; '' where none do.

    `parameters` are the names of what the functions shown take: "I'll ask for the city" asks the user, "I'll ask for
    the cheapest" may well ask a service.
    """
    if _REPLYING.isdisjoint(words) or announces_call(lowered):
        return ""
    for found in _INTENTION.finditer(lowered):
        match = _REPLY.match(lowered, found.end())
        if (
            match
            and (not match["wanted"] or any(match["wanted"] in name for name in parameters))
            and not _LATER.search(lowered[_find_sentence(lowered, found.start()) : found.start()])
        ):
            return lowered[found.start() : match.end()]
    return ""


def find_gap(lowered: str, words: Collection[str], arguments: Collection[str]) -> str:
    """The clause that says that one of the arguments is not known; '' where there is none, or a call is announced."""
    if _GAPS.isdisjoint(words) or not _GAP.search(lowered):
        return ""
    for clause in re.split(r"[.;:!?] ?", lowered):
        said = set(re.findall(r"\w+", clause))
        if (
            _GAP.search(clause)
            and not _NO_GAP.search(clause)
            and any(not said.isdisjoint(split_name(name)) for name in arguments)
            and not announces_call(lowered)
        ):
            return clause
    return ""


def announces_call(lowered: str) -> bool:
    """Whether a thought may announce a call at all, now or later."""
    return any(_CALL_AT_ALL.match(lowered, found.end()) for found in _MEANING_AT_ALL.finditer(lowered))
