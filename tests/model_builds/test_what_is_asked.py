"""What a build asks a model for: the dialogues that its rows need, each once, and of a changed build what is new."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dialogues import PER_FILE, write_dialogues
from small import DIALOGUES, SAMPLES, assert_adds_up, build_small, read_files, read_rows

from coalm_it.corpora.sources import SourceError
from coalm_it.llm.budget import BudgetError
from coalm_it.mixture.quotas import ShortError
from coalm_it.pipeline.build import build


def dialogues_of(rows: list[dict[str, Any]]) -> set[str]:
    return {row["dialogue_id"] for row in rows}


def build_grounded(out: Path, *changes: str) -> list[dict[str, Any]]:
    """The rows that the same recipe has without a model."""
    return read_rows(build("tod", out=out, changes=["parts.snips=null", *changes]).out)


# --- once ---


def test_each_dialogue_is_asked_about_once_whatever_is_built_with_it(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out")
    assert server.stats["answered"] == DIALOGUES
    assert_adds_up(built)
    assert built.manifest.parts["sgd"].thoughts == {"first": SAMPLES}

    assert not build_small(server, tmp_path / "out").fresh  # the same again
    build_small(server, tmp_path / "elsewhere")
    assert server.stats["requests"] == DIALOGUES
    assert read_files(tmp_path / "elsewhere") == read_files(tmp_path / "out")


@pytest.mark.parametrize(
    "change",
    [
        ("parts.sgd.rows=50",),
        ("parts.sgd.rows=300", "parts.sgd.fill=repeat"),
        ("parts.sgd.task=react_action",),
        (
            "parts.snips={source: snips, task: state_tracking}",
            "parts.again={source: sgd, task: react_response, layout: varied}",
        ),
        ("order=corpus",),
        ("seed=99",),
        ("scale=0.3",),
        ("distractors=1", "checks.grounding=false", "reasoning.fallback=reject", "reasoning.max_in_flight=3"),
    ],
    ids=lambda change: change[0],
)
def test_another_mix_asks_for_nothing(server: Any, tmp_path: Path, everything: Path, change: tuple[str, ...]) -> None:
    built = build_small(server, tmp_path / "out", *change, ledger=everything)
    assert server.stats["requests"] == 0
    assert sum(part.rows for part in built.manifest.parts.values()) > 0


@pytest.fixture(scope="module")
def everything(server_process: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with the answers to every dialogue. Only to be looked at, or used by builds that ask for nothing."""

    class Address:
        base_url = server_process

    folder = tmp_path_factory.mktemp("everything")
    build_small(Address, folder / "out")
    return folder / "answers.sqlite"


def test_two_parts_of_one_corpus_ask_once(server: Any, tmp_path: Path) -> None:
    responses = "parts.responses={source: sgd, task: react_response}"
    built = build_small(server, tmp_path / "out", "parts.sgd.task=react_action", responses)
    assert server.stats["requests"] == DIALOGUES
    counts = built.manifest.parts
    assert counts["sgd"].rows + counts["responses"].rows == SAMPLES
    assert len((tmp_path / "out" / "requests.txt").read_text().split()) == DIALOGUES


def test_a_dialogue_more_is_asked_about_alone(server: Any, bundled: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(bundled, tmp_path / "data"))
    turn_by_turn = "reasoning.turns_per_request=1"
    build_small(server, tmp_path / "out", turn_by_turn, data=data)
    before = server.stats["requests"]

    path = data / "sgd" / "train" / "dialogues_001.json"
    dialogues = json.loads(path.read_bytes())
    another = copy.deepcopy(dialogues[3])
    another["dialogue_id"] = "1_99999"
    another["turns"][0]["utterance"] += " I have all day."
    path.write_text(json.dumps([another, *dialogues]))
    built = build_small(server, tmp_path / "out", turn_by_turn, data=data)
    assert server.stats["requests"] - before == sum(turn["speaker"] == "USER" for turn in another["turns"])
    mine = [row for row in read_rows(built.out) if row["dialogue_id"] == "1_99999"]
    assert_adds_up(built, SAMPLES + len(mine))


