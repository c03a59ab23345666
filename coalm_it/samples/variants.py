"""Makes the copies of a sample that are candidates for rows, each masked or made unanswerable independently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coalm_it.corpora.sources import NoCall
from coalm_it.draw import stable_hash
from coalm_it.recipe import Part, Unanswerable
from coalm_it.samples.masking import draw_mask, mask_sample
from coalm_it.samples.near_misses import ToolIndex, add_near_misses, find_near_misses
from coalm_it.samples.unanswerable import decline, remove_tool, remove_value
from coalm_it.schema import Sample


@dataclass(frozen=True)
class VariantSettings:
    """What the copies of the samples of a shard depend on."""

    part: Part
    seed: int
    index: ToolIndex
    """The functions of the samples, from which others are added."""
    near_misses: int = 0
    """Maximum number of near misses beside the functions of a sample."""
    no_call: NoCall = "unsaid"
    """What the corpus means where it makes no call."""


def copy_sample(sample: Sample, settings: VariantSettings) -> Iterator[Sample]:
    """The copies that the part asks for, each made unanswerable and masked independently. The first keeps the id."""
    part, seed = settings.part, settings.seed
    for number in range(part.copies):
        copy = sample.model_copy(update={"id": f"{sample.id}~{number}"}) if number else sample
        near_misses = []
        if sample.task == "function_call":
            near_misses = find_near_misses(copy, settings.index, settings.near_misses, seed)
            if part.unanswerable:
                copy = _draw_unanswerable(copy, part.unanswerable, settings.index, seed) or copy
        copy = add_near_misses(copy, near_misses, seed)
        if part.layout == "varied" and copy.step is not None and not copy.calls:
            copy = decline(copy, settings.no_call, seed=seed)
        if part.mask and draw_mask(copy.id, probability=part.mask.probability, seed=seed):
            copy = mask_sample(copy, style=part.mask.style, in_texts=part.mask.descriptions, seed=seed)
        yield copy


def _draw_unanswerable(sample: Sample, shares: Unanswerable, index: ToolIndex, seed: int) -> Sample | None:
    """The sample without its function or a value; None if it is not drawn for that or cannot be changed.

    Functions are removed in first turns only: in a later turn the agent may already have asked for their arguments.
    """
    drawn = stable_hash("unanswerable", seed, sample.id) / 2**64
    if drawn < shares.no_function:
        return None if sample.history else remove_tool(sample, pool=index.tools, seed=seed)
    if drawn < shares.no_function + shares.no_value:
        return remove_value(sample, seed=seed)
    return None
