"""Which side of the data set a row is on: train, or the validation rows that are held out of it.

All rows of a dialogue, in every part and in every copy, are on one side; the hash of seed and dialogue says which.

Function calls are held out by function: a model that has been trained on other calls of a function proves nothing by
the next one. A function is held out by the hash of seed and name, under its true name where the row is masked, and a
dialogue goes by the functions that its rows are about: those that it calls, or that a request was made of which they
cannot answer any more (see unanswerable/).

    validation   every function that it is about is held out; or it is about none, and shows one that is held out
    train        it shows no function that is held out
    mixed        all else: it is on no side, and counted

So no function that a validation row calls is anywhere in train, neither called nor shown. The other way round it may
be: a validation row shows functions beside the right one, and these may be known. To hold these out too is not to be
had: corpora mix at random what they show (294 rows of Seal-Tools show 1,084 functions, and more than half of the rows
hang together by them), so that a few hundred validation rows would cost train a large part of its own. The price of
this rule is that rows about several functions are rarer in validation.

A side depends on seed, share and the dialogue alone, not on what else is in the mix; a larger share contains the
smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from coalm_it.draw import stable_hash
from coalm_it.mixture.quotas import Candidate
from coalm_it.schema import Sample

Side = Literal["train", "validation", "mixed"]


class Functions(NamedTuple):
    """The functions of a function_call row, or of all such rows of a dialogue, by their true names."""

    about: frozenset[str]
    shown: frozenset[str]


def list_functions(sample: Sample) -> Functions | None:
    """What the sample is about and shows; None where it is no function call, or shows no function."""
    if sample.task != "function_call" or not sample.tools:
        return None
    true_names: Mapping[str, str] = sample.provenance.get("mask", {}).get("functions", {})
    taken = sample.provenance.get("unanswerable", {})
    about = {true_names.get(call.name, call.name) for call in sample.calls}
    about |= {*taken.get("tools", ()), *([taken["function"]] if "function" in taken else ())}
    shown = {true_names.get(tool.name, tool.name) for tool in sample.tools}
    return Functions(frozenset(about), frozenset(shown | about))


def join_functions(rows: Iterable[tuple[str, Functions]]) -> dict[str, Functions]:
    """Dialogue -> the functions of all its rows."""
    joined: dict[str, Functions] = {}
    for dialogue, row in rows:
        had = joined.get(dialogue)
        joined[dialogue] = Functions(had.about | row.about, had.shown | row.shown) if had else row
    return joined


def is_held_out(name: str, kind: Literal["dialogue", "function"], share: float, seed: int) -> bool:
    return share > 0 and stable_hash("held out", kind, seed, name) < share * 2**64


def find_side(dialogue: str, functions: Functions | None, share: float, seed: int) -> Side:
    """The side of a dialogue; `functions` are those of its function_call rows, None where it has none."""
    if functions is None:
        return "validation" if is_held_out(dialogue, "dialogue", share, seed) else "train"
    held = {name for name in functions.shown if is_held_out(name, "function", share, seed)}
    if not held:
        return "train"
    return "validation" if functions.about <= held else "mixed"


def split_candidates(
    candidates: Mapping[str, Sequence[Candidate]], functions: Mapping[str, Functions], share: float, seed: int
) -> dict[Side, dict[str, list[Candidate]]]:
    """Side -> part -> its candidates. `functions`: dialogue -> those of its function_call rows, in whatever part."""
    sides: dict[Side, dict[str, list[Candidate]]] = {
        side: {name: [] for name in candidates} for side in ("train", "validation", "mixed")
    }
    known: dict[str, Side] = {}
    for name, of_part in candidates.items():
        for candidate in of_part:
            dialogue = candidate.dialogue
            if dialogue not in known:
                known[dialogue] = find_side(dialogue, functions.get(dialogue), share, seed)
            sides[known[dialogue]][name].append(candidate)
    return sides


def allot_validation(train_rows: int, share: float) -> int:
    """The most validation rows of a part with so many train rows: the share of both together, and one at least."""
    return max(1, round(train_rows * share / (1 - share))) if share else 0
