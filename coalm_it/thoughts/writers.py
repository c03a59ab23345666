"""Who writes a dialogue's thoughts: the annotation (`grounded`), or a model whose answers lie in the ledger.

Where a model's thought did not pass, or the judge scored it too low, the grounded one takes its place or there is none,
as the recipe says.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from coalm_it.assets import fingerprint_templates
from coalm_it.checks import check_thought
from coalm_it.llm.ledger import Ledger, open_ledger
from coalm_it.llm.ledger.export_format import is_answers_file
from coalm_it.llm.multistep import Exchange, replay
from coalm_it.recipe import Reasoning, Recipe
from coalm_it.schema import Dialogue, Place
from coalm_it.thoughts.annotate import plan_annotation
from coalm_it.thoughts.framed import FramedDialogue, ThoughtResult, sample_places
from coalm_it.thoughts.grounded import write_thoughts
from coalm_it.thoughts.judge import plan_judgement
from coalm_it.thoughts.rewrite import plan_rewriting
from coalm_it.thoughts.transcript import list_places, put_thoughts, read_thoughts

Origin = Mapping[str, Any]
"""What a row's provenance says of the thought that is its target."""


@dataclass(frozen=True)
class DialogueWithThoughts:
    """A dialogue with its thoughts, and where each comes from."""

    dialogue: Dialogue
    origins: Mapping[Place, Origin] = field(default_factory=dict)
    missing: Mapping[Place, str] = field(default_factory=dict)
    """Places without a thought, and why."""
    thought_counts: Counter[str] = field(default_factory=Counter)
    """How many thoughts are `grounded`; of a model's, how many passed at `first`, were `repaired`, `replaced` by
    grounded ones, or `rejected`."""


@dataclass(frozen=True)
class Draft:
    """What a model made of a dialogue: its thoughts in their places, and what became of each."""

    dialogue: Dialogue
    written: Mapping[Place, ThoughtResult]

    @property
    def passed(self) -> dict[Place, str]:
        return {place: one.thought for place, one in self.written.items() if one.thought is not None}


# --- what is asked ---


def plan_writing(asked: FramedDialogue, reasoning: Reasoning) -> Iterator[Exchange[Any]]:
    """What the writer is asked about a dialogue: inquiries that do not depend on each other."""
    if reasoning.writer == "rewrite":
        return iter([plan_rewriting(asked, reasoning)])
    return plan_annotation(asked, reasoning)


def plan_judging(asked: FramedDialogue, reasoning: Reasoning, ledger: Ledger) -> Iterator[Exchange[dict[Place, int]]]:
    """What the judge is asked, once the writer's answers are in the ledger. Raises MissingAnswerError."""
    draft = _draft(asked, reasoning, ledger)
    return plan_judgement(replace(asked, dialogue=draft.dialogue), draft.passed, reasoning.turns_per_request)


# --- what comes of it ---


def reason(asked: FramedDialogue, recipe: Recipe, ledger: Ledger | None) -> DialogueWithThoughts:
    """The dialogue with a thought in each place. `ledger` is for a writer that is a model. Raises MissingAnswerError."""
    if ledger is None:
        origins = dict.fromkeys(list_places(asked.dialogue), _grounded_origin())
        written = write_thoughts(asked.dialogue, recipe.seed)
        return DialogueWithThoughts(written, origins, thought_counts=Counter({"grounded": len(origins)}))
    draft = _draft(asked, recipe.reasoning, ledger)
    if recipe.reasoning.judge is not None:
        draft = _weigh(asked, draft, recipe.reasoning, ledger)
    if recipe.reasoning.fallback == "reject":
        return _leave_out(draft, recipe.reasoning)
    return _replace_failed(asked, draft, recipe)


def _draft(asked: FramedDialogue, reasoning: Reasoning, ledger: Ledger) -> Draft:
    results = [replay(inquiry, ledger, reasoning) for inquiry in plan_writing(asked, reasoning)]
    if reasoning.writer == "rewrite":
        return Draft(*results[0])
    written = {place: one for stretch in results for place, one in stretch.items()}
    if len(results) > 1:
        written |= _compare_stretches(asked, written)
    dialogue = put_thoughts(asked.dialogue, {place: one.thought for place, one in written.items()})
    return Draft(dialogue, written)


