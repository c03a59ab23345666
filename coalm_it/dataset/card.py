"""The data set card: numbers come from the manifest, sentences from templates/release and sources/."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import PurePath
from typing import Any, get_args
from urllib.parse import quote

import yaml

from coalm_it.assets import asset, list_assets
from coalm_it.corpora.sources import load_source
from coalm_it.dataset.manifest import FileEntry, Manifest, SourceEntry, count_losses
from coalm_it.dataset.tables import CONFIGS, Split, describe_features
from coalm_it.files import hash_file
from coalm_it.licences import find_licence, group_by_term, list_terms, name_head_licence, rank_licences
from coalm_it.recipe import Part, is_own_source
from coalm_it.templates import make_environment, read_yaml

OWN_TAG = "coalm-it"
"""The card's tag that marks a repository on the Hub as one of our data sets."""
SIZES = (0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
_PAPER_LAYOUTS = {"state_tracking", "hammer", "react_action", "react_response"}
"""Layouts as published with CoALM."""
_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in r"\`*_[]<>|#"})


def render_card(manifest: Manifest, location: str = "OUT") -> str:
    """README.md of a build folder, with a YAML head for the Hub. The manifest must list the data files.

    `location` is what `load_dataset` is called with in its example: a repository's name once it is published.
    """
    environment = make_environment()
    environment.filters.update(count="{:,}".format, share="{:.1%}".format, plain=escape_markup)
    environment.filters.update(link=_quote_link, yaml=_write_yaml, block=_write_yaml_block, last=_name_last)
    words = _read_words()
    parts, sources = manifest.recipe.parts, manifest.sources.values()
    licences = _list_licences(manifest)
    view = {
        "words": words,
        "total": sum(part.rows for part in manifest.parts.values()),
        "configs": describe_configs(manifest.files),
        "head_licence": dict(name_head_licence(licences)),
        "licences": rank_licences(licences),
        "texts": {name: describe_licence(name) for name in licences},
        "terms": group_by_term(licences),
        "source_datasets": _name_source_datasets(manifest),
        "tags": _list_tags(manifest),
        "languages": sorted({code for source in sources for code in source.languages}),
        "layouts": {name: _list_layouts(part) for name, part in parts.items()},
        "one_wording": [name for name, part in parts.items() if part.layout != "varied"],
        "checks": [_describe_check(name, manifest) for name in words["checks"]],
        "losses": count_losses(manifest),
        "mixed": any(part.mixed for part in manifest.parts.values()),
        "bundled": is_bundled(manifest.inputs),
        "location": location,
        "own_sources": list(
            dict.fromkeys(name for part in parts.values() for name in part.source if is_own_source(name))
        ),
        "has_rejects": any(name.startswith("rejects/") for name in manifest.files),
        "citations": [source.citation.strip() for source in sources if _has_citation(source)],
        "uncited": [source for source in sources if not _has_citation(source)],
        "paper": load_source("coalm_it").citation.strip() if _follows_paper(manifest) else "",
        "name_size": _name_size,
    }
    return environment.get_template("release/card.md.jinja").render({**dict(manifest), **view}).rstrip("\n") + "\n"


def escape_markup(text: str) -> str:
    """Text of a recipe or a source on one line, escaped so that Markdown shows it unchanged."""
    return " ".join(str(text).translate(_MARKUP).split())


def describe_configs(files: Mapping[str, FileEntry]) -> list[dict[str, Any]]:
    """The configs of the data set, from files named data/CONFIG/SPLIT-*.parquet, as `dataset_info` lists them.

    `load_dataset` finds a newer build in the same folder by its numbers of rows and bytes.
    """
    configs = []
    for config, schema in CONFIGS.items():
        splits = []
        for split in get_args(Split):
            entries = [entry for name, entry in files.items() if name.startswith(f"data/{config}/{split}-")]
            rows, size = sum(entry.rows or 0 for entry in entries), sum(entry.bytes for entry in entries)
            splits += [{"name": split, "num_examples": rows, "num_bytes": size}] if entries else []
        if splits:
            total = sum(int(split["num_bytes"]) for split in splits)
            features = describe_features(schema)
            sizes = {"download_size": total, "dataset_size": total}
            configs.append({"config_name": config, "features": features, "splits": splits, **sizes})
    return configs


def _list_licences(manifest: Manifest) -> tuple[str, ...]:
    """The licences of the rows; a filter may leave out all rows of a corpus."""
    return manifest.licences or tuple({source.licence for source in manifest.sources.values()})


