"""The first half of a build, run in a worker: one shard from raw bytes to checked candidate rows."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from coalm_it.checks import CHECKS, run_checks
from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.corpora.sources import NoCall
from coalm_it.dataset.summary import ShardSummary
from coalm_it.dataset.tables import TableBuilder
from coalm_it.licences import permits_commercial_use
from coalm_it.pipeline.lengths import find_too_long
from coalm_it.pipeline.shard_cache import store_table
from coalm_it.readers import READERS, read_notes
from coalm_it.recipe import Recipe
from coalm_it.rendering import LayoutError, RenderedDialogue, Renderer, Row
from coalm_it.samples.near_misses import ToolIndex
from coalm_it.samples.targets import (
    count_context,
    list_targets,
    make_samples,
    passes_filter,
    shorten_observations,
    show_tools,
)
from coalm_it.samples.variants import VariantSettings, copy_sample
from coalm_it.schema import Dialogue, Fault, Finding, Inventory, LeftOut, Place, Sample, Turn
from coalm_it.templates import OwnTemplates, TemplateError, use_templates
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.writers import DialogueWithThoughts, add_thoughts, read_ledger


@dataclass(frozen=True)
class ShardTask:
    """Everything that a worker needs to process one shard of one part."""

    part: str
    reader: str
    licence: str
    corpus: Corpus
    inventory: Inventory
    shard: Shard
    recipe: Recipe
    key: str
    """Hash of everything that the shard's table depends on; its name in the cache."""
    limit: int | None = None
    """Maximum number of dialogues, not counting those that the part's filter excludes."""
    no_call: NoCall = "unsaid"
    """What the corpus means where it makes no call."""
    ledger: Path | None = None
    """The ledger with the model's answers, if a model writes the part's thoughts."""
    dialogues: frozenset[str] | None = None
    """Ids of the dialogues that become rows, if a model is asked only about as many as the recipe needs; None: all."""
    templates: OwnTemplates = field(default_factory=dict)
    """The user's own templates."""
    tokenizer: Path | None = None
    """The tokenizer.json with which the part's `max_tokens` are counted."""

    @property
    def checks(self) -> list[str]:
        """Names of the checks that are on."""
        switched = {**self.recipe.checks, **self.recipe.parts[self.part].checks}
        return [name for name in CHECKS if switched.get(name, True)]


@dataclass
class ShardContents:
    """What a shard holds for its part."""

    count: int = 0
    """Dialogues read, including those that the part's filter or the YAML of the source excludes."""
    filtered: int = 0
    """Dialogues that the part's filter or the YAML of the source excludes."""
    dialogues: list[Dialogue] = field(default_factory=list)
    """The others; their observations are shortened to what the rows show."""
    samples: list[Sample] = field(default_factory=list)
    """Finished samples, from a published data set that is read back."""
    faults: list[Fault] = field(default_factory=list)

    @property
    def size(self) -> int:
        """What counts towards a limit."""
        return len(self.dialogues) + len(self.samples)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A shard's objects live until it is done; searching them for cycles takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# --- reading ---


@_without_garbage_collection()
def read_shard(task: ShardTask) -> ShardContents:
    """Reads the raw records of a shard, as far as its part needs them."""
    part = task.recipe.parts[task.part]
    records = READERS[task.reader].read_dialogues(task.corpus, part.split, task.shard, licence=task.licence)
    commercial = "commercial" in (task.recipe.use, part.filter.licence)
    contents = ShardContents()
    for record in records:
        contents.count += isinstance(record, LeftOut) or not isinstance(record, Fault)
        if isinstance(record, LeftOut):
            contents.filtered += 1
        elif isinstance(record, Fault):
            contents.faults.append(record)
        elif commercial and not permits_commercial_use(record.licence):
            contents.filtered += 1
        elif isinstance(record, Sample):
            if record.task in part.task:
                contents.samples.append(record)
        elif passes_filter(record, part.filter):
            contents.dialogues.append(shorten_observations(record, task.recipe.observation_results))
        else:
            contents.filtered += 1
        if contents.size == task.limit:
            break
    return contents


def frame_dialogue(task: ShardTask, dialogue: Dialogue) -> FramedDialogue:
    """The dialogue with the tools that its samples show and the checks that they must pass."""
    tools = show_tools(dialogue, task.inventory, task.recipe.distractors, task.recipe.seed)
    return FramedDialogue(dialogue, tools, task.checks)


