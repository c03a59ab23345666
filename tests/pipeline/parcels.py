"""A corpus of a user's own, for tests of what a build says: talks that all use the same two functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

FUNCTIONS = {"find_parcel": "Where a parcel is.", "return_parcel": "Sends a parcel back."}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
        },
    }
    for name, description in FUNCTIONS.items()
]


def make_talk(number: int, *, said: str = "", tools: int = 2) -> dict[str, Any]:
    """One call of one of the functions, and the reply. `said`: the number that the user says, if another; `tools`: how
    many functions the agent has."""
    name = list(FUNCTIONS)[number % tools]
    call = {"name": name, "arguments": {"number": f"RX{number:03}"}}
    return {
        "messages": [
            {"role": "user", "content": f"It is about parcel {said or f'RX{number:03}'}."},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": call}]},
            {"role": "tool", "tool_call_id": "a", "content": '{"state": "done"}'},
            {"role": "assistant", "content": "It is done."},
        ],
        "tools": TOOLS[:tools],
    }


def write_lines(path: Path, records: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def write_source(folder: Path, glob: str = "chats.jsonl", **more: Any) -> Path:
    """The YAML file of the corpus, parcels.yaml."""
    source = {
        "name": "parcels",
        "title": "Talks about parcels",
        "reader": "messages",
        "licence": "CC0-1.0",
        "homepage": "https://example.org/parcels",
        "layouts": [{"name": "jsonl", "splits": {"train": glob}}],
        **more,
    }
    path = folder / "parcels.yaml"
    path.write_text(yaml.safe_dump(source), encoding="utf-8")
    return path


def write_recipe(folder: Path, source: str = "parcels.yaml", **part: Any) -> Path:
    """A recipe of that corpus, mine.yaml."""
    parts = {"parcels": {"source": source, "task": "function_call", **part}}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"name": "mine", "parts": parts}), encoding="utf-8")
    return path
