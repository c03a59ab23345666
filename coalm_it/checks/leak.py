"""A thought before an action knows nothing of what is still to come: its observation, the reply."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coalm_it.checks.evidence import find_facts, find_speaker, is_annotated, is_observed, is_public, read_leaves
from coalm_it.schema import ActName, Finding, Sample
from coalm_it.values import contains, mentions, read_value, same_value, value_text

_TELLING: tuple[ActName, ...] = ("OFFER", "INFORM")
_SENTENCES = re.compile(r"[.!?:] ")


def check_leak(sample: Sample) -> list[Finding]:
    """Values of this turn's observations and system acts in a thought that stands before them.

    Looked for are names, as they are written, and facts (see `find_facts`), in any form. A name has a capital and
    three letters; one of a single word must not begin a sentence, since "After", "Little" and "Us" are films. Yes
    and no, counts, and values in small letters ("moderate") are not seen: every text is full of them.
    """
    steps = sample.current.steps[: None if sample.step is None else sample.step + 1]
    return [
        Finding(check="leak", where=f"step {number}", message=f"the thought already knows {value!r}, {source}")
        for number, step in enumerate(steps)
        if step.thought
        for value, source in _find_leaks(sample, number, step.thought)
    ]


def _find_leaks(sample: Sample, number: int, thought: str) -> Iterator[tuple[str, str]]:
    future = {
        "which only its observation brings": set(
            read_leaves([step.observations for step in sample.current.steps[number:]])
        ),
        "which only the reply says": {
            value for act in sample.current.labels.system_acts if act.name in _TELLING for value in act.canonical
        },
    }
    arguments = read_leaves([call.arguments for call in sample.current.steps[number].calls])
    facts = [
        fact
        for fact in find_facts(sample, thought)
        if not any(same_value(fact.text, argument, sample.clock) for argument in arguments)
    ]
    leaked = set()
    for source, values in future.items():
        values.difference_update(arguments)
        for value in values:
            if value in thought and _is_named(thought, value) and not _is_known(sample, number, value):
                leaked.add((value, source))
        for fact in facts:
            meant = {value for value in values if not fact.forms.isdisjoint(read_value(value, sample.clock))}
            if meant and not any(_is_known(sample, number, value) for value in (fact.text, *sorted(meant))):
                leaked.add((fact.text, source))
    yield from sorted(leaked)


def _is_named(thought: str, value: str) -> bool:
    """Whether a value that stands in a thought stands there as a name."""
    if len(value) < 3 or value.islower() or not any(map(str.isalpha, value)) or value in ("True", "False"):
        return False
    if " " in value:
        return contains(thought, value)
    return any(contains(sentence.partition(" ")[2], value) for sentence in _SENTENCES.split(thought))


def _is_known(sample: Sample, number: int, value: str) -> bool:
    """Whether the agent can know a value when it thinks before a step: from the dialogue, from what came back
    before, from the annotated meaning of the user's words, from the tools, or from the calendar."""
    arguments = read_leaves([call.arguments for call in sample.current.steps[number].calls])
    return (
        any(mentions(argument, value, sample.clock) for argument in arguments)
        or find_speaker(sample, value) is not None
        or is_annotated(sample, value)
        or is_observed(sample, value, steps=number)
        or is_public(sample.tools, value)
        or same_value(value, value_text(sample.clock), sample.clock)
    )
