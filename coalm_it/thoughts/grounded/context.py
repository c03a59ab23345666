"""What a thought is written from: the agent's knowledge, the current turn, and the phrase writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coalm_it.schema import Act, ActName, Turn
from coalm_it.templates import template_cache
from coalm_it.thoughts.grounded.facts import list_definite, list_facts, list_names, list_values, name_record
from coalm_it.thoughts.grounded.knowledge import NO_UPDATE, AgentKnowledge, Fact, ServiceKnowledge, UserUpdate
from coalm_it.thoughts.grounded.phrasing import PhraseWriter
from coalm_it.thoughts.grounded.words import function_words, join_and, plain_value, read_words, slot_words

Values = dict[str, str]


@dataclass(slots=True)
class ThoughtContext:
    """The input of every function that writes sentences of a thought, and the placeholders it fills for them."""

    writer: PhraseWriter
    knowledge: AgentKnowledge
    turn: Turn
    updates: Mapping[str, UserUpdate]
    """What the user's utterance adds, by service."""

    def find_update(self, service: str) -> UserUpdate:
        """What the user's utterance adds for one service."""
        return self.updates.get(service, NO_UPDATE)

    def user_acts(self) -> set[ActName]:
        """The names of the user's acts in all services."""
        return {act.name for act in self.turn.labels.user_acts}

    def name_function(self, function: str, service: str) -> Values:
        """The placeholders call, do, want, thing, things, deed and done."""
        words = function_words(function, service)
        drawn = self.writer.draw(60)
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
        """What the dialogue with a service was about: restaurant, flight."""
        known = self.knowledge.service(service)
        return function_words(known.last_function or known.intent, service).thing

    def add_facts(self, values: Values, key: str, service: str, facts: Sequence[Fact], explain: bool = True) -> None:
        """Set the placeholder KEY (the facts as a list) and its verb endings: KEY_s, KEY_is, ..."""
        text, plural = list_facts(self.writer, service, facts, explain)
        add_phrase(values, key, text, plural)

    def add_names(self, values: Values, key: str, service: str, slots: Sequence[str]) -> None:
        """Set the same placeholders for the names of slots, and KEY_it, the pronoun."""
        add_phrase(values, key, list_names(self.writer, service, slots), len(slots) > 1)
        for name, forms in read_words()["pronouns"].items():
            values[f"{key}_{name}"] = forms[min(len(slots), len(forms)) - 1]

    def add_changes(self, values: Values, service: str, facts: Sequence[Fact]) -> None:
        """Set the placeholders new (the facts), names (their slots) and bare (the values, for use beside the names)."""
        self.add_facts(values, "new", service, facts)
        several = len(facts) > 1
        if any(fact.value in ("True", "False") for fact in facts):
            names = read_words()["vague"][several]
        else:
            names = list_definite(self.writer, service, [fact.slot for fact in facts])
        add_phrase(values, "names", names, several)
        values["bare"] = values["new"] if several else list_values(self.writer, service, facts)

    def add_topics(self, values: Values, service: str, acts: Sequence[Act]) -> None:
        """Set the placeholder topics: what the acts ask about."""
        topics = [self.writer.pick(slot_words(act.slot, service).topic) for act in acts]
        add_phrase(values, "topics", join_and(topics), len(topics) > 1)


def add_phrase(values: Values, key: str, text: str, plural: bool) -> None:
    """Set the placeholder KEY to a noun phrase, and its verb endings."""
    values[key] = text
    values.update(_endings(key, plural))


@template_cache()
def _endings(key: str, plural: bool) -> Values:
    return {f"{key}_{name}": forms[plural] for name, forms in read_words()["endings"].items()}


def name_offer(known: ServiceKnowledge) -> str:
    """The name of the agent's last offer in a service; '' if it has none or several results were offered."""
    return "" if known.choice[1] else name_record(known.service, known.offer, known.offer)[1]


def name_choice(known: ServiceKnowledge) -> str:
    """The name of the last offer, or the names of all results if several were offered."""
    slot, choice = known.choice
    return join_and([plain_value(slot, known.service, value) for value in choice]) or name_offer(known)
