"""The checks: each takes a sample and returns the errors in its target and in the steps of the current turn.

Earlier turns are evidence and are not checked again: they are the targets of other samples.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from coalm_it.checks.agreement import check_agreement
from coalm_it.checks.call_grammar import check_call_grammar
from coalm_it.checks.database import check_database
from coalm_it.checks.grounding import check_grounding
from coalm_it.checks.leak import check_leak
from coalm_it.checks.outcome import check_outcome
from coalm_it.checks.reply_facts import check_reply_facts
from coalm_it.checks.structure import check_structure
from coalm_it.checks.substance import check_substance
from coalm_it.checks.thought_facts import check_thought_facts
from coalm_it.checks.thoughts import check_thoughts
from coalm_it.schema import Finding, Sample

CHECKS: dict[str, Callable[[Sample], list[Finding]]] = {
    "structure": check_structure,
    "call_grammar": check_call_grammar,
    "grounding": check_grounding,
    "leak": check_leak,
    "reply_facts": check_reply_facts,
    "outcome": check_outcome,
    "database": check_database,
    "thoughts": check_thoughts,
    "agreement": check_agreement,
    "thought_facts": check_thought_facts,
    "substance": check_substance,
}

THOUGHT_CHECKS = ("structure", "leak", "outcome", "thoughts", "agreement", "thought_facts", "substance")
"""The checks that read thoughts."""


def run_checks(sample: Sample, names: Collection[str] = CHECKS) -> list[Finding]:
    """The findings of the named checks (by default all) about a sample; none for a good sample."""
    return [finding for name, check in CHECKS.items() if name in names for finding in check(sample)]


def check(samples: Iterable[Sample], names: Collection[str] = CHECKS) -> Iterator[tuple[Sample, list[Finding]]]:
    """Each sample with its findings."""
    for sample in samples:
        yield sample, run_checks(sample, names)


def check_thought(sample: Sample, names: Collection[str] = CHECKS) -> list[Finding]:
    """The findings of the named checks about the thought of the target; findings about other parts are left out."""
    places = {"thought", f"step {sample.step}"}
    findings = run_checks(sample, [name for name in THOUGHT_CHECKS if name in names])
    return [finding for finding in findings if finding.where in places]
