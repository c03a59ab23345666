"""The data set card: every number in it comes from the manifest, every sentence from templates/release and sources/."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from coalm_it.assets import asset, list_assets
from coalm_it.corpora.sources import load_source
from coalm_it.dataset.manifest import count_lost
from coalm_it.templates import make_environment, read_yaml

OWN_TAG = "coalm-it"
"""The tag of the card by which a repository on the Hub is known to be a data set of ours."""
SIZES = (0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in r"\`*_[]<>|#"})


def render_card(manifest: dict[str, Any]) -> str:
    """README.md of a build folder, from a manifest whose `files` are the data; its YAML head is for the Hub."""
    environment = make_environment()
    environment.filters.update(count="{:,}".format, share="{:.1%}".format, plain=escape_markup)
    environment.filters.update(link=_quote_link, yaml=_write_yaml)
    words = _read_words()
    view = {
        "words": words,
        "total": sum(part["rows"] for part in manifest["parts"].values()),
        "configs": list_configs(manifest["files"]),
        "licences": rank_licences({about["licence"] for about in manifest["sources"].values()}),
        "languages": sorted({code for about in manifest["sources"].values() for code in about["languages"]}),
        "layouts": {name: _list_layouts(part) for name, part in manifest["recipe"]["parts"].items()},
        "one_wording": [name for name, part in manifest["recipe"]["parts"].items() if part["layout"] != "varied"],
        "checks": [_describe_check(name, manifest) for name in words["checks"]],
        "lost": count_lost(manifest),
        "bundled": _is_bundled(manifest["inputs"]),
        "citations": _list_citations(manifest["sources"]),
        "own_tag": OWN_TAG,
        "name_size": _name_size,
    }
    return environment.get_template("release/card.md.jinja").render({**manifest, **view}).rstrip("\n") + "\n"


def escape_markup(text: str) -> str:
    """Text of a recipe or a source as Markdown shows it: as it is, on one line."""
    return " ".join(str(text).translate(_MARKUP).split())


def list_configs(files: dict[str, Any]) -> dict[str, list[str]]:
    """Config -> its splits, of the files data/CONFIG/SPLIT-*.parquet; train first."""
    configs: dict[str, list[str]] = {}
    for name in sorted(files):
        folder, _, file = name.rpartition("/")
        split = file.partition("-")[0]
        if folder.startswith("data/") and split not in configs.setdefault(folder.removeprefix("data/"), []):
            configs[folder.removeprefix("data/")].append(split)
    return configs


def rank_licences(licences: set[str]) -> list[str]:
    """The freest first; those that the package does not know come last, since nobody has read them here."""
    known = list(_read_words()["licences"])
    return sorted(licences, key=lambda licence: (known.index(licence) if licence in known else len(known), licence))


def _name_size(total: int) -> str:
    """The Hub's word for so many rows."""
    for name, (least, most) in zip(_SIZE_NAMES, pairwise(SIZES), strict=True):
        if least <= total < most:
            return name
    return "n>1B"


def _list_layouts(part: dict[str, Any]) -> list[str]:
    """How a part's rows are laid out, task by task (see samples.targets.make_samples)."""
    if part["layout"] == "varied":
        return ["varied"]
    return [part["layout"] if task == "function_call" else task for task in part["task"]]


def _describe_check(name: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """How many samples a check turned away, and the parts for which it was off."""
    recipe = manifest["recipe"]
    everywhere = recipe["checks"].get(name, True)
    return {
        "name": name,
        "rejects": sum(part["rejected_by"].get(name, 0) for part in manifest["parts"].values()),
        "off": [part for part, made in recipe["parts"].items() if not made["checks"].get(name, everywhere)],
    }


def _is_bundled(inputs: dict[str, str]) -> bool:
    """Whether every raw file is one of the small corpora that travel with the package."""
    samples = asset("sources", "samples")
    paths = [path for path in list_assets("sources", "") if samples in path.parents]
    return set(inputs.values()) <= {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _list_citations(sources: dict[str, dict[str, Any]]) -> list[str]:
    """BibTeX: CoALM, whose data set this package rebuilds, and each source."""
    cited = [load_source("coalm_it").citation, *(about["citation"] for about in sources.values())]
    return list(dict.fromkeys(citation.strip() for citation in cited))


def _quote_link(address: str) -> str:
    return quote(address, safe=":/?#@!$&'*+,;=%~")


def _write_yaml(value: Any) -> str:
    """JSON, which is YAML too, on one line."""
    return json.dumps(value, ensure_ascii=False)


@cache
def _read_words() -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = read_yaml("release/words.yaml")
    return words
