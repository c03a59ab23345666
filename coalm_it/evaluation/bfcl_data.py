"""The single-turn questions of BFCL, as its publishers lay them out (Apache-2.0).

JSON lines, a question each in BFCL_v3_CATEGORY.json, its answers in possible_answer/BFCL_v3_CATEGORY.json:

    {"id": "simple_0", "question": [[{"role": "user", "content": "..."}]], "function": [{"name", "description",
     "parameters": {"type": "dict", "properties": {...}, "required": [...]}}]}
    {"id": "simple_0", "ground_truth": [{"calculate_triangle_area": {"base": [10], "height": [5], "unit": ["m", ""]}}]}

The PyPI package bfcl-eval carries them too; from version 4 on with other names for three of the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coalm_it.errors import RequestError
from coalm_it.evaluation.ast_score import Answer, Language

Due = Literal["calls", "some call", "no call"]
"""What is right: the calls of the answer; any call (the benchmark does not say which); none."""

SCORED = (
    "simple multiple parallel parallel_multiple java javascript live_simple live_multiple live_parallel "
    "live_parallel_multiple"
).split()
CATEGORIES = (*SCORED, "irrelevance", "live_irrelevance", "live_relevance")
_OTHER_NAMES = {"simple": "simple_python", "java": "simple_java", "javascript": "simple_javascript"}
_LANGUAGES: dict[str, Language] = {"java": "java", "javascript": "javascript"}


class BenchmarkError(RequestError):
    """The benchmark's files are not there, or not what they should be; one line."""


@dataclass(frozen=True)
class Question:
    id: str
    category: str
    language: Language
    messages: list[dict[str, str]]
    """Of the system, at times, and of the user."""
    functions: list[dict[str, Any]]
    answers: list[Answer]
    """Empty where none is given (see `due`)."""

    @property
    def due(self) -> Due:
        if self.category.endswith("irrelevance"):
            return "no call"
        return "some call" if self.category.endswith("relevance") else "calls"


def read_questions(data: Path, category: str) -> list[Question]:
    """The questions of a category, in their order; the files may lie anywhere in `data`. Raises BenchmarkError."""
    path = _find_file(data, category)
    lines = list(_read_lines(path))
    answers: dict[str, Any] = {}
    if category in SCORED:
        beside = path.parent / "possible_answer" / path.name
        if not beside.is_file():
            raise BenchmarkError(f"{path} has no answers beside it: there is no {beside.parent.name}/{beside.name}")
        answers = {line["id"]: line["ground_truth"] for line in _read_lines(beside)}
    try:
        return [
            Question(
                id=line["id"],
                category=category,
                language=_LANGUAGES.get(category, "python"),
                messages=line["question"][0],
                functions=line["function"],
                answers=answers[line["id"]] if category in SCORED else [],
            )
            for line in lines
        ]
    except (KeyError, IndexError) as missing:
        raise BenchmarkError(f"{path}: not BFCL's form: {missing} is missing") from None


def _find_file(data: Path, category: str) -> Path:
    names = [category, *([_OTHER_NAMES[category]] if category in _OTHER_NAMES else [])]
    found = [
        path
        for name in names
        for path in sorted(data.rglob(f"BFCL_v*_{name}.json"))
        if path.parent.name != "possible_answer" and path.stem.split("_", 2)[2] == name
    ]
    if not found:
        raise BenchmarkError(
            f"{data}: no BFCL questions of category {category!r} (a file like BFCL_v3_{category}.json); they come with "
            "the package bfcl-eval: pip install --no-deps --target BFCL bfcl-eval==2025.6.16, and then --data BFCL"
        )
    return found[0]


def _read_lines(path: Path) -> Iterator[Any]:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except ValueError:
            raise BenchmarkError(f"{path}, line {number}: not JSON") from None