def test_a_parameter_of_the_model_is_another_question(server: Any, tmp_path: Path, everything: Path) -> None:
    ledger = Path(shutil.copy(everything, tmp_path))
    for number, change in enumerate(["temperature=0.5", "seed=3", "extra_body={top_p: 0.9}", "model=other"]):
        build_small(server, tmp_path / f"out{number}", f"reasoning.{change}", "parts.sgd.rows=10", ledger=ledger)
        asked = len((tmp_path / f"out{number}" / "requests.txt").read_text().split())
        assert server.stats["requests"] == asked > 0
        server.behave()


# --- as far as a quota needs ---


@pytest.mark.parametrize("quota", ["parts.sgd.rows=50", "scale=0.5", "scale=0.01"])
def test_a_quota_asks_about_the_dialogues_that_it_takes(server: Any, tmp_path: Path, quota: str) -> None:
    exact = "expect.rejects_at_most=0"
    wanted = build_grounded(tmp_path / "grounded", quota)
    built = build_small(server, tmp_path / "out", quota, exact)
    assert [row["id"] for row in read_rows(built.out)] == [row["id"] for row in wanted]
    assert server.stats["requests"] == len(dialogues_of(wanted)) < DIALOGUES
    assert_adds_up(built)


def test_shares_of_a_whole_ask_about_the_dialogues_that_they_take(server: Any, tmp_path: Path) -> None:
    shares = ["rows=100", "parts.snips={source: snips, task: state_tracking, share: 0.4}", "parts.sgd.share=0.6"]
    built = build_small(server, tmp_path / "out", *shares, "expect.rejects_at_most=0")
    rows = [row for row in read_rows(built.out) if row["part"] == "sgd"]
    assert len(rows) == 60
    assert server.stats["requests"] == len(dialogues_of(rows))
    assert_adds_up(built)


def test_a_little_more_is_asked_where_some_may_be_rejected(server: Any, tmp_path: Path) -> None:
    enough = build_grounded(tmp_path / "grounded", "parts.sgd.rows=120")
    build_small(server, tmp_path / "out", "parts.sgd.rows=100", "expect.rejects_at_most=0.2")
    assert server.stats["requests"] == len(dialogues_of(enough))


def test_a_raised_quota_asks_about_the_dialogues_that_come_to_it(server: Any, tmp_path: Path) -> None:
    asked, rows, taken = [], [], []
    for quota in (40, 90, 90, 60):
        server.behave()
        built = build_small(server, tmp_path / "out", f"parts.sgd.rows={quota}", "expect.rejects_at_most=0")
        rows.append({row["id"] for row in read_rows(built.out)})
        taken.append(len(dialogues_of(read_rows(built.out))))
        asked.append(server.stats["requests"])
        assert_adds_up(built)
    assert rows[0] < rows[3] < rows[1] == rows[2]
    assert asked == [taken[0], taken[1] - taken[0], 0, 0]


