"""Regenerates the golden files from the raw records beside them: `python tests/golden/regenerate.py`.

Each folder here is a small corpus: `raw/` has its files as published; `dialogues.json` the dialogues made by the
reader, in the order of splits and files, without default values; `rows.md` the rows that a build makes of its first
split, in both forms, and the rejects with their findings. A `source.yaml` describes a user's own corpus. Review the
difference before you commit it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import list_sources, load_source
from coalm_it.pipeline.build import build
from coalm_it.readers import read_dialogues
from coalm_it.recipe import Recipe
from coalm_it.rendering.chat import read_conversation

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
    rows = render_rows(folder / "raw", str(own) if own.exists() else found.source, next(iter(found.corpus.splits)))
    return {"dialogues.json": format_json(dialogues) + "\n", "rows.md": rows}


def render_rows(data: Path, source: str, split: str) -> str:
    """The rows of a build in corpus order, each as its three columns and its messages."""
    react = ["react_action", "react_response"]
    tasks = {"snips": ["state_tracking"], "sgd": react, "multiwoz": react}.get(source, ["function_call"])
    layout = "hammer" if source == "xlam" else "toolace"
    # As in recipe coalm_it: values that function-calling corpora infer cannot be traced.
    checks = {"grounding": False, "reply_facts": False} if tasks == ["function_call"] else {}
    part = {"source": source, "split": split, "task": tasks, "layout": layout, "checks": checks}
    recipe = Recipe.model_validate({"name": "golden", "order": "corpus", "distractors": 2, "parts": {"golden": part}})
    with tempfile.TemporaryDirectory() as out:
        build(recipe, data=data, out=out)
        columns = read_all(Path(out) / "data" / "coalm_it")
        samples = read_all(Path(out) / "data" / "samples")
        rejects = read_all(Path(out) / "rejects")
    pieces = [format_row(row, sample) for row, sample in zip(columns, samples, strict=True)]
    return "\n\n".join([*pieces, *map(format_reject, rejects)]) + "\n"


def read_all(folder: Path) -> list[dict[str, Any]]:
    paths = sorted(folder.glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def format_row(row: dict[str, Any], sample: dict[str, Any]) -> str:
    blocks = [f"**{name}**\n\n{indent_block(row[name])}" for name in ("instruction", "input", "output")]
    messages, tools, _ = read_conversation(sample, "messages")
    shown = [format_json(message) for message in messages]
    shown.append(f"tools: {', '.join(tool['function']['name'] for tool in tools)}")
    return "\n\n".join([f"# {sample['id']}", *blocks, "**messages**\n\n" + indent_block("\n".join(shown))])


def format_reject(reject: dict[str, Any]) -> str:
    findings = [f"- {found['check']}, {found['where']}: {found['message']}" for found in reject["findings"]]
    return "\n".join([f"# rejected: {reject['id']}\n", *findings])


def indent_block(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def format_json(value: Any, indent: int = 0) -> str:
    """JSON for people: a value that fits on one line is written on one."""
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
