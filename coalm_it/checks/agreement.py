"""A thought agrees with what follows it: it leads to the call that is made, and to no call where the reply comes.

Read clause by clause, for what the agent means to do now. What is offered, asked, conditional or for later ("once they
confirm I'll book it") announces nothing, and where a clause can be read in two ways the check is silent.
"""

from __future__ import annotations

import re
from functools import lru_cache

from coalm_it.checks.call_grammar import find_tool
from coalm_it.checks.evidence import read_leaves
from coalm_it.checks.wording import is_code_name, names_tool, read_thought, read_words
from coalm_it.schema import Call, Finding, Sample, Tool
from coalm_it.values import find_values, mentions, read_value


def check_agreement(sample: Sample) -> list[Finding]:
    """Thoughts before a call that mean no call, another tool, or a question; thoughts before a reply that mean a call."""
    thought = read_thought(sample)
    if not thought:
        return []
    if sample.step is None:
        message = _judge_before_reply(sample, thought)
    else:
        message = _judge_before_calls(sample, thought)
    return [Finding(check="agreement", where="thought", message=message)] if message else []


# --- before a call ---

_SEARCHING = (
    "find search look get fetch check see query try list browse pull retrieve narrow filter lookup tell show".split()
)
_DOING = (
    "book reserve buy purchase pay transfer send schedule play start put add set make place order rent arrange confirm "
    "get call complete finalise finalize submit commit proceed yes agree approve accept take secure settle sign bought"
).split()
_ANY = "call run again request service function tool use need answer result option".split()
_COMMON = frozenset("a an and the of in on at for to by with or from is it this that particular given based".split())


def _judge_before_calls(sample: Sample, thought: str) -> str:
    calls = sample.calls
    if not calls or not sample.tools:
        return ""
    named = any(names_tool(thought, call.name) for call in calls)
    lowered = thought.lower()
    if not named:
        for tool in sample.tools:
            if tool.name in thought and _names_instead(tool, calls, thought, lowered):
                return f"the thought names {tool.name}, but the call that follows is of {calls[0].name}; lead to that"
        if not any(_is_meant(sample, call, thought) for call in calls):
            return (
                f"the thought does not lead to the call of {calls[0].name} that follows; "
                "name the function, or say what it is to find or do"
            )
    return "" if _REPLYING.isdisjoint(read_words(thought)) else _find_question(sample, thought, lowered)


def _is_meant(sample: Sample, call: Call, thought: str) -> bool:
    """Whether a word of the thought is of the function's name, service, description or family of verbs, or a value."""
    tool = find_tool(call, sample.tools)
    family = _read_family(call.name, call.service, tool.description if tool else "", bool(tool and tool.transactional))
    if not family.isdisjoint(map(_cut, read_words(thought))):
        return True
    values = read_leaves([call.arguments])
    return any(value in thought or mentions(thought, value, sample.clock) for value in values)


@lru_cache(maxsize=1 << 10)
def _read_family(name: str, service: str, description: str, transactional: bool) -> frozenset[str]:
    """The stems of the words by which a function can be meant."""
    own = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_\d]+", " ", f"{name} {service} {description}").lower().split()
    verbs = _DOING if transactional else _SEARCHING
    if not transactional and own[0] not in (*_SEARCHING, "search", "lookup"):
        verbs = [*_SEARCHING, *_DOING]
    return frozenset(_cut(word) for word in (*own, *verbs, *_ANY) if word not in _COMMON)