def test_a_raised_quota_makes_the_shards_anew_that_hold_new_dialogues(
    server: Any, tmp_path: Path, own_cache: Path
) -> None:
    data, exact = write_dialogues(tmp_path / "data", 24), "expect.rejects_at_most=0"

    def build_and_look(rows: int) -> tuple[set[str], set[str]]:
        built = build_small(server, tmp_path / "out", f"parts.sgd.rows={rows}", exact, data=data)
        return dialogues_of(read_rows(built.out)), {path.name for path in (own_cache / "shards").iterdir()}

    few, before = build_and_look(60)
    more, after = build_and_look(75)
    changed = {int(name.removeprefix("9_")) // PER_FILE for name in more - few}
    assert len(before) == 24 // PER_FILE > len(changed) > 0
    assert len(after - before) == len(changed)


def test_a_limit_asks_about_the_first_dialogues(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out", "limit=3")
    assert server.stats["requests"] == 3
    assert dialogues_of(read_rows(built.out)) == {"1_00000", "1_00001", "1_00002"}


def test_what_a_filter_leaves_out_is_not_asked_about(server: Any, tmp_path: Path) -> None:
    short = "parts.sgd.filter={max_turns: 6}"
    rows = build_grounded(tmp_path / "grounded", short)
    build_small(server, tmp_path / "out", short)
    assert server.stats["requests"] == len(dialogues_of(rows)) < DIALOGUES


# --- where thoughts are rejected ---

REJECTING = ("reasoning.fallback=reject", "reasoning.repairs=0", "expect.rejects_at_most=0")


def test_rejects_are_made_good_by_further_dialogues(server: Any, tmp_path: Path) -> None:
    server.behave(wrong_schema=0.5, seed=4)
    built = build_small(server, tmp_path / "out", "parts.sgd.rows=60", *REJECTING)
    count = built.manifest.parts["sgd"]
    assert count.rows == 60
    assert count.rejects > 30
    assert server.stats["requests"] < DIALOGUES
    assert server.stats["requests"] == len((built.out / "requests.txt").read_text().split())
    assert_adds_up(built)
    # and all that is the same for one who has the answers
    again = build_small(
        server, tmp_path / "again", "parts.sgd.rows=60", *REJECTING, ledger=tmp_path / "answers.sqlite", offline=True
    )
    assert read_files(again.out) == read_files(built.out)


def test_a_share_of_what_is_good_asks_for_no_more_than_that(server: Any, tmp_path: Path) -> None:
    server.behave(wrong_schema=0.5, seed=4)
    built = build_small(server, tmp_path / "out", "scale=0.25", *REJECTING)
    count = built.manifest.parts["sgd"]
    assert count.rows == round(0.25 * (SAMPLES - count.rejects))
    assert server.stats["requests"] < DIALOGUES
    assert_adds_up(built)


def test_a_corpus_that_is_used_up_falls_short(server: Any, tmp_path: Path) -> None:
    server.behave(wrong_schema=0.5, seed=4)
    quota = "parts.sgd.rows=250"
    rejecting = (*REJECTING, "reasoning.max_in_flight=1")  # in a fixed order, the same answers are wrong in every run
    with pytest.raises(ShortError, match=r"^too few rows: sgd: wanted 250, have (\d+), missing"):
        build_small(server, tmp_path / "out", quota, *rejecting)
    assert server.stats["requests"] == DIALOGUES
    assert not (tmp_path / "out" / "manifest.json").exists()

    built = build_small(server, tmp_path / "out", quota, "allow_short=true", *rejecting)
    assert server.stats["requests"] == DIALOGUES
    assert built.manifest.parts["sgd"].rows < 250
    assert_adds_up(built)

    filled = build_small(server, tmp_path / "out", quota, "parts.sgd.fill=repeat", *rejecting)
    assert server.stats["requests"] == DIALOGUES
    assert filled.manifest.parts["sgd"].rows == 250
    assert filled.manifest.parts["sgd"].repeated > 0
    assert_adds_up(filled)


def test_a_model_that_writes_nothing_good_makes_no_data_set(server: Any, tmp_path: Path) -> None:
    server.behave(wrong_schema=1.0)
    with pytest.raises(SourceError, match="no row to write"):
        build_small(server, tmp_path / "out", *REJECTING)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_ceiling_holds_over_all_that_a_quota_widens_to(server: Any, tmp_path: Path) -> None:
    server.behave(wrong_schema=1.0)
    quota = "parts.sgd.rows=20"
    with pytest.raises(ShortError):
        build_small(server, tmp_path / "out", quota, *REJECTING)
    used = server.tokens
    server.behave(wrong_schema=1.0)
    with pytest.raises(BudgetError):
        build_small(server, tmp_path / "anew" / "out", quota, f"reasoning.max_tokens_total={used // 2}", *REJECTING)
    assert 0 < server.tokens <= used // 2


def test_requests_are_listed_and_told_by_their_recipe(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out", "parts.sgd.rows=50")
    keys = (built.out / "requests.txt").read_text().split()
    assert keys == sorted(set(keys))
    assert built.manifest.answers.requests == len(keys) == server.stats["requests"]
    assert {row["provenance"]["request"] for row in read_rows(built.out)} <= set(keys)
    assert "base_url" not in yaml.safe_load((built.out / "recipe.yaml").read_text())["reasoning"]
    build("tod", out=built.out)  # the same folder without a model
    assert not (built.out / "requests.txt").exists()
