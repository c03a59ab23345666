"""Makes the copies of a sample that are candidates for rows, each masked or made unanswerable independently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coalm_it.draw import stable_hash
from coalm_it.recipe import Part, Unanswerable
from coalm_it.samples.masking import draw_mask, mask_sample
from coalm_it.samples.unanswerable import decline, remove_tool, remove_value
from coalm_it.schema import Sample, Tool


def copy_sample(sample: Sample, part: Part, pool: Sequence[Tool], seed: int) -> Iterator[Sample]:
    """The copies that the part asks for, each made unanswerable and masked independently.

    The first copy keeps the id. `pool` has tools of the same corpus, from which distractors are drawn.
    """
    for number in range(part.copies):
        copy = sample.model_copy(update={"id": f"{sample.id}~{number}"}) if number else sample
        if part.unanswerable and sample.task == "function_call":
            copy = _draw_unanswerable(copy, part.unanswerable, pool, seed) or copy
        if part.layout == "varied" and copy.step is not None and not copy.calls:
            copy = decline(copy, seed=seed)
        if part.mask and draw_mask(copy.id, probability=part.mask.probability, seed=seed):
            copy = mask_sample(copy, style=part.mask.style, seed=seed)
        yield copy


def _draw_unanswerable(sample: Sample, shares: Unanswerable, pool: Sequence[Tool], seed: int) -> Sample | None:
    """The sample without its function or a value; None if it is not drawn for that or cannot be changed.

    Functions are removed in first turns only: in a later turn the agent may already have asked for their arguments.
    """
    drawn = stable_hash("unanswerable", seed, sample.id) / 2**64
    if drawn < shares.no_function:
        return None if sample.history else remove_tool(sample, pool=pool, seed=seed)
    if drawn < shares.no_function + shares.no_value:
        return remove_value(sample, seed=seed)
    return None
