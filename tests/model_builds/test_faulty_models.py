"""A third of what comes back is faulty, in every way there is: each thought ends checked, replaced or rejected, and
says so; no row is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from decoded import decode_messages
from small import SAMPLES, assert_adds_up, build_small, export_used, read_files, read_rows

from coalm_it.checks import CHECKS, run_checks
from coalm_it.corpora.corpus import Corpus, RawFile, Shard, cut_shards
from coalm_it.corpora.sources import SourceError
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.request import Answer, Failure
from coalm_it.pipeline.build import BuildResult
from coalm_it.readers import READERS
from coalm_it.recipe import Part
from coalm_it.samples.targets import make_samples, shorten_observations, show_tools
from coalm_it.schema import Dialogue, Finding, Inventory, Sample
from coalm_it.thoughts.transcript import list_places, put_thoughts

TRANSPORT = {"errors": 0.05, "overloads": 0.02, "hangs": 0.03, "cuts": 0.04, "twice": 0.04, "garbage": 0.04}
TEXTS = {"broken": 0.06, "wrong_schema": 0.06, "empty": 0.03, "length": 0.03, "filtered": 0.03}
SERVERS = {"usual": {}, "plain": {"no_usage": True, "refuse_schema": True}}
REACT = Part(source=("sgd",), task=("react_action", "react_response"))
TOLD_BY_COLUMNS = CHECKS.keys() - {"grounding", "reply_facts"}
Judge = Callable[[Path], list[Finding]]
IMPATIENT = ("reasoning.timeout=1", "reasoning.turns_per_request=2", "expect.rejects_at_most=0.9")


@pytest.fixture(params=SERVERS)
def faulty(request: pytest.FixtureRequest, server: Any) -> Any:
    """The server, with faults of all kinds."""
    server.behave(**TRANSPORT, **TEXTS, **SERVERS[request.param], seed=5)
    return server


def test_every_thought_is_checked_or_replaced_and_every_row_says_how_it_came_to_be(
    faulty: Any, judge_again: Judge, tmp_path: Path
) -> None:
    built = build_small(faulty, tmp_path / "out", *IMPATIENT)
    happened = {fault for fault, count in faulty.stats["faults"].items() if count}
    assert happened >= {"500", "503", *TRANSPORT.keys() - {"errors", "overloads"}, *TEXTS}
    assert_adds_up(built)
    rows = read_rows(built.out)
    assert len(rows) == SAMPLES
    assert count_thoughts(rows) == built.manifest.parts["sgd"].thoughts
    assert count_thoughts(rows).keys() == {"first", "repaired", "replaced"}
    assert_origins_are_true(built, rows, tmp_path / "answers.sqlite")
    assert judge_again(built.out) == []
    # and whoever has the answers that the faults left has the same
    answers = export_used(built.out, tmp_path / "answers.sqlite", tmp_path / "answers.jsonl")
    again = build_small(faulty, tmp_path / "again", *IMPATIENT, ledger=answers, offline=True)
    assert read_files(again.out) == read_files(built.out)


def test_what_failed_is_a_reject_with_its_reason_where_the_recipe_wants_that(
    faulty: Any, judge_again: Judge, tmp_path: Path
) -> None:
    built = build_small(faulty, tmp_path / "out", "reasoning.fallback=reject", *IMPATIENT)
    assert_adds_up(built)
    rows, rejects = read_rows(built.out), read_rows(built.out, "rejects")
    assert len(rows) + len(rejects) == SAMPLES
    failed = [row for row in rejects if row["thought"] is None]
    beside = [row for row in rejects if row["thought"] is not None]
    assert 0 < len(failed) == built.manifest.parts["sgd"].rejected_by["reasoning"]
    assert count_thoughts([*rows, *beside]) + Counter(rejected=len(failed)) == built.manifest.parts["sgd"].thoughts
    for row in beside:  # a reply whose turn lacks the thought before its call
        assert [finding["message"] for finding in row["findings"]] == ["the thought is missing"]
    for row in failed:
        (finding,) = row["findings"]
        assert finding["check"] == "reasoning"
        attempts = row["provenance"]["attempts"]
        passed_in = "one attempt" if attempts == 1 else f"{attempts} attempts"
        assert finding["message"].startswith(f"no thought passed in {passed_in}: ")
    assert_origins_are_true(built, rows, tmp_path / "answers.sqlite")
    assert judge_again(built.out) == []


def test_a_model_that_writes_nothing_that_passes_is_no_fault_of_the_corpus(server: Any, tmp_path: Path) -> None:
    server.behave(poor=1.0)
    changes = ("limit=1", "reasoning.fallback=reject", "reasoning.repairs=0")
    with pytest.raises(SourceError, match=r"^no row to write: the checks rejected every sample \(reasoning \d+"):
        build_small(server, tmp_path / "out", *changes)


def test_what_was_turned_down_is_asked_again_another_day(server: Any, tmp_path: Path) -> None:
    server.behave(wrong_parameter="messages")
    first = build_small(server, tmp_path / "out", "limit=2")
    (fate,) = first.manifest.parts["sgd"].thoughts
    assert fate == "replaced"
    (because,) = {tuple(row["provenance"]["instead_of"]["because"]) for row in read_rows(first.out)}
    assert because == ("rejected: 400: Unrecognized request argument supplied: messages",)

    server.behave()
    again = build_small(server, tmp_path / "out", "limit=2")
    assert server.stats["requests"] == 2
    (fate,) = again.manifest.parts["sgd"].thoughts
    assert fate == "first"


def test_what_was_cut_off_would_be_cut_off_again_and_is_not_asked(server: Any, tmp_path: Path) -> None:
    server.behave(length=1.0)
    first = build_small(server, tmp_path / "out", "limit=2")
    assert server.stats["requests"] == 2 * 3  # two more samples of each
    server.behave()
    assert not build_small(server, tmp_path / "out", "limit=2").fresh
    assert server.stats["requests"] == 0
    reasons = [row["provenance"]["instead_of"]["because"] for row in read_rows(first.out)]
    assert {tuple(one) for one in reasons} == {("length: cut off at max_tokens",)}


def test_a_thought_that_fails_a_check_is_asked_for_again_with_the_reason(server: Any, tmp_path: Path) -> None:
    server.behave(poor=0.3)
    built = build_small(server, tmp_path / "out")
    thought_counts = built.manifest.parts["sgd"].thoughts
    assert thought_counts == count_thoughts(read_rows(built.out))
    assert thought_counts["repaired"] > thought_counts["replaced"] > 0
    assert not [row for row in read_rows(built.out) if row["thought"].startswith("Thought:")]
    reasons = {
        reason for row in read_rows(built.out) for reason in row["provenance"].get("instead_of", {}).get("because", ())
    }
    assert "the thought has a line that begins like another one of the row: 'Thought:'" in reasons


# --- what a row says of its thought ---


def count_thoughts(rows: list[dict[str, Any]]) -> Counter[str]:
    origins = [row["provenance"] for row in rows]
    return Counter(
        "replaced" if one["writer"] == "grounded" else "first" if one["attempts"] == 1 else "repaired"
        for one in origins
    )


def assert_origins_are_true(built: BuildResult, rows: list[dict[str, Any]], ledger: Path) -> None:
    """Writer, model, attempts and reasons of each row agree with what the ledger has under its request's key."""
    keys = set((built.out / "requests.txt").read_text().split())
    repairs = built.manifest.recipe.reasoning.repairs
    with open_ledger(ledger, readonly=True) as opened:
        for row in rows:
            origin = row["provenance"]
            model = origin.get("instead_of", origin)
            assert (model["writer"], model["model"]) == ("annotate", "small")
            assert 1 <= model["attempts"] <= 1 + repairs
            assert model["request"] in keys
            outcome = opened.find(model["request"])
            if origin is model:
                assert isinstance(outcome, Answer)
                assert row["thought"] in " ".join(outcome.text.split())
                assert origin.get("mended") in (None, True)
            else:
                assert origin["thoughts"]
                assert model["because"]
                assert all(model["because"])
                if isinstance(outcome, Failure):
                    assert model["because"] == [f"{outcome.reason}: {outcome.detail}"]


