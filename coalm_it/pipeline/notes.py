"""What a build tells its user in sentences, beside the table of counts: faults, an unbalanced split, why there are no
rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from coalm_it.dataset.manifest import FaultEntry
from coalm_it.dataset.summary import ShardSummary
from coalm_it.dataset.tables import open_table
from coalm_it.pipeline.mix import Mix, splits_by_function
from coalm_it.recipe import Recipe
from coalm_it.rendering import LAYOUT_ADVICE

FAULTS_SHOWN = 10
"""How many kinds of faults of a file are told, and of how many files the same one."""
RECORDS_NAMED = 3
"""How many of the records with the same fault its line names."""
BY_DIALOGUE = "where the dialogues share functions, hold out dialogues instead: --set validation_by=dialogues"


def describe_faults(faults: Iterable[FaultEntry]) -> Iterator[str]:
    """A line for all records of a file with the same fault, of each file the first ones, and the number of the others.

    The faults of a corpus that several parts use are told once.
    """
    alike: dict[tuple[str, str], dict[str, None]] = {}
    for fault in faults:
        records = alike.setdefault((fault.file, fault.reason), {})
        records |= {fault.record: None} if fault.record else {}
    lines: Counter[str] = Counter()
    others = 0
    for (file, reason), records in alike.items():
        lines.update((f"file {file}", f"reason {reason}"))
        if max(lines[f"file {file}"], lines[f"reason {reason}"]) > FAULTS_SHOWN:
            others += max(len(records), 1)
        else:
            yield f"fault: {file}{_name_records(list(records))}: {reason}"
    if others:
        yield f"fault: and {others:,} more; the manifest.json of the finished build lists them all"


def _name_records(names: Sequence[str]) -> str:
    """Which records of a file a line is about: the first of many, and how many there are."""
    if len(names) <= 1:
        return f", record {names[0]}" if names else ""
    more = ", ..." if len(names) > RECORDS_NAMED else ""
    return f", {len(names):,} records ({', '.join(names[:RECORDS_NAMED])}{more})"


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
    held_out, mixed = len(mix.validation), sum(count.mixed for count in mix.counts.values())
    if held_out or mixed:
        remedy = f"; {BY_DIALOGUE}" if mixed or splits_by_function(recipe) else ""
        return (
            f"validation {recipe.validation:g} leaves no candidate for train: {held_out:,} are held out, and "
            f"{mixed:,} are in neither split; hold out less{remedy}"
        )
    if whole.rows:
        return f"scale={recipe.scale:g} leaves none of {whole.rows:,} candidates"
    if whole.too_long:
        return f"max_tokens leaves out all {whole.too_long:,} samples that passed the checks"
    if whole.rejected_by:
        counts = sorted(whole.rejected_by.items(), key=lambda item: -item[1])
        advice = f"; {LAYOUT_ADVICE}" if "layout" in whole.rejected_by else ""
        listed = ", ".join(f"{check} {count:,}" for check, count in counts)
        return f"the checks rejected every sample ({listed}){advice}{_describe_first_reject(mix)}"
    if not summaries:
        return "none of the corpora was found"
    if whole.filtered:
        left_out = f"{whole.filtered:,} of their {whole.dialogues:,} dialogues"
        return f"the corpora hold no usable dialogue: filter, keep, drop or prefixes leave out {left_out}"
    see = f"; see the {'faults' if len(whole.faults) > 1 else 'fault'} above" if whole.faults else ""
    return f"the corpora hold no usable dialogue{see}"


def _describe_first_reject(mix: Mix) -> str:
    """An example of what the checks found: of a build without rows no rejects are written."""
    if not mix.rejects:
        return ""
    table, row, *_ = mix.rejects[0]
    with open_table(mix.tables[table]) as rows:
        (reject,) = rows.slice(row, 1).select(["id", "findings"]).to_pylist()
    return f"; the first, {reject['id']}: {reject['findings'][0]['message']}"
