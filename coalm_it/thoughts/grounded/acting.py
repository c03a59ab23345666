"""The thought before an action: why this function is called, and where each argument comes from."""

from __future__ import annotations

from collections.abc import Sequence

from coalm_it.schema import Call
from coalm_it.thoughts.grounded.context import ThoughtContext, Values, add_phrase, name_choice
from coalm_it.thoughts.grounded.facts import describe_booking, describe_search, explain_remaining, explain_single
from coalm_it.thoughts.grounded.knowledge import ArgumentOrigins, Fact, ServiceKnowledge, UserUpdate
from coalm_it.thoughts.grounded.phrasing import join_sentences
from coalm_it.thoughts.grounded.words import function_words, slot_words


def think_before_calls(context: ThoughtContext, calls: Sequence[Call]) -> str:
    """The thought of a step: about its first call, and one sentence for each parallel call."""
    sentences = [sentence for call in calls[:1] for sentence in _think_before_call(context, call)]
    for call in calls[1:]:
        values = context.name_function(call.name, call.service)
        facts = list_arguments(call)
        context.add_facts(values, "new", call.service, facts)
        sentences.append(context.writer.write("search/also" if facts else "search/also_bare", values))
    return join_sentences(sentences)


def _think_before_call(context: ThoughtContext, call: Call) -> list[str]:
    update = context.find_update(call.service)
    known = context.knowledge.service(call.service)
    tool = context.knowledge.tool(call.service, call.name)
    origins = context.knowledge.find_argument_origins(call, update)
    values = context.name_function(call.name, call.service)
    add_phrase(values, "dropped", name_choice(known), bool(known.choice[1]))
    if tool is not None and tool.transactional:
        return _think_before_booking(context, call, update, known, origins, values)
    return _think_before_search(context, call, update, known, origins, values)


def list_arguments(call: Call) -> list[Fact]:
    """The arguments of a call as facts."""
    return [Fact(slot, str(value)) for slot, value in call.arguments.items()]


# --- bookings and payments ---


def _think_before_booking(
    context: ThoughtContext,
    call: Call,
    update: UserUpdate,
    known: ServiceKnowledge,
    origins: ArgumentOrigins,
    values: Values,
) -> list[str]:
    writer = context.writer
    facts = list_arguments(call)
    values["deal"] = describe_booking(call.name, call.service, facts)
    values["main"] = describe_booking(call.name, call.service, choose_main_facts(context, call.service, facts))
    if origins.new:
        context.add_facts(values, "new", call.service, origins.new)
    if "AFFIRM" in update.acts:
        situation = "confirmed" if writer.draw(4) else "confirmed_short"
    else:
        situation = "direct" if origins.new else "agreed"
    sentences = [writer.write(f"commit/{situation}", values)]
    if update.questions:
        context.add_topics(values, call.service, update.questions)
        record = context.knowledge.find_record(known)
        answerable = all(act.slot in record for act in update.questions)
        sentences.append(writer.write("commit/question_known" if answerable else "commit/question_open", values))
    return sentences


