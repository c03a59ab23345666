"""Which dialogues a model is asked about: those that are drawn first, as many as the quotas need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from coalm_it.mixture.quotas import allot_rows, order_dialogues
from coalm_it.pipeline.shard import ShardTask, count_samples, read_shard
from coalm_it.recipe import Recipe
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.writers import plan_writing


class Outline(NamedTuple):
    """What is to be known of a dialogue before anything is asked about it."""

    name: str
    """Source, split and id: what it is drawn by."""
    id: str
    samples: int
    requests: int
    """Before any is repeated."""


def outline_shard(task: ShardTask) -> tuple[Path, list[Outline]]:
    """The dialogues of a shard, and the path of the table that tells whose they are."""
    outlines = []
    for dialogue in read_shard(task).dialogues:
        name = dialogue.full_name
        requests = sum(1 for _ in plan_writing(FramedDialogue(dialogue, (), ()), task.recipe.reasoning))
        outlines.append(Outline(name, dialogue.id, count_samples(task, dialogue), requests))
    return task.path, outlines


class Selection:
    """Which dialogues of each part a model is asked about: in the order of the draw, as many as are needed."""

    def __init__(self, recipe: Recipe, tasks: Sequence[ShardTask], outlines: Mapping[Path, list[Outline]]) -> None:
        self.recipe, self._tasks, self._outlines = recipe, tasks, outlines
        found: dict[str, dict[str, Outline]] = {task.part: {} for task in tasks}
        for task in tasks:
            found[task.part] |= {one.name: one for one in outlines[task.path]}
        self._drawn = {part: [of[name] for name in order_dialogues(of, recipe.seed)] for part, of in found.items()}
        self._have = {name: sum(one.samples for one in self._drawn.get(name, ())) for name in recipe.parts}
        self._taken = dict.fromkeys(self._drawn, 0)
        wanted = self._want({})
        for part, drawn in self._drawn.items():
            if wanted[part] < self._have[part] * (1 - recipe.validation):
                self._take(part, wanted[part] / (1 - recipe.validation) * (1 + recipe.expect.rejects_at_most))
            else:
                self._taken[part] = len(drawn)

    def _want(self, rejects: Mapping[str, int]) -> dict[str, int]:
        """How many train rows each part is to give, as far as is known before all is asked."""
        good = {part: have - rejects.get(part, 0) for part, have in self._have.items()}
        return allot_rows(
            self.recipe, {part: round(rows * (1 - self.recipe.validation)) for part, rows in good.items()}
        )

    def _take(self, part: str, samples: float) -> None:
        """Takes further dialogues that give so many samples."""
        drawn = self._drawn[part]
        while samples > 0 and self._taken[part] < len(drawn):
            samples -= drawn[self._taken[part]].samples
            self._taken[part] += 1

    def widen(self, kept: Mapping[str, int], rejects: Mapping[str, int]) -> bool:
        """Takes more where a part has kept too few train rows; whether there was more to take."""
        before, wanted = dict(self._taken), self._want(rejects)
        for part in self._drawn:
            self._take(part, 1.1 * (wanted[part] - kept[part]))
        return self._taken != before

    def _chosen(self, part: str) -> list[Outline]:
        return self._drawn[part][: self._taken[part]]

    @property
    def requests(self) -> int:
        """Before any is repeated."""
        return sum(one.requests for part in self._drawn for one in self._chosen(part))

    def choose(self) -> list[ShardTask]:
        """The tasks, each with those of its dialogues that become rows."""
        chosen = {part: {one.name for one in self._chosen(part)} for part in self._drawn}
        return [self._choose_of(task, chosen[task.part]) for task in self._tasks]

    def _choose_of(self, task: ShardTask, chosen: set[str]) -> ShardTask:
        outlines = self._outlines[task.path]
        ids = frozenset(one.id for one in outlines if one.name in chosen)
        return task if len(ids) == len(outlines) else replace(task, dialogues=ids)