@lru_cache(maxsize=1 << 13)
def _cut(word: str) -> str:
    """A word without the endings of number and tense: searches, searching -> search."""
    word = word.removesuffix("'s").replace("'", "")
    for ending in ("ing", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


_PASSED = re.compile(
    r"\b(?:already|earlier|before|returned|gave|given|found|showed|shown|came back|previous|last|from|after|instead|rather|"
    r"not|n't|no|without|later|then|once|afterwards|next|would|could|also|won't|doesn't|can't|isn't|result|results)\b|n't\b"
)


def _names_instead(tool: Tool, calls: tuple[Call, ...], thought: str, lowered: str) -> bool:
    if not is_code_name(tool.name) or any(call.name == tool.name for call in calls):
        return False
    if not names_tool(thought, tool.name):
        return False
    return any(tool.name.lower() in clause and not _PASSED.search(clause) for clause in re.split(r"[.;!?,]+ ", lowered))


# --- what the agent means to do ---

_SURE = (
    *("i'll ", "i will ", "i shall ", "i'm going to ", "i am going to ", "let me ", "let's ", "time to ", "i'd best "),
    *("i'd better ", "we're going to "),
)
_LIKELY = (
    *("i need to ", "i have to ", "i must ", "i should ", "i want to ", "the agent should ", "the agent needs to "),
    *("the agent will ", "the agent must ", "we need to ", "we should ", "next step is to ", "it's best to "),
)
_ADVERBS = (
    r"(?:(?:\w+ly|now|just|also|first|next|still|again|at once|right away|go ahead and|go on and|then|once more) )*"
)
_INTENTS = frozenset("i'll will shall going let let's time i'd need needs have must should want next best".split())
_VERBS = frozenset(
    "search look find query fetch retrieve book reserve buy purchase pay transfer schedule rent play run rerun re send add "
    "set make place get call check use invoke try execute".split()
)
"""Whatever announces a call has one word of each."""
_NOW = re.compile(
    _ADVERBS
    + r"(?:search(?! my)|look (?:up|for|again)|find(?! out| a way)|query|fetch|retrieve|book|reserve|buy|purchase"
    r"|pay(?! attention)|transfer|schedule|rent|play(?! it safe)|(?:re-?)?run (?:the|a|another|that|this|it again)"
    r"|send (?:the money|it to|\$)|add (?:the (?:event|alarm)|it to)|set the alarm"
    r"|make (?:the|a|that|this) (?:booking|reservation|transfer|payment|appointment|purchase|call)|place the order"
    r"|get the (?:tickets|forecast|weather|balance)|call (?:the (?:service|function|tool|cab|taxi)|a (?:cab|taxi)|it again)"
    r"|check (?:the (?:weather|forecast|calendar|balance|account|available|availability|listings)|availability))\b"
    r"(?! (?:it )?(?:back|with them|with the user|by them)\b)"
)
_LATER = re.compile(
    r"\b(?:if|once(?! (?:more|again))|when|whenever|(?<!as )(?<!from )before|after(?! all)|afterwards|until|till|unless|"
    r"as soon as|whether|later|provided|in case|pending|await|wait|upon|offer|ask|shall|would|could|may|might|can't|"
    r"cannot|wants?|want me|like me|suggest|propose|permission|their (?:yes|word|answer|confirmation|approval|go-ahead))\b"
    r"|\S.*\bthen\b"
)
_LACKING = re.compile(
    r"\b(?:ask|asking|missing|lacks?|needs?|needed|don't know|do not know|haven't|hasn't|without|unknown|question|confirm"
    r"|confirmation|check with|back|but|though|which|first|yes|permission|approval|unclear|open)\b"
)


def _judge_before_reply(sample: Sample, thought: str) -> str:
    words = read_words(thought)
    if _VERBS.isdisjoint(words) or _INTENTS.isdisjoint(words):
        return ""
    found = _find_call_now(sample, thought.lower().replace("’", "'"))
    if not found:
        return ""
    return f"the thought announces a call ({found!r}), but the reply follows without one; say what the reply is to do"


def _find_call_now(sample: Sample, lowered: str) -> str:
    for phrases, sure in ((_SURE, True), (_LIKELY, False)):
        for phrase in phrases:
            place = _find_start(lowered, phrase, 0)
            while place >= 0:
                match = _NOW.match(lowered, place + len(phrase)) or _match_tool(sample, lowered, place + len(phrase))
                if match and _is_announced(lowered, place, match.end(), sure):
                    return lowered[place : match.end()]
                place = _find_start(lowered, phrase, place + 1)
    return ""


def _find_start(lowered: str, phrase: str, place: int) -> int:
    """The next place of a phrase; "time to" counts at the start of a clause only ("a time to book the table")."""
    place = lowered.find(phrase, place)
    while place > 0 and (
        lowered[place - 1].isalnum() or (phrase == "time to " and lowered[place - 2] not in ".,;:!?s—")
    ):
        place = lowered.find(phrase, place + 1)
    return place


def _match_tool(sample: Sample, lowered: str, place: int) -> re.Match[str] | None:
    """The words "call FindBus" at a place of the text."""
    found = _USE.match(lowered, place)
    return found if found and any(found[1] == tool.name.lower() for tool in sample.tools) else None


_USE = re.compile(_ADVERBS + r"(?:call|use|invoke|run|try|query|execute|rerun) (?:the )?(\w+)")


def _is_announced(lowered: str, start: int, end: int, sure: bool) -> bool:
    """Whether words that mean a call are said of this moment, in their sentence and, when not sure, in the whole."""
    first = max(lowered.rfind(mark, 0, start) for mark in (". ", "! ", "? ")) + 1
    ends = [place for mark in ".!?" if (place := lowered.find(mark, end)) >= 0]
    sentence = lowered[first : min(ends, default=len(lowered))].strip()
    if _LATER.search(sentence):
        return False
    return not _LACKING.search(lowered[end:] if sure else lowered[:start] + lowered[end:])


# --- a question or a reply where a call follows ---

_ASKING = re.compile(
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
_CALLING = re.compile(
    r"\b(?:search|look(?:ing)? (?:up|for|again|it up)|find|query|fetch|retrieve|check|run|book|reserve|buy|purchase|pay|"
    r"transfer|schedule|rent|play|send|make the|place the|call|get)\b"
)


def _find_question(sample: Sample, thought: str, lowered: str) -> str:
    lowered = lowered.replace("’", "'")
    for phrase in (*_SURE, *_LIKELY):
        place = _find_start(lowered, phrase, 0)
        while place >= 0:
            match = _ASKING.match(lowered, place + len(phrase))
            if match and _is_question(sample, lowered, place, match):
                found = lowered[place : match.end()]
                name = sample.calls[0].name
                return (
                    f"the thought announces a reply ({found!r}), but a call of {name} follows; say why it can be made"
                )
            place = _find_start(lowered, phrase, place + 1)
    return ""


def _is_question(sample: Sample, lowered: str, start: int, match: re.Match[str]) -> bool:
    wanted = match["wanted"]
    if wanted and not any(wanted in name for tool in sample.tools for name in tool.properties):
        return False
    first = max(lowered.rfind(mark, 0, start) for mark in (". ", "! ", "? ")) + 1
    if _LATER.search(lowered[first:start]):
        return False
    rest = lowered[:start] + lowered[match.end() :]
    for phrase in (*_SURE, *_LIKELY, "i can ", "so i ", "i may ", "now i "):
        place = rest.find(phrase)
        while place >= 0:
            if _CALLING.match(rest, place + len(phrase)):
                return False
            place = rest.find(phrase, place + 1)
    return True
