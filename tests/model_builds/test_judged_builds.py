"""A second model scores the thoughts that passed; those with a low score are treated as if they had not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from small import DIALOGUES, assert_adds_up, build_small, export_used, read_files, read_rows

from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.ledger.maintenance import describe_ledger

FEW = "limit=6"


def judge(server: Any, min_score: int = 3) -> str:
    return f"reasoning.judge={{model: critic, base_url: '{server.base_url}', min_score: {min_score}}}"


def model_of(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says of the model's thought, also where a grounded one stands in its place."""
    origin = row["provenance"]
    model: dict[str, Any] = origin.get("instead_of", origin)
    return model


def count_scores(rows: list[dict[str, Any]]) -> Counter[int | None]:
    return Counter(model_of(row).get("score") for row in rows)


def count_models(ledger: Path) -> dict[object, object]:
    with open_ledger(ledger, readonly=True) as opened:
        return {row["model"]: row["requests"] for row in describe_ledger(opened)}


def test_every_thought_is_scored_and_low_ones_are_replaced(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out", FEW, judge(server))
    rows = read_rows(built.out)
    scores = count_scores(rows)
    assert scores.keys() == {2, 3, 4, 5}  # as this judge scores
    assert built.manifest.parts["sgd"].thoughts == {"first": len(rows) - scores[2], "replaced": scores[2]}
    for row in rows:
        origin = row["provenance"]
        assert (origin["writer"] == "grounded") == (model_of(row)["score"] < 3)
        assert model_of(row).get("because") == (["the judge scores it 2 of 5"] if "instead_of" in origin else None)
    assert_adds_up(built, len(rows))


def test_the_judges_answers_lie_beside_the_others(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out", FEW, judge(server))
    assert count_models(tmp_path / "answers.sqlite") == {"small": 6, "critic": 6}
    assert built.manifest.answers.requests == server.stats["requests"] == 2 * 6
    answers = export_used(built.out, tmp_path / "answers.sqlite", tmp_path / "answers.jsonl")
    again = build_small(server, tmp_path / "again", FEW, judge(server), ledger=answers, offline=True)
    assert read_files(again.out) == read_files(built.out)
    assert server.stats["requests"] == 2 * 6


def test_another_threshold_asks_for_nothing(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out", FEW, judge(server))
    scores = count_scores(read_rows(built.out))
    for min_score in (1, 4, 5):
        again = build_small(server, tmp_path / "out", FEW, judge(server, min_score))
        rows = read_rows(again.out)
        assert count_scores(rows) == scores
        replaced = sum(scores[low] for low in range(1, min_score))
        assert sum("instead_of" in row["provenance"] for row in rows) == replaced
    assert server.stats["requests"] == 2 * 6


def test_a_judge_that_comes_later_judges_what_is_there(server: Any, tmp_path: Path) -> None:
    build_small(server, tmp_path / "out", FEW)
    build_small(server, tmp_path / "out", FEW, judge(server))
    assert count_models(tmp_path / "answers.sqlite") == {"small": 6, "critic": 6}
    assert server.stats["requests"] == 2 * 6


def test_low_ones_are_rejected_where_the_recipe_wants_that(server: Any, tmp_path: Path) -> None:
    reject = ("reasoning.fallback=reject", "expect.rejects_at_most=1")
    built = build_small(server, tmp_path / "out", FEW, judge(server, 4), *reject)
    rejects = read_rows(built.out, "rejects")
    assert count_scores(read_rows(built.out)).keys() == {4, 5}
    for row in rejects:
        (finding,), score = row["findings"], model_of(row)["score"]
        if score < 4:
            why = f"no thought passed in one attempt: the judge scores it {score} of 5"
            assert (finding["check"], finding["message"]) == ("reasoning", why)
        else:  # a good thought before a reply, and none before the call that the reply is about
            assert (finding["where"], finding["message"]) == ("step 0", "the thought is missing")
    counts = built.manifest.parts["sgd"]
    assert counts.rejected_by["reasoning"] == counts.thoughts["rejected"]


def test_a_quota_widens_past_what_the_judge_turns_away(server: Any, tmp_path: Path) -> None:
    reject = ("reasoning.fallback=reject", "expect.rejects_at_most=0", "parts.sgd.rows=60")
    built = build_small(server, tmp_path / "out", judge(server, 4), *reject)
    assert_adds_up(built)
    assert built.manifest.parts["sgd"].rows == 60
    assert count_scores(read_rows(built.out)).keys() == {4, 5}
    models = count_models(tmp_path / "answers.sqlite")
    assert models["small"] == models["critic"] < DIALOGUES  # type: ignore[operator]


def test_what_did_not_pass_is_not_judged(server: Any, tmp_path: Path) -> None:
    server.behave(poor=0.5)
    built = build_small(server, tmp_path / "out", FEW, judge(server, 1))
    thought_counts = built.manifest.parts["sgd"].thoughts
    assert thought_counts["repaired"] > 0
    assert count_scores(read_rows(built.out))[None] == thought_counts["replaced"] > 0


def test_a_judge_that_makes_no_sense_changes_nothing(server: Any, tmp_path: Path) -> None:
    build_small(server, tmp_path / "out", FEW)
    server.behave(wrong_schema=1.0)
    built = build_small(server, tmp_path / "out", FEW, judge(server, 5))
    assert server.stats["requests"] == 6
    rows = read_rows(built.out)
    assert built.manifest.parts["sgd"].thoughts == {"first": len(rows)}
    assert count_scores(rows) == {None: len(rows)}


@pytest.mark.parametrize("fault", ["empty", "length"])
def test_a_judgement_that_does_not_come_is_asked_for_once_more(server: Any, tmp_path: Path, fault: str) -> None:
    build_small(server, tmp_path / "out", FEW)
    server.behave(**{fault: 1.0})
    built = build_small(server, tmp_path / "out", FEW, judge(server))
    assert server.stats["requests"] == 6 * 2
    assert count_scores(read_rows(built.out)).keys() == {None}