def count_samples(task: ShardTask, dialogue: Dialogue) -> int:
    """How many samples the part makes from a dialogue, copies included."""
    part = task.recipe.parts[task.part]
    return part.copies * sum(1 for _ in list_targets(dialogue, part.task))


def is_selected(task: ShardTask, dialogue: Dialogue) -> bool:
    """Whether the dialogue becomes rows."""
    return task.dialogues is None or dialogue.id in task.dialogues


# --- from dialogues to rows ---


@_without_garbage_collection()
def make_shard(folder: Path, task: ShardTask) -> tuple[str, Path]:
    """Writes the shard's table with its summary (see dataset.tables) into the cache at `folder`; its key and path.

    Raises InputChangedError, OutputError, LedgerError, MissingAnswerError, TemplateError.
    """
    use_templates(task.templates)
    clock = StageClock()
    with clock.time("read"):
        contents = read_shard(task)
        framed = [frame_dialogue(task, one) for one in contents.dialogues if is_selected(task, one)]
    with clock.time("think"):
        with_thoughts = _add_thoughts(task, framed)
    with clock.time("sample"):
        originals = _make_samples(task, framed, with_thoughts)
        samples = _copy_samples(task, contents, originals, framed)
    with clock.time("check"):
        missing = {one.dialogue.id: one.missing for one in with_thoughts if one.missing}
        findings = [_find_missing(sample, missing) or run_checks(sample, task.checks) for sample in samples]
    renderer = Renderer(task.inventory, history_thoughts=task.recipe.history_thoughts)
    builder = TableBuilder()
    with clock.time("render"):
        whole = _list_whole_dialogues(with_thoughts, originals, _find_rejected_turns(samples, findings))
        rows: list[Row] = []
        dialogues: dict[str, RenderedDialogue] = {}
        for name, pairs in groupby(zip(samples, findings, strict=True), key=lambda pair: pair[0].dialogue_id):
            rows += [_render_row(renderer, sample, found) for sample, found in pairs]
            if name in whole:  # now, since it shares the texts of its rows
                dialogues[name] = renderer.render_dialogue(*whole[name])
        too_long = _find_too_long(task, rows, findings)
        for index, sample in enumerate(samples):
            if index not in too_long:
                builder.add_row(sample, rows[index], findings[index])
        for name, rendered in dialogues.items():
            sample, turns = whole[name]
            builder.add_dialogue(sample, *rendered, len(turns))
    with clock.time("table"):
        table = builder.build_table()
    summary = _summarize(task, contents, with_thoughts, findings, too_long, clock.seconds)
    kept = (sample for index, sample in enumerate(samples) if not findings[index] and index not in too_long)
    summary = summary.model_copy(update={"licences": Counter(sample.licence for sample in kept)})
    return task.key, store_table(folder, task.key, table, summary)


def _add_thoughts(task: ShardTask, framed: Sequence[FramedDialogue]) -> list[DialogueWithThoughts]:
    """The dialogues with thoughts, if the part's rows have any."""
    part = task.recipe.parts[task.part]
    if not part.has_thoughts:
        return [DialogueWithThoughts(one.dialogue) for one in framed]
    with read_ledger(task.ledger) as ledger:
        return [add_thoughts(one, task.recipe, ledger) for one in framed]


def _make_samples(
    task: ShardTask, framed: Sequence[FramedDialogue], with_thoughts: Sequence[DialogueWithThoughts]
) -> list[list[Sample]]:
    """The samples of each dialogue, as the corpus has them."""
    part, has_inventory = task.recipe.parts[task.part], bool(task.inventory.tools)
    return [
        [*make_samples(one.dialogue, task.part, part, frame.tools, one.provenance, has_inventory=has_inventory)]
        for frame, one in zip(framed, with_thoughts, strict=True)
    ]


def _copy_samples(
    task: ShardTask, contents: ShardContents, originals: Sequence[Sequence[Sample]], framed: Sequence[FramedDialogue]
) -> list[Sample]:
    """The copies of all samples that are candidates for rows."""
    part = task.recipe.parts[task.part]
    samples = [sample.model_copy(update={"part": task.part}) for sample in contents.samples]
    samples += [sample for some in originals for sample in some]
    near_misses = 0 if task.inventory.tools else task.recipe.near_misses
    searched = framed if near_misses or part.unanswerable else ()
    settings = VariantSettings(
        part=part,
        seed=task.recipe.seed,
        index=ToolIndex(tool for frame in searched for tool in frame.tools),
        near_misses=near_misses,
        no_call=task.no_call,
    )
    return [copy for sample in samples for copy in copy_sample(sample, settings)]


