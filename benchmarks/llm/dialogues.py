"""Any number of dialogues, made from the bundled ones."""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "sources" / "samples" / "sgd" / "train"
PER_FILE = 6
"""Dialogues per file by default; each file is a shard."""


def write_dialogues(folder: Path, count: int = 0, *, turns: int = 0, per_file: int = PER_FILE) -> Path:
    """Writes `count` dialogues, or dialogues with `turns` turns in total, in the layout of SGD. Returns the folder.

    They repeat the bundled ones, each with its own id and its own first utterance, so that all requests differ.
    """
    bundled = [one for path in sorted(SAMPLES.glob("dialogues_*.json")) for one in json.loads(path.read_bytes())]
    train = folder / "train"
    train.mkdir(parents=True, exist_ok=True)
    (train / "schema.json").write_bytes((SAMPLES / "schema.json").read_bytes())
    dialogues: list[dict[str, Any]] = []
    for dialogue in cycle(bundled):
        if len(dialogues) >= count and turns <= 0:
            break
        dialogues.append(_make_own(dialogue, len(dialogues)))
        turns -= len(dialogue["turns"]) // 2
    for start in range(0, len(dialogues), per_file):
        path = train / f"dialogues_{start // per_file + 1:03d}.json"
        path.write_text(json.dumps(dialogues[start : start + per_file], ensure_ascii=False), encoding="utf-8")
    return folder


def _make_own(dialogue: dict[str, Any], number: int) -> dict[str, Any]:
    first, *others = dialogue["turns"]
    # At the end, so that the character offsets of the annotation remain valid.
    first = {**first, "utterance": f"{first['utterance']} This is call {number}."}
    return {**dialogue, "dialogue_id": f"9_{number:05d}", "turns": [first, *others]}
