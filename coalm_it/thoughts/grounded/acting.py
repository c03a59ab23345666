"""The thought before an action: why this function, and where each argument comes from."""

from __future__ import annotations

from collections.abc import Sequence

from coalm_it.schema import Call
from coalm_it.thoughts.grounded.facts import describe_deal, describe_search, explain_one, explain_rest
from coalm_it.thoughts.grounded.moment import Moment, Values, add_phrase, name_choice
from coalm_it.thoughts.grounded.phrasing import join_sentences
from coalm_it.thoughts.grounded.situation import Fact, News, Origins, Topic
from coalm_it.thoughts.grounded.words import function_words, slot_words


def think_before_calls(moment: Moment, calls: Sequence[Call]) -> str:
    """The thought of a step: about its first call, and a sentence for each call that is made beside it."""
    sentences = [sentence for call in calls[:1] for sentence in _think_before_call(moment, call)]
    for call in calls[1:]:
        values = moment.name_function(call.name, call.service)
        facts = list_arguments(call)
        moment.add_facts(values, "new", call.service, facts)
        sentences.append(moment.pen.write("search/also" if facts else "search/also_bare", values))
    return join_sentences(sentences)


def _think_before_call(moment: Moment, call: Call) -> list[str]:
    news = moment.news(call.service)
    topic = moment.memory.topic(call.service)
    tool = moment.memory.tool(call.service, call.name)
    origins = moment.memory.find_origins(call, news)
    values = moment.name_function(call.name, call.service)
    add_phrase(values, "dropped", name_choice(topic), bool(topic.choice[1]))
    if tool is not None and tool.transactional:
        return _commit(moment, call, news, topic, origins, values)
    return _search(moment, call, news, topic, origins, values)


def list_arguments(call: Call) -> list[Fact]:
    """A call's arguments as facts."""
    return [Fact(slot, str(value)) for slot, value in call.arguments.items()]


# --- bookings and payments ---


def _commit(moment: Moment, call: Call, news: News, topic: Topic, origins: Origins, values: Values) -> list[str]:
    pen = moment.pen
    facts = list_arguments(call)
    values["deal"] = describe_deal(call.name, call.service, facts)
    values["main"] = describe_deal(call.name, call.service, choose_main(moment, call.service, facts))
    if origins.new:
        moment.add_facts(values, "new", call.service, origins.new)
    if "AFFIRM" in news.acts:
        situation = "confirmed" if pen.draw(4) else "confirmed_short"
    else:
        situation = "direct" if origins.new else "agreed"
    sentences = [pen.write(f"commit/{situation}", values)]
    if news.asked:
        moment.add_topics(values, call.service, news.asked)
        record = moment.memory.find_record(topic)
        known = all(act.slot in record for act in news.asked)
        sentences.append(pen.write("commit/question_known" if known else "commit/question_open", values))
    return sentences


def choose_main(moment: Moment, service: str, facts: Sequence[Fact]) -> list[Fact]:
    """What is enough to know a booking by: the value that names it and one or two more."""
    named = [fact for fact in facts if slot_words(fact.slot, service).called]
    others = [fact for fact in facts if fact not in named]
    if len(others) > 1:
        first = moment.pen.draw(len(others))
        others = [others[first]] if named else [others[first - 1], others[first]]
    return named[:1] + others


# --- searches ---


def _search(moment: Moment, call: Call, news: News, topic: Topic, origins: Origins, values: Values) -> list[str]:
    pen, service = moment.pen, call.service
    values["query"] = describe_search(call.name, service, list_arguments(call))
    sheet = function_words(call.name, service).sheet
    opening = _open_search(moment, news, sheet, values)
    meaning = explain_one(pen, service, origins.new)
    if origins.new:
        moment.add_facts(values, "new", service, origins.new)
    _add_kept(moment, service, origins, values)
    sentences = [opening, meaning]
    noted = _note_origins(moment, service, origins, values)
    if origins.new and noted and not origins.kept:
        sentences += [pen.write("search/new", values), *noted, pen.write("search/go", values)]
    elif origins.new:
        brief = bool(opening or meaning)
        sentences += [*_search_with_news(moment, call, topic, origins, values, brief), *noted]
    elif origins.kept:
        again = call.name in topic.arguments
        sentences += [*noted, pen.write("search/same" if again else "search/kept", values)]
    elif call.arguments:
        sentences += [*noted, pen.write("search/go", values)]
    else:
        sentences.append(pen.write("search/bare", values))
    sentences[1:1] = explain_rest(pen, service, origins.new, sentences)
    if news.indifferent:
        moment.add_names(values, "open", service, news.indifferent)
        sentences.append(pen.write("search/indifferent", values))
    return sentences


def _search_with_news(
    moment: Moment, call: Call, topic: Topic, origins: Origins, values: Values, brief: bool
) -> list[str]:
    pen = moment.pen
    if call.name in topic.arguments:
        return [pen.write("search/again" if origins.kept else "search/again_all", values)]
    if origins.kept:
        asked = [fact.slot for fact in origins.new if fact.slot in topic.asked]
        if asked and len(asked) == len(origins.new) and pen.draw(2):
            moment.add_changes(values, call.service, origins.new)
            return [pen.write("search/answered", values)]
        return [pen.write("search/completed", values)]
    full = "search/look" if function_words(call.name, call.service).sheet else "search/full"
    if brief or pen.draw(3) == 0:
        return [pen.write(full, values)]
    if pen.draw(2):
        return [pen.write("search/want", values), pen.write(full, values)]
    return [pen.write("search/new", values), pen.write("search/go", values)]


def _open_search(moment: Moment, news: News, sheet: bool, values: Values) -> str:
    """What led to the search, where it is more than the first wish: another choice, another task."""
    acts = moment.acts()
    if "REQUEST_ALTS" in news.acts:
        if sheet:
            return ""
        situation = "search/alternatives" if values["dropped"] else "search/alternatives_any"
        return moment.pen.write(situation, values)
    if "INFORM_INTENT" in news.acts:
        for act, situation in (("NEGATE_INTENT", "declined"), ("SELECT", "selected"), ("THANK_YOU", "thanked")):
            if act in acts:
                return moment.pen.write(f"search/{situation}", values)
    return ""


def _add_kept(moment: Moment, service: str, origins: Origins, values: Values) -> None:
    if len(origins.kept) > 3:
        situation = "facts/rest" if origins.new else "facts/all"
        add_phrase(values, "kept", moment.pen.phrase(situation, values), False)
    elif origins.kept:
        moment.add_facts(values, "kept", service, origins.kept, explain=False)


def _note_origins(moment: Moment, service: str, origins: Origins, values: Values) -> list[str]:
    """A sentence for values that nobody said in this service: accepted, borrowed, or by default."""
    pen = moment.pen
    sentences = []
    if origins.accepted:
        moment.add_facts(values, "taken", service, origins.accepted, explain=False)
        accepted = moment.memory.topic(service).chosen or "AFFIRM" in moment.news(service).acts
        sentences.append(pen.write("facts/accepted" if accepted else "facts/offered", values))
    lenders: dict[str, list[Fact]] = {}
    for fact, lender in origins.borrowed:
        lenders.setdefault(lender, []).append(fact)
    for lender, facts in lenders.items():
        moment.add_facts(values, "lent", service, facts, explain=False)
        values["lender"] = moment.name_thing(lender)
        sentences.append(pen.write("facts/borrowed", values))
    if origins.default:
        moment.add_facts(values, "preset", service, origins.default, explain=False)
        sentences.append(pen.write("facts/default", values))
    return sentences
