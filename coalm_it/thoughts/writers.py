"""Adds thoughts to dialogues: grounded ones, from the annotation, where the corpus has none of its own; or those of a
model, from its answers in the ledger.

If a model's thought is rejected, by the checks or for its score, the grounded thought replaces it, or the place remains
without a thought, as the recipe says (`fallback`).
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

from coalm_it.checks import check_thought
from coalm_it.llm.ledger import Ledger, open_ledger
from coalm_it.llm.ledger.export_format import is_answers_file
from coalm_it.llm.multistep import MultistepRequest, replay
from coalm_it.recipe import Judge, Reasoning, Recipe
from coalm_it.schema import Dialogue, Place
from coalm_it.templates import fingerprint_templates
from coalm_it.thoughts.annotate import plan_annotation
from coalm_it.thoughts.framed import FramedDialogue, ThoughtResult, make_place_samples
from coalm_it.thoughts.grounded import write_thoughts
from coalm_it.thoughts.judge import plan_judgement
from coalm_it.thoughts.rewrite import plan_rewriting
from coalm_it.thoughts.transcript import list_places, put_thoughts, read_thoughts

ThoughtProvenance = Mapping[str, Any]
"""What the provenance of a row states about the thought of its target."""


@dataclass(frozen=True)
class DialogueWithThoughts:
    """A dialogue with its thoughts, and the provenance of each."""

    dialogue: Dialogue
    provenance: Mapping[Place, ThoughtProvenance] = field(default_factory=dict)
    missing: Mapping[Place, str] = field(default_factory=dict)
    """Place without a thought -> why."""
    thought_counts: Counter[str] = field(default_factory=Counter)
    """Number of `grounded` thoughts, and of those of the `corpus`; of a model's thoughts, how many were accepted at
    `first`, `repaired`, `replaced` by grounded ones, or `rejected`."""


@dataclass(frozen=True)
class ModelDraft:
    """A dialogue with the thoughts of a model, before rejected ones are replaced or left out."""

    dialogue: Dialogue
    results: Mapping[Place, ThoughtResult]

    @property
    def accepted(self) -> dict[Place, str]:
        """The accepted thoughts."""
        return {place: result.thought for place, result in self.results.items() if result.thought is not None}

    @property
    def rejected(self) -> dict[Place, ThoughtResult]:
        """The results of places without an accepted thought."""
        return {place: result for place, result in self.results.items() if result.thought is None}


# --- requests ---


def plan_writer_requests(framed: FramedDialogue, reasoning: Reasoning) -> Iterator[MultistepRequest[Any]]:
    """The multistep requests with the writer about a dialogue; they are independent of each other."""
    if reasoning.writer == "rewrite":
        return iter([plan_rewriting(framed, reasoning)])
    return plan_annotation(framed, reasoning)


def plan_judge_requests(
    framed: FramedDialogue, reasoning: Reasoning, ledger: Ledger
) -> Iterator[MultistepRequest[dict[Place, int]]]:
    """The multistep requests with the judge, from the writer's answers in the ledger. Raises MissingAnswerError."""
    return _plan_judgement(framed, _read_draft(framed, reasoning, ledger), reasoning)


def _plan_judgement(
    framed: FramedDialogue, draft: ModelDraft, reasoning: Reasoning
) -> Iterator[MultistepRequest[dict[Place, int]]]:
    return plan_judgement(replace(framed, dialogue=draft.dialogue), draft.accepted, reasoning.turns_per_request)


# --- thoughts ---


def add_thoughts(framed: FramedDialogue, recipe: Recipe, ledger: Ledger | None) -> DialogueWithThoughts:
    """The dialogue with a thought in each place: the corpus's own or a grounded one; a model's from `ledger`.

    Raises MissingAnswerError.
    """
    if ledger is None:
        return _complete_thoughts(framed.dialogue, recipe.seed)
    draft = _read_draft(framed, recipe.reasoning, ledger)
    if recipe.reasoning.judge is not None:
        draft = apply_judge(framed, draft, recipe.reasoning, recipe.reasoning.judge, ledger)
    if recipe.reasoning.fallback == "reject":
        return _leave_out_rejected(draft, recipe.reasoning)
    return _replace_rejected(framed, draft, recipe)


def _complete_thoughts(dialogue: Dialogue, seed: int) -> DialogueWithThoughts:
    """The corpus's own thoughts, and a grounded one in every other place."""
    places = list_places(dialogue)
    own = {place: thought for place, thought in read_thoughts(dialogue, places).items() if thought}
    provenance = dict.fromkeys(places, _describe_grounded()) | dict.fromkeys(own, _CORPUS)
    counts = Counter(str(entry["writer"]) for entry in provenance.values())
    return DialogueWithThoughts(put_thoughts(write_thoughts(dialogue, seed), own), provenance, thought_counts=counts)


