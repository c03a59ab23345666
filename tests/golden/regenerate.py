"""Rewrites what is derived from the raw records beside it: `python tests/golden/regenerate.py`.

Each folder here is a small corpus in one layout: `raw/` as a publisher would lay it out, `dialogues.json` as
the reader understands it, in the order of splits and files; what has its default is left out. A `source.yaml` is that
of a corpus of a user's own. Look at the difference before you commit it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coalm_it.readers import read_dialogues
from coalm_it.sources import find_corpora, list_sources, load_source

GOLDEN = Path(__file__).parent
WIDTH = 110


def derive(folder: Path) -> dict[str, str]:
    """Every derived file of one corpus folder: its path in the folder -> its content."""
    own = folder / "source.yaml"
    sources = [load_source(own)] if own.exists() else list_sources()
    (found,) = (found for found in find_corpora(folder / "raw", sources) if found.used)
    assert found.corpus
    dialogues = [
        dialogue.model_dump(mode="json", exclude_defaults=True)
        for split in found.corpus.splits
        for dialogue in read_dialogues(str(own) if own.exists() else found.source, folder / "raw", split)
    ]
    return {"dialogues.json": format_json(dialogues) + "\n"}


def format_json(value: Any, indent: int = 0) -> str:
    """JSON for reading: what fits on a line stands on one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDTH or not isinstance(value, (dict, list)):
        return line
    inner = "\n" + " " * (indent + 2)
    if isinstance(value, list):
        items = [format_json(item, indent + 2) for item in value]
    else:
        items = [f"{json.dumps(key)}: {format_json(item, indent + 2)}" for key, item in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return opening + ",".join(inner + item for item in items) + "\n" + " " * indent + closing


def list_folders() -> list[Path]:
    return sorted(raw.parent for raw in GOLDEN.glob("*/raw"))


if __name__ == "__main__":
    for folder in list_folders():
        for name, content in derive(folder).items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
            print(path.relative_to(GOLDEN))
