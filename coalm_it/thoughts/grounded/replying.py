"""The thought before a reply: from what came back where a call was made, else from what the user said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from coalm_it.schema import Act, ActName
from coalm_it.thoughts.grounded.facts import (
    describe_answer,
    describe_deal,
    describe_thing,
    explain_one,
    explain_rest,
    list_names,
    name_record,
)
from coalm_it.thoughts.grounded.moment import Moment, Values, add_phrase, name_choice, name_offer
from coalm_it.thoughts.grounded.observing import find_offered, list_answers, think_after_call
from coalm_it.thoughts.grounded.phrasing import Pen, join_sentences
from coalm_it.thoughts.grounded.situation import Fact, News, Topic
from coalm_it.thoughts.grounded.words import function_words, join_and, plain_value, slot_words, speak


def think_before_reply(moment: Moment) -> str:
    """The thought of a turn, before its reply."""
    acts = moment.turn.labels.system_acts
    service = acts[0].service if acts else next(iter(moment.heard), "")
    made = [exchange for step in moment.turn.steps for exchange in step.exchanges]
    if made:
        call, observation = next((pair for pair in reversed(made) if pair[0].service == service), made[-1])
        return join_sentences(think_after_call(moment, call, observation, acts))
    topic = moment.memory.topic(service)
    values = moment.name_function(topic.intent if topic.intent not in ("", "NONE") else topic.last, service)
    values["offer"] = name_offer(topic)
    names = {act.name for act in acts}
    for act, write in _WRITERS.items():
        if act in names:
            return join_sentences(write(moment, topic, [a for a in acts if a.name == act], values))
    return moment.pen.write("close/plain", values)


# --- questions to the user ---


def _ask(moment: Moment, topic: Topic, acts: Sequence[Act], values: Values) -> list[str]:
    pen, service = moment.pen, topic.service
    slots = [act.slot for act in acts if act.slot]
    known = list_known(moment, topic)
    tool = moment.memory.tool(service, topic.intent)
    state = moment.turn.state.get(service, {})
    left = [slot for slot in (tool.required if tool else ()) if slot not in state and slot not in slots]
    moment.add_names(values, "ask", service, slots)
    if left:
        moment.add_names(values, "left", service, left)
        values["missing"] = list_names(pen, service, [*slots, *left])
        values["missing_or"] = list_names(pen, service, [*slots, *left], "or")
    end = "some" if left else "last"
    facts = moment.news(service).facts
    if facts:
        sentences = [_digest(moment, topic, values), explain_one(pen, service, facts)]
        moment.add_facts(values, "new", service, facts)
        sentences.append(pen.write(f"ask/new_{end}", values))
    elif known and pen.draw(2):
        values["deal"] = describe_deal(topic.intent, service, known)
        sentences = [pen.write(f"ask/known_{end}", values)]
    elif moment.acts() == {"INFORM_INTENT"} and not known:
        sentences = [pen.write(f"ask/first_{end}", values)]
        if not pen.draw(3):
            sentences.append(pen.write("ask/how", values))
    else:
        held = any(slot in state for slot in (tool.properties if tool else ()))
        sentences = [_digest(moment, topic, values)]
        sentences.append(pen.write("ask/some" if left else "ask/last" if held else "ask/need_last", values))
    return [*sentences, _borrow(moment, topic, state, values), _suggest(moment, service, acts, values)]


def _borrow(moment: Moment, topic: Topic, state: Mapping[str, Sequence[str]], values: Values) -> str:
    """A sentence on what a new task takes from another service, so that it need not be asked."""
    if "INFORM_INTENT" not in moment.news(topic.service).acts:
        return ""
    for slot, surfaces in state.items():
        if slot in topic.said or slot in topic.offer or slot in topic.read_back or not surfaces:
            continue
        lender = moment.memory.find_lender(topic.service, surfaces[0])
        if lender:
            moment.add_facts(values, "lent", topic.service, [Fact(slot, surfaces[0])], explain=False)
            values["lender"] = moment.name_thing(lender)
            return moment.pen.write("facts/borrowed", values)
    return ""


def _suggest(moment: Moment, service: str, acts: Sequence[Act], values: Values) -> str:
    """A sentence on the value or the examples that the question names."""
    pen = moment.pen
    named = [act for act in acts if act.canonical]
    if len(named) == 1 and len(named[0].canonical) == 1:
        values["guess"] = pen.pick(speak(named[0].slot, service, named[0].canonical[0]))
        return pen.write("ask/guess", values)
    if named and pen.draw(2):
        values["examples"] = join_and([plain_value(act.slot, service, v) for act in named for v in act.canonical])
        return pen.write("ask/examples", values)
    return ""


def list_known(moment: Moment, topic: Topic) -> list[Fact]:
    """The arguments of the function at hand that are known, whoever said them."""
    tool = moment.memory.tool(topic.service, topic.intent)
    state = moment.turn.state.get(topic.service, {})
    facts = []
    for slot in tool.properties if tool and tool.transactional else ():
        value = topic.said.get(slot) or topic.offer.get(slot) or topic.read_back.get(slot)
        if slot in state and value:
            facts.append(Fact(slot, value))
    return facts


def _digest(moment: Moment, topic: Topic, values: Values) -> str:
    """What the user's turn changes, before the agent asks or reads back."""
    acts = moment.acts()
    write = moment.pen.write
    if "NEGATE_INTENT" in acts:
        return write("digest/declined", values)
    if "SELECT" in acts:
        return write("digest/selected" if values["offer"] else "digest/selected_any", values)
    if "AFFIRM_INTENT" in acts:
        return write("digest/agreed", values)
    if "INFORM_INTENT" in acts:
        if topic.last == topic.intent and not topic.done:
            return write("digest/retry", values)
        return write("digest/thanked" if "THANK_YOU" in acts else "digest/want", values)
    if "AFFIRM" not in acts:
        return ""
    agreed = [Fact(slot, value) for slot, value in topic.suggested.items()]
    if agreed:
        moment.add_facts(values, "taken", topic.service, agreed, explain=False)
    return write("digest/affirmed" if agreed else "digest/affirmed_any", values)


