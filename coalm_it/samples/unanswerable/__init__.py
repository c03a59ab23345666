"""Makes requests that no call can answer, by removing the right function or a value that it needs.

They are made from function-calling samples whose target is the first calls of a turn. The new target is a reply in
plain text without a call: it says that no function can answer the request, or asks for the value. The sentences are in
templates/replies/. What was removed is recorded in `provenance["unanswerable"]`.

Both functions return None unless the request is certain to be unanswerable:

- No remaining function may answer the request: each shares no word with the right function or with anything the user
  said, has other parameters, and is not general-purpose (`topics.may_serve`). The comparison of words is trusted only
  if it works for the right function itself: that one must share a word with the request.
- A value is removed only if it occurs once, in a place without which the sentence is still complete ("the weather in
  Paris?", "a scene called 'Dawn'."; `cuts` has the places), is required, has no default and occurs nowhere else, and
  if the rest still names the topic of the function (`phrases.cut_value`). No other function may answer the rest: each
  shares no word with it, or requires a value of which the rest says nothing (`topics.is_callable`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coalm_it.corpora.sources import NoCall
from coalm_it.draw import draw_items, stable_hash
from coalm_it.samples.unanswerable.phrases import Cut, cut_value, has_more_values, name_parameter
from coalm_it.samples.unanswerable.topics import (
    Words,
    find_topic,
    is_callable,
    is_readable,
    may_serve,
    needs_no_function,
    read_all_words,
    read_parameter_words,
    read_tool_words,
    read_words,
)
from coalm_it.schema import Call, Sample, Tool, Turn
from coalm_it.templates import fill_phrase, read_yaml, template_cache
from coalm_it.values import value_text

MAX_DISTRACTORS = 4


def remove_tool(sample: Sample, *, pool: Sequence[Tool] = (), seed: int = 0) -> Sample | None:
    """The sample without the functions that its target calls, and with a reply that no function can answer the request.

    If no other function remains, one to four that cannot answer it either are drawn from the `pool`, which should be of
    the same corpus, so that their form gives nothing away. None if the target is not the first calls of its turn, if a
    called function was called before, or if another function may answer the request.
    """
    called = {call.name for call in sample.calls}
    removed = [tool for tool in sample.tools if tool.name in called]
    earlier = {call.name for turn in sample.history for step in turn.steps for call in step.calls}
    if not removed or sample.step != 0 or len(removed) != len(called) or not called.isdisjoint(earlier):
        return None
    query = sample.current.user
    topics = Words().union(*map(read_tool_words, removed))
    if not is_readable(query) or topics.isdisjoint(read_words(query)) or needs_no_function(query, removed):
        return None
    excluded_words = topics.union(*(read_words(turn.user) for turn in sample.turns))
    remaining = tuple(tool for tool in sample.tools if tool.name not in called)
    if any(may_serve(tool, removed, excluded_words) for tool in remaining):
        return None
    drawn = () if remaining else _draw_distractors(pool, removed, excluded_words, seed, sample.id)
    if not remaining + drawn:
        return None
    topic = find_topic(query, topics, read_words(removed[0].name)) if len(called) == 1 else ""
    reply = _write_reply("no_function_topic" if topic else "no_function", seed, sample.id, topic=topic)
    change = {"taken": "tool", "tools": sorted(called), "distractors": [tool.name for tool in drawn]}
    turn = sample.current.model_copy(update={"steps": (), "thought": None, "reply": reply})
    return _retarget(sample, "no_tool", remaining + drawn, turn, change)


def remove_value(sample: Sample, *, seed: int = 0) -> Sample | None:
    """The sample without one argument of its only call in the user's words, and with a reply that asks for the value.

    None if the target is not the only and first call of its turn, if no value can be removed by the rules above, or if
    another function may answer the rest of the request.
    """
    if sample.step != 0 or len(sample.calls) != 1 or not is_readable(sample.current.user):
        return None
    (call,) = sample.calls
    tools = {tool.name: tool for tool in sample.tools}
    if call.name not in tools:
        return None
    right = tools.pop(call.name)
    for name in draw_items(list(call.arguments), len(call.arguments), "value to take", seed, sample.id):
        cut = cut_value(sample, right, name)
        if cut is None:
            continue
        if any(_may_answer_rest(tool, right, call, cut) for tool in tools.values()):
            continue
        reply = _write_reply("no_value", seed, sample.id, value=name_parameter(name, right.properties[name]))
        change = {"taken": "value", "function": call.name, "parameter": name, "value": call.arguments[name]}
        turn = sample.current.model_copy(update={"user": cut.rest, "steps": (), "thought": None, "reply": reply})
        return _retarget(sample, "no_value", sample.tools, turn, change | _describe_cut(cut))
    return None


def _may_answer_rest(tool: Tool, right: Tool, call: Call, cut: Cut) -> bool:
    """Whether another function may answer the request without the value."""
    said = read_words(cut.rest)
    others = [name for name in call.arguments if name != cut.name]
    values = Words().union(*(read_parameter_words(right, name) for name in others))
    has_more = has_more_values(cut.rest, [value_text(call.arguments[name]) for name in others])
    return may_serve(tool, [right], read_tool_words(right) | said) and is_callable(
        tool, values, said if has_more else Words()
    )


def _describe_cut(cut: Cut) -> dict[str, Any]:
    """What restores the request: `words` stood at `place`, where `instead` stands now."""
    return {"words": cut.words, "place": cut.position, "instead": cut.instead}


def decline(sample: Sample, no_call: NoCall = "unsaid", *, seed: int = 0) -> Sample:
    """A sample whose target is only the decision not to call, with a reply as its target.

    That no function fits is said only where the corpus says so. Otherwise the reply asks for the values that a function
    requires, if the request names the function and nothing else, or it leaves open what is missing.
    """
    request = sample.current.user
    values = {}
    if not sample.tools:
        situation = "no_functions_at_all"
    elif no_call == "irrelevant":
        situation = "no_function_of_use" if needs_no_function(request, ()) else "no_function"
    elif value := _name_missing(sample):
        situation, values = "no_value", {"value": value}
    else:
        situation = "no_call"
    reply = _write_reply(situation, seed, sample.id, **values)
    turn = sample.current.model_copy(update={"steps": sample.steps, "thought": sample.thought, "reply": reply})
    provenance = {**sample.provenance, "unanswerable": {"taken": "nothing"}}
    return sample.model_copy(update={"turns": (*sample.history, turn), "step": None, "provenance": provenance})


def _name_missing(sample: Sample) -> str:
    """The values that the only function of the topic requires, if the request states none; "" if that is unsure."""
    request = sample.current.user
    said = read_words(request)
    related = [tool for tool in sample.tools if not said.isdisjoint(read_tool_words(tool))]
    if sample.history or len(related) != 1 or not is_readable(request) or has_more_values(request, []):
        return ""
    (tool,) = related
    required = [name for name in tool.required if "default" not in tool.properties[name]]
    if not said <= read_all_words(tool) or not 1 <= len(required) <= 2:
        return ""
    return " and ".join(name_parameter(name, tool.properties[name]) for name in required)


def _retarget(sample: Sample, suffix: str, tools: tuple[Tool, ...], turn: Turn, change: dict[str, Any]) -> Sample:
    return sample.model_copy(
        update={
            "id": f"{sample.id}~{suffix}",
            "tools": tools,
            "turns": (*sample.history, turn),
            "step": None,
            "provenance": {**sample.provenance, "unanswerable": change},
        }
    )


def _draw_distractors(
    pool: Sequence[Tool], removed: Sequence[Tool], excluded_words: Words, seed: int, sample_id: str
) -> tuple[Tool, ...]:
    wanted = 1 + stable_hash("distractors", seed, sample_id) % MAX_DISTRACTORS
    drawn: dict[str, Tool] = {}
    for number in range(5 * wanted if pool else 0):
        tool = pool[stable_hash("distractor", number, seed, sample_id) % len(pool)]
        if len(drawn) < wanted and not may_serve(tool, removed, excluded_words):
            drawn[tool.name] = tool
    return tuple(drawn.values())


def _write_reply(situation: str, seed: int, sample_id: str, **values: str) -> str:
    wordings = _read_wordings()[situation]
    wording = wordings[stable_hash("reply", seed, sample_id) % len(wordings)]
    return fill_phrase(wording, values, f"replies/unanswerable.yaml, {situation}")


@template_cache()
def _read_wordings() -> Mapping[str, list[str]]:
    wordings: Mapping[str, list[str]] = read_yaml("replies/unanswerable.yaml")
    return wordings
