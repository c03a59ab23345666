"""The stages joined: a recipe and raw corpora in, a build folder out."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from coalm_it.assets import fingerprint_package
from coalm_it.configs import ConfigError
from coalm_it.corpora.sources import SourceError
from coalm_it.dataset.card import render_card
from coalm_it.dataset.folder import BuildFolder, claim_folder
from coalm_it.dataset.manifest import MANIFEST, find_shortfall
from coalm_it.dataset.tables import (
    COALM_IT,
    REJECTS,
    ROWS_A_FILE,
    SAMPLES,
    Pick,
    is_table,
    open_table,
    read_functions,
    read_summary,
    write_parquet,
)
from coalm_it.listener import Listener, Silent
from coalm_it.mixture.quotas import (
    Candidate,
    Shortage,
    ShortError,
    allot_rows,
    draw_candidates,
    order_candidates,
    repeat_candidates,
)
from coalm_it.mixture.split import Functions, allot_validation, join_functions, split_candidates
from coalm_it.pipeline.engine import RunTasks, start_engine
from coalm_it.pipeline.model_pass import Answers, AnswerSource, ask_model, make_budgets
from coalm_it.pipeline.plan import (
    PartSource,
    describe_source,
    find_part_sources,
    hash_inputs,
    hash_json,
    list_versions,
    plan_tasks,
    prepare_recipe,
)
from coalm_it.pipeline.selection import Selection, outline_shard
from coalm_it.pipeline.shard import ShardTask, make_shard
from coalm_it.recipe import Recipe
from coalm_it.schema import SCHEMA_VERSION, parse_dialogue_name


@dataclass(frozen=True)
class Built:
    """What a build came to."""

    out: Path
    manifest: dict[str, Any]
    timings: dict[str, Any]
    fresh: bool
    """False where the folder held this very build already."""

    @property
    def fell_short(self) -> str | None:
        """What the recipe expects and the build does not meet, in one line; None where all is met."""
        return find_shortfall(self.manifest)


def build(
    recipe: str | Recipe,
    *,
    out: str | Path,
    data: str | Path | None = None,
    workers: int = 1,
    changes: Sequence[str] = (),
    answer_source: AnswerSource | None = None,
    listener: Listener | None = None,
) -> Built:
    """Builds a recipe (a name in recipes/, a path, or a Recipe) from the corpora found in `data` into `out`.

    Without `data` the bundled samples are used. `changes` are KEY.KEY=VALUE, as for --set; `means` says how a model's
    answers are come by, where one writes the thoughts. Finished shards of an earlier run are used again, and a folder
    that already holds this very build is left as it is.
    Raises RequestError (of recipe, corpora, folder), ShortfallError (the corpora are too small, a ceiling is reached,
    an answer is missing offline), OutsideError (disk, worker, endpoint, ledger failed).
    """
    started = time.perf_counter()
    listener = listener or Silent()
    recipe = prepare_recipe(recipe, changes)
    if data is None:
        listener.say("NOTE: without --data this builds the small bundled samples, not the real corpora.")
    part_sources = find_part_sources(recipe, data, listener)
    inputs = hash_inputs(recipe, part_sources)
    sources = [part_source.source.model_dump(mode="json") for part_source in part_sources]
    key = hash_json([recipe.model_dump(mode="json"), inputs, sources, fingerprint_package(), list_versions()])
    folder = claim_folder(Path(out), recipe.name, key, listener.say)
    with ExitStack() as at_end:
        at_end.callback(folder.sweep)  # after the engine, which ends its workers in the middle of what they write
        run_tasks = at_end.enter_context(start_engine(workers))
        tasks = plan_tasks(recipe, part_sources, inputs, folder.work)
        answers = _answer(recipe, tasks, answer_source or AnswerSource(), run_tasks, listener)
        manifest = folder.read_manifest()
        if manifest is not None and manifest["answers"] == answers.summary:
            listener.say(f"{folder.path} holds this build already: nothing to do.")
            return Built(folder.path, manifest, {"total": time.perf_counter() - started}, fresh=False)
        (folder.path / MANIFEST).unlink(missing_ok=True)  # no data set until it is whole again
        answered = time.perf_counter()
        tables = _group_tables(answers.tasks)
        _make_shards([task for task in answers.tasks if task.ledger is None], run_tasks, listener)
        shards_done = time.perf_counter()
        summaries = {name: [read_summary(path) for path in paths] for name, paths in tables.items()}
        faults = [{"part": name, **fault} for name in tables for one in summaries[name] for fault in one["faults"]]
        for fault in faults:
            record = f", record {fault['record']}" if fault["record"] else ""
            listener.say(f"fault: {fault['file']}{record}: {fault['reason']}")
        for name, of_part in summaries.items():
            _check_part(recipe, name, of_part)
        unasked = {name: sum(one["unasked"] for one in of_part) for name, of_part in summaries.items()}
        mixed = _mix(recipe, part_sources, tables, unasked)
        if not mixed.chosen:
            raise SourceError(f"no row to write: {_explain_emptiness(summaries)}")
        files = _write_data(mixed, folder, run_tasks, listener)
    manifest = {
        "name": recipe.name,
        "schema_version": SCHEMA_VERSION,
        "build": key,
        "versions": list_versions(),
        "recipe": recipe.model_dump(mode="json"),
        "parts": {
            name: {
                "published": sum(one.source.count_dialogues(part.split) for one in part_sources if one.part == name),
                **_count_part(summaries.get(name, []), mixed.counts[name]),
            }
            for name, part in recipe.parts.items()
        },
        "faults": faults,
        "sources": {part_source.source.name: describe_source(part_source) for part_source in part_sources},
        "trained_on": sorted(
            {f"{part_source.source.name} {recipe.parts[part_source.part].split}" for part_source in part_sources}
        ),
        "inputs": inputs,
        "answers": answers.summary,
    }
    timings = _sum_timings(summaries, started, answered, shards_done)
    manifest = folder.finish(manifest, [*files, *folder.write_requests(answers.keys)], timings, render_card)
    return Built(folder.path, manifest, timings, fresh=True)


# --- answers ---


def _answer(
    recipe: Recipe, tasks: list[ShardTask], answer_source: AnswerSource, run_tasks: RunTasks, listener: Listener
) -> Answers:
    """Has a model asked for the thoughts of the parts that want them; until their quotas are filled, if it can be.

    Whether they are is known once their shards are made, since the checks may turn rows away.
    """
    asking = [task for task in tasks if recipe.asks_model(recipe.parts[task.part])]
    if not asking:
        return Answers(tasks)
    budgets = make_budgets(recipe.reasoning, answer_source)
    selection = Selection(recipe, asking, dict(run_tasks(outline_shard, asking)))
    while True:
        answers = ask_model(selection, answer_source, budgets, listener)
        _make_shards(answers.tasks, run_tasks, listener)
        tables = _group_tables(answers.tasks)
        candidates, functions, _ = _list_candidates(recipe, tables)
        train = split_candidates(candidates, functions, recipe.validation, recipe.seed)["train"]
        rejects = {name: sum(read_summary(path)["rejects"] for path in paths) for name, paths in tables.items()}
        if not selection.widen({name: len(train[name]) for name in tables}, rejects):
            named = dict(zip((task.path for task in asking), answers.tasks, strict=True))
            return replace(answers, tasks=[named.get(task.path, task) for task in tasks])


# --- shards ---


def _group_tables(tasks: Sequence[ShardTask]) -> dict[str, list[Path]]:
    """Part -> where its shards' tables lie."""
    tables: dict[str, list[Path]] = {}
    for task in tasks:
        tables.setdefault(task.part, []).append(task.path)
    return tables


