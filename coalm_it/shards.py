"""One shard from its raw bytes to finished, checked candidate rows: the first half of a build, run in a worker."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from coalm_it.checks import CHECKS, run_checks
from coalm_it.draw import stable_hash
from coalm_it.masking import draw_mask, mask_sample
from coalm_it.output import TableBuilder, write_table
from coalm_it.readers import READERS
from coalm_it.reasoning.grounded import write_thoughts
from coalm_it.recipe import Part, Recipe, Unanswerable
from coalm_it.rendering import Renderer, Row, fingerprint_templates
from coalm_it.samples import make_samples, passes_filter, shorten_observations, show_tools
from coalm_it.schema import Dialogue, Fault, Finding, Inventory, Sample, Tool
from coalm_it.sources import Corpus, Shard
from coalm_it.unanswerable import decline, take_tool_away, take_value_away


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
    """At most so many dialogues."""


@dataclass
class Stages:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def _copy_sample(sample: Sample, part: Part, pool: Sequence[Tool], seed: int) -> Iterator[Sample]:
    """As many copies as the part asks for; each but the first has an id of its own, each is made unanswerable or not,
    masked or not, by itself."""
    for number in range(part.copies):
        copy = sample.model_copy(update={"id": f"{sample.id}~{number}"}) if number else sample
        if part.unanswerable and sample.task == "function_call":
            copy = _draw_unanswerable(copy, part.unanswerable, pool, seed) or copy
        if part.layout == "varied" and copy.step is not None and not copy.calls:
            copy = decline(copy, seed=seed)
        if part.mask and draw_mask(copy.id, probability=part.mask.probability, seed=seed):
            copy = mask_sample(copy, style=part.mask.style, seed=seed)
        yield copy


def _draw_unanswerable(sample: Sample, shares: Unanswerable, pool: Sequence[Tool], seed: int) -> Sample | None:
    """The sample without its function or a value, if it is drawn for that; None where it is not, or cannot be.

    A function is taken from first turns only: later ones may follow on what the agent asked in order to call it.
    """
    place = stable_hash("unanswerable", seed, sample.id) / 2**64
    if place < shares.no_function:
        return None if sample.history else take_tool_away(sample, pool=pool, seed=seed)
    if place < shares.no_function + shares.no_value:
        return take_value_away(sample, seed=seed)
    return None


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A shard's objects live until it is written; looking for cycles among them costs a third of the time."""
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


@_without_garbage_collection()
def make_shard(task: ShardTask) -> Path:
    """Writes the shard's table (see output.TableBuilder) with a summary in the file's metadata.

    The summary: `dialogues` read, of these `filtered` out, `rows`, `rejects`, `rejected_by` (check -> samples that it
    turned away), `faults`, `seconds` by stage. Raises OutputError.
    """
    recipe, part, stages = task.recipe, task.recipe.parts[task.part], Stages()
    switched = {**recipe.checks, **part.checks}
    checks = [name for name in CHECKS if switched.get(name, True)]
    with stages.timed("read"):
        read = READERS[task.reader].read_dialogues(task.corpus, part.split, task.shard, licence=task.licence)
        records = list(islice(read, task.limit))
        faults = [record for record in records if isinstance(record, Fault)]
        if task.shard.index:  # a file that cannot be read is one fault, however many shards it is cut into
            faults = [fault for fault in faults if fault.record is not None]
        dialogues = [record for record in records if isinstance(record, Dialogue)]
        # A published set is read back into finished samples.
        ready = [record for record in records if isinstance(record, Sample) and record.task in part.task]
        taken = [dialogue for dialogue in dialogues if passes_filter(dialogue, part.filter)]
    with stages.timed("think"):
        taken = [shorten_observations(dialogue, recipe.observation_results) for dialogue in taken]
        written: dict[str, str] = {}
        if any(name.startswith("react") for name in part.task):
            taken = [write_thoughts(dialogue, recipe.seed) for dialogue in taken]
            written = {"writer": recipe.reasoning.writer, "thoughts": fingerprint_templates("thoughts")}
    with stages.timed("sample"):
        shown = [show_tools(dialogue, task.inventory, recipe.distractors, recipe.seed) for dialogue in taken]
        samples = [sample.model_copy(update={"part": task.part}) for sample in ready]
        samples += [
            sample
            for dialogue, tools in zip(taken, shown, strict=True)
            for sample in make_samples(dialogue, task.part, part, tools, written)
        ]
        pool = [tool for tools in shown for tool in tools] if part.unanswerable else []
        samples = [copy for sample in samples for copy in _copy_sample(sample, part, pool, recipe.seed)]
    with stages.timed("check"):
        findings = [run_checks(sample, checks) for sample in samples]
    renderer, builder = Renderer(task.inventory), TableBuilder()
    with stages.timed("render"):
        for sample, found in zip(samples, findings, strict=True):
            builder.add_row(sample, _render_row(renderer, sample, found), found)
    with stages.timed("table"):
        table = builder.build_table()
        rejected = Counter(check for found in findings for check in {finding.check for finding in found})
        summary: dict[str, Any] = {
            "dialogues": len(records) - len(faults),
            "filtered": len(dialogues) - len(taken),
            "rows": sum(not found for found in findings),
            "rejects": sum(bool(found) for found in findings),
            "rejected_by": dict(sorted(rejected.items())),
            "faults": [fault.model_dump() for fault in faults],
            "seconds": stages.seconds,
        }
    write_table(task.path, table, summary)
    return task.path
