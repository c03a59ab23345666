"""The data set card: numbers come from the manifest, sentences from templates/release and sources/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from coalm_it.assets import asset, list_assets
from coalm_it.corpora.sources import load_source
from coalm_it.dataset.manifest import Manifest, SourceEntry, count_losses
from coalm_it.files import hash_file
from coalm_it.recipe import Part
from coalm_it.templates import make_environment, read_yaml

OWN_TAG = "coalm-it"
"""The card's tag that marks a repository on the Hub as one of our data sets."""
SIZES = (0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in r"\`*_[]<>|#"})


def render_card(manifest: Manifest) -> str:
    """README.md of a build folder, with a YAML head for the Hub. The manifest must list the data files."""
    environment = make_environment()
    environment.filters.update(count="{:,}".format, share="{:.1%}".format, plain=escape_markup)
    environment.filters.update(link=_quote_link, yaml=_write_yaml)
    words = _read_words()
    parts, sources = manifest.recipe.parts, manifest.sources.values()
    view = {
        "words": words,
        "total": sum(part.rows for part in manifest.parts.values()),
        "configs": list_configs(manifest.files),
        "licences": rank_licences({source.licence for source in sources}),
        "languages": sorted({code for source in sources for code in source.languages}),
        "layouts": {name: _list_layouts(part) for name, part in parts.items()},
        "one_wording": [name for name, part in parts.items() if part.layout != "varied"],
        "checks": [_describe_check(name, manifest) for name in words["checks"]],
        "losses": count_losses(manifest),
        "bundled": _is_bundled(manifest.inputs),
        "citations": _list_citations(sources),
        "own_tag": OWN_TAG,
        "name_size": _name_size,
    }
    return environment.get_template("release/card.md.jinja").render({**dict(manifest), **view}).rstrip("\n") + "\n"


def escape_markup(text: str) -> str:
    """Text of a recipe or a source on one line, escaped so that Markdown shows it unchanged."""
    return " ".join(str(text).translate(_MARKUP).split())


def list_configs(files: Iterable[str]) -> dict[str, list[str]]:
    """Config -> its splits, train first, from files named data/CONFIG/SPLIT-*.parquet."""
    configs: dict[str, list[str]] = {}
    for name in sorted(files):
        folder, _, file = name.rpartition("/")
        split = file.partition("-")[0]
        if folder.startswith("data/") and split not in configs.setdefault(folder.removeprefix("data/"), []):
            configs[folder.removeprefix("data/")].append(split)
    return configs


def rank_licences(licences: set[str]) -> list[str]:
    """From the most permissive to the most restrictive; unknown licences come last."""
    known = list(_read_words()["licences"])
    return sorted(licences, key=lambda licence: (known.index(licence) if licence in known else len(known), licence))


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


def _is_bundled(inputs: Mapping[str, str]) -> bool:
    """Whether every raw file belongs to the small corpora that come with the package."""
    samples = asset("sources", "samples")
    paths = [path for path in list_assets("sources", "") if samples in path.parents]
    return set(inputs.values()) <= {hash_file(path) for path in paths}


def _list_citations(sources: Iterable[SourceEntry]) -> list[str]:
    """BibTeX entries: CoALM, whose data set this package rebuilds, and each source."""
    cited = [load_source("coalm_it").citation, *(source.citation for source in sources)]
    return list(dict.fromkeys(citation.strip() for citation in cited))


def _quote_link(address: str) -> str:
    return quote(address, safe=":/?#@!$&'*+,;=%~")


def _write_yaml(value: Any) -> str:
    """JSON on one line, which is also YAML."""
    return json.dumps(value, ensure_ascii=False)


@cache
def _read_words() -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = read_yaml("release/words.yaml")
    return words