def _make_shards(tasks: Sequence[ShardTask], run_tasks: RunTasks, listener: Listener) -> None:
    """Makes the table of each shard; those that are there already are not made again."""
    missing = [task for task in tasks if not is_table(task.path)]
    if len(missing) < len(tasks):
        listener.say(f"{len(tasks) - len(missing)} of {len(tasks)} shards are there from an earlier run.")
    # Large shards first, lest one of them be left over for the end.
    missing.sort(key=lambda task: -task.shard.file.size // task.shard.of)
    listener.advance("shards", 0, len(missing))
    for done, _ in enumerate(run_tasks(make_shard, missing), 1):
        listener.advance("shards", done, len(missing))


def _check_part(recipe: Recipe, name: str, summaries: Sequence[dict[str, Any]]) -> None:
    """Raises ConfigError where a part's dialogues give not one sample of its tasks."""
    dialogues = sum(summary["dialogues"] - summary["filtered"] for summary in summaries)
    if dialogues and not any(summary["rows"] + summary["rejects"] for summary in summaries):
        part = recipe.parts[name]
        tasks, sources = ", ".join(part.task), ", ".join(part.source)
        raise ConfigError(f"part {name}: {sources} has nothing for {tasks} in its {dialogues:,} dialogues")


def _explain_emptiness(summaries: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    found = (Counter(summary["rejected_by"]) for of_part in summaries.values() for summary in of_part)
    rejected_by: Counter[str] = sum(found, Counter())
    if not rejected_by:
        return "nothing good was found in the corpora"
    checks = ", ".join(f"{check} {count:,}" for check, count in rejected_by.most_common())
    return f"every sample was turned away ({checks})"


# --- what comes out ---


@dataclass(frozen=True)
class Mixed:
    """Which rows go where."""

    tables: list[Path]
    chosen: list[Pick]
    validation: list[Pick]
    rejected: list[Pick]
    counts: dict[str, dict[str, int]]
    """Part -> how many rows were `wanted`, how many `rows` it gives, how many of these are `repeated`, how many
    `validation` rows are held out, and how many rows are on no side since they are `mixed` (see mixture/split.py)."""


def _mix(
    recipe: Recipe, part_sources: list[PartSource], tables: dict[str, list[Path]], unasked: Mapping[str, int]
) -> Mixed:
    """Draws, fills and orders. Raises ShortError, unless the recipe allows it; ConfigError for a part of no sample.

    What no model was asked about is there all the same, as far as a share of the whole is wanted. Second copies make
    good what the checks turned away, not a corpus that is not there. Quotas are of train rows.
    """
    absent = {
        name: [source for source in part.source if (name, source) not in {(s.part, s.named) for s in part_sources}]
        for name, part in recipe.parts.items()
    }
    candidates, functions, rejected = _list_candidates(recipe, tables)
    sides = split_candidates(candidates, functions, recipe.validation, recipe.seed)
    wanted = allot_rows(recipe, {name: len(rows) + unasked.get(name, 0) for name, rows in sides["train"].items()})
    chosen: list[Candidate] = []
    validation: list[Candidate] = []
    counts, shortages = {}, []
    for name, part in recipe.parts.items():
        drawn = draw_candidates(sides["train"][name], wanted[name], recipe.seed)
        missing = wanted[name] - len(drawn)
        fills = part.fill == "repeat" and not absent[name]
        repeated = repeat_candidates(drawn, missing, recipe.seed) if fills else []
        if len(repeated) < missing:
            shortages.append(Shortage(name, wanted[name], len(drawn)))
        chosen += [*drawn, *repeated]
        held_out = sides["validation"][name]
        if len(drawn) < len(sides["train"][name]):  # a part that gives not all it has holds out its share of that
            held_out = draw_candidates(held_out, allot_validation(len(drawn), recipe.validation), recipe.seed)
        validation += held_out
        counts[name] = {
            "wanted": wanted[name],
            "rows": len(drawn) + len(repeated),
            "repeated": len(repeated),
            "validation": len(held_out),
            "mixed": len(sides["mixed"][name]),
        }
    if shortages and not recipe.allow_short:
        wanting = {name: absent[name] or part.source for name, part in recipe.parts.items()}
        remedies = {name: f"coalm-it fetch {' '.join(sources)}" for name, sources in wanting.items()}
        raise ShortError(shortages, remedies)
    return Mixed(
        tables=[path for paths in tables.values() for path in paths],
        chosen=_order_picks(chosen, recipe),
        validation=_order_picks(validation, recipe),
        rejected=rejected,
        counts=counts,
    )


def _order_picks(candidates: list[Candidate], recipe: Recipe) -> list[Pick]:
    ordered = order_candidates(candidates, recipe.order, recipe.seed)
    return [(candidate.shard, candidate.row, candidate.repeat) for candidate in ordered]


def _list_candidates(
    recipe: Recipe, tables: dict[str, list[Path]]
) -> tuple[dict[str, list[Candidate]], dict[str, Functions], list[Pick]]:
    """Part -> its checked rows; dialogue -> the functions of its calls, where rows are to be held out; all rejects."""
    candidates: dict[str, list[Candidate]] = {name: [] for name in recipe.parts}
    functions: list[tuple[str, Functions]] = []
    rejected: list[Pick] = []
    numbered = enumerate((name, path) for name, paths in tables.items() for path in paths)
    for number, (name, path) in numbered:
        with open_table(path) as table:
            ids, kept = table["id"].to_pylist(), table["findings"].is_null().to_pylist()
            if recipe.validation and "function_call" in recipe.parts[name].task:
                functions += read_functions(table)
        for row, (row_id, good) in enumerate(zip(ids, kept, strict=True)):
            if good:
                candidates[name].append(Candidate(number, row, row_id, parse_dialogue_name(row_id)))
            else:
                rejected.append((number, row, 0))
    return candidates, join_functions(functions), rejected


@dataclass(frozen=True)
class FileTask:
    path: Path
    schema: pa.Schema
    tables: list[Path]
    picks: list[Pick]


def _write_file(task: FileTask) -> Path:
    write_parquet(task.path, task.schema, task.tables, task.picks)
    return task.path


def _write_data(mixed: Mixed, folder: BuildFolder, run_tasks: RunTasks, listener: Listener) -> list[Path]:
    tasks = []
    kinds = [
        (f"data/{config}/{split}", schema, picks)
        for split, picks in (("train", mixed.chosen), ("validation", mixed.validation))
        for config, schema in (("coalm_it", COALM_IT), ("samples", SAMPLES))
    ]
    for name, schema, picks in [*kinds, ("rejects/rejects", REJECTS, mixed.rejected)]:
        files = -(-len(picks) // ROWS_A_FILE)
        for number in range(files):
            path = folder.path / f"{name}-{number:05d}-of-{files:05d}.parquet"
            some = picks[number * ROWS_A_FILE : (number + 1) * ROWS_A_FILE]
            tasks.append(FileTask(path, schema, mixed.tables, some))
    listener.advance("files", 0, len(tasks))
    for done, _ in enumerate(run_tasks(_write_file, tasks), 1):
        listener.advance("files", done, len(tasks))
    return [task.path for task in tasks]


def _count_part(summaries: Sequence[dict[str, Any]], counts: dict[str, int]) -> dict[str, Any]:
    """What became of a part: candidates = rows - repeated + validation + rejects + left_out.

    `dialogues`, `faults` are what was read, `filtered` the dialogues that the part's filter left; `mixed` is the share
    of `left_out` that could be on neither side. `thoughts` says who wrote them (see DialogueWithThoughts);
    where a model does, samples that no quota needed are left out unasked.
    """
    kept = sum(summary["rows"] for summary in summaries)
    rejects = sum(summary["rejects"] for summary in summaries)
    unasked = sum(summary["unasked"] for summary in summaries)
    rejected_by: Counter[str] = Counter()
    thoughts: Counter[str] = Counter()
    for summary in summaries:
        rejected_by.update(summary["rejected_by"])
        thoughts.update(summary["thoughts"])
    return {
        "dialogues": sum(summary["dialogues"] for summary in summaries),
        "filtered": sum(summary["filtered"] for summary in summaries),
        "faults": sum(len(summary["faults"]) for summary in summaries),
        "candidates": kept + rejects + unasked,
        **counts,
        "left_out": kept - counts["rows"] + counts["repeated"] - counts["validation"] + unasked,
        "rejects": rejects,
        "rejected_by": dict(sorted(rejected_by.items())),
        "thoughts": dict(sorted(thoughts.items())),
    }


def _sum_timings(
    summaries: dict[str, list[dict[str, Any]]], started: float, answered: float, shards_done: float
) -> dict[str, Any]:
    """Seconds of the whole and of its parts as they passed; of the stages, summed over all workers."""
    stages: dict[str, dict[str, float]] = {}
    for name, of_part in summaries.items():
        total: Counter[str] = Counter()
        for summary in of_part:
            total.update(summary["seconds"])
        stages[name] = {stage: round(seconds, 3) for stage, seconds in total.items()}
    now = time.perf_counter()
    own, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "total": round(now - started, 3),
        "answers": round(answered - started, 3),
        "shards": round(shards_done - answered, 3),
        "files": round(now - shards_done, 3),
        "stages": stages,
        "peak_bytes": {"this_process": own * 1024, "largest_worker": workers * 1024},
    }
