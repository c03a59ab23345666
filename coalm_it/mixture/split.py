"""Splits candidates into train and validation.

All rows of a dialogue, in every part and copy, are on one side, which is chosen by a hash of seed and dialogue.
Records that have the same id in their corpus are on one side too.

Function calls are held out by function, since a call of a function that was called in training proves little. A
function is held out by a hash of seed and name; if the row is masked, by the original name. The side of a dialogue
depends on its target functions: those that its rows call, or that were removed from its rows to make them unanswerable
(see samples/unanswerable).

    validation   all its target functions are held out; or it has none, and shows a function that is held out
    train        it shows no function that is held out
    mixed        all other cases: it is on neither side, and is counted

So no function that a validation row calls is in train, neither called nor shown. Other functions that a validation row
shows may be in train. They cannot be held out as well: corpora show functions in random combinations (294 rows of
Seal-Tools show 1,084 functions, and more than half of the rows are connected by them), so that a few hundred validation
rows would cost a large part of train. As a consequence, rows with several target functions are rarer in validation.

The side depends only on seed, share and dialogue, not on the rest of the mixture. A larger share contains a smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from coalm_it.draw import stable_hash
from coalm_it.mixture.quotas import Candidate
from coalm_it.schema import Sample, parse_record_name

Side = Literal["train", "validation", "mixed"]


class Functions(NamedTuple):
    """The functions of a function_call row, or of all such rows of a dialogue, by their original names."""

    targets: frozenset[str]
    shown: frozenset[str]


def list_functions(sample: Sample) -> Functions | None:
    """The target functions and the shown functions of a sample; None if it is no function call or shows no function."""
    if sample.task != "function_call" or not sample.tools:
        return None
    original_names: Mapping[str, str] = sample.provenance.get("mask", {}).get("functions", {})
    unanswerable = sample.provenance.get("unanswerable", {})
    targets = {original_names.get(call.name, call.name) for call in sample.calls}
    targets |= {*unanswerable.get("tools", ()), *([unanswerable["function"]] if "function" in unanswerable else ())}
    shown = {original_names.get(tool.name, tool.name) for tool in sample.tools}
    return Functions(frozenset(targets), frozenset(shown | targets))


def join_functions(rows: Iterable[tuple[str, Functions]]) -> dict[str, Functions]:
    """Dialogue -> the functions of all its rows."""
    joined: dict[str, Functions] = {}
    for dialogue, row in rows:
        earlier = joined.get(dialogue)
        joined[dialogue] = Functions(earlier.targets | row.targets, earlier.shown | row.shown) if earlier else row
    return joined


def is_held_out(name: str, kind: Literal["dialogue", "function"], share: float, seed: int) -> bool:
    """Whether a dialogue or function is held out, by a hash of seed and name."""
    return share > 0 and stable_hash("held out", kind, seed, name) < share * 2**64


def find_side(dialogue: str, functions: Functions | None, share: float, seed: int) -> Side:
    """The side of a dialogue; `functions` are the functions of its function_call rows, None if it has no such rows."""
    if functions is None:
        return "validation" if is_held_out(dialogue, "dialogue", share, seed) else "train"
    held = {name for name in functions.shown if is_held_out(name, "function", share, seed)}
    if not held:
        return "train"
    return "validation" if functions.targets <= held else "mixed"


def split_candidates(
    candidates: Mapping[str, Sequence[Candidate]], functions: Mapping[str, Functions], share: float, seed: int
) -> dict[Side, dict[str, list[Candidate]]]:
    """Side -> part -> its candidates. `functions`: dialogue -> the functions of its function_call rows in all parts."""
    sides: dict[Side, dict[str, list[Candidate]]] = {
        side: {name: [] for name in candidates} for side in ("train", "validation", "mixed")
    }
    joined = join_functions((parse_record_name(dialogue), row) for dialogue, row in functions.items())
    known: dict[str, Side] = {}
    for name, part_candidates in candidates.items():
        for candidate in part_candidates:
            dialogue = parse_record_name(candidate.dialogue)
            if dialogue not in known:
                known[dialogue] = find_side(dialogue, joined.get(dialogue), share, seed)
            sides[known[dialogue]][name].append(candidate)
    return sides


def allot_validation(train_rows: int, share: float) -> int:
    """The maximal number of validation rows for a number of train rows: the share of both together, at least one."""
    return max(1, round(train_rows * share / (1 - share))) if share else 0
