"""A real server and a small model write the thoughts of 50 dialogues: what passes at first, after repair, or never.

COALM_IT_CORPORA=CORPORA make test-llm        # 50 dialogues of SGD; without it, the bundled ones

COALM_IT_LLM_DIALOGUES=10 makes it fewer: each takes about a minute on two cores.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from coalm_it.model_settings import Settings
from coalm_it.pipeline.build import build
from coalm_it.pipeline.model_pass import AnswerSource

pytestmark = pytest.mark.llm
DIALOGUES = int(os.environ.get("COALM_IT_LLM_DIALOGUES", "50"))


def test_every_turn_ends_as_a_checked_thought(served: Callable[..., Settings], tmp_path: Path) -> None:
    settings = served(max_tokens=250, timeout=3000)
    asked = {"model": settings.model, "base_url": settings.base_url, "temperature": 0, "max_tokens": 250}
    asked |= {"timeout": 3000, "max_in_flight": 16, "repairs": 1, "writer": "annotate"}
    built = build(
        "tod",
        out=tmp_path / "out",
        data=os.environ.get("COALM_IT_CORPORA"),
        changes=[f"reasoning={json.dumps(asked)}", f"limit={DIALOGUES}", "parts.snips=null"],
        answer_source=AnswerSource(tmp_path / "answers.sqlite"),
    )
    counts = built.manifest.parts["sgd"]
    thoughts = counts.thoughts
    print(f"\n{counts.dialogues} dialogues, {built.manifest.answers.requests} requests: {thoughts}")
    assert sum(thoughts.values()) == counts.candidates
    rows = pq.read_table(tmp_path / "out" / "data" / "samples", columns=["thought", "provenance"]).to_pylist()
    assert all(row["thought"] for row in rows)
    for origin in (json.loads(row["provenance"]) for row in rows):
        written = origin.get("instead_of", origin)
        assert written["writer"] == "annotate"
        assert written["request"]
        assert 1 <= written["attempts"] <= 3
        assert ("because" in written) == (origin["writer"] == "grounded")
