"""Reads the single-turn questions of BFCL from its published files (Apache-2.0).

JSON lines: one question each in BFCL_v3_CATEGORY.json, and its answers in possible_answer/BFCL_v3_CATEGORY.json:

    {"id": "simple_0", "question": [[{"role": "user", "content": "..."}]], "function": [{"name", "description",
     "parameters": {"type": "dict", "properties": {...}, "required": [...]}}]}
    {"id": "simple_0", "ground_truth": [{"calculate_triangle_area": {"base": [10], "height": [5], "unit": ["m", ""]}}]}

The PyPI package bfcl-eval contains them too; since version 4 three of the files have other names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coalm_it.errors import RequestError
from coalm_it.evaluation.bfcl.ast_score import ExpectedCall, Language

Expected = Literal["calls", "some call", "no call"]
"""The right answer: the calls that the benchmark lists; any call, since it lists none; no call."""

SCORED = (
    "simple multiple parallel parallel_multiple java javascript live_simple live_multiple live_parallel "
    "live_parallel_multiple"
).split()
CATEGORIES = (*SCORED, "irrelevance", "live_irrelevance", "live_relevance")
_LATER_NAMES = {"simple": "simple_python", "java": "simple_java", "javascript": "simple_javascript"}
_LANGUAGES: dict[str, Language] = {"java": "java", "javascript": "javascript"}


class BenchmarkError(RequestError):
    """The files of the benchmark are missing or malformed; one line."""


@dataclass(frozen=True)
class Question:
    id: str
    category: str
    language: Language
    messages: list[dict[str, str]]
    """Of the user, and in some questions of the system."""
    functions: list[dict[str, Any]]
    answers: list[ExpectedCall]
    """Empty in the categories for which the benchmark lists none (see `expected`)."""

    @property
    def expected(self) -> Expected:
        if self.category.endswith("irrelevance"):
            return "no call"
        return "some call" if self.category.endswith("relevance") else "calls"


def read_questions(data: Path, category: str) -> list[Question]:
    """The questions of a category, in order; the files may be anywhere in `data`. Raises BenchmarkError."""
    path = _find_file(data, category)
    lines = list(_read_lines(path))
    answers: dict[str, Any] = {}
    if category in SCORED:
        answers_path = path.parent / "possible_answer" / path.name
        if not answers_path.is_file():
            raise BenchmarkError(f"{path} has no answers: {answers_path} is missing")
        answers = {line["id"]: line["ground_truth"] for line in _read_lines(answers_path)}
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
        raise BenchmarkError(f"{path}: not in the format of BFCL: {missing} is missing") from None


def _find_file(data: Path, category: str) -> Path:
    names = [category, *([_LATER_NAMES[category]] if category in _LATER_NAMES else [])]
    found = [
        path
        for name in names
        for path in sorted(data.rglob(f"BFCL_v*_{name}.json"))
        if path.parent.name != "possible_answer" and path.stem.split("_", 2)[2] == name
    ]
    if not found:
        raise BenchmarkError(
            f"{data}: no BFCL questions of category {category!r} (a file like BFCL_v3_{category}.json); get them from "
            "the package bfcl-eval: pip install --no-deps --target BFCL bfcl-eval==2025.6.16, then --data BFCL"
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
