"""The thought before a reply: from the observation if the turn made a call, else from what the user said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from coalm_it.schema import Act, ActName
from coalm_it.thoughts.grounded.context import ThoughtContext, Values, add_phrase, name_choice, name_offer
from coalm_it.thoughts.grounded.facts import (
    describe_answer,
    describe_booking,
    describe_thing,
    explain_remaining,
    explain_single,
    list_names,
    name_record,
)
from coalm_it.thoughts.grounded.knowledge import Fact, ServiceKnowledge, UserUpdate
from coalm_it.thoughts.grounded.observing import find_offered, list_answers, think_after_call
from coalm_it.thoughts.grounded.phrasing import PhraseWriter, join_sentences
from coalm_it.thoughts.grounded.words import function_words, join_and, list_noun_phrases, plain_value, slot_words


def think_before_reply(context: ThoughtContext) -> str:
    """The thought before the reply of the current turn."""
    acts = context.turn.labels.system_acts
    service = acts[0].service if acts else next(iter(context.updates), "")
    exchanges = [exchange for step in context.turn.steps for exchange in step.exchanges]
    if exchanges:
        call, observation = next((pair for pair in reversed(exchanges) if pair[0].service == service), exchanges[-1])
        return join_sentences(think_after_call(context, call, observation, acts))
    known = context.knowledge.service(service)
    values = context.name_function(known.intent if known.intent not in ("", "NONE") else known.last_function, service)
    values["offer"] = name_offer(known)
    names = {act.name for act in acts}
    for act, write in _SENTENCES_BY_ACT.items():
        if act in names:
            return join_sentences(write(context, known, [a for a in acts if a.name == act], values))
    return context.writer.write("close/plain", values)


# --- questions to the user ---


def _ask(context: ThoughtContext, known: ServiceKnowledge, acts: Sequence[Act], values: Values) -> list[str]:
    writer, service = context.writer, known.service
    slots = [act.slot for act in acts if act.slot]
    stated = list_known(context, known)
    tool = context.knowledge.tool(service, known.intent)
    state = context.turn.state.get(service, {})
    left = [slot for slot in (tool.required if tool else ()) if slot not in state and slot not in slots]
    context.add_names(values, "ask", service, slots)
    if left:
        context.add_names(values, "left", service, left)
        values["missing"] = list_names(writer, service, [*slots, *left])
        values["missing_or"] = list_names(writer, service, [*slots, *left], "or")
    end = "some" if left else "last"
    facts = context.find_update(service).facts
    if facts:
        sentences = [_digest(context, known, values), explain_single(writer, service, facts)]
        context.add_facts(values, "new", service, facts)
        sentences.append(writer.write(f"ask/new_{end}", values))
    elif stated and writer.draw(2):
        values["deal"] = describe_booking(known.intent, service, stated)
        sentences = [writer.write(f"ask/known_{end}", values)]
    elif context.user_acts() == {"INFORM_INTENT"} and not stated:
        sentences = [writer.write(f"ask/first_{end}", values)]
        if not writer.draw(3):
            sentences.append(writer.write("ask/how", values))
    else:
        held = any(slot in state for slot in (tool.properties if tool else ()))
        sentences = [_digest(context, known, values)]
        sentences.append(writer.write("ask/some" if left else "ask/last" if held else "ask/need_last", values))
    return [*sentences, _borrow(context, known, state, values), _suggest(context, service, acts, values)]


def _borrow(
    context: ThoughtContext, known: ServiceKnowledge, state: Mapping[str, Sequence[str]], values: Values
) -> str:
    """A sentence on a value that a new task takes from another service instead of asking for it; else ''."""
    if "INFORM_INTENT" not in context.find_update(known.service).acts:
        return ""
    for slot, surfaces in state.items():
        if slot in known.said or slot in known.offer or slot in known.read_back or not surfaces:
            continue
        other_service = context.knowledge.find_other_service(known.service, surfaces[0])
        if other_service:
            context.add_facts(values, "lent", known.service, [Fact(slot, surfaces[0])], explain=False)
            values["lender"] = context.name_thing(other_service)
            return context.writer.write("facts/borrowed", values)
    return ""


def _suggest(context: ThoughtContext, service: str, acts: Sequence[Act], values: Values) -> str:
    """A sentence on the suggestion or the examples in the question; '' without them."""
    writer = context.writer
    named = [act for act in acts if act.canonical]
    if len(named) == 1 and len(named[0].canonical) == 1:
        values["guess"] = writer.pick(list_noun_phrases(named[0].slot, service, named[0].canonical[0]))
        return writer.write("ask/guess", values)
    if named and writer.draw(2):
        values["examples"] = join_and([plain_value(act.slot, service, v) for act in named for v in act.canonical])
        return writer.write("ask/examples", values)
    return ""


def list_known(context: ThoughtContext, known: ServiceKnowledge) -> list[Fact]:
    """The known arguments of the booking that the user wants, whoever gave them."""
    tool = context.knowledge.tool(known.service, known.intent)
    state = context.turn.state.get(known.service, {})
    facts = []
    for slot in tool.properties if tool and tool.transactional else ():
        value = known.said.get(slot) or known.offer.get(slot) or known.read_back.get(slot)
        if slot in state and value:
            facts.append(Fact(slot, value))
    return facts


def _digest(context: ThoughtContext, known: ServiceKnowledge, values: Values) -> str:
    """A sentence on how the user's utterance changes the task, before the agent asks or reads back; else ''."""
    acts = context.user_acts()
    write = context.writer.write
    if "NEGATE_INTENT" in acts:
        return write("digest/declined", values)
    if "SELECT" in acts:
        return write("digest/selected" if values["offer"] else "digest/selected_any", values)
    if "AFFIRM_INTENT" in acts:
        return write("digest/agreed", values)
    if "INFORM_INTENT" in acts:
        if known.last_function == known.intent and not known.booking_done:
            return write("digest/retry", values)
        return write("digest/thanked" if "THANK_YOU" in acts else "digest/want", values)
    if "AFFIRM" not in acts:
        return ""
    agreed = [Fact(slot, value) for slot, value in known.suggested.items()]
    if agreed:
        context.add_facts(values, "taken", known.service, agreed, explain=False)
    return write("digest/affirmed" if agreed else "digest/affirmed_any", values)


