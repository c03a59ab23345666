"""Talks in the form of reader `messages`, and what became of them in a build."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pyarrow import parquet

from coalm_it.listener import Silent
from coalm_it.pipeline.build import build

SOURCE = {
    "name": "own",
    "title": "Own talks",
    "reader": "messages",
    "licence": "CC0-1.0",
    "homepage": "https://example.org/own",
    "citation": "none",
}
LINE = {"type": "object", "properties": {"port": {"type": "string"}}, "required": ["port"]}
FERRY = {"type": "function", "function": {"name": "next_ferry", "description": "The next ferry.", "parameters": LINE}}
MALLAIG = {"id": "a", "type": "function", "function": {"name": "next_ferry", "arguments": '{"port": "Mallaig"}'}}
ARMADALE = {"id": "b", "type": "function", "function": {"name": "next_ferry", "arguments": '{"port": "Armadale"}'}}


@dataclass(frozen=True)
class Outcome:
    """What became of the records of a part."""

    rows: dict[str, str]
    """Id without source and split -> output, without the word System."""
    samples: dict[str, dict[str, Any]]
    """The same ids -> the row of config `samples`."""
    held_out: set[str]
    """Those of the rows for validation."""
    prompts: dict[str, str]
    """The same ids -> instruction and input."""
    rejects: dict[str, list[str]]
    """The same ids -> check and message of each finding."""
    faults: list[str]
    """File, record and reason."""

    @property
    def outputs(self) -> list[str]:
        return sorted(self.rows.values())


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def calls(*made: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(made), **more}


def call(name: str, arguments: Any, id: Any = "a") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(content: Any, id: Any = "a") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def tool(name: str, **properties: Any) -> dict[str, Any]:
    """A function whose parameters are all required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": "Does it.", "parameters": parameters}}


ASK = user("When does the next ferry leave Mallaig?")
TALK = [ASK, calls(MALLAIG), result('{"leaves": "07:40"}'), says("At 07:40.")]
GOOD = {"messages": TALK, "tools": [FERRY]}
"""A record that is read in any case."""
GOOD_ROWS = ["At 07:40.", '[next_ferry(port="Mallaig")]']


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


class Printing(Silent):
    """Prints the lines for people, so that a test may read them with `capsys`."""

    def say(self, line: str) -> None:
        print(line)


def build_part(folder: Path, data: Path, source: str, changes: tuple[str, ...] = (), **part: Any) -> Outcome:
    recipe = {
        "name": "inputs",
        "parts": {"own": {"source": source, "task": "function_call", **part}},
        "expect": {"rejects_at_most": 1},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    built = build(str(folder / "recipe.yaml"), data=data, out=folder / "out", changes=changes, listener=Printing())
    columns, samples = read_rows(built.out / "data" / "coalm_it"), read_rows(built.out / "data" / "samples")
    names = [sample["id"].split("/", 2)[2] for sample in samples]
    manifest = built.manifest
    count = manifest.parts["own"]
    assert count.candidates == len(samples) + count.rejects, "a sample vanished"
    return Outcome(
        rows={name: row["output"].removeprefix("System: ") for name, row in zip(names, columns, strict=True)},
        samples=dict(zip(names, samples, strict=True)),
        held_out={row["id"].split("/", 2)[2] for row in read_rows(built.out / "data" / "samples", "validation-*")},
        prompts={name: row["instruction"] + "\n" + row["input"] for name, row in zip(names, columns, strict=True)},
        rejects={
            row["id"].split("/", 2)[2]: [f"{found['check']}: {found['message']}" for found in row["findings"]]
            for row in read_rows(built.out / "rejects")
        },
        faults=[f"{fault.file}, {fault.record}: {fault.reason}" for fault in manifest.faults],
    )


def read_rows(folder: Path, names: str = "*") -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob(f"{names}.parquet")) for row in parquet.read_table(path).to_pylist()]
