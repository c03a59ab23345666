"""The copies of a sample that enter the draw: masked, or made unanswerable, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coalm_it.draw import stable_hash
from coalm_it.recipe import Part, Unanswerable
from coalm_it.samples.masking import draw_mask, mask_sample
from coalm_it.samples.unanswerable import decline, take_tool_away, take_value_away
from coalm_it.schema import Sample, Tool


def copy_sample(sample: Sample, part: Part, pool: Sequence[Tool], seed: int) -> Iterator[Sample]:
    """As many copies as the part asks for; each but the first has an id of its own, each is made unanswerable or not,
    masked or not, by itself."""
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
    """The sample without its function or a value, if it is drawn for that; None where it is not, or cannot be.

    A function is taken from first turns only: later ones may follow on what the agent asked in order to call it.
    """
    place = stable_hash("unanswerable", seed, sample.id) / 2**64
    if place < shares.no_function:
        return None if sample.history else take_tool_away(sample, pool=pool, seed=seed)
    if place < shares.no_function + shares.no_value:
        return take_value_away(sample, seed=seed)
    return None
