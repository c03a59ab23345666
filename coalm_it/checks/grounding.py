"""Where an argument comes from: nothing is invented.

The annotated state is the measure where there is one: an argument must be what the user wants for that slot of that
service, as spoken, in another form of the same value, or as an act of the dialogue so far translates the words
("Chi-town" -> Chicago). So a stale value, or one that belongs to another slot, is not grounded. Where the state says
nothing of the slot, the argument must be the schema's default or stand in an earlier observation; where there is no
state at all, it may also stand in the dialogue's text, or be a choice among the schema's own values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.calls import find_tool
from coalm_it.checks.evidence import Origin, find_speaker, is_observed, is_public, read_acts, read_leaves
from coalm_it.schema import DONT_CARE, Call, Finding, Sample
from coalm_it.values import same_value, value_text


def check_grounding(sample: Sample) -> list[Finding]:
    """Arguments of this turn's calls, or tracked values, that come from nowhere."""
    if sample.task == "state_tracking":
        return list(_check_state(sample))
    steps = sample.current.steps[: None if sample.step is None else sample.step + 1]
    return [
        Finding(check="grounding", where=f"step {number}", message=_explain(sample, call, slot))
        for number, step in enumerate(steps)
        for call in step.calls
        for slot in call.arguments
        if not _is_wanted(sample, call, slot) and _find_source(sample, call, slot, number) is None
    ]


def trace_argument(sample: Sample, call: Call, slot: str, step: int = 0) -> Origin | None:
    """Where an argument of a call of this turn's step number `step` comes from; None where it comes from nowhere.

    said_now: from the user in this turn; carried_over: from the user earlier; offered: from the system, for this
    service; other_service: from either, for another service; state: annotated as wanted, but in no act; default:
    the schema's; dontcare: any value will do; observed: in an earlier result or call; chosen: one of the schema's
    own values.
    """
    if not _is_wanted(sample, call, slot):
        return _find_source(sample, call, slot, step)
    text, default = value_text(call.arguments[slot]), value_text(_schema(sample, call, slot).get("default"))
    meant = [(origin, act) for origin, act in read_acts(sample) if text in act.canonical]
    own = [(origin, act) for origin, act in meant if act.slot == slot and act.service == call.service]
    for origin, _ in own:
        if origin != "offered":
            return origin
    # a default that was read back came from the schema all the same
    if text == default and all(act.name == "CONFIRM" for _, act in own):
        return "default"
    if own:
        return "offered"
    return "other_service" if meant else "dontcare" if text == DONT_CARE else "state"


def _is_wanted(sample: Sample, call: Call, slot: str) -> bool:
    """Whether the state has this value for the slot of the call's service."""
    surfaces = sample.current.state.get(call.service, {}).get(slot, ())
    text = value_text(call.arguments[slot])
    if text in surfaces or any(same_value(spoken, text, sample.clock) for spoken in surfaces):
        return True
    return any(
        text in act.canonical and (spoken, text) in zip(act.values, act.canonical, strict=False)
        for spoken in surfaces
        for _, act in read_acts(sample)
    )


def _find_source(sample: Sample, call: Call, slot: str, step: int) -> Origin | None:
    """Where an argument comes from that the state does not have."""
    state, value, schema = sample.current.state, call.arguments[slot], _schema(sample, call, slot)
    if state.get(call.service, {}).get(slot):
        return None  # something else is wanted
    if "default" in schema and schema["default"] == value:
        return "default"
    if value == DONT_CARE:
        return "dontcare"
    leaves = read_leaves([value])
    # a short text is nearly everywhere: it must have been returned under the same name
    if leaves and all(is_observed(sample, v, steps=step, under=slot if len(v) < 4 else None) for v in leaves):
        return "observed"
    if state:
        return None
    if value in schema.get("enum", ()) or not leaves:
        return "chosen"
    speakers = [find_speaker(sample, leaf) for leaf in leaves]
    return speakers[0] if all(speakers) else None


def _schema(sample: Sample, call: Call, slot: str) -> dict[str, Any]:
    tool = find_tool(call, sample.tools)
    return tool.properties.get(slot, {}) if tool else {}


def _explain(sample: Sample, call: Call, slot: str) -> str:
    value = value_text(call.arguments[slot])
    surfaces = sample.current.state.get(call.service, {}).get(slot)
    if surfaces:
        return f"{call.name}.{slot} is {value!r}, but what the user wants is {' or '.join(map(repr, surfaces))}"
    return f"{call.name}.{slot} is {value!r}, which nobody said, no result holds and is no default"


def _check_state(sample: Sample) -> Iterator[Finding]:
    said = [text.lower() for turn in sample.history for text in (turn.user, turn.reply or "")]
    said.append(sample.current.user.lower())
    for service, slots in sample.current.state.items():
        for slot, surfaces in slots.items():
            spoken = surfaces[-1].lower()
            # spans may cut a word: "Nina's", "one pmnear Vatican"
            if any(spoken in text for text in said) or (sample.tools and _is_settled(sample, slot, surfaces)):
                continue
            if find_speaker(sample, surfaces[-1]) is None:
                message = f"{service}.{slot} is {surfaces[-1]!r}, which nobody said"
                yield Finding(check="grounding", where="state", message=message)


def _is_settled(sample: Sample, slot: str, surfaces: tuple[str, ...]) -> bool:
    """Whether the state of a dialogue may hold the value in words that nobody used: it is one of those that a schema
    lists (`True`, "moderate", "dontcare"), an act means it, or an earlier result has it."""
    return any(
        surface in ("True", "False", DONT_CARE)
        or is_public(sample.tools, surface)
        or any(act.slot == slot and surface in (*act.values, *act.canonical) for _, act in read_acts(sample))
        or is_observed(sample, surface, steps=0)
        for surface in surfaces
    )
