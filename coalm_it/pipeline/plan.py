"""The inputs of a build: the corpora of each part, their files, and the shards into which these are cut."""

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
from coalm_it.corpora.corpus import Corpus, RawFile, cut_shards, pin_file
from coalm_it.corpora.find import CorpusMatch, find_corpora, list_files
from coalm_it.corpora.listing import describe_missing
from coalm_it.corpora.sources import Source, SourceError, describe_download, load_source
from coalm_it.licences import Term, find_obstacle
from coalm_it.listener import Listener
from coalm_it.pipeline.lengths import find_tokenizers
from coalm_it.pipeline.shard import ShardTask, read_shard
from coalm_it.readers import READERS, depends_on_earlier_files
from coalm_it.recipe import Recipe, is_own_source, load_recipe
from coalm_it.schema import Inventory
from coalm_it.templates import fingerprint_own_templates, list_templates_in_use, use_templates
from coalm_it.templates.own import read_own_templates
from coalm_it.tokens import hash_tokenizer

BUILD_WITHOUT = "; --allow-short builds without it"
_OBSTACLES: dict[Term, str] = {
    "none_stated": "no licence is stated, so nobody has permission to use its rows",
    "unknown": "licence {} is not known to coalm-it",
    "no_derivatives": "licence {} does not permit changed copies, which rows are",
    "non_commercial": "licence {} is non-commercial",
}
"""Why a licence is not known to permit commercial use."""
SHARD_SETTINGS = {
    "seed",
    "use",
    "observation_results",
    "history_thoughts",
    "distractors",
    "near_misses",
    "reasoning",
    "checks",
}
PART_SETTINGS = {"split", "task", "layout", "filter", "max_tokens", "copies", "checks", "mask", "unanswerable"}
"""The settings of a recipe and its parts that a shard's table depends on; the others concern only the mixture."""


@dataclass(frozen=True)
class PartSource:
    """A corpus from which a part takes dialogues."""

    part: str
    name_in_recipe: str
    """A name in sources/, or the path of a YAML file."""
    source: Source
    corpus: Corpus
    inventory: Inventory


