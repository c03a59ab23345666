"""Functions that are wrong for a request though they look right: they share words with it or with the right function.

Without them a model learns to call whatever function is about the topic. Each is certain to be wrong, for one of two
reasons that words can tell:

- **action**: it changes something in another way than the right function does, and the request names no such change:
  `delete_reminder` for "Remind me to pay the rent".
- **value**: it requires a value of which neither the request nor the right function knows anything, while the request
  states no value that the right call does not use: `get_tide(station_code)` for "When is high water in Oban?"
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from coalm_it.draw import stable_hash
from coalm_it.samples.unanswerable.phrases import has_more_values
from coalm_it.samples.unanswerable.topics import (
    Words,
    is_free_text,
    is_readable,
    read_all_words,
    read_parameter_words,
    read_tool_words,
    read_words,
    split_words,
)
from coalm_it.schema import Sample, Tool
from coalm_it.values import value_text

MAX_POSTINGS = 300
"""A word of more functions than these tells too little."""
MAX_CANDIDATES = 30
_ACTIONS = {
    "create": "add append arrange book buy create generate insert make order organize post publish purchase record "
    "register remind reserve save schedule send set start store submit upload write",
    "delete": "cancel clear delete discard erase remove unsubscribe withdraw",
    "update": "adjust change edit modify move rename replace reschedule reset set switch update",
    "read": "calculate check compute count display fetch find get give how list look lookup provide query read "
    "retrieve search see show tell view what when where which who",
}
_ACTIONS_OF = {
    word: frozenset(action for action, words in _ACTIONS.items() if word in words.split())
    for words in _ACTIONS.values()
    for word in words.split()
}
_CHANGES = frozenset(("create", "delete", "update"))
_NOUNS = frozenset("book count display list look order post record set start store view".split())
"""Words that are nouns in many names: `OrderHistory`."""
_NO_VERBS = frozenset(
    "allow allows an api endpoint enable enables for function the this to tool used user users".split()
)
"""What a description may begin with before its verb: "This API cancels"."""


Reason = Literal["action", "value"]


class NearMiss(NamedTuple):
    """A wrong function and how it is known to be wrong."""

    tool: Tool
    reason: Reason


class ToolIndex:
    """The different functions of a corpus by their words; made once, as thousands of samples search it."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.tools = list({(tool.name, tool.description): tool for tool in tools}.values())
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, tool in enumerate(self.tools):
            for word in read_tool_words(tool):
                self._places[word].append(place)

    def find_similar(self, words: Words, key: tuple[object, ...]) -> list[Tool]:
        """Functions that share words, those with more and rarer ones first; equals in an order drawn by the key."""
        shared: Counter[int] = Counter()
        for word in words:
            places = self._places.get(word, ())
            if len(places) <= MAX_POSTINGS:
                shared.update(dict.fromkeys(places, 1 + MAX_POSTINGS // max(1, len(places))))
        # One draw for all: a hash for each function would take longer than everything else.
        offset = stable_hash(*key) % max(1, len(self.tools))
        ranked = sorted(shared, key=lambda place: (-shared[place], (place - offset) % len(self.tools)))
        return [self.tools[place] for place in ranked[:MAX_CANDIDATES]]


def find_near_misses(sample: Sample, index: ToolIndex, count: int, seed: int) -> list[NearMiss]:
    """Up to `count` near misses for the first calls of a first turn; none for other targets."""
    called = {call.name for call in sample.calls}
    right = [tool for tool in sample.tools if tool.name in called]
    if not count or sample.step != 0 or sample.history or len(right) != len(called) or not called:
        return []
    if not is_readable(sample.current.user):
        return []
    request = _Request(sample, right)
    shown = {tool.name for tool in sample.tools}
    found: list[NearMiss] = []
    for tool in index.find_similar(request.said | request.topics, ("near miss", seed, sample.id)):
        if len(found) == count:
            break
        if tool.name in shown or read_words(tool.name).isdisjoint(request.names):
            continue
        if reason := request.find_reason(tool):
            shown.add(tool.name)
            found.append(NearMiss(tool, reason))
    return found


def add_near_misses(sample: Sample, near_misses: Sequence[NearMiss], seed: int) -> Sample:
    """The sample with these functions among its own, in random places.

    Where no function may be left that serves the request, only those are added whose action is another one: a missing
    value could be asked for.
    """
    taken = sample.provenance.get("unanswerable", {}).get("taken")
    added = [one.tool for one in near_misses if one.reason == "action" or taken != "tool"]
    if not added:
        return sample
    tools = [*sample.tools]
    for number, tool in enumerate(added):
        tools.insert(stable_hash("place", number, seed, sample.id) % (len(tools) + 1), tool)
    names = [tool.name for tool in added]
    return sample.model_copy(update={"tools": tuple(tools), "provenance": {**sample.provenance, "near_misses": names}})


# --- why a function is wrong ---


class _Request:
    """What is known of a request and of the functions that are right for it."""

    def __init__(self, sample: Sample, right: Sequence[Tool]) -> None:
        text = sample.current.user
        given = [value_text(value) for call in sample.calls for value in call.arguments.values()]
        self.right = right
        self.said = read_words(text)
        self.topics = Words().union(*map(read_tool_words, right))
        self.names = self.said.union(*(read_words(tool.name) for tool in right))
        self.known = self.said.union(*map(read_all_words, right), *map(read_words, given))
        """The words of everything that the request states."""
        asked = (_ACTIONS_OF.get(word, frozenset()) for word in split_words(text))
        done = [_read_actions(tool) for tool in right]
        self.actions = frozenset[str]().union(*asked, *done) if all(done) else frozenset(_ACTIONS)
        said = text.lower()
        self.is_complete = all(value.lower() in said for value in given) and not has_more_values(text, given)
        """Whether it states the values of the right calls and no others."""

    def find_reason(self, tool: Tool) -> Reason | None:
        """Why the function is wrong; None if it may be right."""
        if any(tool.properties.keys() == other.properties.keys() and tool.properties for other in self.right):
            return None
        actions = _read_actions(tool)
        if actions and actions <= _CHANGES and actions.isdisjoint(self.actions):
            return "action"
        is_lacking = self.is_complete and any(self._lacks(tool, name) for name in tool.required)
        return "value" if is_lacking else None

    def _lacks(self, tool: Tool, name: str) -> bool:
        """Whether the request says nothing about a value that must be given."""
        words, entry = read_words(name), tool.properties.get(name, {})
        described = str(entry.get("description", "")).lower()
        if not words or is_free_text(name) or "default" in entry or "default" in described or "optional" in described:
            return False
        return words.isdisjoint(self.known) and read_parameter_words(tool, name).isdisjoint(self.known)


def _read_actions(tool: Tool) -> frozenset[str]:
    """What a function does, by the verb of its description and the first word of its name; nothing if they differ."""
    described = next((word for word in split_words(tool.description) if word not in _NO_VERBS), "")
    name = next(iter(split_words(tool.name)), "")
    actions = [_find_actions(described), frozenset() if name in _NOUNS else _find_actions(name)]
    known = [found for found in actions if found]
    return frozenset.intersection(*known) if known else frozenset()


def _find_actions(word: str) -> frozenset[str]:
    """What a verb means, in any of its forms: cancel, cancels, cancelling, removing."""
    stem = word.removesuffix("ing")
    forms = (word, word.removesuffix("s"), word.removesuffix("es"), stem, f"{stem}e", stem[:-1])
    return next((_ACTIONS_OF[form] for form in forms if form in _ACTIONS_OF), frozenset())
