"""The numbers of a build: the counts of parts, sources and faults for its manifest, and the timings."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from coalm_it.dataset.manifest import AnswersEntry, FaultEntry, Manifest, PartCounts, SourceEntry
from coalm_it.dataset.summary import ShardSummary
from coalm_it.pipeline.mix import Mix, MixCounts
from coalm_it.pipeline.plan import PartSource, list_versions
from coalm_it.recipe import Recipe


def list_faults(summaries: Mapping[str, ShardSummary]) -> tuple[FaultEntry, ...]:
    """All faults, by part."""
    return tuple(
        FaultEntry(part=name, file=fault.file, record=fault.record, reason=fault.reason)
        for name, summary in summaries.items()
        for fault in summary.faults
    )


def make_manifest(
    key: str,
    recipe: Recipe,
    part_sources: Sequence[PartSource],
    inputs: dict[str, str],
    summaries: Mapping[str, ShardSummary],
    mix: Mix,
    answers: AnswersEntry,
    tokenizers: dict[str, str],
) -> Manifest:
    """The manifest of a build whose files are still to be listed. `summaries` are by part."""
    return Manifest(
        name=recipe.name,
        build=key,
        versions=list_versions(),
        recipe=recipe,
        parts={
            name: _count_part(
                published=sum(one.source.count_dialogues(part.split) for one in part_sources if one.part == name),
                summary=summaries.get(name, ShardSummary()),
                mixed=mix.counts[name],
            )
            for name, part in recipe.parts.items()
        },
        faults=list_faults(summaries),
        sources={one.source.name: _describe_source(one) for one in part_sources},
        licences=tuple(sorted({name for summary in summaries.values() for name in summary.licences})),
        trained_on=tuple(sorted({f"{one.source.name} {recipe.parts[one.part].split}" for one in part_sources})),
        inputs=inputs,
        tokenizers=tokenizers,
        answers=answers,
    )


def _count_part(published: int, summary: ShardSummary, mixed: MixCounts) -> PartCounts:
    return PartCounts(
        published=published,
        dialogues=summary.dialogues,
        filtered=summary.filtered,
        context_only=summary.context_only,
        too_long=summary.too_long,
        mended=summary.mended,
        faults=len(summary.faults),
        candidates=summary.rows + summary.rejects + summary.unasked,
        **mixed._asdict(),
        left_out=summary.rows + summary.unasked - (mixed.rows - mixed.repeated) - mixed.validation,
        rejects=summary.rejects,
        rejected_by=dict(sorted(summary.rejected_by.items())),
        thoughts=dict(sorted(summary.thoughts.items())),
    )


def _describe_source(part_source: PartSource) -> SourceEntry:
    source = part_source.source
    return SourceEntry(
        layout=part_source.corpus.layout,
        title=source.title,
        licence=source.licence,
        citation=source.citation,
        homepage=source.homepage,
        languages=source.languages,
        limits=source.limits,
        gated=source.gated,
        hub=next((fetch.hub for fetch in source.fetch if fetch.hub), ""),
    )


def describe_timings(
    summaries: Mapping[str, ShardSummary], started: float, answered: float, shards_done: float, ended: float
) -> dict[str, Any]:
    """Seconds of the whole build and of its phases; seconds of the stages of shards, summed over all workers."""
    return {
        "total": round(ended - started, 3),
        "answers": round(answered - started, 3),
        "shards": round(shards_done - answered, 3),
        "files": round(ended - shards_done, 3),
        "stages": {
            name: {stage: round(seconds, 3) for stage, seconds in summary.seconds.items()}
            for name, summary in summaries.items()
        },
        "peak_bytes": _measure_peaks(),
    }


def _measure_peaks() -> dict[str, int | None]:
    """Peak memory in bytes; None where the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return {"this_process": None, "largest_worker": None}
    unit = 1 if sys.platform == "darwin" else 1024
    own, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"this_process": own * unit, "largest_worker": workers * unit}