def _confirm(context: ThoughtContext, known: ServiceKnowledge, acts: Sequence[Act], values: Values) -> list[str]:
    writer, service = context.writer, known.service
    update = context.find_update(service)
    facts = [Fact(act.slot, act.canonical[0]) for act in acts if act.slot and act.canonical]
    fresh = {fact.slot for fact in update.facts}
    state = context.turn.state.get(service, {})
    preset = [fact for fact in facts if fact.slot not in state]
    kept = [fact for fact in facts if fact.slot in state and fact.slot not in fresh]
    values["deal"] = describe_booking(known.intent, service, facts)
    meaning = explain_single(writer, service, update.facts)
    if update.facts:
        context.add_changes(values, service, update.facts)
    if "NEGATE" in update.acts and update.facts:
        if kept:
            context.add_facts(values, "kept", service, kept, explain=False)
        corrected = writer.write("confirm/corrected" if kept else "confirm/corrected_only", values)
        return [meaning, corrected, writer.write("confirm/why_changed", values)]
    sentences = [_digest(context, known, values), meaning]
    sentences.append(writer.write(f"confirm/{_choose_read_back(writer, service, update, bool(kept))}", values))
    sentences[1:1] = explain_remaining(writer, service, update.facts, sentences)
    if preset:
        context.add_facts(values, "preset", service, preset, explain=False)
        sentences.append(writer.write("confirm/preset", values))
    if not preset or writer.draw(2):
        light = function_words(known.intent, service).light
        sentences.append(writer.write("confirm/why_light" if light else "confirm/why", values))
    return sentences


def _choose_read_back(writer: PhraseWriter, service: str, update: UserUpdate, kept: bool) -> str:
    """The situation of a read-back: whether new values are told apart, or repeated by the read-back anyway."""
    if not update.facts:
        return "ready"
    if not kept:
        return "all_new"
    named = any(slot_words(fact.slot, service).called for fact in update.facts)
    again = named or len(update.facts) > 2 or writer.draw(5) == 0
    return "now" if again and not any(fact.old for fact in update.facts) else "completed"


# --- earlier results ---


