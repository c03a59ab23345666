"""Builds of recipe tod's SGD part, 26 bundled dialogues, whose thoughts the server's model `small` writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from builds import read_files
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.ledger.maintenance import export_answers
from coalm_it.pipeline.build import BuildResult, build
from coalm_it.pipeline.model_pass import AnswerSource

__all__ = [
    "DIALOGUES",
    "SAMPLES",
    "assert_adds_up",
    "assert_one_line",
    "build_small",
    "export_used",
    "order_small",
    "read_files",
    "read_rows",
    "run_small",
    "start_small",
]

COMMAND = [sys.executable, "-c", "from coalm_it.cli import app; app()"]
DIALOGUES, SAMPLES = 26, 280
"""Of the bundled corpus."""


def order_small(server: Any, *changes: str) -> list[str]:
    """What recipe tod needs to be written by `small`: a dialogue in each request, SGD alone, unless changed."""
    asked = ["reasoning.writer=annotate", "reasoning.model=small", f"reasoning.base_url={server.base_url}"]
    return [*asked, "parts.snips=null", "reasoning.turns_per_request=100", *changes]


def build_small(
    server: Any, out: Path, *changes: str, ledger: Path | None = None, offline: bool = False, **options: Any
) -> BuildResult:
    """Builds into `out`; the ledger is answers.sqlite beside it, unless another is named."""
    answer_source = AnswerSource(ledger or out.parent / "answers.sqlite", offline=offline)
    return build("tod", out=out, changes=order_small(server, *changes), answer_source=answer_source, **options)


def command_small(server: Any, out: Path, *changes: str, options: Sequence[str] = ()) -> list[str]:
    """The same as a command line."""
    settings = [part for change in order_small(server, *changes) for part in ("--set", change)]
    ledger = ["--ledger", str(out.parent / "answers.sqlite")]
    return ["build", "tod", "--out", str(out), "--workers", "1", *ledger, *settings, *options]


def run_small(server: Any, out: Path, *changes: str, options: Sequence[str] = ()) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(app, command_small(server, out, *changes, options=options))


def start_small(
    server: Any, out: Path, *changes: str, options: Sequence[str] = (), **environment: str
) -> subprocess.Popen[str]:
    """The command in a process of its own, to which nothing of this user's is known."""
    command = [*COMMAND, *command_small(server, out, *changes, options=options)]
    home = out.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    environment = {**kept, "HOME": str(home), **environment}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def assert_one_line(errors: str, pattern: str) -> None:
    """One complaint, in one line, that matches; no traceback."""
    complaints = [line for line in errors.splitlines() if line.startswith("coalm-it: ")]
    assert len(complaints) == 1, errors
    assert re.search(pattern, complaints[0]), complaints[0]
    assert "Traceback" not in errors


def read_rows(out: Path, kind: str = "data/samples") -> list[dict[str, Any]]:
    """The rows of a build, or (`rejects`) its rejects; `provenance` as an object."""
    rows: list[dict[str, Any]] = pq.read_table(out / kind).to_pylist() if (out / kind).is_dir() else []
    return [{**row, "provenance": json.loads(row["provenance"])} for row in rows]


def export_used(out: Path, ledger: Path, path: Path) -> Path:
    """The answers that a build used, as the file that one publishes beside it."""
    with open_ledger(ledger, readonly=True) as opened:
        export_answers(opened, (out / "requests.txt").read_text().split(), path)
    return path


def assert_adds_up(built: BuildResult, candidates: int = SAMPLES, part: str = "sgd") -> None:
    """Every sample of the corpus is a row, a reject or left out; and what the manifest counts is there."""
    count = built.manifest.parts[part]
    assert count.candidates == candidates
    assert candidates == count.rows - count.repeated + count.rejects + count.left_out
    rows, rejects = (
        [row for row in read_rows(built.out, kind) if row["part"] == part] for kind in ("data/samples", "rejects")
    )
    assert (len(rows), len(rejects)) == (count.rows, count.rejects)
