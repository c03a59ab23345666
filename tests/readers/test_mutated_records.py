"""Records in which something at random is of another shape: read or a fault, never an error of ours, none is lost."""

from __future__ import annotations

import copy
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from coalm_it.corpora.corpus import cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import Source, load_source
from coalm_it.readers import READERS
from coalm_it.schema import Fault

MUTATIONS = 40
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "[",
    "{}",
    "<tool_call>",
    "<think>",
    [],
    [None],
    ["x"],
    {},
    {"x": None},
]
BUNDLED = {
    "snips": "snips/train.json",
    "sgd": "sgd/train/dialogues_001.json",
    "multiwoz": "multiwoz/data.json",
    "xlam": "xlam/xlam_function_calling_60k.json",
    "toolace": "toolace/data.json",
}
SOURCE = Source.model_validate(
    {
        "name": "own",
        "title": "Own talks",
        "reader": "messages",
        "licence": "CC0-1.0",
        "homepage": "https://example.org/own",
        "citation": "none",
        "layouts": [{"name": "files", "splits": {"train": "own.json"}}],
        "columns": {"id": "id"},
    }
)
TALK = {
    "id": "a",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Tide in Oban and on Mull?"}]},
        {
            "role": "assistant",
            "content": "<think>Two calls.</think>",
            "tool_calls": [
                {"id": "c1", "function": {"name": "get_tide", "arguments": '{"harbour": "Oban"}'}},
                {"id": "c2", "function": {"name": "get_tide", "arguments": {"harbour": "Mull"}}},
            ],
        },
        {"role": "tool", "tool_call_id": "c2", "content": {"high": "06:25"}},
        {"role": "tool", "tool_call_id": "c1", "content": '{"high": "06:10"}'},
        {"role": "assistant", "content": "At 06:10 and 06:25.", "reasoning_content": "So.", "weight": 1},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_tide",
                "description": "Tide.",
                "parameters": {
                    "type": "object",
                    "properties": {"harbour": {"type": "string", "enum": ["Oban", "Mull"]}, "days": {"items": {}}},
                    "required": ["harbour"],
                },
            },
        }
    ],
}


def list_nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [node for key, item in items for node in ((value, key), *list_nodes(item))]


def mutate(value: Any, chance: random.Random) -> Any:
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(list_nodes(value) or [([None], 0)])
        act = chance.random()
        if act < 0.7:
            container[key] = copy.deepcopy(chance.choice(ODD))
        elif act < 0.85:
            del container[key]
        elif isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        else:
            container[f"{key}2"] = container.pop(key)
    return value


def read_all(source: Source, folder: Path) -> list[Any]:
    corpus = next((match.corpus for match in find_corpora(folder, [source]) if match.used), None)
    if corpus is None:
        return []  # its first bytes are no longer those of the layout
    reader = READERS[source.reader]
    shards = cut_shards(corpus, "train")
    return [record for shard in shards for record in reader.read_dialogues(corpus, "train", shard, licence="CC0-1.0")]


def check(read: list[Any], mutation: int) -> None:
    faults = [record for record in read if isinstance(record, Fault)]
    assert not [fault for fault in faults if "an error of coalm-it" in fault.reason], f"mutation {mutation}"
    ids = [record.id for record in read if not isinstance(record, Fault)]
    assert len(set(ids)) == len(ids), f"mutation {mutation}"


@pytest.mark.parametrize("name", BUNDLED)
def test_no_mutation_of_a_bundled_corpus_is_an_error_of_ours(name: str, bundled: Path, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(bundled / name, folder)
    path = tmp_path / BUNDLED[name]
    content = json.loads(path.read_text())
    source = load_source(name)
    for mutation in range(MUTATIONS):
        path.write_text(json.dumps(mutate(content, random.Random(mutation))))
        check(read_all(source, folder), mutation)


def test_no_mutation_of_a_talk_is_an_error_of_ours_and_none_is_lost(tmp_path: Path) -> None:
    records = [mutate(TALK, random.Random(mutation)) for mutation in range(10 * MUTATIONS)]
    (tmp_path / "own.json").write_text(json.dumps(records))
    read = read_all(SOURCE, tmp_path)
    assert len(read) == len(records)
    check(read, -1)
