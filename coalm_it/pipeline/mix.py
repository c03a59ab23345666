"""Which candidates become rows: each part's quota, second copies, validation rows, and the order of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from coalm_it.corpora.sources import describe_download, load_source
from coalm_it.dataset.summary import ShardSummary
from coalm_it.dataset.tables import Pick, list_rows, open_table, read_functions
from coalm_it.mixture.quotas import (
    Candidate,
    Shortage,
    ShortError,
    allot_rows,
    draw_candidates,
    order_candidates,
    repeat_candidates,
)
from coalm_it.mixture.row_names import RowNames
from coalm_it.mixture.split import Functions, Side, allot_validation, join_functions, split_candidates
from coalm_it.pipeline.plan import PartSource
from coalm_it.recipe import Part, Recipe, is_own_source
from coalm_it.schema import parse_dialogue_name

Tables = Mapping[str, Sequence[Path]]
"""Part -> the tables of its shards."""
Sides = Mapping[Side, Mapping[str, Sequence[Candidate]]]
"""Side of the split -> part -> its candidates."""


class MixCounts(NamedTuple):
    """How many rows a part gives."""

    wanted: int
    rows: int
    """Train rows, second copies included."""
    repeated: int
    """Second copies."""
    validation: int
    mixed: int
    """Candidates that fit on neither side of the split (see mixture/split.py)."""
    absent: tuple[str, ...]
    """Names of the part's corpora that were not found."""


@dataclass(frozen=True)
class Mix:
    """The rows of a data set, in order, as picks from the tables."""

    tables: list[Path]
    train: list[Pick]
    validation: list[Pick]
    dialogues: dict[Side, list[Pick]]
    """The dialogues of the rows of each side."""
    rejects: list[Pick]
    counts: dict[str, MixCounts]
    """By part."""


class Candidates(NamedTuple):
    """The rows of all tables."""

    kept: dict[str, list[Candidate]]
    """Part -> the rows that passed all checks."""
    dialogues: dict[str, dict[str, Candidate]]
    """Part -> full name of a dialogue -> the dialogue itself."""
    functions: dict[str, Functions]
    """Dialogue -> the functions of its calls, if validation rows are held out by function."""
    rejects: list[Pick]


def read_candidates(recipe: Recipe, tables: Tables) -> Candidates:
    kept: dict[str, list[Candidate]] = {name: [] for name in recipe.parts}
    dialogues: dict[str, dict[str, Candidate]] = {name: {} for name in recipe.parts}
    functions: list[tuple[str, Functions]] = []
    rejects: list[Pick] = []
    names = RowNames()
    for index, (part, path) in enumerate((part, path) for part, paths in tables.items() for path in paths):
        with open_table(path) as table:
            found = list_rows(table)
            if splits_by_function(recipe) and "function_call" in recipe.parts[part].task:
                functions += read_functions(table)
        rejected = frozenset(found.rejects)
        for row in sorted((*found.kept, *found.rejects)):
            row_id = names.name_row(part, index, found.ids[row])
            renamed = row_id != found.ids[row]
            if row in rejected:
                rejects.append(Pick(index, row, name=row_id if renamed else ""))
            else:
                kept[part].append(Candidate(index, row, row_id, parse_dialogue_name(row_id), renamed=renamed))
        for row in found.dialogues:
            name = names.name_dialogue(part, index, found.ids[row])
            dialogues[part][name] = Candidate(index, row, name, name, renamed=name != found.ids[row])
    return Candidates(kept, dialogues, join_functions(functions), rejects)


def splits_by_function(recipe: Recipe) -> bool:
    """Whether function_call rows are held out by function."""
    return recipe.validation > 0 and recipe.validation_by == "functions"


def split_kept(recipe: Recipe, candidates: Candidates) -> Sides:
    return split_candidates(candidates.kept, candidates.functions, recipe.validation, recipe.seed)


