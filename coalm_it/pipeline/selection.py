"""Selects the dialogues for which a model writes thoughts: those that are drawn first, as many as the quotas need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from coalm_it.mixture.quotas import allot_rows, order_dialogues
from coalm_it.pipeline.shard import ShardTask, count_samples, read_shard
from coalm_it.recipe import Recipe
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.writers import plan_writer_requests

EXTRA_SHARE = 1.1
"""Samples that are added per missing row, when a part has too few: some of them may be rejected too."""


class DialogueOutline(NamedTuple):
    """What the selection needs to know of a dialogue before any request about it."""

    name: str
    """Source, split and id, by which it is drawn."""
    id: str
    samples: int
    multisteps: int


def outline_shard(task: ShardTask) -> tuple[str, list[DialogueOutline]]:
    """The outlines of a shard's dialogues, and its key."""
    outlines = []
    for dialogue in read_shard(task).dialogues:
        framed = FramedDialogue(dialogue, (), ())
        multisteps = sum(1 for _ in plan_writer_requests(framed, task.recipe.reasoning))
        outlines.append(DialogueOutline(dialogue.full_name, dialogue.id, count_samples(task, dialogue), multisteps))
    return task.key, outlines


class Selection:
    """The selected dialogues of each part: the first of the draw, as many as its quota needs; `widen` adds more.

    `tasks` are the shards of the parts whose thoughts a model writes, `outlines` their dialogues by key of the task.
    """

    def __init__(
        self, recipe: Recipe, tasks: Sequence[ShardTask], outlines: Mapping[str, list[DialogueOutline]]
    ) -> None:
        self.recipe, self._tasks, self._outlines = recipe, tasks, outlines
        by_name: dict[str, dict[str, DialogueOutline]] = {task.part: {} for task in tasks}
        for task in tasks:
            by_name[task.part] |= {outline.name: outline for outline in outlines[task.key]}
        self._drawn = {
            part: [found[name] for name in order_dialogues(found, recipe.seed)] for part, found in by_name.items()
        }
        """Part -> all its dialogues, in the order of the draw."""
        self._samples = {name: sum(outline.samples for outline in self._drawn.get(name, ())) for name in recipe.parts}
        self._selected = dict.fromkeys(self._drawn, 0)
        """Part -> how many of its dialogues are selected."""
        self._select_initial()

    def _select_initial(self) -> None:
        """As many dialogues as the quota needs if no more are rejected than the recipe expects; without one, all."""
        recipe, wanted = self.recipe, self._count_wanted({})
        train_share = 1 - recipe.validation
        for part, drawn in self._drawn.items():
            if wanted[part] < self._samples[part] * train_share:
                self._select_samples(part, wanted[part] / train_share * (1 + recipe.expect.rejects_at_most))
            else:
                self._selected[part] = len(drawn)

    def _count_wanted(self, rejects: Mapping[str, int]) -> dict[str, int]:
        """Train rows that each part is to give, assuming that no further samples are rejected."""
        train_share = 1 - self.recipe.validation
        return allot_rows(
            self.recipe,
            {part: round((samples - rejects.get(part, 0)) * train_share) for part, samples in self._samples.items()},
        )

    def _select_samples(self, part: str, samples: float) -> None:
        """Selects further dialogues of a part that give this number of samples."""
        drawn = self._drawn[part]
        while samples > 0 and self._selected[part] < len(drawn):
            samples -= drawn[self._selected[part]].samples
            self._selected[part] += 1

    def widen(self, kept: Mapping[str, int], rejects: Mapping[str, int]) -> bool:
        """Selects more dialogues for parts that kept too few train rows. Returns whether there were any more."""
        before, wanted = dict(self._selected), self._count_wanted(rejects)
        for part in self._drawn:
            self._select_samples(part, EXTRA_SHARE * (wanted[part] - kept[part]))
        return self._selected != before

    def _list_selected(self, part: str) -> list[DialogueOutline]:
        return self._drawn[part][: self._selected[part]]

    @property
    def multisteps(self) -> int:
        """Number of multistep requests to the writer about the selected dialogues."""
        return sum(outline.multisteps for part in self._drawn for outline in self._list_selected(part))

    def restrict_tasks(self) -> list[ShardTask]:
        """The tasks, each restricted to its selected dialogues."""
        selected = {part: {outline.name for outline in self._list_selected(part)} for part in self._drawn}
        return [self._restrict_task(task, selected[task.part]) for task in self._tasks]

    def _restrict_task(self, task: ShardTask, selected: set[str]) -> ShardTask:
        outlines = self._outlines[task.key]
        ids = frozenset(outline.id for outline in outlines if outline.name in selected)
        return task if len(ids) == len(outlines) else replace(task, dialogues=ids)