def _find_missing(sample: Sample, missing: Mapping[str, Mapping[Place, str]]) -> list[Finding]:
    """A finding if a ReAct target has no thought, with the reason why no model's thought was accepted."""
    why = missing.get(sample.dialogue_id, {}).get(sample.place) if sample.task.startswith("react") else None
    return [] if why is None else [Finding(check="reasoning", where="thought", message=why)]


def _render_row(renderer: Renderer, sample: Sample, found: list[Finding]) -> Row:
    """The row of a sample; an empty row, and one more finding, if its layout cannot hold it or write its calls."""
    try:
        return renderer.render_row(sample)
    except TemplateError:
        raise
    except ValueError as error:
        check = "layout" if isinstance(error, LayoutError) else "rendering"
        found.append(Finding(check=check, where="row", message=str(error)))
        return Row("", "", "", [], [], None, "{}")


def _find_too_long(task: ShardTask, rows: Sequence[Row], findings: Sequence[Sequence[Finding]]) -> set[int]:
    """The indexes of samples that passed all checks and are longer than the part allows."""
    wanted = task.recipe.parts[task.part].max_tokens
    kept = [index for index, found in enumerate(findings) if not found]
    if wanted is None or task.tokenizer is None or not kept:
        return set()
    return {kept[index] for index in find_too_long([rows[index] for index in kept], wanted, task.tokenizer)}


# --- dialogues ---


def _find_rejected_turns(samples: Sequence[Sample], findings: Sequence[Sequence[Finding]]) -> dict[str, int]:
    """Id of a dialogue -> its first turn of which a check rejected calls, reply or thought.

    What a layout cannot write is no fault of the dialogue, nor is what was made unanswerable.
    """
    rejected: dict[str, int] = {}
    for sample, found in zip(samples, findings, strict=True):
        is_own = sample.task != "state_tracking" and "unanswerable" not in sample.provenance
        if is_own and any(finding.check in (*CHECKS, "reasoning") for finding in found):
            rejected[sample.dialogue_id] = min(sample.turn, rejected.get(sample.dialogue_id, sample.turn))
    return rejected


def _list_whole_dialogues(
    with_thoughts: Sequence[DialogueWithThoughts], originals: Sequence[Sequence[Sample]], rejected: Mapping[str, int]
) -> dict[str, tuple[Sample, Sequence[Turn]]]:
    """Id of a dialogue -> its last sample and its turns, up to the first turn that a check rejected, or of which the
    corpus says not to learn it."""
    whole: dict[str, tuple[Sample, Sequence[Turn]]] = {}
    for one, samples in zip(with_thoughts, originals, strict=True):
        dialogue = one.dialogue
        context = (place.turn for place in dialogue.context_only)
        end = min([len(dialogue.turns), rejected.get(dialogue.id, len(dialogue.turns)), *context])
        told = [sample for sample in samples if sample.task != "state_tracking" and sample.turn < end]
        if told:
            whole[dialogue.id] = (told[-1], dialogue.turns[:end])
    return whole


# --- the summary ---


@dataclass
class StageClock:
    """Measures the seconds of each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started


def _summarize(
    task: ShardTask,
    contents: ShardContents,
    with_thoughts: Sequence[DialogueWithThoughts],
    findings: Sequence[Sequence[Finding]],
    too_long: Collection[int],
    seconds: dict[str, float],
) -> ShardSummary:
    part = task.recipe.parts[task.part]
    readable = all(fault.record for fault in contents.faults)
    rejected = Counter(check for found in findings for check in {finding.check for finding in found})
    return ShardSummary(
        dialogues=contents.count,
        filtered=contents.filtered,
        context_only=sum(count_context(one, part.task) for one in contents.dialogues),
        mended=sum(len(one.mended) for one in contents.dialogues),
        too_long=len(too_long),
        rows=sum(not found for found in findings) - len(too_long),
        rejects=sum(bool(found) for found in findings),
        rejected_by=rejected,
        unasked=sum(count_samples(task, one) for one in contents.dialogues if not is_selected(task, one)),
        thoughts=sum((one.thought_counts for one in with_thoughts), Counter()),
        faults=tuple(contents.faults),
        notes=read_notes(task.reader, task.corpus, part.split, task.shard) if readable else (),
        seconds=seconds,
    )
