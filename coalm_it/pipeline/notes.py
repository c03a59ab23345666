"""What a build tells its user in sentences, beside the table of counts: faults, an unbalanced split, why there are no
rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from coalm_it.dataset.manifest import FaultEntry
from coalm_it.dataset.summary import ShardSummary
from coalm_it.pipeline.mix import Mix, splits_by_function
from coalm_it.recipe import Recipe

FAULTS_SHOWN = 10
"""How many faults of a file, and how many with the same reason, are told one by one."""
BY_DIALOGUE = "where the dialogues share functions, hold out dialogues instead: --set validation_by=dialogues"


def describe_faults(faults: Iterable[FaultEntry]) -> Iterator[str]:
    """A line for each of the first faults, and the number of the others. One of several parts is told once."""
    files: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    others = 0
    for file, record, reason in dict.fromkeys((fault.file, fault.record, fault.reason) for fault in faults):
        files[file] += 1
        reasons[reason] += 1
        if files[file] > FAULTS_SHOWN or reasons[reason] > FAULTS_SHOWN:
            others += 1
        else:
            yield f"fault: {file}{f', record {record}' if record else ''}: {reason}"
    if others:
        yield f"fault: and {others:,} more; the manifest.json of the finished build lists them all"


def describe_split(recipe: Recipe, mix: Mix) -> str | None:
    """What the user may not expect of the split into train and validation; None if there is nothing to say."""
    if not recipe.validation:
        return None
    mixed, share = sum(count.mixed for count in mix.counts.values()), f"validation {recipe.validation:g}"
    if mixed:
        gave = f"{len(mix.validation):,} validation rows" if mix.validation else "no validation row"
        return (
            f"NOTE: {share} gives {gave} and leaves {mixed:,} candidates in neither split, since they show or call "
            f"functions that are held out beside others that are not; {BY_DIALOGUE}"
        )
    if mix.validation:
        return None
    if splits_by_function(recipe) and any("function_call" in part.task for part in recipe.parts.values()):
        return f"NOTE: {share} gives no validation row: it holds out none of the functions; {BY_DIALOGUE}"
    return f"NOTE: {share} gives no validation row: it holds out none of the dialogues; a larger share would"


def explain_no_rows(recipe: Recipe, mix: Mix, summaries: Mapping[str, ShardSummary]) -> str:
    """Why no train row is left."""
    whole = sum(summaries.values(), ShardSummary())
    if whole.rows:
        held_out, mixed = len(mix.validation), sum(count.mixed for count in mix.counts.values())
        remedy = f"; {BY_DIALOGUE}" if mixed else ""
        return (
            f"validation {recipe.validation:g} leaves no candidate for train: {held_out:,} are held out, and "
            f"{mixed:,} are in neither split; hold out less{remedy}"
        )
    if not whole.rejected_by:
        return f"the corpora hold no usable dialogue ({whole.dialogues:,} read, {len(whole.faults):,} faults)"
    counts = sorted(whole.rejected_by.items(), key=lambda item: -item[1])
    return f"the checks rejected every sample ({', '.join(f'{check} {count:,}' for check, count in counts)})"