def _confirm(moment: Moment, topic: Topic, acts: Sequence[Act], values: Values) -> list[str]:
    pen, service = moment.pen, topic.service
    news = moment.news(service)
    facts = [Fact(act.slot, act.canonical[0]) for act in acts if act.slot and act.canonical]
    fresh = {fact.slot for fact in news.facts}
    state = moment.turn.state.get(service, {})
    preset = [fact for fact in facts if fact.slot not in state]
    kept = [fact for fact in facts if fact.slot in state and fact.slot not in fresh]
    values["deal"] = describe_deal(topic.intent, service, facts)
    meaning = explain_one(pen, service, news.facts)
    if news.facts:
        moment.add_changes(values, service, news.facts)
    if "NEGATE" in news.acts and news.facts:
        if kept:
            moment.add_facts(values, "kept", service, kept, explain=False)
        corrected = pen.write("confirm/corrected" if kept else "confirm/corrected_only", values)
        return [meaning, corrected, pen.write("confirm/why_changed", values)]
    sentences = [_digest(moment, topic, values), meaning]
    sentences.append(pen.write(f"confirm/{_choose_read_back(pen, service, news, bool(kept))}", values))
    sentences[1:1] = explain_rest(pen, service, news.facts, sentences)
    if preset:
        moment.add_facts(values, "preset", service, preset, explain=False)
        sentences.append(pen.write("confirm/preset", values))
    if not preset or pen.draw(2):
        light = function_words(topic.intent, service).light
        sentences.append(pen.write("confirm/why_light" if light else "confirm/why", values))
    return sentences


def _choose_read_back(pen: Pen, service: str, news: News, kept: bool) -> str:
    """Whether to tell what is new from what is read back, or to let the read-back speak where it says it all again."""
    if not news.facts:
        return "ready"
    if not kept:
        return "all_new"
    named = any(slot_words(fact.slot, service).called for fact in news.facts)
    again = named or len(news.facts) > 2 or pen.draw(5) == 0
    return "now" if again and not any(fact.old for fact in news.facts) else "completed"


# --- results that are there already ---


