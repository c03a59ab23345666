"""The stages joined: a recipe and raw corpora in, a build folder out."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from coalm_it.assets import asset, fingerprint_package
from coalm_it.checks import CHECKS
from coalm_it.engine import RunTasks, start_engine
from coalm_it.listener import Listener, Silent
from coalm_it.mixture import (
    Candidate,
    Shortage,
    ShortError,
    allot_rows,
    draw_candidates,
    name_dialogue,
    order_candidates,
    repeat_candidates,
)
from coalm_it.output import (
    COALM_IT,
    MANIFEST,
    REJECTS,
    ROWS_A_FILE,
    SAMPLES,
    BuildFolder,
    Pick,
    claim_folder,
    is_table,
    open_table,
    read_functions,
    read_summary,
    write_parquet,
)
from coalm_it.recipe import Recipe, RecipeError, load_recipe
from coalm_it.schema import SCHEMA_VERSION
from coalm_it.shards import ShardTask, make_shard
from coalm_it.sources import SourceError
from coalm_it.split import Functions, allot_validation, join_functions, split_candidates
from coalm_it.supplies import (
    Supply,
    describe_source,
    find_supplies,
    hash_inputs,
    hash_json,
    list_versions,
    plan_shards,
)


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
        expect = self.manifest["recipe"]["expect"]
        limit = expect["rejects_at_most"]
        parts = self.manifest["parts"].values()
        lost = sum(part["rejects"] + part["faults"] for part in parts)
        total = sum(part["candidates"] + part["faults"] for part in parts)
        if lost > limit * total:
            return f"{lost:,} rejects and faults of {total:,}: more than rejects_at_most ({limit:.1%}) allows"
        held_out, wanted = sum(part["validation"] for part in parts), expect["validation_at_least"]
        return f"{held_out:,} validation rows: validation_at_least is {wanted:,}" if held_out < wanted else None


def build(
    recipe: str | Recipe,
    *,
    out: str | Path,
    data: str | Path | None = None,
    workers: int = 1,
    changes: Sequence[str] = (),
    listener: Listener | None = None,
) -> Built:
    """Builds a recipe (a name in recipes/, a path, or a Recipe) from the corpora found in `data` into `out`.

    Without `data` the bundled samples are used. `changes` are KEY.KEY=VALUE, as for --set. Finished shards of an
    earlier run are used again, and a folder that already holds this very build is left as it is.
    Raises RecipeError, SourceError, FolderError (the request is wrong), ShortError (the corpora are too small),
    OutputError, EngineError (the world failed).
    """
    started = time.perf_counter()
    listener = listener or Silent()
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    for name in {**recipe.checks, **{name: off for part in recipe.parts.values() for name, off in part.checks.items()}}:
        if name not in CHECKS:
            raise RecipeError(f"{recipe.name}: no check {name!r}; there are: {', '.join(CHECKS)}")
    if data is None:
        listener.say("NOTE: without --data this builds the small bundled samples, not the real corpora.")
    supplies = find_supplies(recipe, asset("sources", "samples") if data is None else Path(data), listener)
    inputs = hash_inputs(recipe, supplies)
    key = hash_json([recipe.model_dump(mode="json"), inputs, fingerprint_package(), list_versions()])
    folder = claim_folder(Path(out), recipe.name, key, listener.say)
    manifest = folder.read_manifest()
    if manifest is not None:
        listener.say(f"{folder.path} holds this build already: nothing to do.")
        return Built(folder.path, manifest, {"total": time.perf_counter() - started}, fresh=False)
    (folder.path / MANIFEST).unlink(missing_ok=True)  # no data set until it is whole again

    with ExitStack() as at_end:
        at_end.callback(folder.sweep)  # after the engine, which ends its workers in the middle of what they write
        run_tasks = at_end.enter_context(start_engine(workers))
        tasks = [task for supply in supplies for task in plan_shards(recipe, supply, inputs, folder.work)]
        if recipe.limit is not None:
            tasks = _first_shards(tasks, recipe.limit)
        else:
            _make_shards(tasks, run_tasks, listener)
        tables: dict[str, list[Path]] = {}
        for task in tasks:
            tables.setdefault(task.part, []).append(task.path)
        shards_done = time.perf_counter()
        summaries = {name: [read_summary(path) for path in paths] for name, paths in tables.items()}
        faults = [{"part": name, **fault} for name in tables for one in summaries[name] for fault in one["faults"]]
        for fault in faults:
            record = f", record {fault['record']}" if fault["record"] else ""
            listener.say(f"fault: {fault['file']}{record}: {fault['reason']}")
        for name, of_part in summaries.items():
            _check_part(recipe, name, of_part)
        mixed = _mix(recipe, supplies, tables)
        if not mixed.chosen:
            raise SourceError("nothing good was found in the corpora: no row to write")
        files = _write_data(mixed, folder, run_tasks, listener)
    manifest = {
        "name": recipe.name,
        "schema_version": SCHEMA_VERSION,
        "build": key,
        "versions": list_versions(),
        "recipe": recipe.model_dump(mode="json"),
        "parts": {name: _count_part(summaries.get(name, []), mixed.counts[name]) for name in recipe.parts},
        "faults": faults,
        "sources": {supply.source.name: describe_source(supply) for supply in supplies},
        "trained_on": sorted({f"{supply.source.name} {recipe.parts[supply.part].split}" for supply in supplies}),
        "inputs": inputs,
    }
    timings = _sum_timings(summaries, started, shards_done)
    manifest = folder.finish(manifest, files, timings)
    return Built(folder.path, manifest, timings, fresh=True)


# --- shards ---


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
    """Raises RecipeError where a part's dialogues give not one sample of its tasks."""
    dialogues = sum(summary["dialogues"] - summary["filtered"] for summary in summaries)
    if dialogues and not any(summary["rows"] + summary["rejects"] for summary in summaries):
        part = recipe.parts[name]
        tasks, sources = ", ".join(part.task), ", ".join(part.source)
        raise RecipeError(f"part {name}: {sources} has nothing for {tasks} in its {dialogues:,} dialogues")


