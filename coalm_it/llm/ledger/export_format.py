"""Files of answers, to be published with a data set, so that anyone can build the same rows without an API key.

JSON lines: a header with the version, then one outcome per line in the order of the keys, so that files with the same
answers have the same bytes, and two versions of a file differ only where the answers do:

    {"coalm_it_answers": 1}
    {"key": "00a1...", "text": "...", "model": "...", "finish_reason": "stop", "prompt_tokens": 312, ...}
    {"key": "00b7...", "reason": "length", "detail": "...", "text": "...", ...}

A line with a reason is a failure. It is needed too: the rows were built without that answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from coalm_it.llm.request import Answer, Failure, Outcome

HEADER = "coalm_it_answers"
VERSION = 1
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Answer | Failure)


def is_answers_file(path: Path) -> bool:
    """Whether the file is a file of answers rather than a database, by its first byte."""
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return False


def write_answers(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Writes a file of answers to `path`; `outcomes` are in the order of their keys."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps({HEADER: VERSION}) + "\n")
        file.writelines(f"{json.dumps(asdict(outcome), ensure_ascii=False)}\n" for outcome in outcomes)


def read_answers(path: Path, say: Callable[[str], None]) -> Iterator[Outcome]:
    """The outcomes of a file of answers. Damaged lines are skipped, and reported to `say`.

    Raises ValueError, in one line, for another kind of file or another version; OSError.
    """
    damaged = []
    with path.open("rb") as file:
        header = _read_header(file.readline())
        if set(header) != {HEADER}:
            raise ValueError(f"{path}: not a file of answers: the first line must be {json.dumps({HEADER: VERSION})}")
        if header[HEADER] != VERSION:
            raise ValueError(
                f"{path}: file of answers of version {header[HEADER]}, but this coalm-it reads version {VERSION}"
            )
        for number, line in enumerate(file, 2):
            try:
                yield _OUTCOME.validate_json(line, strict=True)
            except ValidationError:
                damaged.append(number)
    if damaged:
        say(f"{path}: {len(damaged):,} damaged or truncated lines skipped, the first is line {damaged[0]}")


def _read_header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}
