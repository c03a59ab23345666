"""Selects the candidates that become rows, and orders them; reads only their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from coalm_it.draw import stable_hash
from coalm_it.errors import ShortfallError
from coalm_it.recipe import Recipe


class Candidate(NamedTuple):
    """A checked row and its location: the index of the table of its shard, and of its row in it."""

    shard: int
    row: int
    id: str
    dialogue: str
    """Full name of the dialogue, whose rows are drawn together."""
    repeat: int = 0
    """1 for a second copy, which fills a shortage; 0 for the original."""
    renamed: bool = False
    """Whether the row has another id in its table (see row_names.py)."""

    @property
    def name(self) -> str:
        """The id of the written row."""
        return f"{self.id}~r{self.repeat}" if self.repeat else self.id


class Shortage(NamedTuple):
    """A part with too few rows."""

    part: str
    wanted: int
    have: int
    rejects: int = 0
    """Its candidates that a check rejected."""
    faults: int = 0
    """Its records that could not be read."""


class ShortError(ShortfallError):
    """Parts have too few rows; nothing was written."""

    def __init__(self, shortages: Sequence[Shortage], remedies: Mapping[str, str]) -> None:
        super().__init__(shortages, remedies)
        self.shortages = shortages
        self.remedies = remedies
        """Part -> how to get more rows for it."""

    def __str__(self) -> str:
        parts = "; ".join(
            f"{short.part}: wanted {short.wanted:,}, have {short.have:,}, missing {short.wanted - short.have:,}, "
            f"rejects {short.rejects:,}, faults {short.faults:,} ({self.remedies[short.part]})"
            for short in self.shortages
        )
        return f"too few rows: {parts}. --allow-short builds with fewer rows"


def allot_rows(recipe: Recipe, have: Mapping[str, int]) -> dict[str, int]:
    """Part -> its quota of rows; `have` is the number of candidates of each part.

    The quota of a part without rows or share in the recipe is all its candidates. Scaled quotas and shares are rounded
    by largest remainder, so that they add up to the rounded total.
    """
    exact: dict[str, float] = {}
    for name, part in recipe.parts.items():
        quota = part.share * recipe.rows if part.share and recipe.rows else part.rows
        exact[name] = recipe.scale * (have[name] if quota is None else quota)
    wanted = {name: int(value + 1e-9) for name, value in exact.items()}
    spare = round(sum(exact.values())) - sum(wanted.values())
    by_remainder = sorted(exact, key=lambda name: wanted[name] - exact[name])
    for name in by_remainder[:spare]:
        wanted[name] += 1
    return wanted


def draw_candidates(candidates: Sequence[Candidate], rows: int, seed: int) -> list[Candidate]:
    """`rows` of the candidates, or all if there are fewer, in their given order.

    They are drawn by dialogue: dialogues in the order of a stable hash, the rows of a dialogue in turn order, and the
    last dialogue cut off at the quota.
    """
    if rows >= len(candidates):
        return list(candidates)
    dialogues: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        dialogues.setdefault(candidate.dialogue, []).append(candidate)
    drawn: list[Candidate] = []
    for dialogue in order_dialogues(dialogues, seed):
        drawn += dialogues[dialogue]
        if len(drawn) >= rows:
            break
    return sorted(drawn[:rows])


def order_dialogues(names: Iterable[str], seed: int) -> list[str]:
    """The dialogues (SOURCE/SPLIT/ID) in the order in which they are drawn, that of a stable hash."""
    return sorted(names, key=lambda name: (stable_hash("draw", seed, name), name))


def repeat_candidates(drawn: Sequence[Candidate], rows: int, seed: int) -> list[Candidate]:
    """Second copies of `rows` of the drawn candidates, or of all if there are fewer, in the order of a stable hash."""
    order = sorted(drawn, key=lambda candidate: (stable_hash("repeat", seed, candidate.id), candidate.id))
    return [candidate._replace(repeat=1) for candidate in order[:rows]]


def order_candidates(chosen: Iterable[Candidate], order: Literal["shuffled", "corpus"], seed: int) -> list[Candidate]:
    """The candidates shuffled by a stable hash of each id, or in corpus order."""
    if order == "corpus":
        return list(chosen)
    return sorted(chosen, key=lambda candidate: (stable_hash("order", seed, candidate.name), candidate.name))
