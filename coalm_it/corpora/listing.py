"""Which corpora are known, which of them are in a folder, and what else is there: what `coalm-it sources` lists, and
what is said of a corpus that was not found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from coalm_it.corpora.corpus import COMPRESSED, Corpus
from coalm_it.corpora.find import CorpusMatch, find_corpora, list_files
from coalm_it.corpora.sources import Source, list_sources, load_source

NEAR_SHOWN = 5
"""How many files are named that nearly match."""
_ALIKE = 0.8


def describe_sources(data: Path | None = None, names: Sequence[str] = ()) -> list[dict[str, object]]:
    """The sources of these names or YAML files, by default all in the package, and with `data` the corpora found: a row
    per match, and per source without a match.

    Columns: source, title, licence, layout, folder, files (split and number of record files, and of how many if the
    source counts them), status; for named sources also `read` and `not_read`, the files in the folder of the corpus.
    Raises SourceError.
    """
    sources = [load_source(name) for name in names] or list_sources()
    found = find_corpora(data, sources) if data else []
    paths = sorted(list_files(data)[0]) if data and names else []
    rows: list[dict[str, object]] = []
    for source in sources:
        about = {"source": source.name, "title": source.title, "licence": source.licence}
        layouts = ", ".join(layout.name for layout in source.layouts)
        missing = f"not found{f': {describe_missing(source, paths)}' if names else ''}" if data else ""
        nothing = {"layout": layouts, "folder": "", "files": "", "status": missing, **_list_read(None, paths, names)}
        there = [
            {**_describe_match(item, source), **_list_read(item.corpus, paths, names)}
            for item in found
            if item.source == source.name
        ]
        rows += [{**about, **item} for item in there or [nothing]]
    unknown = {"source": "", "title": "", "licence": ""}
    others = [item for item in found if not item.source]
    return rows + [{**unknown, **_describe_match(item), **_list_read(None, paths, names)} for item in others]


def _describe_match(item: CorpusMatch, source: Source | None = None) -> dict[str, object]:
    splits = item.corpus.splits if item.corpus else {}
    published = {split: units["files"] for split, units in source.counts.items() if "files" in units} if source else {}
    files = ", ".join(f"{split} {_count_files(len(files), published.get(split))}" for split, files in splits.items())
    partly = f" for {', '.join(item.splits)}" if len(item.splits) < len(splits) else ""
    status = f"used{partly}" if item.used else f"skipped: {item.reason}"
    return {"layout": item.layout, "folder": item.root, "files": files, "status": status}


def _count_files(count: int, published: int | None) -> str:
    """ "24 of 34 files", where the source says how many were published."""
    of = f" of {published}" if published else ""
    return f"{count}{of} file{'s' * ((published or count) != 1)}"


def _list_read(corpus: Corpus | None, paths: Sequence[str], names: Sequence[str]) -> dict[str, object]:
    """The files of the corpus, and the others below its folder, if sources were named."""
    if not names:
        return {}
    if corpus is None:
        return {"read": [], "not_read": []}
    below = "" if corpus.root == "." else f"{corpus.root}/"
    inside = [path.removeprefix(below) for path in paths if path.startswith(below)]
    return {"read": sorted(corpus.files), "not_read": [path for path in inside if path not in corpus.files]}


# --- a corpus that was not found ---


def describe_missing(source: Source, paths: Sequence[str]) -> str:
    """Why none of the paths in a folder is a file of the corpus, and which are nearly one."""
    globs = list(dict.fromkeys(glob for layout in source.layouts for glob in layout.splits.values()))
    near = list(dict.fromkeys(path for glob in globs for path in _list_near(glob, paths)))
    hint = f"; nearly so: {', '.join(near[:NEAR_SHOWN])}{', ...' * (len(near) > NEAR_SHOWN)}" if near else ""
    return f"no path there ends in {' or '.join(globs)}{hint}"


def _list_near(glob: str, paths: Sequence[str]) -> Iterator[str]:
    """The paths that differ from what the glob matches in folder, ending, compression, case, or a few letters."""
    wanted = _plain_stem(glob)
    for path in paths:
        stem = _plain_stem(path)
        if fnmatchcase(stem, wanted) or SequenceMatcher(None, stem, wanted).ratio() >= _ALIKE:
            yield path


def _plain_stem(path: str) -> str:
    """The name of a file in lower case, without folder and endings."""
    name = PurePosixPath(path.lower())
    return (name.with_suffix("") if name.suffix in (*COMPRESSED, ".zip") else name).stem