def choose_main_facts(context: ThoughtContext, service: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that identify a booking: the value that names it and one or two more."""
    named = [fact for fact in facts if slot_words(fact.slot, service).called]
    others = [fact for fact in facts if fact not in named]
    if len(others) > 1:
        first = context.writer.draw(len(others))
        others = [others[first]] if named else [others[first - 1], others[first]]
    return named[:1] + others


# --- searches ---


def _think_before_search(
    context: ThoughtContext,
    call: Call,
    update: UserUpdate,
    known: ServiceKnowledge,
    origins: ArgumentOrigins,
    values: Values,
) -> list[str]:
    writer, service = context.writer, call.service
    values["query"] = describe_search(call.name, service, list_arguments(call))
    sheet = function_words(call.name, service).sheet
    opening = _open_search(context, update, sheet, values)
    meaning = explain_single(writer, service, origins.new)
    if origins.new:
        context.add_facts(values, "new", service, origins.new)
    _add_kept(context, service, origins, values)
    sentences = [opening, meaning]
    noted = _note_origins(context, service, origins, values)
    if origins.new and noted and not origins.kept:
        sentences += [writer.write("search/new", values), *noted, writer.write("search/go", values)]
    elif origins.new:
        brief = bool(opening or meaning)
        sentences += [*_search_with_update(context, call, known, origins, values, brief), *noted]
    elif origins.kept:
        again = call.name in known.arguments
        sentences += [*noted, writer.write("search/same" if again else "search/kept", values)]
    elif call.arguments:
        sentences += [*noted, writer.write("search/go", values)]
    else:
        sentences.append(writer.write("search/bare", values))
    sentences[1:1] = explain_remaining(writer, service, origins.new, sentences)
    if update.indifferent:
        context.add_names(values, "open", service, update.indifferent)
        sentences.append(writer.write("search/indifferent", values))
    return sentences


def _search_with_update(
    context: ThoughtContext, call: Call, known: ServiceKnowledge, origins: ArgumentOrigins, values: Values, brief: bool
) -> list[str]:
    writer = context.writer
    if call.name in known.arguments:
        return [writer.write("search/again" if origins.kept else "search/again_all", values)]
    if origins.kept:
        asked = [fact.slot for fact in origins.new if fact.slot in known.asked]
        if asked and len(asked) == len(origins.new) and writer.draw(2):
            context.add_changes(values, call.service, origins.new)
            return [writer.write("search/answered", values)]
        return [writer.write("search/completed", values)]
    full = "search/look" if function_words(call.name, call.service).sheet else "search/full"
    if brief or writer.draw(3) == 0:
        return [writer.write(full, values)]
    if writer.draw(2):
        return [writer.write("search/want", values), writer.write(full, values)]
    return [writer.write("search/new", values), writer.write("search/go", values)]


def _open_search(context: ThoughtContext, update: UserUpdate, sheet: bool, values: Values) -> str:
    """A sentence on what led to a search that is not the first: a request for alternatives, another task; else ''."""
    acts = context.user_acts()
    if "REQUEST_ALTS" in update.acts:
        if sheet:
            return ""
        situation = "search/alternatives" if values["dropped"] else "search/alternatives_any"
        return context.writer.write(situation, values)
    if "INFORM_INTENT" in update.acts:
        for act, situation in (("NEGATE_INTENT", "declined"), ("SELECT", "selected"), ("THANK_YOU", "thanked")):
            if act in acts:
                return context.writer.write(f"search/{situation}", values)
    return ""


def _add_kept(context: ThoughtContext, service: str, origins: ArgumentOrigins, values: Values) -> None:
    if len(origins.kept) > 3:
        situation = "facts/rest" if origins.new else "facts/all"
        add_phrase(values, "kept", context.writer.phrase(situation, values), False)
    elif origins.kept:
        context.add_facts(values, "kept", service, origins.kept, explain=False)


def _note_origins(context: ThoughtContext, service: str, origins: ArgumentOrigins, values: Values) -> list[str]:
    """Sentences on values that the user did not give to this service: accepted, borrowed or default ones."""
    writer = context.writer
    sentences = []
    if origins.accepted:
        context.add_facts(values, "taken", service, origins.accepted, explain=False)
        accepted = context.knowledge.service(service).chosen or "AFFIRM" in context.find_update(service).acts
        sentences.append(writer.write("facts/accepted" if accepted else "facts/offered", values))
    by_service: dict[str, list[Fact]] = {}
    for fact, other_service in origins.borrowed:
        by_service.setdefault(other_service, []).append(fact)
    for other_service, facts in by_service.items():
        context.add_facts(values, "lent", service, facts, explain=False)
        values["lender"] = context.name_thing(other_service)
        sentences.append(writer.write("facts/borrowed", values))
    if origins.default:
        context.add_facts(values, "preset", service, origins.default, explain=False)
        sentences.append(writer.write("facts/default", values))
    return sentences