# --- what was written, judged again ---


@pytest.fixture(scope="module")
def judge_again(sgd: Corpus, sgd_inventory: Inventory) -> Judge:
    """`judge_again(out)`: what the checks say of all rows of a build. Of the typed rows: with every thought as the row
    itself has it, in the dialogues of the corpus. Of the three columns: as a corpus of their own, as far as they tell
    what was annotated."""
    read = READERS["sgd"].read_dialogues
    found = [one for shard in cut_shards(sgd, "train") for one in read(sgd, "train", shard, licence="CC-BY-SA-4.0")]
    dialogues = {one.id: shorten_observations(one, 2) for one in found if isinstance(one, Dialogue)}

    def judge(out: Path) -> list[Finding]:
        samples = [_make_sample(row, dialogues[row["dialogue_id"]], sgd_inventory) for row in read_rows(out)]
        typed = [finding for sample in samples for finding in run_checks(sample)]
        columns = [finding for sample in _read_columns(out) for finding in run_checks(sample, TOLD_BY_COLUMNS)]
        return typed + columns

    return judge


def _make_sample(row: dict[str, Any], dialogue: Dialogue, inventory: Inventory) -> Sample:
    spoken = [message.get("reasoning_content") for message in decode_messages(row)[0] if message["role"] == "assistant"]
    thoughts = dict(zip(list_places(dialogue), spoken, strict=False))
    tools = show_tools(dialogue, inventory, distractors=6, seed=12)
    made = {one.id: one for one in make_samples(put_thoughts(dialogue, thoughts), "sgd", REACT, tools)}
    sample = made[row["id"]]
    assert sample.thought == row["thought"] is not None
    return sample


def _read_columns(out: Path) -> list[Sample]:
    (path,) = (out / "data" / "coalm_it").glob("*.parquet")
    file = RawFile(path, None, path.name)
    corpus = Corpus("coalm_it", "built", ".", {"train": (file,)}, {path.name: file})
    read = list(READERS["coalm_it"].read_dialogues(corpus, "train", Shard(file), licence="CC-BY-SA-4.0"))
    samples = [one for one in read if isinstance(one, Sample)]
    assert len(samples) == len(read) == len(read_rows(out))
    return samples
