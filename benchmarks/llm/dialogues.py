"""As many dialogues as are wanted, made of the bundled ones."""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "sources" / "samples" / "sgd" / "train"
A_FILE = 6
"""Dialogues in one file, where nothing else is wanted; each file is a shard."""


def write_dialogues(folder: Path, count: int = 0, *, turns: int = 0, a_file: int = A_FILE) -> Path:
    """Dialogues in the layout of SGD, `count` of them, or of about so many `turns`. Returns the folder.

    They are the bundled ones over and over, each with an id of its own and a first sentence of its own, so that no two
    requests about them are the same.
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
    for start in range(0, len(dialogues), a_file):
        path = train / f"dialogues_{start // a_file + 1:03d}.json"
        path.write_text(json.dumps(dialogues[start : start + a_file], ensure_ascii=False), encoding="utf-8")
    return folder


def _make_own(dialogue: dict[str, Any], number: int) -> dict[str, Any]:
    first, *others = dialogue["turns"]
    # At the end, where it moves none of the places that the annotation names.
    first = {**first, "utterance": f"{first['utterance']} This is call {number}."}
    return {**dialogue, "dialogue_id": f"9_{number:05d}", "turns": [first, *others]}
