"""Full-size stand-ins for corpora that are not freely available: xLAM-60k, its irrelevance rows, ToolACE.

    python benchmarks/stand_ins.py CORPORA FOLDER

They are variations of real rows in the same formats (Seal-Tools, ToolAlpaca and API-Bank in xLAM's format, ToolACE
conversations in ShareGPT format), no two of them identical: numbers change both in query and answer, other distractor
tools are added, requests open differently. They have the size and shape of the originals but not their quality: never
train on them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coalm_it.checks.call_grammar import check_call_grammar
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.draw import draw_items, stable_hash
from coalm_it.schema import Call, Sample, Step, Turn

XLAM, IRRELEVANCE, CONVERSATIONS, ASSISTANT_TURNS = 60_000, 7_500, 11_300, 13_819
OPENINGS = "|Please: |Hi! |Hello, |Could you help? |A question: |Quick one: |Good morning. |Hey, |For work: ".split("|")
Json = dict[str, Any]


def write_stand_ins(corpora: Path, folder: Path) -> None:
    """Writes the three corpora, each into its own folder, in files named as upstream."""
    base = list(_read_base(corpora / "function_calling" / "xlam_format"))
    replies = list(_read_replies(corpora / "function_calling" / "toolace" / "sharegpt_func_fixed.json"))
    rows = [_vary_row(base, number, keep_right=True) for number in range(XLAM)]
    _write(folder / "xlam" / "xlam_function_calling_60k.json", rows)
    _write(
        folder / "xlam_irrelevance" / "XLAM-7.5k-Irrelevance.json",
        [_vary_row(base, XLAM + number, keep_right=False) for number in range(IRRELEVANCE)],
    )
    two_turns = ASSISTANT_TURNS - CONVERSATIONS
    conversations = [_vary_conversation(base, replies, number, number < two_turns) for number in range(CONVERSATIONS)]
    conversations[-1]["conversations"][-1]["value"] = ""  # the original has an empty turn too
    _write(folder / "toolace" / "data.json", conversations)


def _read_base(folder: Path) -> Iterator[Json]:
    """Single-turn rows as {query, tools, answers}, answers as {name, arguments}."""
    for path in sorted(folder.glob("*.json")):
        for row in json.loads(path.read_bytes()):
            query = row["query"]
            if isinstance(query, list):
                users = [message["content"] for message in query if message["role"].lower() == "user"]
                query = users[0] if len(users) == 1 else None
            answers = [
                {"name": one.get("name") or one["tool"], "arguments": one.get("arguments", one.get("parameters"))}
                for one in row["answers"]
            ]
            if query and answers and _is_sound(row["tools"], answers):
                yield {"query": query, "tools": row["tools"], "answers": answers}


def _is_sound(tools: list[Json], answers: list[Json]) -> bool:
    """Whether the calls would pass the checks of the original's publishers: listed functions, right types."""
    calls = tuple(Call(id=str(number), **one) for number, one in enumerate(answers))
    turn = Turn(user="-", steps=(Step(calls=calls),))
    about = {"id": "-", "part": "-", "source": "-", "split": "train", "dialogue_id": "-", "turn": 0, "licence": "-"}
    sample = Sample(task="function_call", layout="hammer", tools=read_tools(tools), turns=(turn,), step=0, **about)
    return not check_call_grammar(sample)


def _read_replies(path: Path) -> Iterator[str]:
    for row in json.loads(path.read_bytes()):
        yield from (turn["value"] for turn in row["conversations"] if turn["from"] == "gpt" and turn["value"])


def _vary_row(base: list[Json], number: int, *, keep_right: bool) -> Json:
    """An xLAM row: tools and answers as JSON text."""
    varied = _vary(base, number)
    if not keep_right:
        right = {one["name"] for one in varied["answers"]}
        varied["tools"] = [tool for tool in varied["tools"] if tool["name"] not in right]
        varied["answers"] = []
    texts = {key: json.dumps(varied[key], ensure_ascii=False) for key in ("tools", "answers")}
    return {"id": number, "query": varied["query"], **texts}


def _vary(base: list[Json], number: int) -> Json:
    row = base[number % len(base)]
    shift = stable_hash("shift", number) % 900 + 1
    query, answers = row["query"], json.dumps(row["answers"], ensure_ascii=False)
    for found in sorted(set(re.findall(r"(?<![\w.-])\d{1,6}(?![\w.-])", query))):
        if re.search(rf"(?<![\w.-]){found}(?![\w.-])", answers):
            moved = str(int(found) + shift)
            query, answers = (re.sub(rf"(?<![\w.-]){found}(?![\w.-])", moved, text) for text in (query, answers))
    right = {one["name"] for one in row["answers"]}
    offered = [*row["tools"], *(tool for other in draw_items(base, 2, "tools", number) for tool in other["tools"][:2])]
    others = list({tool["name"]: tool for tool in offered if tool["name"] not in right}.values())
    tools = [tool for tool in row["tools"] if tool["name"] in right] + draw_items(others, 2, "others", number)
    opening = OPENINGS[number // len(base) % len(OPENINGS)]
    closing = f" (request {number})" if number >= len(base) * len(OPENINGS) else ""
    return {
        "query": f"{opening}{query}{closing}",
        "tools": draw_items(tools, len(tools), "order", number),
        "answers": json.loads(answers),
    }


def _vary_conversation(base: list[Json], replies: list[str], number: int, two_turns: bool) -> Json:
    """A ToolACE conversation: the tool list in the system text, calls in brackets."""
    varied = _vary(base, XLAM + IRRELEVANCE + number)
    calls = ", ".join(
        f"{one['name']}({', '.join(f'{key}={value!r}' for key, value in one['arguments'].items())})"
        for one in varied["answers"]
    )
    turns = [{"from": "user", "value": varied["query"]}, {"from": "assistant", "value": f"[{calls}]"}]
    if two_turns:
        results = [{"name": one["name"], "results": {"status": "done", "number": number}} for one in varied["answers"]]
        turns.append({"from": "tool", "value": json.dumps(results)})
        turns.append({"from": "assistant", "value": replies[number % len(replies)]})
    tools = [
        {
            "name": tool["name"],
            "description": tool["description"],
            "parameters": {
                "type": "dict",
                "properties": tool["parameters"],
                "required": [name for name, about in tool["parameters"].items() if about.get("required") is True],
            },
            "required": None,
        }
        for tool in varied["tools"]
    ]
    listed = json.dumps(tools, ensure_ascii=False)
    text = f"You can call functions. Here is a list of functions in JSON format that you can invoke:\n{listed}"
    return {"system": text, "conversations": turns}


def _write(path: Path, rows: list[Json]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    write_stand_ins(arguments.corpora, arguments.folder)
