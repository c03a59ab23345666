"""A file of answers, to be published beside a data set: with it anyone builds the same rows without a key.

JSON lines: a head that tells the version, then an outcome a line in the order of the keys, so that two files of
the same answers are the same bytes, and two versions of one differ only where the answers do:

    {"coalm_it_answers": 1}
    {"key": "00a1...", "text": "...", "model": "...", "finish_reason": "stop", "prompt_tokens": 312, ...}
    {"key": "00b7...", "reason": "length", "detail": "...", "text": "...", ...}

A line with a reason is a failure. It is part of what others need: the rows were made without that answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from coalm_it.llm.request import Answer, Failure, Outcome

HEAD = "coalm_it_answers"
VERSION = 1
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Answer | Failure)


def is_answers_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return False


def write_lines(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Writes the file to `path`; `outcomes` come in the order of their keys."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps({HEAD: VERSION}) + "\n")
        file.writelines(f"{json.dumps(asdict(outcome), ensure_ascii=False)}\n" for outcome in outcomes)


def read_answers(path: Path, say: Callable[[str], None]) -> Iterator[Outcome]:
    """The outcomes of the file. Lines that are not whole are left out, and said so.

    Raises ValueError, one line: it is no such file, or of another version. OSError.
    """
    bad = []
    with path.open("rb") as file:
        head = _read_head(file.readline())
        if set(head) != {HEAD}:
            raise ValueError(f"{path}: no file of answers: its first line must be {json.dumps({HEAD: VERSION})}")
        if head[HEAD] != VERSION:
            raise ValueError(f"{path}: a file of answers of version {head[HEAD]}; this coalm-it reads {VERSION}")
        for number, line in enumerate(file, 2):
            try:
                yield _OUTCOME.validate_json(line, strict=True)
            except ValidationError:
                bad.append(number)
    if bad:
        say(f"{path}: {len(bad):,} lines are damaged or cut off and left out, the first is line {bad[0]}")


def _read_head(line: bytes) -> dict[str, Any]:
    try:
        head = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return head if isinstance(head, dict) else {}