def describe_licence(name: str) -> str:
    """What a licence says, in one line without its name."""
    if (known := find_licence(name)) and (text := _read_words()["licences"].get(known.spdx)):
        return text
    return _read_words()["terms"]["none_stated" if "none_stated" in list_terms(name) else "unknown"]


def describe_terms(licences: Iterable[str]) -> dict[str, str]:
    """What the licences of the whole mean, as term -> sentence; see `group_by_term` for the licences of each term."""
    return {term: _read_words()["terms"][term] for term in group_by_term(licences)}


def _name_source_datasets(manifest: Manifest) -> list[str]:
    """The corpora for the Hub's filter: their data sets there, and those from elsewhere by name."""
    used = [(name, source) for name, source in manifest.sources.items() if source.licence in _list_licences(manifest)]
    return sorted({f"extended|{source.hub or f'other-{name}'}" for name, source in used})


def _list_tags(manifest: Manifest) -> list[str]:
    """Terms by which the Hub filters data sets: what the rows teach, and whether a model wrote some of them."""
    recipe = manifest.recipe
    tasks = {task for part in recipe.parts.values() for task in part.task}
    tags = [OWN_TAG, "function-calling", "tool-use", "react", "task-oriented-dialogue", "agent"]
    tags += ["dialogue-state-tracking"] * ("state_tracking" in tasks)
    return tags + ["synthetic"] * any(map(recipe.asks_model, recipe.parts.values()))


def _name_size(total: int) -> str:
    """The Hub's size category for this number of rows."""
    for name, (least, most) in zip(_SIZE_NAMES, pairwise(SIZES), strict=True):
        if least <= total < most:
            return name
    return "n>1B"


def _list_layouts(part: Part) -> list[str]:
    """The layouts of a part's rows, task by task (see samples.targets.make_samples)."""
    if part.layout == "varied":
        return ["varied"]
    return [part.layout if task == "function_call" else task for task in part.task]


def _describe_check(name: str, manifest: Manifest) -> dict[str, Any]:
    """How many samples a check rejected, and the parts for which it was off."""
    default = manifest.recipe.checks.get(name, True)
    return {
        "name": name,
        "rejects": sum(part.rejected_by.get(name, 0) for part in manifest.parts.values()),
        "off": [title for title, part in manifest.recipe.parts.items() if not part.checks.get(name, default)],
    }


def is_bundled(inputs: Mapping[str, str]) -> bool:
    """Whether every raw file belongs to the small corpora that come with the package."""
    samples = asset("sources", "samples")
    paths = [path for path in list_assets("sources", "") if samples in path.parents]
    return set(inputs.values()) <= {hash_file(path) for path in paths}


def list_licence_warnings(manifest: Manifest) -> list[str]:
    """Why rows of the data set may not be for everybody, source by source, each in one line."""
    warnings = []
    for name, source in manifest.sources.items():
        if source.licence not in _list_licences(manifest):
            continue
        terms, licence = list_terms(source.licence), " ".join(source.licence.split())
        if "none_stated" in terms:
            warnings.append(f"{name}: no licence is stated, so nobody has permission to use its rows")
        elif "unknown" in terms:
            warnings.append(f"{name}: licence {licence} is not an open licence known to coalm-it")
        elif "no_derivatives" in terms:
            warnings.append(f"{name}: licence {licence} does not permit changed copies, which these rows are")
        if source.gated:
            warnings.append(f"{name}: available only after accepting its terms: {source.homepage}")
    return warnings


def _has_citation(source: SourceEntry) -> bool:
    return source.citation.strip().lower() not in ("", "none")


def _list_own_sources(parts: Iterable[Part]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part.source if is_own_source(name)))


def _follows_paper(manifest: Manifest) -> bool:
    """Whether the paper's data set is rebuilt or its layouts are used: not where all is the user's own."""
    parts = manifest.recipe.parts.values()
    names = [name for part in parts for name in part.source]
    return not all(map(is_own_source, names)) or any(not _PAPER_LAYOUTS.isdisjoint(_list_layouts(one)) for one in parts)


def _quote_link(address: str) -> str:
    return quote(address, safe=":/?#@!$&'*+,;=%~")


def _write_yaml(value: Any) -> str:
    """A value on one line, in double quotes; characters that YAML does not allow are escaped."""
    written = yaml.safe_dump(value, default_style='"', default_flow_style=True, allow_unicode=True, width=float("inf"))
    return written.strip()


def _write_yaml_block(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False)


def _name_last(name: str) -> str:
    """The name of a model; of one in a folder, only the folder's own name."""
    path = PurePath(name)
    return path.name if path.is_absolute() or name.startswith(("~", ".")) else name


@cache
def _read_words() -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = read_yaml("release/words.yaml")
    return words
