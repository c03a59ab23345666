"""Rows of config `samples`, as `load_dataset` gives them, under every chat template in TRL's wheel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trl
import yaml
from datasets import load_dataset
from transformers.utils.chat_template_utils import render_jinja_template

from coalm_it.pipeline.build import build
from coalm_it.recipe import Recipe

pytestmark = pytest.mark.libraries

Row = dict[str, Any]
TEMPLATES = Path(trl.__file__).parent / "chat_templates"
NAMES = sorted(path.stem for path in TEMPLATES.glob("*.jinja") if not path.stem.endswith("_training"))
NO_CALLS = re.compile(
    r"cohere2?|deepseek_r1_distill|gemma|gemma3|idefics3|lfm2|llama3|llava_next|phi3|phi3_5|qwen2_5_vl|smolvlm"
)
"""Templates that show no calls at all."""
LIMITS = {
    "deepseekv3": "arguments are texts",
    "gptoss": "one call at once, and no number among the values or defaults of a parameter",
    "llama3_1": "one call at once",
    "llama3_2": "one call at once",
}
"""What templates that show calls cannot hold; every other one holds all."""
KINDS = {"several calls": 20, "call": 60, "call after results": 60, "reply after results": 120, "reply": 38}
"""Kind of target -> how many rows are tried."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """300 rows of all kinds from recipe coalm_it_plus, and some of a corpus with a policy and nested arguments."""
    folder = tmp_path_factory.mktemp("published")
    plus = build("coalm_it_plus", out=folder / "plus", changes=["allow_short=true"]).out
    found: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    for row in load_rows(plus, folder):
        if row["task"] != "state_tracking":
            found[find_kind(row)].append(row)
    assert {kind: min(len(some), KINDS[kind]) for kind, some in found.items()} == KINDS
    chosen = [row for kind, some in found.items() for row in some[: KINDS[kind]]]
    own = load_rows(build_own(folder), folder)
    assert own[0]["prompt"][0]["content"] == "You serve guests. Never promise a table."
    return [*chosen, *own]


def load_rows(out: Path, folder: Path) -> list[Row]:
    return list(load_dataset(str(out), "samples", split="train", cache_dir=str(folder / "cache")))


def build_own(folder: Path) -> Path:
    guests = {"type": "object", "properties": {"names": {"type": "array", "items": {"type": "string"}}}}
    tool = {"name": "book", "description": "Books.", "parameters": {"type": "object", "properties": {"guests": guests}}}
    made = {"id": "c1", "function": {"name": "book", "arguments": {"guests": {"names": ["Ada", "Grace"]}}}}
    talk = [
        {"role": "system", "content": "You serve guests. Never promise a table."},
        {"role": "user", "content": "A table for Ada and Grace."},
        {"role": "assistant", "content": "", "reasoning_content": "Two guests.", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"table": 4}'},
        {"role": "assistant", "content": "Table 4 is yours.", "reasoning_content": "It is table 4."},
    ]
    (folder / "own.jsonl").write_text(json.dumps({"messages": talk, "tools": [tool]}))
    source = {"name": "own", "title": "Own", "reader": "messages", "licence": "CC0-1.0"}
    source |= {"homepage": "https://example.org", "layouts": [{"name": "lines", "splits": {"train": "own.jsonl"}}]}  # type: ignore[dict-item]
    (folder / "own.yaml").write_text(yaml.safe_dump(source))
    part = {"source": str(folder / "own.yaml"), "task": ["react_action", "react_response"], "layout": "varied"}
    recipe = Recipe.model_validate({"name": "own", "parts": {"own": part}})
    return build(recipe, data=folder, out=folder / "own").out


def find_kind(row: Row) -> str:
    calls = row["completion"][0].get("tool_calls", ())
    after = " after results" if any(message["role"] == "tool" for message in row["prompt"]) else ""
    return "several calls" if len(calls) > 1 else f"{'call' if calls else 'reply'}{after}"


def render(name: str, row: Row) -> str:
    messages = [*row["prompt"], *row["completion"]]
    rendered: Any = render_jinja_template(
        [messages], tools=row["tools"], chat_template=(TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    )
    ((text,), _) = rendered
    return str(text)


def list_leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from list_leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from list_leaves(inner)
    else:
        yield value


def list_calls(row: Row) -> list[list[Row]]:
    """The calls made at once, message by message."""
    messages = [*row["prompt"], *row["completion"]]
    return [[call["function"] for call in message["tool_calls"]] for message in messages if "tool_calls" in message]


def find_lost(row: Row, text: str) -> list[Any]:
    """Names and arguments of calls, and texts of the target, that the rendered text does not have."""
    plain = text.replace("\\", "")
    called = [call for calls in list_calls(row) for call in calls]
    leaves = [leaf for call in called for leaf in (call["name"], *list_leaves(call["arguments"]))]
    wanted = [*leaves, row["completion"][0]["content"]]
    return [value for value in wanted if not any(form in plain for form in write(value))]


def write(value: Any) -> list[str]:
    forms = (str(value), json.dumps(value, ensure_ascii=False), json.dumps(value))
    return [form.strip('"').replace("\\", "") for form in forms]


def is_held(name: str, row: Row) -> bool:
    """Whether the limit of a template allows the row."""
    at_once = all(len(calls) == 1 for calls in list_calls(row))
    if name == "deepseekv3":
        return not list_calls(row)
    if name == "gptoss":
        functions = [tool["function"]["parameters"].get("properties", {}) for tool in row["tools"] or ()]
        entries = [entry for properties in functions for entry in properties.values()]
        values = [value for entry in entries for value in (*entry.get("enum", ()), entry.get("default"))]
        return at_once and not any(isinstance(value, int | float) for value in values)
    return at_once


@pytest.mark.parametrize("name", [name for name in NAMES if not NO_CALLS.fullmatch(name)])
def test_every_template_that_shows_calls_shows_all_that_it_can_hold(name: str, rows: list[Row]) -> None:
    held = [row for row in rows if name not in LIMITS or is_held(name, row)]
    assert len(held) > 20
    assert [(row["id"], lost) for row in held if (lost := find_lost(row, render(name, row)))] == []


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_one(name: str, rows: list[Row]) -> None:
    """Most rows beyond it fail; where a template of a newer TRL holds more, it leaves the list."""
    beyond = [row for row in rows if not is_held(name, row)]
    assert sum(map(partial(fails, name), beyond)) > 0.5 * len(beyond) > 0


def fails(name: str, row: Row) -> bool:
    try:
        return bool(find_lost(row, render(name, row)))
    except Exception:  # a template raises what it likes
        return True


@pytest.mark.parametrize("name", [name for name in NAMES if NO_CALLS.fullmatch(name)])
def test_a_template_without_calls_loses_them_whatever_the_row_is_like(name: str, rows: list[Row]) -> None:
    calling = next(row for row in rows if row["completion"][0].get("tool_calls"))
    try:
        text = render(name, calling)
    except Exception:
        return
    assert calling["completion"][0]["tool_calls"][0]["function"]["name"] not in text.rpartition("assistant")[2]
