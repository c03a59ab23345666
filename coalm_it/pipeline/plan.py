"""What goes into a build: each part's corpora, the files that are read, and the shards that they are cut into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from coalm_it import __version__
from coalm_it.assets import asset, fingerprint_package
from coalm_it.checks import CHECKS
from coalm_it.configs import ConfigError
from coalm_it.corpora.corpus import Corpus, RawFile, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import Source, SourceError, load_source
from coalm_it.files import hash_bytes
from coalm_it.listener import Listener
from coalm_it.pipeline.shard import ShardTask, read_shard
from coalm_it.readers import READERS
from coalm_it.recipe import Recipe, load_recipe
from coalm_it.schema import Inventory

SHARD_SETTINGS = {"seed", "observation_results", "distractors", "reasoning", "checks"}
PART_SETTINGS = {"split", "task", "layout", "filter", "copies", "checks", "mask", "unanswerable"}
"""What of a recipe and its parts changes a shard's table; the rest concerns the mixture alone."""


@dataclass(frozen=True)
class PartSource:
    """Where a part's dialogues come from: one corpus, and what its rows need of it as a whole."""

    part: str
    named: str
    """The source as the recipe names it."""
    source: Source
    corpus: Corpus
    inventory: Inventory


def prepare_recipe(recipe: str | Recipe, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of that name or path, changed, with checks that there are. Raises ConfigError."""
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    for name in {*recipe.checks, *(name for part in recipe.parts.values() for name in part.checks)}:
        if name not in CHECKS:
            raise ConfigError(f"{recipe.name}: no check {name!r}; there are: {', '.join(CHECKS)}")
    return recipe


def find_part_sources(recipe: Recipe, data: str | Path | None, listener: Listener) -> list[PartSource]:
    """Every part's corpora, in the recipe's order; without `data` from the bundled samples.

    Raises SourceError for one that is not there.
    """
    data = asset("sources", "samples") if data is None else Path(data)
    wanted = dict.fromkeys(name for part in recipe.parts.values() for name in part.source)
    sources = {name: load_source(name) for name in wanted}
    found = find_corpora(data, list(sources.values()))
    corpora = {entry.source: entry.corpus for entry in found if entry.used and entry.corpus}
    for entry in found:
        if not entry.used:
            what = f"{entry.source} in {entry.root} (layout {entry.layout})" if entry.source else entry.root
            listener.say(f"passed over: {what}: {entry.reason}")
    part_sources = []
    for name, part in recipe.parts.items():
        for named in part.source:
            source = sources[named]
            corpus = corpora.get(source.name)
            if corpus is None and (part.rows or part.share):
                continue  # the table of shortages says how much is missing for it
            if corpus is None:
                raise SourceError(f"part {name}: no corpus {source.name!r} in {data}: {_describe_layouts(source)}")
            if not corpus.splits.get(part.split):
                there = ", ".join(split for split, files in corpus.splits.items() if files)
                raise SourceError(f"part {name}: {source.name} has no split {part.split!r} here, only {there}")
            if source.reader not in READERS:
                known = ", ".join(READERS)
                raise SourceError(f"source {source.name}: no reader {source.reader!r}; there are: {known}")
            inventory = READERS[source.reader].read_inventory(corpus, part.split)
            part_sources.append(PartSource(name, named, source, corpus, inventory))
    return part_sources


def _describe_layouts(source: Source) -> str:
    globs = [next(iter(layout.splits.values())) for layout in source.layouts]
    return f"it is recognised by {' or '.join(globs)}; {source.homepage} has it"


def list_inputs(recipe: Recipe, part_source: PartSource) -> dict[str, RawFile]:
    """The files that a part reads, under their names in the manifest."""
    split = recipe.parts[part_source.part].split
    others = {file.name for name, files in part_source.corpus.splits.items() if name != split for file in files}
    others -= {file.name for file in part_source.corpus.splits[split]}  # MultiWOZ has all splits in one file
    return {f"{part_source.source.name}/{n}": f for n, f in sorted(part_source.corpus.files.items()) if n not in others}


def describe_source(part_source: PartSource) -> dict[str, Any]:
    """What the manifest, and so the card, says of a corpus."""
    keys = {"title", "licence", "homepage", "citation", "languages", "limits", "gated"}
    return {"layout": part_source.corpus.layout, **part_source.source.model_dump(mode="json", include=keys)}


def list_versions() -> dict[str, str]:
    return {
        "coalm-it": __version__,
        **{name: version(name) for name in ("pyarrow", "pydantic", "jinja2", "orjson")},
    }


def _hash_file(file: RawFile) -> str:
    try:
        return hash_bytes(file.read_bytes())
    except SourceError:
        return "unreadable"  # a fault of it says why


def hash_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def hash_inputs(recipe: Recipe, part_sources: Sequence[PartSource]) -> dict[str, str]:
    """The hash of every file that is read, by its name in the manifest."""
    return {
        name: _hash_file(file)
        for part_source in part_sources
        for name, file in list_inputs(recipe, part_source).items()
    }


def plan_tasks(
    recipe: Recipe, part_sources: Sequence[PartSource], inputs: dict[str, str], work: Path
) -> list[ShardTask]:
    """A task for each shard of each part; with a limit, as many of a part's shards as give so many dialogues."""
    tasks = [task for part_source in part_sources for task in plan_shards(recipe, part_source, inputs, work)]
    return tasks if recipe.limit is None else list(_cut_to_limit(tasks, recipe.limit))


def _cut_to_limit(tasks: Sequence[ShardTask], limit: int) -> Iterator[ShardTask]:
    left = dict.fromkeys((task.part for task in tasks), limit)
    for task in tasks:
        if left[task.part]:
            path = task.path.with_stem(f"{task.path.stem}-{left[task.part]}")
            task = replace(task, path=path, limit=left[task.part])
            left[task.part] -= read_shard(task).taken
            yield task


def plan_shards(recipe: Recipe, part_source: PartSource, inputs: dict[str, str], work: Path) -> Iterator[ShardTask]:
    """A task for each shard; the name of its table in `work` says all that its content depends on."""
    part = recipe.parts[part_source.part]
    records = {file.name for file in part_source.corpus.splits[part.split]}
    shared = {n: inputs[n] for n, f in list_inputs(recipe, part_source).items() if f.name not in records}
    settings = recipe.model_dump(mode="json", include=SHARD_SETTINGS)
    settings |= {"name": part_source.part, "part": part.model_dump(mode="json", include=PART_SETTINGS)}
    settings |= {
        "source": part_source.source.name,
        "layout": part_source.corpus.layout,
        "columns": part_source.corpus.columns.model_dump(),
        "licence": part_source.source.licence,
    }
    about = [settings, shared, part_source.inventory.fingerprint, fingerprint_package(), list_versions()]
    for shard in cut_shards(part_source.corpus, part.split):
        own = inputs[f"{part_source.source.name}/{shard.file.name}"]
        name = hash_json([about, shard.file.name, own, shard.index, shard.of])
        yield ShardTask(
            part=part_source.part,
            reader=part_source.source.reader,
            licence=part_source.source.licence,
            corpus=part_source.corpus,
            inventory=part_source.inventory,
            shard=shard,
            recipe=recipe,
            path=work / f"{name}.arrow",
            limit=recipe.limit,
        )
