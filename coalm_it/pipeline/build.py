"""A build from start to end: a recipe and raw corpora in, a build folder out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from coalm_it.assets import fingerprint_package
from coalm_it.configs import ConfigError
from coalm_it.corpora.sources import SourceError
from coalm_it.dataset.attachments import write_attachments
from coalm_it.dataset.finished import find_current_build
from coalm_it.dataset.folder import BuildFolder
from coalm_it.dataset.lock import hold_folder
from coalm_it.dataset.manifest import AnswersEntry, Manifest, find_shortfall
from coalm_it.dataset.summary import ShardSummary
from coalm_it.dataset.tables import (
    COALM_IT,
    DIALOGUES,
    REJECTS,
    ROWS_PER_FILE,
    SAMPLES,
    Pick,
    read_summary,
    write_parquet,
)
from coalm_it.listener import Listener, Silent
from coalm_it.pipeline.accounting import describe_timings, list_faults, make_manifest
from coalm_it.pipeline.engine import RunTasks, start_engine
from coalm_it.pipeline.lengths import find_tokenizers, hash_tokenizers
from coalm_it.pipeline.mix import Mix, Tables, mix_candidates, read_candidates, split_kept
from coalm_it.pipeline.model_pass import AnswerSource, ModelPassResult, ask_model, check_model_pass, make_budgets
from coalm_it.pipeline.notes import describe_faults, describe_split, explain_no_rows
from coalm_it.pipeline.plan import find_part_sources, hash_inputs, hash_json, list_versions, plan_tasks, prepare_recipe
from coalm_it.pipeline.portable import make_portable
from coalm_it.pipeline.selection import Selection, outline_shard
from coalm_it.pipeline.shard import ShardTask, make_shard
from coalm_it.pipeline.shard_cache import ShardCache, read_size_limit, shards_folder
from coalm_it.recipe import Recipe
from coalm_it.templates import fingerprint_own_templates

FAULTS_NAMED = 3
"""How many of the records with the same fault its line names."""


@dataclass(frozen=True)
class BuildResult:
    """Result of a build."""

    out: Path
    manifest: Manifest
    timings: dict[str, Any]
    fresh: bool
    """False if the folder already held this build."""

    @property
    def shortfall(self) -> str | None:
        """What the recipe expects and the build does not meet, in one line; None if it meets everything."""
        return find_shortfall(self.manifest)


def build(
    recipe: str | Recipe,
    *,
    out: str | Path,
    data: str | Path | None = None,
    workers: int = 1,
    changes: Sequence[str] = (),
    replace: bool = False,
    answer_source: AnswerSource | None = None,
    listener: Listener | None = None,
) -> BuildResult:
    """Builds a recipe (a name in recipes/, a path, or a Recipe) from the corpora found in `data` into `out`.

    Without `data` the bundled samples are used. `changes` are KEY.KEY=VALUE, as for --set. `replace` allows that a
    finished build of another recipe is replaced, or one of real corpora by the bundled samples. `answer_source` says
    where model answers come from, if a model writes the thoughts. Finished shards of earlier builds are used again, and
    a folder that already holds this build is left unchanged.
    Raises RequestError (recipe, corpora, folder), ShortfallError (too few rows, budget exhausted, an answer missing
    offline), OutsideError (disk, worker, endpoint, ledger, a folder in use, an input that changes meanwhile).
    """
    started = time.perf_counter()
    listener = listener or Silent()
    recipe, answer_source = prepare_recipe(recipe, changes), answer_source or AnswerSource()
    check_model_pass(recipe, answer_source, listener)
    tokenizers = hash_tokenizers(recipe, find_tokenizers(recipe))
    part_sources = find_part_sources(recipe, data, listener)
    if data is None:
        listener.say("NOTE: without --data this builds the small bundled samples, not the real corpora.")
    inputs = hash_inputs(recipe, part_sources)
    sources = [part_source.source.model_dump(mode="json") for part_source in part_sources]
    portable = make_portable(recipe)
    code = [fingerprint_package(), fingerprint_own_templates(), list_versions()]
    key = hash_json([portable.recipe.model_dump(mode="json"), inputs, tokenizers, sources, *code])
    folder = BuildFolder(Path(out), key)

    def leave_as_is(answers: AnswersEntry) -> BuildResult | None:
        current = find_current_build(folder)
        if current is None or current.answers != answers:
            return None
        listener.say(f"{folder.path} holds this build already: nothing to do.")
        return BuildResult(folder.path, current, {"total": time.perf_counter() - started}, fresh=False)

    if not any(map(recipe.asks_model, recipe.parts.values())) and (
        done := leave_as_is(AnswersEntry(requests=0, digest=""))
    ):
        return done
    cache = ShardCache(shards_folder())
    limit = read_size_limit()
    with ExitStack() as stack:
        stack.enter_context(hold_folder(folder.path, f"a build of {recipe.name}"))
        folder.claim(recipe.name, inputs, replace=replace, say=listener.say)
        files: list[Path] = []
        stack.callback(folder.clean_up, files)  # after the engine, which terminates its workers
        run_tasks = stack.enter_context(start_engine(workers))
        make_tables = partial(_make_tables, cache, run_tasks, listener)
        answers = _collect_answers(
            recipe, plan_tasks(recipe, part_sources), answer_source, run_tasks, make_tables, listener
        )
        used = AnswersEntry(requests=len(answers.keys), digest=answers.digest)
        if used.requests and (done := leave_as_is(used)):
            return done
        answered = time.perf_counter()
        tables = make_tables(answers.tasks)
        shards_done = time.perf_counter()
        summaries = {name: sum(map(read_summary, paths), ShardSummary()) for name, paths in tables.items()}
        notes = dict.fromkeys(note for summary in summaries.values() for note in summary.notes)
        for line in (*describe_faults(list_faults(summaries)), *(f"note: {note}" for note in notes)):
            listener.say(line)
        _refuse_empty_parts(recipe, summaries)
        mix = mix_candidates(recipe, part_sources, tables, summaries)
        if not mix.train:
            raise SourceError(f"no row to write: {explain_no_rows(recipe, mix, summaries)}")
        if note := describe_split(recipe, mix):
            listener.say(note)
        folder.remove_manifest()
        _write_data(mix, folder, files, run_tasks, listener)
        files += folder.write_requests(answers.keys)
        files += write_attachments(folder.path, portable.files)
        manifest = make_manifest(key, portable.recipe, part_sources, inputs, summaries, mix, used, tokenizers)
        timings = describe_timings(summaries, started, answered, shards_done, time.perf_counter())
        manifest = folder.finish(manifest, files, timings)
        cache.prune(limit, keep=mix.tables)
    return BuildResult(folder.path, manifest, timings, fresh=True)


# --- candidates ---


def _collect_answers(
    recipe: Recipe,
    tasks: list[ShardTask],
    answer_source: AnswerSource,
    run_tasks: RunTasks,
    make_tables: Callable[[Sequence[ShardTask]], Tables],
    listener: Listener,
) -> ModelPassResult:
    """Asks the model for the thoughts of the parts that need one, until their quotas are filled or nothing is left.

    Whether a quota is filled is only known after the shards are made, since the checks may reject rows.
    """
    asking = [task for task in tasks if recipe.asks_model(recipe.parts[task.part])]
    if not asking:
        return ModelPassResult(tasks)
    budgets = make_budgets(recipe.reasoning, answer_source)
    selection = Selection(recipe, asking, dict(run_tasks(outline_shard, asking)))
    while True:
        answers = ask_model(selection, answer_source, budgets, listener)
        tables = make_tables(answers.tasks)
        train = split_kept(recipe, read_candidates(recipe, tables))["train"]
        lost = {name: sum(map(read_summary, paths), ShardSummary()) for name, paths in tables.items()}
        rejects = {name: summary.rejects + summary.too_long for name, summary in lost.items()}
        if not selection.widen({name: len(train[name]) for name in tables}, rejects):
            answered = dict(zip((task.key for task in asking), answers.tasks, strict=True))
            return dataclasses.replace(answers, tasks=[answered.get(task.key, task) for task in tasks])


def _make_tables(
    cache: ShardCache, run_tasks: RunTasks, listener: Listener, tasks: Sequence[ShardTask]
) -> dict[str, list[Path]]:
    """Part -> the tables of its shards; those that an earlier build has made are used again."""
    paths = {task.key: path for task in tasks if (path := cache.find(task.key))}
    missing = [task for task in tasks if task.key not in paths]
    if paths:
        listener.say(f"{len(tasks) - len(missing)} of {len(tasks)} shards are there from an earlier run.")
    # Large shards first, so that no worker is left with one at the end.
    missing.sort(key=lambda task: -task.shard.file.size // task.shard.of)
    rows = 0
    listener.advance("shards", 0, len(missing))
    for done, (key, path) in enumerate(run_tasks(partial(make_shard, cache.folder), missing), 1):
        paths[key] = path
        cache.add(key, path)
        rows += read_summary(path).rows
        listener.advance("shards", done, len(missing), f"{rows:,} rows")
    tables: dict[str, list[Path]] = {}
    for task in tasks:
        tables.setdefault(task.part, []).append(paths[task.key])
    return tables


def _refuse_empty_parts(recipe: Recipe, summaries: Mapping[str, ShardSummary]) -> None:
    """Raises ConfigError if the dialogues of a part yield no sample of its tasks."""
    for name, summary in summaries.items():
        dialogues = summary.dialogues - summary.filtered
        if dialogues and not summary.rows + summary.rejects + summary.too_long:
            tasks, sources = ", ".join(recipe.parts[name].task), ", ".join(recipe.parts[name].source)
            raise ConfigError(f"part {name}: {sources} has nothing for {tasks} in its {dialogues:,} dialogues")


# --- files ---


@dataclass(frozen=True)
class FileTask:
    """A Parquet file to be written by a worker."""

    path: Path
    schema: pa.Schema
    tables: list[Path]
    picks: list[Pick]


def _write_file(task: FileTask) -> Path:
    write_parquet(task.path, task.schema, task.tables, task.picks)
    return task.path


def _write_data(mix: Mix, folder: BuildFolder, files: list[Path], run_tasks: RunTasks, listener: Listener) -> None:
    """Writes the rows of all configs, and the rejects; adds to `files` what is to be written, before it is."""
    kinds = [
        ("data/coalm_it/train", COALM_IT, mix.train),
        ("data/samples/train", SAMPLES, mix.train),
        ("data/dialogues/train", DIALOGUES, mix.dialogues["train"]),
        ("data/coalm_it/validation", COALM_IT, mix.validation),
        ("data/samples/validation", SAMPLES, mix.validation),
        ("data/dialogues/validation", DIALOGUES, mix.dialogues["validation"]),
        ("rejects/rejects", REJECTS, mix.rejects),
    ]
    tasks = []
    for name, schema, picks in kinds:
        count = -(-len(picks) // ROWS_PER_FILE)
        for index in range(count):
            path = folder.path / f"{name}-{index:05d}-of-{count:05d}.parquet"
            some = picks[index * ROWS_PER_FILE : (index + 1) * ROWS_PER_FILE]
            tasks.append(FileTask(path, schema, mix.tables, some))
    files += [task.path for task in tasks]
    # A row stands in several configs, and counts once.
    sizes = {task.path: len(task.picks) if task.schema is SAMPLES else 0 for task in tasks}
    rows, total = 0, sum(sizes.values())
    listener.advance("files", 0, len(tasks))
    for done, path in enumerate(run_tasks(_write_file, tasks), 1):
        rows += sizes[path]
        listener.advance("files", done, len(tasks), f"{rows:,} of {total:,} rows")
