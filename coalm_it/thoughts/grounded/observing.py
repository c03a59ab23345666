"""The thought before a reply that follows a call: what the observation says, and which part of it matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coalm_it.observations import Record, booking_outcome, count_matches, read_records
from coalm_it.schema import Act, Call
from coalm_it.thoughts.grounded.acting import choose_main_facts, list_arguments
from coalm_it.thoughts.grounded.context import ThoughtContext, Values, add_phrase
from coalm_it.thoughts.grounded.facts import (
    describe_answer,
    describe_booking,
    describe_search,
    describe_thing,
    list_definite,
    name_record,
)
from coalm_it.thoughts.grounded.knowledge import Fact, find_differences
from coalm_it.thoughts.grounded.words import (
    count_word,
    function_words,
    join_and,
    list_clauses,
    plain_value,
    short_value,
)


def think_after_call(context: ThoughtContext, call: Call, observation: Any, acts: Sequence[Act]) -> list[str]:
    """The sentences of the thought; `acts` are the acts of the reply that follows."""
    tool = context.knowledge.tool(call.service, call.name)
    values = context.name_function(call.name, call.service)
    records = read_records(observation)
    if tool is not None and tool.transactional:
        return _after_booking(context, call, observation, acts, values)
    values["query"] = describe_search(call.name, call.service, list_arguments(call))
    values["found"] = values["things"]
    if not records:
        more = "REQUEST_ALTS" in context.find_update(call.service).acts
        sentences = [context.writer.write("found/nothing" if more else "found/none", values)]
        if any(act.name == "REQ_MORE" for act in acts):
            sentences.append(context.writer.write("found/nothing_more", values))
        return sentences
    return _after_search(context, call, records, count_matches(observation) or len(records), acts, values)


# --- searches ---


def _after_search(
    context: ThoughtContext, call: Call, records: Sequence[Record], matches: int, acts: Sequence[Act], values: Values
) -> list[str]:
    writer, service = context.writer, call.service
    values["count"] = count_word(matches)
    values["found"] = values["thing"] if matches == 1 else values["things"]
    offers = [act for act in acts if act.name == "OFFER" and act.slot and act.canonical]
    counted = any(act.name == "INFORM_COUNT" for act in acts)
    choice = next((act for act in offers if len(act.canonical) > 1), None)
    if choice is not None:
        return [writer.write(_choose_situation(call, records, matches, choice, counted, values), values)]
    record = find_offered(records, offers)
    offer = {act.slot: act.canonical[0] for act in offers}
    slot, values["name"] = name_record(service, record, offer)
    asked = {s: str(v) for s, v in call.arguments.items()}
    details = [Fact(s, v) for s, v in offer.items() if s != slot and asked.get(s) != v and str(record.get(s)) == v]
    if function_words(call.name, service).sheet and details:
        values["details"] = describe_answer(writer, call.name, service, details)
        sentences = [writer.write("found/sheet", values)]
        return [*sentences, writer.write("found/sheet_lead", values)] if writer.draw(2) else sentences
    if not values["name"]:
        return [writer.write("found/one_unnamed" if matches == 1 else "found/many_unnamed", values)]
    values["described"] = describe_thing(service, values["name"], details)
    differences = find_differences(call, record)
    if differences:
        _name_differences(context, service, differences, values)
        return [
            writer.write("found/one" if matches == 1 else "found/many", values),
            writer.write("found/unlike", values),
        ]
    return _lead_with(context, matches, counted, values)


def _choose_situation(
    call: Call, records: Sequence[Record], matches: int, choice: Act, counted: bool, values: Values
) -> str:
    """The situation for an offer of several results; sets the placeholder names."""
    shown = {str(record.get(choice.slot)) for record in records}
    names = [plain_value(choice.slot, call.service, name) for name in choice.canonical if name in shown]
    values["names"] = join_and(names)
    if len(names) < 2:
        return "found/many_unnamed"
    if len(names) == matches:
        return "found/choice_all"
    return "found/choice_counted" if counted else "found/choice"


def _lead_with(context: ThoughtContext, matches: int, counted: bool, values: Values) -> list[str]:
    writer = context.writer
    if matches == 1:
        first, then = "found/one", "found/one_lead"
    else:
        first, then = "found/many", "found/counted_lead" if counted else "found/many_lead"
    sentences = [writer.write(first, values)]
    if writer.draw(3):
        sentences.append(writer.write(then, values))
    return sentences


def _name_differences(context: ThoughtContext, service: str, differences: Sequence[Fact], values: Values) -> None:
    """Set the placeholders names (the slots that differ), got (returned values) and wanted (requested values)."""
    slots = [fact.slot for fact in differences]
    add_phrase(values, "names", list_definite(context.writer, service, slots), len(slots) > 1)
    values["got"] = join_and([short_value(fact.slot, service, fact.value) for fact in differences])
    values["wanted"] = join_and([short_value(fact.slot, service, fact.old) for fact in differences])


def find_offered(records: Sequence[Record], offers: Sequence[Act]) -> Record:
    """The first record with all the offered values; {} if there is none."""
    for record in records:
        if all(str(record.get(act.slot, act.canonical[0])) == act.canonical[0] for act in offers):
            return record
    return {}


# --- bookings and payments ---


def _after_booking(
    context: ThoughtContext, call: Call, observation: Any, acts: Sequence[Act], values: Values
) -> list[str]:
    writer, service = context.writer, call.service
    names = {act.name for act in acts}
    facts = list_arguments(call)
    values["deal"] = describe_booking(call.name, service, facts)
    values["main"] = describe_booking(call.name, service, choose_main_facts(context, service, facts))
    record = next(iter(read_records(observation)), {})
    outcome = booking_outcome(call, observation)
    answers = [act for act in acts if act.name == "INFORM" and act.slot and act.canonical]
    asked = context.find_update(service).questions
    if not record:
        sentences = [writer.write("done/failed", values)]
        if "REQ_MORE" in names and (not asked or writer.draw(2)):
            sentences.append(writer.write("done/failed_more", values))
    elif outcome == "alternative":
        _name_differences(context, service, find_differences(call, record), values)
        if "NOTIFY_SUCCESS" in names:
            sentences = [writer.write("done/shifted", values)]
        else:
            sentences = [writer.write("done/alternative", values)]
            sentences.append(writer.write("done/offer_it" if "OFFER" in names else "done/pass_over", values))
    else:
        sentences = [writer.write("done/booked", values)]
        if not answers and writer.draw(2):
            sentences.append(writer.write("done/booked_lead", values))
    if answers:
        sentences.append(_answer_question(context, service, record, answers, values))
    elif asked and "NOTIFY_FAILURE" in names:
        context.add_topics(values, service, asked)
        sentences.append(writer.write("done/left_open", values))
    return sentences


def _answer_question(
    context: ThoughtContext, service: str, record: Record, answers: Sequence[Act], values: Values
) -> str:
    """The answer to a question that the user asked while confirming, from this or an earlier observation."""
    record = record or context.knowledge.find_record(context.knowledge.service(service))
    context.add_topics(values, service, answers)
    values["answer"] = join_and(list_answers(context, service, record, answers))
    return context.writer.write("done/answer" if values["answer"] else "done/answer_unseen", values)


def list_answers(context: ThoughtContext, service: str, record: Record, answers: Sequence[Act]) -> list[str]:
    """A clause for each answer that is in the record."""
    return [
        context.writer.pick(list_clauses(act.slot, service, act.canonical[0]))
        for act in answers
        if str(record.get(act.slot)) == act.canonical[0]
    ]
