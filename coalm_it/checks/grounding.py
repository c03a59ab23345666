"""Checks that arguments and tracked values are grounded: nothing is invented.

If there is an annotated state, an argument must agree with it for its slot and service: as spoken, in another form of
the same value, or in the canonical form that an act so far gives ("Chi-town" -> Chicago). So an outdated value, or one
that belongs to another slot, is not grounded. If the state does not have the slot, the argument must be the default of
the schema or be in an earlier observation. Before the first state it may also be in the text of the dialogue, in what
the system tells the agent, or be one of the values that the schema lists. Dialogues without annotation: see `tracing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.calls import find_tool
from coalm_it.checks.evidence import ValueOrigin, find_speaker, is_observed, is_public, read_acts, read_leaves
from coalm_it.checks.tracing import find_untraced, is_annotated_dialogue, trace_leaves
from coalm_it.schema import DONT_CARE, Call, Finding, Sample
from coalm_it.values import same_value, value_text


def check_grounding(sample: Sample) -> list[Finding]:
    """Finds arguments of the current turn's calls, or tracked values, that have no origin."""
    if sample.task == "state_tracking":
        return list(_check_state(sample))
    steps = sample.current.steps[: None if sample.step is None else sample.step + 1]
    if not is_annotated_dialogue(sample):
        return [
            Finding(check="grounding", where=f"step {index}", message=message)
            for index, step in enumerate(steps)
            for call in step.calls
            for message in _check_untraced(sample, call, index)
        ]
    return [
        Finding(check="grounding", where=f"step {index}", message=_describe_ungrounded(sample, call, slot))
        for index, step in enumerate(steps)
        for call in step.calls
        for slot in call.arguments
        if not _is_wanted(sample, call, slot) and _find_origin(sample, call, slot, index) is None
    ]


def _check_untraced(sample: Sample, call: Call, step: int) -> Iterator[str]:
    for slot in call.arguments:
        for leaf in find_untraced(sample, call, slot, step):
            where, value = f"{call.name}.{leaf.path}", value_text(leaf.value)
            yield f"{where} is {value!r}, which nobody said, no result holds and is no default"


def trace_argument(sample: Sample, call: Call, slot: str, step: int = 0) -> ValueOrigin | None:
    """The origin of an argument in the current turn's step of index `step`; None if it has no origin.

    said_now: from the user in this turn; carried_over: from the user earlier; offered: from the system, for this
    service; other_service: from user or system, for another service; state: in the annotated state, but in no act;
    default: the default of the schema; dontcare: the user accepts any value; observed: in an earlier result or call;
    chosen: one of the values that the schema lists; told: in the system text.
    """
    if not is_annotated_dialogue(sample):
        origins = [origin for _, origin in trace_leaves(sample, call, slot, step)]
        return None if None in origins else origins[0] if origins else "chosen"
    if not _is_wanted(sample, call, slot):
        return _find_origin(sample, call, slot, step)
    text, default = value_text(call.arguments[slot]), value_text(_schema(sample, call, slot).get("default"))
    meant = [(origin, act) for origin, act in read_acts(sample) if text in act.canonical]
    own = [(origin, act) for origin, act in meant if act.slot == slot and act.service == call.service]
    for origin, _ in own:
        if origin != "offered":
            return origin
    # a default that was only read back still comes from the schema
    if text == default and all(act.name == "CONFIRM" for _, act in own):
        return "default"
    if own:
        return "offered"
    return "other_service" if meant else "dontcare" if text == DONT_CARE else "state"


def _is_wanted(sample: Sample, call: Call, slot: str) -> bool:
    """Whether the state has this value for the slot of the called service."""
    surfaces = sample.current.state.get(call.service, {}).get(slot, ())
    text = value_text(call.arguments[slot])
    if text in surfaces or any(same_value(spoken, text, sample.clock) for spoken in surfaces):
        return True
    return any(
        text in act.canonical and (spoken, text) in zip(act.values, act.canonical, strict=False)
        for spoken in surfaces
        for _, act in read_acts(sample)
    )


def _find_origin(sample: Sample, call: Call, slot: str, step: int) -> ValueOrigin | None:
    """The origin of an argument that does not agree with the state."""
    state, value, schema = sample.current.state, call.arguments[slot], _schema(sample, call, slot)
    if state.get(call.service, {}).get(slot):
        return None  # the user wants another value
    if "default" in schema and schema["default"] == value:
        return "default"
    if value == DONT_CARE:
        return "dontcare"
    leaves = read_leaves([value])
    # a short text occurs nearly everywhere: it must have been returned under the same name
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


def _describe_ungrounded(sample: Sample, call: Call, slot: str) -> str:
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
            # annotated spans may cut through a word: "Nina's", "one pmnear Vatican"
            if any(spoken in text for text in said) or (sample.tools and _is_settled(sample, slot, surfaces)):
                continue
            if find_speaker(sample, surfaces[-1]) is None:
                message = f"{service}.{slot} is {surfaces[-1]!r}, which nobody said"
                yield Finding(check="grounding", where="state", message=message)


def _is_settled(sample: Sample, slot: str, surfaces: tuple[str, ...]) -> bool:
    """Whether the state may have the value although nobody said it in these words: a schema lists it (`True`,
    "moderate", "dontcare"), an act has it, or an earlier result has it."""
    return any(
        surface in ("True", "False", DONT_CARE)
        or is_public(sample.tools, surface)
        or any(act.slot == slot and surface in (*act.values, *act.canonical) for _, act in read_acts(sample))
        or is_observed(sample, surface, steps=0)
        for surface in surfaces
    )
