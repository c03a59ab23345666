"""Checks that a thought before an action does not know what follows: the observation of the action, the reply."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coalm_it.checks.evidence import find_facts, find_speaker, is_annotated, is_observed, is_public, read_leaves
from coalm_it.schema import ActName, Finding, Sample
from coalm_it.values import contains, mentions, read_value, same_value, value_text

_STATING: tuple[ActName, ...] = ("OFFER", "INFORM")
_SENTENCES = re.compile(r"[.!?:] ")


def check_leak(sample: Sample) -> list[Finding]:
    """Finds values of the current turn's observations and system acts in a thought before them.

    These are names, as written, and facts (see `find_facts`), in any form. A name has a capital and at least three
    letters; a name of a single word counts only inside a sentence, since "After", "Little" and "Us" are films. Yes and
    no, counts, and values in lower case ("moderate") are not searched for: every text has them.
    """
    steps = sample.current.steps[: None if sample.step is None else sample.step + 1]
    return [
        Finding(check="leak", where=f"step {index}", message=f"the thought already knows {value!r}, {source}")
        for index, step in enumerate(steps)
        if step.thought
        for value, source in _find_leaks(sample, index, step.thought)
    ]


def _find_leaks(sample: Sample, step_index: int, thought: str) -> Iterator[tuple[str, str]]:
    future = {
        "which only its observation brings": set(
            read_leaves([step.observations for step in sample.current.steps[step_index:]])
        ),
        "which only the reply says": {
            value for act in sample.current.labels.system_acts if act.name in _STATING for value in act.canonical
        },
    }
    arguments = read_leaves([call.arguments for call in sample.current.steps[step_index].calls])
    facts = [
        fact
        for fact in find_facts(sample, thought)
        if not any(same_value(fact.text, argument, sample.clock) for argument in arguments)
    ]
    leaked = set()
    for source, values in future.items():
        values.difference_update(arguments)
        for value in values:
            if value in thought and _is_named(thought, value) and not _is_known(sample, step_index, value):
                leaked.add((value, source))
        for fact in facts:
            meant = {value for value in values if not fact.forms.isdisjoint(read_value(value, sample.clock))}
            if meant and not any(_is_known(sample, step_index, value) for value in (fact.text, *sorted(meant))):
                leaked.add((fact.text, source))
    yield from sorted(leaked)


def _is_named(thought: str, value: str) -> bool:
    """Whether a value that occurs in a thought occurs as a name."""
    if len(value) < 3 or value.islower() or not any(map(str.isalpha, value)) or value in ("True", "False"):
        return False
    if " " in value:
        return contains(thought, value)
    return any(contains(sentence.partition(" ")[2], value) for sentence in _SENTENCES.split(thought))


def _is_known(sample: Sample, step_index: int, value: str) -> bool:
    """Whether the agent can know a value before a step: from the dialogue, earlier results, the annotation of the
    user's words, the tools, or the calendar."""
    arguments = read_leaves([call.arguments for call in sample.current.steps[step_index].calls])
    return (
        any(mentions(argument, value, sample.clock) for argument in arguments)
        or find_speaker(sample, value) is not None
        or is_annotated(sample, value)
        or is_observed(sample, value, steps=step_index)
        or is_public(sample.tools, value)
        or same_value(value, value_text(sample.clock), sample.clock)
    )
