"""One shard from its raw bytes to finished, checked candidate rows: the first half of a build, run in a worker."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coalm_it.checks import CHECKS, run_checks
from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.dataset.tables import TableBuilder, write_table
from coalm_it.readers import READERS
from coalm_it.recipe import Recipe
from coalm_it.rendering import Renderer, Row
from coalm_it.samples.targets import list_targets, make_samples, passes_filter, shorten_observations, show_tools
from coalm_it.samples.variants import copy_sample
from coalm_it.schema import Dialogue, Fault, Finding, Inventory, Place, Sample
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.writers import DialogueWithThoughts, read_ledger, reason


@dataclass(frozen=True)
class ShardTask:
    """All that a worker needs to make one shard of one part; `path` is where its table goes."""

    part: str
    reader: str
    licence: str
    corpus: Corpus
    inventory: Inventory
    shard: Shard
    recipe: Recipe
    path: Path
    limit: int | None = None
    """At most so many dialogues, not counting those that the part's filter leaves out."""
    ledger: Path | None = None
    """Where a model's answers lie, for a part whose thoughts a model writes."""
    dialogues: frozenset[str] | None = None
    """Ids of those that become rows, where a model is asked about no more than the recipe needs; None: all."""

    @property
    def checks(self) -> list[str]:
        """Names of the checks that run."""
        switched = {**self.recipe.checks, **self.recipe.parts[self.part].checks}
        return [name for name in CHECKS if switched.get(name, True)]


@dataclass
class Stages:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A shard's objects live until it is done; looking for cycles among them costs a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _render_row(renderer: Renderer, sample: Sample, found: list[Finding]) -> Row:
    """The row of a sample; an empty one, and a finding more, where its layout cannot write a call of it."""
    try:
        return renderer.render_row(sample)
    except ValueError as error:
        found.append(Finding(check="rendering", where="row", message=str(error)))
        return Row("", "", "", [], None, "{}")


@dataclass
class Contents:
    """What a shard holds for its part."""

    count: int = 0
    """Dialogues, those among them that the part's filter leaves out."""
    dialogues: list[Dialogue] = field(default_factory=list)
    """Those that the part takes; of their observations what the rows show."""
    ready: list[Sample] = field(default_factory=list)
    """Finished samples, of a published set that is read back."""
    filtered: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """What a limit counts."""
        return len(self.dialogues) + len(self.ready)


@_without_garbage_collection()
def read_shard(task: ShardTask) -> Contents:
    """What the raw bytes of a shard hold for its part."""
    part = task.recipe.parts[task.part]
    read = READERS[task.reader].read_dialogues(task.corpus, part.split, task.shard, licence=task.licence)
    contents = Contents()
    for record in read:
        contents.count += not isinstance(record, Fault)
        if isinstance(record, Fault):
            contents.faults.append(record)
        elif isinstance(record, Sample):
            if record.task in part.task:
                contents.ready.append(record)
        elif passes_filter(record, part.filter):
            contents.dialogues.append(shorten_observations(record, task.recipe.observation_results))
        else:
            contents.filtered += 1
        if contents.taken == task.limit:
            break
    return contents


def frame_dialogue(task: ShardTask, dialogue: Dialogue) -> FramedDialogue:
    """The dialogue with what its samples show and are held to."""
    tools = show_tools(dialogue, task.inventory, task.recipe.distractors, task.recipe.seed)
    return FramedDialogue(dialogue, tools, task.checks)


def count_samples(task: ShardTask, dialogue: Dialogue) -> int:
    """How many samples a dialogue gives to the part."""
    part = task.recipe.parts[task.part]
    return part.copies * sum(1 for _ in list_targets(dialogue, part.task))


def _is_chosen(task: ShardTask, dialogue: Dialogue) -> bool:
    return task.dialogues is None or dialogue.id in task.dialogues


def _write_thoughts(task: ShardTask, asked: Sequence[FramedDialogue]) -> list[DialogueWithThoughts]:
    """The dialogues with thoughts, where the part's rows have any."""
    part = task.recipe.parts[task.part]
    if not any(name.startswith("react") for name in part.task):
        return [DialogueWithThoughts(one.dialogue) for one in asked]
    with read_ledger(task.ledger) as ledger:
        return [reason(one, task.recipe, ledger) for one in asked]


@_without_garbage_collection()
def make_shard(task: ShardTask) -> Path:
    """Writes the shard's table (see dataset.tables.TableBuilder) with a summary in the file's metadata.

    The summary: `dialogues` read, of these `filtered` out, `rows`, `rejects`, `rejected_by` (check -> samples that it
    turned away), `unasked` (samples of dialogues about which no model was asked), `thoughts` (what became of them),
    `faults`, `seconds` by stage. Raises OutputError, LedgerError, MissingError.
    """
    recipe, part, stages = task.recipe, task.recipe.parts[task.part], Stages()
    with stages.timed("read"):
        contents = read_shard(task)
        chosen = [dialogue for dialogue in contents.dialogues if _is_chosen(task, dialogue)]
        unasked = sum(count_samples(task, one) for one in contents.dialogues if not _is_chosen(task, one))
    with stages.timed("think"):
        asked = [frame_dialogue(task, dialogue) for dialogue in chosen]
        reasoned = _write_thoughts(task, asked)
    with stages.timed("sample"):
        samples = [sample.model_copy(update={"part": task.part}) for sample in contents.ready]
        samples += [
            sample
            for framed, one in zip(asked, reasoned, strict=True)
            for sample in make_samples(one.dialogue, task.part, part, framed.tools, one.origins)
        ]
        pool = [tool for framed in asked for tool in framed.tools] if part.unanswerable else []
        samples = [copy for sample in samples for copy in copy_sample(sample, part, pool, recipe.seed)]
    with stages.timed("check"):
        missing = {one.dialogue.id: one.missing for one in reasoned if one.missing}
        findings = [_find_missing(sample, missing) or run_checks(sample, task.checks) for sample in samples]
    renderer, builder = Renderer(task.inventory), TableBuilder()
    with stages.timed("render"):
        for sample, found in zip(samples, findings, strict=True):
            builder.add_row(sample, _render_row(renderer, sample, found), found)
    with stages.timed("table"):
        table = builder.build_table()
        rejected = Counter(check for found in findings for check in {finding.check for finding in found})
        summary: dict[str, Any] = {
            "dialogues": contents.count,
            "filtered": contents.filtered,
            "rows": sum(not found for found in findings),
            "rejects": sum(bool(found) for found in findings),
            "rejected_by": dict(sorted(rejected.items())),
            "unasked": unasked,
            "thoughts": dict(sorted(sum((one.thought_counts for one in reasoned), Counter()).items())),
            "faults": [fault.model_dump() for fault in contents.faults],
            "seconds": stages.seconds,
        }
    write_table(task.path, table, summary)
    return task.path


def _find_missing(sample: Sample, missing: Mapping[str, Mapping[Place, str]]) -> list[Finding]:
    """That a ReAct target has no thought, and why a model wrote none that passed."""
    why = missing.get(sample.dialogue_id, {}).get(sample.place) if sample.task.startswith("react") else None
    return [] if why is None else [Finding(check="reasoning", where="thought", message=why)]