def _compare_stretches(asked: FramedDialogue, written: Mapping[Place, ThoughtResult]) -> dict[Place, ThoughtResult]:
    """The thoughts that do not pass beside those of other requests: one may be a copy of another."""
    thoughts = {place: one.thought for place, one in written.items()}
    samples = sample_places(put_thoughts(asked.dialogue, thoughts), asked.tools)
    found = {place: check_thought(samples[place], asked.checks) for place, thought in thoughts.items() if thought}
    return {
        place: replace(written[place], thought=None, reasons=tuple(finding.message for finding in findings))
        for place, findings in found.items()
        if findings
    }


def _weigh(asked: FramedDialogue, draft: Draft, reasoning: Reasoning, ledger: Ledger) -> Draft:
    """The draft with the judge's scores, without the thoughts that it scored too low."""
    assert reasoning.judge is not None
    judged = replace(asked, dialogue=draft.dialogue)
    written = dict(draft.written)
    for inquiry in plan_judgement(judged, draft.passed, reasoning.turns_per_request):
        for place, score in replay(inquiry, ledger, reasoning.judge).items():
            written[place] = replace(written[place], score=score)
            if score < reasoning.judge.min_score:
                reason = f"the judge scores it {score} of 5"
                written[place] = replace(written[place], thought=None, reasons=(reason,))
    return replace(draft, written=written)


# --- where a thought did not pass ---


def _leave_out(draft: Draft, reasoning: Reasoning) -> DialogueWithThoughts:
    missing = {place: _explain(one) for place, one in draft.written.items() if one.thought is None}
    thoughts = dict.fromkeys(missing)
    origins = {place: _model_origin(one, reasoning) for place, one in draft.written.items()}
    thought_counts = _count_fates(draft.written, "rejected")
    return DialogueWithThoughts(put_thoughts(draft.dialogue, thoughts), origins, missing, thought_counts)


def _replace_failed(asked: FramedDialogue, draft: Draft, recipe: Recipe) -> DialogueWithThoughts:
    """Grounded thoughts where the model's did not pass; a rewritten dialogue hangs together, and is replaced whole."""
    failed = {place: one for place, one in draft.written.items() if one.thought is None}
    origins: dict[Place, Origin] = {p: _model_origin(one, recipe.reasoning) for p, one in draft.written.items()}
    if not failed:
        return DialogueWithThoughts(draft.dialogue, origins, thought_counts=_count_fates(draft.written, "replaced"))
    grounded = write_thoughts(asked.dialogue, recipe.seed)
    if recipe.reasoning.writer == "rewrite":
        worst = next(iter(failed.values()))
        origins = dict.fromkeys(list_places(grounded), _replaced_origin(worst, recipe.reasoning))
        return DialogueWithThoughts(grounded, origins, thought_counts=Counter({"replaced": len(origins)}))
    thoughts = read_thoughts(grounded, failed)
    origins |= {place: _replaced_origin(one, recipe.reasoning) for place, one in failed.items()}
    return DialogueWithThoughts(
        put_thoughts(draft.dialogue, thoughts), origins, thought_counts=_count_fates(draft.written, "replaced")
    )


def _count_fates(written: Mapping[Place, ThoughtResult], failed: str) -> Counter[str]:
    return Counter(
        failed if one.thought is None else "first" if one.attempts == 1 else "repaired" for one in written.values()
    )


def _explain(one: ThoughtResult) -> str:
    attempts = "one attempt" if one.attempts == 1 else f"{one.attempts} attempts"
    return f"no thought passed in {attempts}: {'; '.join(one.reasons)}"


# --- provenance ---


def _grounded_origin() -> Origin:
    return {"writer": "grounded", "thoughts": fingerprint_templates("thoughts")}


def _model_origin(one: ThoughtResult, reasoning: Reasoning) -> Origin:
    origin = {"writer": reasoning.writer, "model": reasoning.model, "request": one.key, "attempts": one.attempts}
    marks = {"mended": one.mended or None, "score": one.score}
    return origin | {name: mark for name, mark in marks.items() if mark is not None}


def _replaced_origin(one: ThoughtResult, reasoning: Reasoning) -> Origin:
    return {**_grounded_origin(), "instead_of": {**_model_origin(one, reasoning), "because": list(one.reasons)}}


# --- the ledger, read ---


@contextmanager
def read_ledger(path: Path | None) -> Iterator[Ledger | None]:
    """The ledger at `path`, for `reason`; a file of answers is read once a process. Raises LedgerError."""
    if path is None:
        yield None
    elif is_answers_file(path):
        yield _load_answers(path, os.getpid())
    else:
        with open_ledger(path, readonly=True) as ledger:
            yield ledger


@cache
def _load_answers(path: Path, process: int) -> Ledger:
    return Ledger(path, readonly=True, say=lambda line: None)