def mix_candidates(
    recipe: Recipe, part_sources: Sequence[PartSource], tables: Tables, summaries: Mapping[str, ShardSummary]
) -> Mix:
    """Draws every part's rows, fills shortages, and orders all.

    `summaries` are by part: samples about which no model was asked count as available when shares are computed. Quotas
    are of train rows. Raises ShortError if a part has too few rows, unless the recipe allows it.
    """
    candidates = read_candidates(recipe, tables)
    sides = split_kept(recipe, candidates)
    unasked = {name: summary.unasked for name, summary in summaries.items()}
    wanted = allot_rows(recipe, {name: len(rows) + unasked.get(name, 0) for name, rows in sides["train"].items()})
    absent = {name: _list_absent(name, part, part_sources) for name, part in recipe.parts.items()}
    train: dict[str, list[Candidate]] = {}
    validation: dict[str, Sequence[Candidate]] = {}
    counts: dict[str, MixCounts] = {}
    for name, part in recipe.parts.items():
        drawn = draw_candidates(sides["train"][name], wanted[name], recipe.seed)
        # Second copies make up for rejected rows, never for a missing corpus.
        fills = part.fill == "repeat" and not absent[name]
        repeated = repeat_candidates(drawn, wanted[name] - len(drawn), recipe.seed) if fills else []
        held_out = _hold_out(recipe, name, len(drawn), sides)
        train[name], validation[name] = [*drawn, *repeated], held_out
        rows, mixed = len(drawn) + len(repeated), len(sides["mixed"][name])
        missing = tuple(load_source(source).name for source in absent[name])
        counts[name] = MixCounts(wanted[name], rows, len(repeated), len(held_out), mixed, missing)
    if not recipe.allow_short:
        _refuse_shortages(recipe, counts, absent, summaries)
    return Mix(
        tables=[path for paths in tables.values() for path in paths],
        train=_order_picks(train.values(), recipe),
        validation=_order_picks(validation.values(), recipe),
        dialogues={
            "train": _pick_dialogues(train, candidates.dialogues, recipe),
            "validation": _pick_dialogues(validation, candidates.dialogues, recipe),
        },
        rejects=candidates.rejects,
        counts=counts,
    )


def _list_absent(name: str, part: Part, part_sources: Sequence[PartSource]) -> tuple[str, ...]:
    """The sources of a part that were not found."""
    found = {one.name_in_recipe for one in part_sources if one.part == name}
    return tuple(source for source in part.source if source not in found)


def _hold_out(recipe: Recipe, name: str, drawn: int, sides: Sides) -> Sequence[Candidate]:
    """The validation rows of a part; if it does not use all its train rows, in proportion to those it uses."""
    held_out = sides["validation"][name]
    if drawn == len(sides["train"][name]):
        return held_out
    return draw_candidates(held_out, allot_validation(drawn, recipe.validation), recipe.seed)


def _refuse_shortages(
    recipe: Recipe,
    counts: Mapping[str, MixCounts],
    absent: Mapping[str, Sequence[str]],
    summaries: Mapping[str, ShardSummary],
) -> None:
    """Raises ShortError if a part has too few rows."""
    shortages, remedies = [], {}
    for name, count in counts.items():
        if count.rows < count.wanted:
            lost = summaries.get(name, ShardSummary())
            have = count.rows - count.repeated
            shortages.append(Shortage(name, count.wanted, have, lost.rejects, len(lost.faults)))
            remedies[name] = _suggest_remedy(recipe.parts[name], absent[name], count)
    if shortages:
        raise ShortError(shortages, remedies)


def _suggest_remedy(part: Part, absent: Sequence[str], count: MixCounts) -> str:
    """How a part gets more rows: from a corpus that is missing, or that may be there in part only."""
    published = [source for source in absent or part.source if not is_own_source(source)]
    steps = [describe_download([*map(load_source, published)])] if published else []
    if not absent and not published:
        steps.append("mend what was rejected, ask for fewer rows, or set fill: repeat")
    if count.validation or count.mixed:
        steps.append(f"validation takes {count.validation:,}, and {count.mixed:,} are in neither split")
    return "; ".join(steps)


def _pick_dialogues(
    drawn: Mapping[str, Sequence[Candidate]], dialogues: Mapping[str, Mapping[str, Candidate]], recipe: Recipe
) -> list[Pick]:
    """Each dialogue of the drawn rows once, from the first of their parts that has thoughts, else from the first."""
    picked: dict[str, Candidate] = {}
    for part in sorted(drawn, key=lambda name: not recipe.parts[name].has_thoughts):
        for candidate in drawn[part]:
            if (dialogue := dialogues[part].get(candidate.dialogue)) is not None:
                picked.setdefault(candidate.dialogue, dialogue)
    return _order_picks([list(picked.values())], recipe)


def _order_picks(candidates: Iterable[Sequence[Candidate]], recipe: Recipe) -> list[Pick]:
    ordered = order_candidates([one for some in candidates for one in some], recipe.order, recipe.seed)
    return [Pick(one.shard, one.row, one.repeat, one.id if one.renamed else "") for one in ordered]
