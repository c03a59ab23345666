"""Requests that no call can answer: the right function is taken away, or a value that it needs.

Made from any function-calling sample whose target is the first calls of a turn. The new target is a reply in plain
text and no call: it says that no function serves, or asks for the value. Its sentences are in templates/replies/.
What was taken stands in `provenance["unanswerable"]`.

Both give None unless the result is seen to be what it claims:

- No function that is left may serve the request: each of them shares no word with the right function or with anything
  the user said, has other parameters, and is not for every purpose (`topics.may_serve`). This is trusted only where it
  sees the right function itself: that one must share a word with the request.
- A value is taken only where it stands once, word for word, in a phrase that can go and leave a whole sentence behind
  ("the weather in Paris?", "a scene called 'Dawn'."), is required without a default and found nowhere else, and where
  the rest still names what the function is about (`phrases.cut_value`). Nor may another function serve the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from coalm_it.draw import draw_items, stable_hash
from coalm_it.samples.unanswerable.phrases import cut_value, name_parameter
from coalm_it.samples.unanswerable.topics import Words, find_topic, is_readable, may_serve, read_tool_words, read_words
from coalm_it.schema import Sample, Tool, Turn
from coalm_it.templates import read_yaml

MAX_DISTRACTORS = 4


def take_tool_away(sample: Sample, *, pool: Sequence[Tool] = (), seed: int = 0) -> Sample | None:
    """The sample without the functions that its target calls, and a reply that says that none of the rest serves.

    Where no other function is left, one to four that cannot serve either are drawn from the `pool`, which should be
    of the same corpus, so that their form gives nothing away. None where the target is not the first calls of its
    turn, where a called function was called before, or where another may serve the request.
    """
    called = {call.name for call in sample.calls}
    taken = [tool for tool in sample.tools if tool.name in called]
    earlier = {call.name for turn in sample.history for step in turn.steps for call in step.calls}
    if not taken or sample.step != 0 or len(taken) != len(called) or not called.isdisjoint(earlier):
        return None
    query = sample.current.user
    topics = Words().union(*map(read_tool_words, taken))
    if not is_readable(query) or topics.isdisjoint(read_words(query)):
        return None
    barred = topics.union(*(read_words(turn.user) for turn in sample.turns))
    left = tuple(tool for tool in sample.tools if tool.name not in called)
    if any(may_serve(tool, taken, barred) for tool in left):
        return None
    drawn = () if left else _draw_distractors(pool, taken, barred, seed, sample.id)
    if not left + drawn:
        return None
    topic = find_topic(query, topics) if len(called) == 1 else ""
    reply = _write_reply("no_function_topic" if topic else "no_function", seed, sample.id, topic=topic)
    what = {"taken": "tool", "tools": sorted(called), "distractors": [tool.name for tool in drawn]}
    turn = sample.current.model_copy(update={"steps": (), "thought": None, "reply": reply})
    return _retarget(sample, "no_tool", left + drawn, turn, what)


def take_value_away(sample: Sample, *, seed: int = 0) -> Sample | None:
    """The sample without one value of its only call in the user's words, and a reply that asks for the value.

    None where the target is not one call and the first of its turn, where no value can go by the rules above, or where
    another function may serve what is left of the request.
    """
    if sample.step != 0 or len(sample.calls) != 1 or not is_readable(sample.current.user):
        return None
    (call,) = sample.calls
    tools = {tool.name: tool for tool in sample.tools}
    if call.name not in tools:
        return None
    right = tools.pop(call.name)
    left = [tool for tool in tools.values() if len(tool.required) < len(call.arguments)]
    for name in draw_items(list(call.arguments), len(call.arguments), "value to take", seed, sample.id):
        cut = cut_value(sample, right, name)
        if cut is None:
            continue
        barred = read_tool_words(right) | read_words(cut.rest)
        if any(may_serve(tool, [right], barred) for tool in left):
            continue
        reply = _write_reply("no_value", seed, sample.id, value=name_parameter(name, right.properties[name]))
        what = {"taken": "value", "function": call.name, "parameter": name, "value": call.arguments[name]}
        turn = sample.current.model_copy(update={"user": cut.rest, "steps": (), "thought": None, "reply": reply})
        return _retarget(sample, "no_value", sample.tools, turn, what | {"words": cut.words, "place": cut.place})
    return None


def decline(sample: Sample, *, seed: int = 0) -> Sample:
    """The sample whose target is the corpus's bare decision not to call, with a reply that says so in its place."""
    reply = _write_reply("no_function", seed, sample.id)
    steps = sample.steps
    turn = sample.current.model_copy(update={"steps": steps, "thought": sample.thought, "reply": reply})
    provenance = {**sample.provenance, "unanswerable": {"taken": "nothing"}}
    return sample.model_copy(update={"turns": (*sample.history, turn), "step": None, "provenance": provenance})


def _retarget(sample: Sample, suffix: str, tools: tuple[Tool, ...], turn: Turn, what: dict[str, Any]) -> Sample:
    return sample.model_copy(
        update={
            "id": f"{sample.id}~{suffix}",
            "tools": tools,
            "turns": (*sample.history, turn),
            "step": None,
            "provenance": {**sample.provenance, "unanswerable": what},
        }
    )


def _draw_distractors(
    pool: Sequence[Tool], taken: Sequence[Tool], barred: Words, seed: int, sample_id: str
) -> tuple[Tool, ...]:
    wanted = 1 + stable_hash("distractors", seed, sample_id) % MAX_DISTRACTORS
    drawn: dict[str, Tool] = {}
    for number in range(5 * wanted if pool else 0):
        tool = pool[stable_hash("distractor", number, seed, sample_id) % len(pool)]
        if len(drawn) < wanted and not may_serve(tool, taken, barred):
            drawn[tool.name] = tool
    return tuple(drawn.values())


def _write_reply(situation: str, seed: int, sample_id: str, **values: str) -> str:
    wordings = _read_wordings()[situation]
    return wordings[stable_hash("reply", seed, sample_id) % len(wordings)].format_map(values)


@cache
def _read_wordings() -> Mapping[str, list[str]]:
    wordings: Mapping[str, list[str]] = read_yaml("replies/unanswerable.yaml")
    return wordings
