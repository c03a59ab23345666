"""Raw files -> Dialogue, one module per corpus.

Each module has `read_inventory(corpus, split)` and `read_dialogues(corpus, split, shard, licence=...)`; errors in the
data are not raised but yielded as Faults. docs/annotation.md describes what the other rooms expect of a Dialogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from coalm_it.corpora.corpus import Corpus, Shard, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import SourceError, load_source
from coalm_it.readers import coalm_it, messages, multiwoz, sgd, snips, toolace, xlam
from coalm_it.schema import Dialogue, Fault

READERS: dict[str, ModuleType] = {
    "snips": snips,
    "sgd": sgd,
    "multiwoz": multiwoz,
    "xlam": xlam,
    "toolace": toolace,
    "messages": messages,
    "coalm_it": coalm_it,
}


def depends_on_earlier_files(reader: str, corpus: Corpus) -> bool:
    """Whether the dialogues of a file depend on those before it: ids that occur in several files are told apart."""
    return reader == "xlam" or (reader == "messages" and corpus.columns.id is not None)


def read_notes(reader: str, corpus: Corpus, split: str, shard: Shard) -> tuple[str, ...]:
    """What the person who builds should know of the files, beside the faults of records: a line each.

    Empty for a file that cannot be read, which is a fault.
    """
    try:
        return tuple(multiwoz.read_notes(corpus, split, shard)) if reader == "multiwoz" else ()
    except SourceError:
        return ()


def read_dialogues(source: str, data: str | Path, split: str = "train") -> Iterator[Dialogue | Fault]:
    """The dialogues of a known source, or of the user's own YAML file, found anywhere in the folder `data`.

    Raises SourceError if the corpus is not found.
    """
    known = load_source(source)
    used = [found for found in find_corpora(Path(data), [known]) if found.used]
    corpus = next((found.corpus for found in sorted(used, key=lambda found: split not in found.splits)), None)
    if corpus is None:
        raise SourceError(f"no corpus {known.name!r} in {data}")
    read = READERS[known.reader].read_dialogues
    shards = cut_shards(corpus, split)
    return (record for shard in shards for record in read(corpus, split, shard, licence=known.licence))