def _offer_next(context: ThoughtContext, known: ServiceKnowledge, acts: Sequence[Act], values: Values) -> list[str]:
    """Another result of an earlier search is offered without a new call."""
    writer, service = context.writer, known.service
    add_phrase(values, "dropped", name_choice(known), bool(known.choice[1]))
    sentences = []
    if writer.draw(3):
        sentences.append(writer.write("next/opening" if values["dropped"] else "next/opening_any", values))
    choice = next((act for act in acts if len(act.canonical) > 1), None)
    if choice is not None:
        values["names"] = join_and([plain_value(choice.slot, service, value) for value in choice.canonical])
        return [*sentences, writer.write("next/choice", values)]
    offers = [act for act in acts if act.slot and act.canonical]
    record = find_offered(known.results, offers)
    offer = {act.slot: act.canonical[0] for act in offers}
    slot, values["name"] = name_record(service, record, offer)
    if not values["name"]:
        return [*sentences, writer.write("next/unnamed", values)]
    details = [Fact(s, v) for s, v in offer.items() if s != slot and not _was_asked_for(known, s, v)]
    values["described"] = describe_thing(service, values["name"], details)
    return [*sentences, writer.write("next/named", values)]


def _was_asked_for(known: ServiceKnowledge, slot: str, value: str) -> bool:
    return known.arguments.get(known.last_function, {}).get(slot) == value


def _answer(context: ThoughtContext, known: ServiceKnowledge, acts: Sequence[Act], values: Values) -> list[str]:
    """A question is answered from an earlier observation."""
    record = context.knowledge.find_record(known)
    told = [act for act in acts if act.slot and act.canonical]
    asked = context.find_update(known.service).questions
    context.add_topics(values, known.service, asked or told)
    answers = list_answers(context, known.service, record, told)
    if not answers:
        return [context.writer.write("answer/unseen", values)]
    values["answer"] = join_and(answers)
    words = function_words(known.last_function, known.service)
    values["name"] = name_record(known.service, record, known.offer)[1] or words.head
    if words.sheet:
        situation = "sheet"
    else:
        situation = "booking" if record is known.booked else "search"
    if len(asked) == 1 and asked[0].canonical and len(told) == 1 and context.writer.draw(2):
        values["guess"] = plain_value(asked[0].slot, known.service, asked[0].canonical[0])
        situation = "agrees" if asked[0].canonical == told[0].canonical else "differs"
    return [context.writer.write(f"answer/{situation}", values)]


def _offer_intent(context: ThoughtContext, known: ServiceKnowledge, acts: Sequence[Act], values: Values) -> list[str]:
    intent = next((act.values[0] for act in acts if act.values), known.intent)
    values.update(context.name_function(intent, known.service))
    if values["offer"]:
        return [context.writer.write("accept/named", values)]
    told = [Fact(slot, value) for slot, value in known.offer.items() if not _was_asked_for(known, slot, value)]
    if not told or context.writer.draw(4) == 0:
        return [context.writer.write("accept/unnamed", values)]
    values["described"] = describe_answer(context.writer, known.last_function, known.service, told)
    return [context.writer.write("accept/described", values)]


# --- closing ---


def _more(context: ThoughtContext, known: ServiceKnowledge, acts: Sequence[Act], values: Values) -> list[str]:
    user_acts = context.user_acts()
    situation = "answered"
    values.update(context.name_function(known.proposed or known.last_function, known.service))
    if "NEGATE_INTENT" in user_acts:
        situation = "declined"
    elif "NEGATE" in user_acts:
        situation = "refused"
    elif "SELECT" in user_acts and values["offer"]:
        situation = "chosen"
    elif known.booking_done:
        situation = "done"
    return [context.writer.write(f"close/more_{situation}", values), context.writer.write("close/more", values)]


def _goodbye(context: ThoughtContext, known: ServiceKnowledge, acts: Sequence[Act], values: Values) -> list[str]:
    user_acts = context.user_acts()
    situations = ["content"]
    if "NEGATE_INTENT" in user_acts:
        values.update(context.name_function(known.proposed or known.last_function, known.service))
        situations = ["declined"]
    elif known.booking_done:
        situations.append("done")
    elif values["offer"] and "SELECT" in user_acts:
        situations.append("chosen")
    state = context.writer.write(f"close/state_{context.writer.pick(situations)}", values)
    return [state, context.writer.write("close/farewell", values)]


_SENTENCES_BY_ACT: dict[ActName, Callable[[ThoughtContext, ServiceKnowledge, Sequence[Act], Values], list[str]]] = {
    "CONFIRM": _confirm,
    "REQUEST": _ask,
    "OFFER": _offer_next,
    "INFORM": _answer,
    "OFFER_INTENT": _offer_intent,
    "REQ_MORE": _more,
    "GOODBYE": _goodbye,
}