def _read_draft(framed: FramedDialogue, reasoning: Reasoning, ledger: Ledger) -> ModelDraft:
    results = [replay(multistep, ledger, reasoning) for multistep in plan_writer_requests(framed, reasoning)]
    if reasoning.writer == "rewrite":
        return ModelDraft(*results[0])
    merged = {place: result for stretch in results for place, result in stretch.items()}
    if len(results) > 1:
        merged |= _check_across_requests(framed, merged)
    dialogue = put_thoughts(framed.dialogue, {place: result.thought for place, result in merged.items()})
    return ModelDraft(dialogue, merged)


def _check_across_requests(
    framed: FramedDialogue, results: Mapping[Place, ThoughtResult]
) -> dict[Place, ThoughtResult]:
    """The thoughts that are rejected only beside those of other requests: copies, for example."""
    thoughts = {place: result.thought for place, result in results.items()}
    samples = make_place_samples(put_thoughts(framed.dialogue, thoughts), framed.tools)
    found = {place: check_thought(samples[place], framed.checks) for place, thought in thoughts.items() if thought}
    return {
        place: replace(results[place], thought=None, reasons=tuple(finding.message for finding in findings))
        for place, findings in found.items()
        if findings
    }


def apply_judge(
    framed: FramedDialogue, draft: ModelDraft, reasoning: Reasoning, judge: Judge, ledger: Ledger
) -> ModelDraft:
    """The draft with the judge's scores, without the thoughts whose score is too low."""
    results = dict(draft.results)
    for multistep in _plan_judgement(framed, draft, reasoning):
        for place, score in replay(multistep, ledger, judge).items():
            results[place] = replace(results[place], score=score)
            if score < judge.min_score:
                reason = f"the judge scores it {score} of 5"
                results[place] = replace(results[place], thought=None, reasons=(reason,))
    return replace(draft, results=results)


# --- rejected thoughts ---


def _leave_out_rejected(draft: ModelDraft, reasoning: Reasoning) -> DialogueWithThoughts:
    missing = {place: _describe_rejection(result) for place, result in draft.rejected.items()}
    provenance = {place: _describe_model(result, reasoning) for place, result in draft.results.items()}
    dialogue = put_thoughts(draft.dialogue, dict.fromkeys(missing))
    return DialogueWithThoughts(dialogue, provenance, missing, _count_thoughts(draft, "rejected"))


def _replace_rejected(framed: FramedDialogue, draft: ModelDraft, recipe: Recipe) -> DialogueWithThoughts:
    """Grounded thoughts instead of rejected ones; a rewritten dialogue is replaced as a whole, to remain coherent."""
    rejected = draft.rejected
    provenance: dict[Place, ThoughtProvenance] = {
        place: _describe_model(result, recipe.reasoning) for place, result in draft.results.items()
    }
    counts = _count_thoughts(draft, "replaced")
    if not rejected:
        return DialogueWithThoughts(draft.dialogue, provenance, thought_counts=counts)
    grounded = write_thoughts(framed.dialogue, recipe.seed)
    if recipe.reasoning.writer == "rewrite":
        first = next(iter(rejected.values()))
        provenance = dict.fromkeys(list_places(grounded), _describe_replacement(first, recipe.reasoning))
        return DialogueWithThoughts(grounded, provenance, thought_counts=Counter({"replaced": len(provenance)}))
    provenance |= {place: _describe_replacement(result, recipe.reasoning) for place, result in rejected.items()}
    dialogue = put_thoughts(draft.dialogue, read_thoughts(grounded, rejected))
    return DialogueWithThoughts(dialogue, provenance, thought_counts=counts)


def _count_thoughts(draft: ModelDraft, rejected: str) -> Counter[str]:
    """Counts as in DialogueWithThoughts; `rejected` is what rejected thoughts count as."""
    return Counter(
        rejected if result.thought is None else "first" if result.attempts == 1 else "repaired"
        for result in draft.results.values()
    )


def _describe_rejection(result: ThoughtResult) -> str:
    attempts = "one attempt" if result.attempts == 1 else f"{result.attempts} attempts"
    return f"no thought passed in {attempts}: {'; '.join(result.reasons)}"


# --- provenance ---


_CORPUS: ThoughtProvenance = {"writer": "corpus"}


def _describe_grounded() -> ThoughtProvenance:
    return {"writer": "grounded", "thoughts": fingerprint_templates("thoughts")}


def _describe_model(result: ThoughtResult, reasoning: Reasoning) -> ThoughtProvenance:
    provenance = {
        "writer": reasoning.writer,
        "model": reasoning.model,
        "request": result.key,
        "attempts": result.attempts,
    }
    optional = {"mended": result.mended or None, "score": result.score}
    return provenance | {name: value for name, value in optional.items() if value is not None}


def _describe_replacement(result: ThoughtResult, reasoning: Reasoning) -> ThoughtProvenance:
    rejected = {**_describe_model(result, reasoning), "because": list(result.reasons)}
    return {**_describe_grounded(), "instead_of": rejected}


# --- the ledger of a worker ---


@contextmanager
def read_ledger(path: Path | None) -> Iterator[Ledger | None]:
    """The ledger at `path`, for `add_thoughts`; a file of answers is loaded once per process. Raises LedgerError."""
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
