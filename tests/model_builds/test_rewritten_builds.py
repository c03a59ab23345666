"""Dialogues that a model writes anew: used where every check passes them, else replaced or rejected whole."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from small import DIALOGUES, SAMPLES, assert_adds_up, build_small, read_rows

from coalm_it.calls import format_calls
from coalm_it.corpora.corpus import Corpus, cut_shards
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.request import Answer
from coalm_it.readers import READERS
from coalm_it.schema import Dialogue
from coalm_it.thoughts.grounded import write_thoughts

REWRITE = ("reasoning.writer=rewrite", "reasoning.repairs=0", "expect.rejects_at_most=1")
AT = "2026-01-31T12:00:00Z"


def write_out(dialogue: Dialogue, turns: int) -> str:
    """The first turns of a dialogue as a model would write it anew, if it wrote just that."""
    written = []
    for turn in write_thoughts(dialogue, 12).turns[:turns]:
        steps = [
            {"thought": step.thought, "call": format_calls(step.calls, "python"), "result": json.dumps(observation)}
            for step in turn.steps
            for observation in step.observations
        ]
        written.append({"user": turn.user, "steps": steps, "thought": turn.thought, "answer": turn.reply})
    return json.dumps({"turns": written})


@pytest.fixture
def rewritten(server: Any, sgd: Corpus, tmp_path: Path) -> Path:
    """A ledger with the first four turns of each dialogue as its rewriting."""
    # What this server writes is no dialogue; from its build one sees which request is about which.
    rows = read_rows(build_small(server, tmp_path / "nonsense" / "out", *REWRITE).out)
    keys = {row["dialogue_id"]: row["provenance"]["instead_of"]["request"] for row in rows}
    read, path = READERS["sgd"].read_dialogues, tmp_path / "rewritten.sqlite"
    found = [one for shard in cut_shards(sgd, "train") for one in read(sgd, "train", shard, licence="CC0-1.0")]
    with open_ledger(path) as ledger:
        ledger.store(
            [
                Answer(keys[one.id], write_out(one, 4), "small", "stop", 1000, 500, 1.0, AT)
                for one in found
                if isinstance(one, Dialogue)
            ]
        ).result()
    return path


def test_what_is_no_dialogue_is_replaced_whole(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out", *REWRITE)
    assert server.stats["requests"] == DIALOGUES
    assert built.manifest.parts["sgd"].thoughts == {"replaced": SAMPLES}
    assert_adds_up(built)
    for row in read_rows(built.out):
        (because,) = row["provenance"]["instead_of"]["because"]
        assert because.startswith("turn 1: ")


@pytest.mark.parametrize("fallback", ["grounded", "reject"])
def test_every_row_says_whether_its_dialogue_was_rewritten(
    server: Any, rewritten: Path, tmp_path: Path, fallback: str
) -> None:
    built = build_small(
        server, tmp_path / "out", *REWRITE, f"reasoning.fallback={fallback}", ledger=rewritten, offline=True
    )
    rows, rejects = read_rows(built.out), read_rows(built.out, "rejects")
    assert_adds_up(built, len(rows) + len(rejects))
    writers: dict[str, set[str]] = {}
    for row in rows:
        writers.setdefault(row["dialogue_id"], set()).add(row["provenance"]["writer"])
        if row["provenance"]["writer"] == "rewrite":
            assert row["turn"] < 4
            assert (row["provenance"]["model"], row["provenance"]["attempts"]) == ("small", 1)
    thought_counts = Counter(built.manifest.parts["sgd"].thoughts)
    beside = [row for row in rejects if row["thought"] is not None]  # a reply whose turn lacks a thought before a call
    accepted = [row for row in [*rows, *beside] if row["provenance"]["writer"] == "rewrite"]
    assert thought_counts["first"] == len(accepted) > 0
    if fallback == "grounded":
        assert {frozenset(one) for one in writers.values()} == {frozenset({"rewrite"}), frozenset({"grounded"})}
        assert thought_counts["replaced"] == len(rows) - thought_counts["first"] > 0
    else:
        assert thought_counts["rejected"] == len(rejects) - len(beside) > 0
        failed = [row["findings"][0]["message"] for row in rejects if row not in beside]
        assert all(message.startswith("no thought passed in one attempt: ") for message in failed)


def test_a_quota_is_filled_though_rewritten_dialogues_are_shorter(server: Any, rewritten: Path, tmp_path: Path) -> None:
    quota = ("parts.sgd.rows=100", "expect.rejects_at_most=0")
    built = build_small(server, tmp_path / "out", *REWRITE[:2], *quota, ledger=rewritten, offline=True)
    assert built.manifest.parts["sgd"].rows == len(read_rows(built.out)) == 100
