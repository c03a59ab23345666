"""One moment at which the agent thinks: the memory so far, the user's turn, and the pen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from coalm_it.schema import Act, ActName, Turn
from coalm_it.thoughts.grounded.facts import list_bare, list_definite, list_facts, list_names, name_record
from coalm_it.thoughts.grounded.phrasing import Pen
from coalm_it.thoughts.grounded.situation import NO_NEWS, Fact, Memory, News, Topic
from coalm_it.thoughts.grounded.words import function_words, join_and, plain_value, read_words, slot_words

Values = dict[str, str]


@dataclass(slots=True)
class Moment:
    """What stands before the agent when it thinks; the writers take it and give back sentences."""

    pen: Pen
    memory: Memory
    turn: Turn
    heard: Mapping[str, News]

    def news(self, service: str) -> News:
        """What the user's turn brings for one service."""
        return self.heard.get(service, NO_NEWS)

    def acts(self) -> set[ActName]:
        """The names of all the user's acts, whatever their service."""
        return {act.name for act in self.turn.labels.user_acts}

    def name_function(self, function: str, service: str) -> Values:
        """The placeholders call, do, want, thing, things, deed and done."""
        words = function_words(function, service)
        drawn = self.pen.draw(60)
        return {
            "call": function,
            "do": words.do[drawn % len(words.do)],
            "want": words.want[drawn // 4 % len(words.want)],
            "thing": words.thing,
            "things": words.things,
            "deed": words.deed,
            "done": words.done[drawn // 2 % len(words.done)],
        }

    def name_thing(self, service: str) -> str:
        """What a service's part of the dialogue was about: restaurant, flight."""
        known = self.memory.topic(service)
        return function_words(known.last or known.intent, service).thing

    def add_facts(self, values: Values, key: str, service: str, facts: Sequence[Fact], explain: bool = True) -> None:
        """The placeholder KEY (the facts as a list) and what its verb needs: KEY_s, KEY_is, ..."""
        text, plural = list_facts(self.pen, service, facts, explain)
        add_phrase(values, key, text, plural)

    def add_names(self, values: Values, key: str, service: str, slots: Sequence[str]) -> None:
        """The same for slots by their names; KEY_it is the pronoun."""
        add_phrase(values, key, list_names(self.pen, service, slots), len(slots) > 1)
        for name, forms in read_words()["pronouns"].items():
            values[f"{key}_{name}"] = forms[min(len(slots), len(forms)) - 1]

    def add_changes(self, values: Values, service: str, facts: Sequence[Fact]) -> None:
        """The placeholders new (the facts), names (their slots) and bare (for beside the names)."""
        self.add_facts(values, "new", service, facts)
        several = len(facts) > 1
        if any(fact.value in ("True", "False") for fact in facts):
            names = read_words()["vague"][several]
        else:
            names = list_definite(self.pen, service, [fact.slot for fact in facts])
        add_phrase(values, "names", names, several)
        values["bare"] = values["new"] if several else list_bare(self.pen, service, facts)

    def add_topics(self, values: Values, service: str, acts: Sequence[Act]) -> None:
        """The placeholder topics: what the acts ask about."""
        topics = [self.pen.pick(slot_words(act.slot, service).topic) for act in acts]
        add_phrase(values, "topics", join_and(topics), len(topics) > 1)


def add_phrase(values: Values, key: str, text: str, plural: bool) -> None:
    """A noun phrase and the verb endings that go with it."""
    values[key] = text
    values.update(_endings(key, plural))


@cache
def _endings(key: str, plural: bool) -> Values:
    return {f"{key}_{name}": forms[plural] for name, forms in read_words()["endings"].items()}


def name_offer(topic: Topic) -> str:
    """What the agent last offered in a service, by name; '' where it has none, or where it was a choice."""
    return "" if topic.choice[1] else name_record(topic.service, topic.offer, topic.offer)[1]


def name_choice(topic: Topic) -> str:
    """The same, and the whole of a choice where it was one."""
    slot, choice = topic.choice
    return join_and([plain_value(slot, topic.service, value) for value in choice]) or name_offer(topic)