def _offer_next(moment: Moment, topic: Topic, acts: Sequence[Act], values: Values) -> list[str]:
    """Another result of an earlier search, with no new call."""
    pen, service = moment.pen, topic.service
    add_phrase(values, "dropped", name_choice(topic), bool(topic.choice[1]))
    sentences = []
    if pen.draw(3):
        sentences.append(pen.write("next/opening" if values["dropped"] else "next/opening_any", values))
    choice = next((act for act in acts if len(act.canonical) > 1), None)
    if choice is not None:
        values["names"] = join_and([plain_value(choice.slot, service, value) for value in choice.canonical])
        return [*sentences, pen.write("next/choice", values)]
    offers = [act for act in acts if act.slot and act.canonical]
    record = find_offered(topic.results, offers)
    offer = {act.slot: act.canonical[0] for act in offers}
    slot, values["name"] = name_record(service, record, offer)
    if not values["name"]:
        return [*sentences, pen.write("next/unnamed", values)]
    details = [Fact(s, v) for s, v in offer.items() if s != slot and not _was_asked_for(topic, s, v)]
    values["described"] = describe_thing(service, values["name"], details)
    return [*sentences, pen.write("next/named", values)]


def _was_asked_for(topic: Topic, slot: str, value: str) -> bool:
    return topic.arguments.get(topic.last, {}).get(slot) == value


def _answer(moment: Moment, topic: Topic, acts: Sequence[Act], values: Values) -> list[str]:
    """The answer to a question, from an observation that is there already."""
    record = moment.memory.find_record(topic)
    told = [act for act in acts if act.slot and act.canonical]
    asked = moment.news(topic.service).asked
    moment.add_topics(values, topic.service, asked or told)
    answers = list_answers(moment, topic.service, record, told)
    if not answers:
        return [moment.pen.write("answer/unseen", values)]
    values["answer"] = join_and(answers)
    words = function_words(topic.last, topic.service)
    values["name"] = name_record(topic.service, record, topic.offer)[1] or words.head
    if words.sheet:
        situation = "sheet"
    else:
        situation = "booking" if record is topic.booked else "search"
    if len(asked) == 1 and asked[0].canonical and len(told) == 1 and moment.pen.draw(2):
        values["guess"] = plain_value(asked[0].slot, topic.service, asked[0].canonical[0])
        situation = "agrees" if asked[0].canonical == told[0].canonical else "differs"
    return [moment.pen.write(f"answer/{situation}", values)]


def _offer_intent(moment: Moment, topic: Topic, acts: Sequence[Act], values: Values) -> list[str]:
    intent = next((act.values[0] for act in acts if act.values), topic.intent)
    values.update(moment.name_function(intent, topic.service))
    if values["offer"]:
        return [moment.pen.write("accept/named", values)]
    told = [Fact(slot, value) for slot, value in topic.offer.items() if not _was_asked_for(topic, slot, value)]
    if not told or moment.pen.draw(4) == 0:
        return [moment.pen.write("accept/unnamed", values)]
    values["described"] = describe_answer(moment.pen, topic.last, topic.service, told)
    return [moment.pen.write("accept/described", values)]


# --- closing ---


def _more(moment: Moment, topic: Topic, acts: Sequence[Act], values: Values) -> list[str]:
    heard = moment.acts()
    situation = "answered"
    values.update(moment.name_function(topic.proposed or topic.last, topic.service))
    if "NEGATE_INTENT" in heard:
        situation = "declined"
    elif "NEGATE" in heard:
        situation = "refused"
    elif "SELECT" in heard and values["offer"]:
        situation = "chosen"
    elif topic.done:
        situation = "done"
    return [moment.pen.write(f"close/more_{situation}", values), moment.pen.write("close/more", values)]


def _goodbye(moment: Moment, topic: Topic, acts: Sequence[Act], values: Values) -> list[str]:
    heard = moment.acts()
    situations = ["content"]
    if "NEGATE_INTENT" in heard:
        values.update(moment.name_function(topic.proposed or topic.last, topic.service))
        situations = ["declined"]
    elif topic.done:
        situations.append("done")
    elif values["offer"] and "SELECT" in heard:
        situations.append("chosen")
    state = moment.pen.write(f"close/state_{moment.pen.pick(situations)}", values)
    return [state, moment.pen.write("close/farewell", values)]


_WRITERS: dict[ActName, Callable[[Moment, Topic, Sequence[Act], Values], list[str]]] = {
    "CONFIRM": _confirm,
    "REQUEST": _ask,
    "OFFER": _offer_next,
    "INFORM": _answer,
    "OFFER_INTENT": _offer_intent,
    "REQ_MORE": _more,
    "GOODBYE": _goodbye,
}
