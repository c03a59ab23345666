"""The summary of a shard: what was read, kept, rejected and filtered out. It travels in the shard's Arrow file."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from coalm_it.schema import Fault

Number = TypeVar("Number", int, float)


class ShardSummary(BaseModel):
    """Counts of one shard, or of several: `sum(summaries, ShardSummary())`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialogues: int = 0
    """Dialogues read, including those that the part's filter or the YAML of the source excludes."""
    filtered: int = 0
    """Dialogues that the part's filter or the YAML of the source excludes."""
    context_only: int = 0
    """Targets that the corpus marks as not to be learnt, or does not annotate: no samples are made of them."""
    mended: int = 0
    """Arguments that the reader brought into the form of their schema."""
    too_long: int = 0
    """Samples that passed all checks and are longer than the part allows: they become no rows."""
    rows: int = 0
    """Samples that passed all checks and are no longer than the part allows."""
    licences: dict[str, int] = {}
    """Licence -> samples among `rows`."""
    rejects: int = 0
    rejected_by: dict[str, int] = {}
    """Check -> samples that it rejected. A sample may fail several checks."""
    unasked: int = 0
    """Samples of the dialogues about which no model was asked."""
    thoughts: dict[str, int] = {}
    """Origin of the thoughts -> how many (see DialogueWithThoughts)."""
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    """Lines about the raw files, for the person who builds."""
    seconds: dict[str, float] = {}
    """Stage -> seconds."""

    def __add__(self, other: ShardSummary) -> ShardSummary:
        return ShardSummary(
            dialogues=self.dialogues + other.dialogues,
            filtered=self.filtered + other.filtered,
            context_only=self.context_only + other.context_only,
            too_long=self.too_long + other.too_long,
            mended=self.mended + other.mended,
            rows=self.rows + other.rows,
            licences=_add_counts(self.licences, other.licences),
            rejects=self.rejects + other.rejects,
            rejected_by=_add_counts(self.rejected_by, other.rejected_by),
            unasked=self.unasked + other.unasked,
            thoughts=_add_counts(self.thoughts, other.thoughts),
            faults=self.faults + other.faults,
            notes=self.notes + other.notes,
            seconds=_add_counts(self.seconds, other.seconds),
        )


def _add_counts(one: dict[str, Number], other: dict[str, Number]) -> dict[str, Number]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