def prepare_recipe(recipe: str | Recipe, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of that name or path, with the changes made; from now on, templates are its own before the package's.

    Raises ConfigError, also for an unknown check, and TemplateError.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    use_templates(read_own_templates(Path(recipe.templates)) if recipe.templates else {})
    for name in {*recipe.checks, *(name for part in recipe.parts.values() for name in part.checks)}:
        if name not in CHECKS:
            raise ConfigError(f"{recipe.name}: no check {name!r}; there are: {', '.join(CHECKS)}")
    return recipe


def find_part_sources(recipe: Recipe, data: str | Path | None, listener: Listener) -> list[PartSource]:
    """The corpora of every part, in the recipe's order, found in `data` or else among the bundled samples.

    A missing corpus of the package, of a part with a quota, is left out: the table of shortages will name it; so is any
    missing corpus or split if the recipe allows short parts. Raises SourceError for any other missing corpus or split,
    or an unknown reader.
    """
    folder = asset("sources", "samples") if data is None else Path(data)
    sources = _load_sources(recipe)
    found = find_corpora(folder, list(sources.values()))
    for entry in found:
        if not entry.used:
            what = f"{entry.source} in {entry.root} (layout {entry.layout})" if entry.source else entry.root
            listener.say(f"skipped: {what}: {entry.reason}")
    part_sources = []
    hashed: dict[tuple[Path, str | None], str | None] = {}
    for name, part in recipe.parts.items():
        for name_in_recipe in part.source:
            source = sources[name_in_recipe]
            if source.evaluation:
                message = "is a benchmark (evaluation: true in its YAML), which must not be trained on"
                raise SourceError(f"part {name}: {source.name} {message}")
            _refuse_other_use(recipe, name, source)
            corpora = _list_usable(source, found)
            has_quota = bool(part.rows or part.share) and not is_own_source(name_in_recipe)
            if not corpora and (has_quota or recipe.allow_short):
                continue
            if not corpora:
                why = _describe_missing(name_in_recipe, source, folder, data is None)
                raise SourceError(f"part {name}: {why}")
            having = [corpus for corpus in corpora if corpus.splits.get(part.split)]
            if not having and recipe.allow_short:
                continue
            if not having:
                found_splits = ", ".join(dict.fromkeys(split for corpus in corpora for split in corpus.splits))
                raise SourceError(
                    f"part {name}: {source.name} has no split {part.split!r} here, only {found_splits}{BUILD_WITHOUT}"
                )
            if source.reader not in READERS:
                known = ", ".join(READERS)
                raise SourceError(f"source {source.name}: no reader {source.reader!r}; there are: {known}")
            corpus, inventory = _open_first(source, having, part.split, hashed, listener)
            part_sources.append(PartSource(name, name_in_recipe, source, corpus, inventory))
    return part_sources


def _refuse_other_use(recipe: Recipe, name: str, source: Source) -> None:
    """Raises SourceError if the recipe is for commercial use and the licence of a part's corpus not known to permit it.

    A part whose filter leaves such rows out may name the corpus: rows can have licences of their own.
    """
    if recipe.use != "commercial" or recipe.parts[name].filter.licence == "commercial":
        return
    if obstacle := find_obstacle(source.licence):
        raise SourceError(
            f"part {name}: {source.name}: {_OBSTACLES[obstacle].format(source.licence)}, and the recipe declares "
            "use: commercial; leave its rows out (filter: {licence: commercial}) or the part "
            f"(--set parts.{name}=null)"
        )


def _list_usable(source: Source, found: Sequence[CorpusMatch]) -> list[Corpus]:
    """The corpora that a part may read, in order of preference."""
    ours = [entry for entry in found if entry.source == source.name]
    return [entry.corpus for entry in ours if entry.corpus and (entry.used or source.same_splits)]


def _open_first(
    source: Source,
    corpora: Sequence[Corpus],
    split: str,
    hashed: dict[tuple[Path, str | None], str | None],
    listener: Listener,
) -> tuple[Corpus, Inventory]:
    """The first of the corpora that can be used, its inputs pinned, and its inventory. Raises SourceError."""
    for index, corpus in enumerate(corpora, 1):
        pinned = _pin_inputs(corpus, split, hashed)
        try:
            return pinned, READERS[source.reader].read_inventory(pinned, split)
        except SourceError as error:
            if index == len(corpora):
                raise
            listener.say(f"skipped: {source.name} in {corpus.root} (layout {corpus.layout}): {error}")
    raise SourceError(f"no corpus {source.name!r}")


def _load_sources(recipe: Recipe) -> dict[str, Source]:
    """Name in the recipe -> source. Raises SourceError, which names the part."""
    sources: dict[str, Source] = {}
    for name, part in recipe.parts.items():
        for source in part.source:
            try:
                sources[source] = sources.get(source) or load_source(source)
            except SourceError as error:
                raise SourceError(f"part {name}: {error}") from None
    return sources


def _pin_inputs(corpus: Corpus, split: str, hashed: dict[tuple[Path, str | None], str | None]) -> Corpus:
    """The corpus with each file that this split reads tied to its present content; `hashed` are the hashes so far."""

    def pin(file: RawFile) -> RawFile:
        place = file.path, file.member
        if place not in hashed:
            hashed[place] = pin_file(file).sha256
        return replace(file, sha256=hashed[place])

    read = _list_files(corpus, split)
    files = {name: pin(file) if name in read else file for name, file in corpus.files.items()}
    splits = {name: tuple(files[file.name] for file in of_split) for name, of_split in corpus.splits.items()}
    return replace(corpus, files=files, splits=splits)


def _list_files(corpus: Corpus, split: str) -> dict[str, RawFile]:
    """The files that a part of this split reads, sorted by name: its records, and what no split has for itself."""
    others = {file.name for name, files in corpus.splits.items() if name != split for file in files}
    others -= {file.name for file in corpus.splits[split]}  # MultiWOZ has all splits in one file
    return {name: file for name, file in sorted(corpus.files.items()) if name not in others}


def _describe_missing(name: str, source: Source, folder: Path, bundled: bool) -> str:
    """Why there is no corpus for a source, and what to do. `bundled`: `folder` has the samples of the package."""
    if not is_own_source(name):
        globs = [next(iter(layout.splits.values())) for layout in source.layouts]
        recognised = f"it is recognised by {' or '.join(globs)}; {describe_download([source])}"
        return f"no corpus {source.name!r} in {folder}: {recognised}{BUILD_WITHOUT}"
    if bundled:
        return f"{name} describes a corpus of your own: say where its files are, with --data FOLDER"
    why = describe_missing(source, sorted(list_files(folder)[0]))
    return f"no corpus {source.name!r} in {folder}: {why}; its `layouts` in {name} say which files it consists of"


def list_inputs(recipe: Recipe, part_source: PartSource) -> dict[str, str]:
    """Name in the manifest -> sha256, for every file that a part reads."""
    files = _list_files(part_source.corpus, recipe.parts[part_source.part].split)
    return {f"{part_source.source.name}/{name}": str(file.sha256) for name, file in files.items()}


def list_versions() -> dict[str, str]:
    """The versions of this package and of those that rows depend on."""
    return {
        "coalm-it": __version__,
        **{name: version(name) for name in ("pyarrow", "pydantic", "jinja2", "orjson", "jsonschema-rs")},
    }


def hash_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def hash_inputs(recipe: Recipe, part_sources: Sequence[PartSource]) -> dict[str, str]:
    """The same, for every part."""
    return {name: sha256 for one in part_sources for name, sha256 in list_inputs(recipe, one).items()}


def plan_tasks(recipe: Recipe, part_sources: Sequence[PartSource]) -> list[ShardTask]:
    """A task for each shard of each part; with a limit, only for as many shards as hold that many dialogues."""
    tokenizers = find_tokenizers(recipe)
    tasks = [
        task
        for part_source in part_sources
        for task in plan_shards(recipe, part_source, tokenizers.get(part_source.part))
    ]
    return tasks if recipe.limit is None else list(_cut_to_limit(tasks, recipe.limit))


def _cut_to_limit(tasks: Sequence[ShardTask], limit: int) -> Iterator[ShardTask]:
    remaining = dict.fromkeys((task.part for task in tasks), limit)
    for task in tasks:
        if remaining[task.part]:
            limited = replace(task, key=f"{task.key}-{remaining[task.part]}", limit=remaining[task.part])
            remaining[task.part] -= read_shard(limited).size
            yield limited


def plan_shards(recipe: Recipe, part_source: PartSource, tokenizer: Path | None = None) -> Iterator[ShardTask]:
    """A task for each shard. Its key is a hash of everything that the shard's table depends on.

    `tokenizer` is the tokenizer.json with which the part's `max_tokens` are counted.
    """
    part = recipe.parts[part_source.part]
    records = {f"{part_source.source.name}/{file.name}" for file in part_source.corpus.splits[part.split]}
    shared = {name: sha256 for name, sha256 in list_inputs(recipe, part_source).items() if name not in records}
    settings = recipe.model_dump(mode="json", include=SHARD_SETTINGS)
    settings |= {"name": part_source.part, "part": part.model_dump(mode="json", include=PART_SETTINGS)}
    settings |= {
        "source": part_source.source.name,
        "layout": part_source.corpus.layout,
        "columns": part_source.corpus.columns.model_dump(),
        "licence": part_source.source.licence,
        "no_call": part_source.source.no_call,
        "tokenizer": tokenizer and hash_tokenizer(tokenizer),
    }
    code = [fingerprint_package(), fingerprint_own_templates(), list_versions()]
    common = [settings, shared, part_source.inventory.fingerprint, *code]
    files = part_source.corpus.splits[part.split]
    chained = depends_on_earlier_files(part_source.source.reader, part_source.corpus)
    for shard in cut_shards(part_source.corpus, part.split):
        read = files[: files.index(shard.file) + 1] if chained else (shard.file,)
        yield ShardTask(
            part=part_source.part,
            reader=part_source.source.reader,
            licence=part_source.source.licence,
            corpus=part_source.corpus,
            inventory=part_source.inventory,
            shard=shard,
            recipe=recipe,
            no_call=part_source.source.no_call,
            key=hash_json([common, shard.file.name, [file.sha256 for file in read], shard.index, shard.of]),
            limit=recipe.limit,
            templates=list_templates_in_use(),
            tokenizer=tokenizer,
        )