def _first_shards(tasks: Sequence[ShardTask], limit: int) -> list[ShardTask]:
    """As many of each part's shards as give `limit` dialogues, made here and now."""
    taken, left = [], dict.fromkeys((task.part for task in tasks), limit)
    for task in tasks:
        if left[task.part]:
            path = task.path.with_stem(f"{task.path.stem}-{left[task.part]}")
            task = replace(task, path=path, limit=left[task.part])
            left[task.part] -= read_summary(make_shard(task))["dialogues"]
            taken.append(task)
    return taken


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
    `validation` rows are held out, and how many rows are on no side since they are `mixed` (see split.py)."""


def _mix(recipe: Recipe, supplies: list[Supply], tables: dict[str, list[Path]]) -> Mixed:
    """Draws, fills and orders. Raises ShortError, unless the recipe allows it; RecipeError for a part of no sample.

    Second copies make good what the checks turned away, not a corpus that is not there. Quotas are of train rows.
    """
    absent = {
        name: [source for source in part.source if (name, source) not in {(s.part, s.named) for s in supplies}]
        for name, part in recipe.parts.items()
    }
    candidates, functions, rejected = _list_candidates(recipe, tables)
    sides = split_candidates(candidates, functions, recipe.validation, recipe.seed)
    wanted = allot_rows(recipe, {name: len(of_part) for name, of_part in sides["train"].items()})
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
                candidates[name].append(Candidate(number, row, row_id, name_dialogue(row_id)))
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
    of `left_out` that could be on neither side.
    """
    kept = sum(summary["rows"] for summary in summaries)
    rejects = sum(summary["rejects"] for summary in summaries)
    rejected_by: Counter[str] = Counter()
    for summary in summaries:
        rejected_by.update(summary["rejected_by"])
    return {
        "dialogues": sum(summary["dialogues"] for summary in summaries),
        "filtered": sum(summary["filtered"] for summary in summaries),
        "faults": sum(len(summary["faults"]) for summary in summaries),
        "candidates": kept + rejects,
        **counts,
        "left_out": kept - counts["rows"] + counts["repeated"] - counts["validation"],
        "rejects": rejects,
        "rejected_by": dict(sorted(rejected_by.items())),
    }


def _sum_timings(summaries: dict[str, list[dict[str, Any]]], started: float, shards_done: float) -> dict[str, Any]:
    """Seconds of the whole and of its two halves as they passed; of the stages, summed over all workers."""
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
        "shards": round(shards_done - started, 3),
        "files": round(now - shards_done, 3),
        "stages": stages,
        "peak_bytes": {"this_process": own * 1024, "largest_worker": workers * 1024},
    }
