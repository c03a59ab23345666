"""The same answers, the same bytes: on another machine without key or network, by however many workers and builds, one
by one or in batches."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from builds import finish_build, start_build
from dialogues import write_dialogues
from small import (
    assert_one_line,
    build_small,
    export_used,
    read_files,
    run_small,
    start_small,
)
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.llm.ledger import MissingAnswerError
from coalm_it.llm.ledger.maintenance import merge_ledgers

FEW, SOME = "limit=4", "limit=12"
FAULTY = {"wrong_schema": 0.2, "broken": 0.2, "length": 0.1, "empty": 0.1, "seed": 7}


class Nowhere:
    """A server that is not there."""

    base_url = "http://127.0.0.1:9/v1"


@pytest.fixture
def answers(server: Any, tmp_path: Path) -> Path:
    """The answers of a build in `tmp_path`/out, of which some thoughts were repaired and some replaced."""
    server.behave(**FAULTY)
    built = build_small(server, tmp_path / "out", SOME)
    assert built.manifest.parts["sgd"].thoughts.keys() == {"first", "repaired", "replaced"}
    return export_used(built.out, tmp_path / "answers.sqlite", tmp_path / "answers.jsonl")


# --- with a published file of answers ---


def test_an_empty_machine_without_a_key_or_a_network_builds_the_same_bytes(answers: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    build = start_small(Nowhere, elsewhere / "out", SOME, options=["--offline", "--ledger", str(answers)])
    _, errors = build.communicate()
    assert build.returncode == 0, errors
    assert read_files(elsewhere / "out") == read_files(tmp_path / "out")
    kept = [path.relative_to(elsewhere / "home") for path in (elsewhere / "home").rglob("*") if path.is_file()]
    assert {path.parts[:3] for path in kept} == {(".cache", "coalm-it", "shards"), (".cache", "coalm-it", "locks")}


def test_with_the_answers_in_the_users_own_ledger_it_is_the_same(
    answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    merge_ledgers(None, [answers], say=lambda line: None)
    recipe, again = tmp_path / "out" / "recipe.yaml", tmp_path / "again"
    result = CliRunner().invoke(app, ["build", str(recipe), "--out", str(again), "--offline"])
    assert result.exit_code == 0, result.stderr
    assert read_files(again) == read_files(tmp_path / "out")


def test_a_missing_answer_is_one_line_that_names_dialogue_and_turns(server: Any, answers: Path, tmp_path: Path) -> None:
    quota = "parts.sgd.rows=30"
    build_small(server, tmp_path / "out", quota)
    export_used(tmp_path / "out", tmp_path / "answers.sqlite", answers)
    head, *lines = answers.read_text().splitlines(keepends=True)
    answers.write_text("".join([head, *lines[:-1]]))
    out = tmp_path / "again"
    result = run_small(Nowhere, out, quota, options=["--offline", "--ledger", str(answers)])
    assert result.exit_code == 1
    assert_one_line(result.stderr, rf"^coalm-it: sgd/train/[12]_000\d\d, turns 0 to \d+: no answer in {answers}$")
    assert not (out / "manifest.json").exists()


def test_offline_asks_nothing_of_a_server_that_is_there(server: Any, tmp_path: Path) -> None:
    build_small(server, tmp_path / "out", "limit=2")
    asked = server.stats["requests"]
    with pytest.raises(MissingAnswerError, match=r"^sgd/train/1_00002, turns 0 to 5: no answer in "):
        build_small(server, tmp_path / "more", "limit=3", offline=True)
    assert server.stats["requests"] == asked


# --- by several at a time ---


def test_one_worker_and_two_give_the_same_bytes(server: Any, tmp_path: Path) -> None:
    server.behave(**FAULTY)
    one = build_small(server, tmp_path / "one", workers=1)
    two = build_small(server, tmp_path / "two", workers=2, offline=True)
    assert read_files(two.out) == read_files(one.out)


@pytest.mark.parametrize("faults", [{}, {"errors": 0.1, "overloads": 0.05, "poor": 0.1}], ids=["usual", "faulty"])
def test_two_builds_that_share_a_ledger_pay_for_each_answer_once(
    server: Any, tmp_path: Path, faults: dict[str, float]
) -> None:
    server.behave(latency=0.05, **faults)
    data, ledger = write_dialogues(tmp_path / "data", 15), tmp_path / "answers.sqlite"
    outs = [tmp_path / "one", tmp_path / "two"]
    builds = [start_build(server.base_url, data, out, ledger) for out in outs]
    for build in builds:  # neither may go on into the next test
        build.join()
    for build in builds:
        finish_build(build)
    assert read_files(outs[0]) == read_files(outs[1])
    keys = (outs[0] / "requests.txt").read_text().split()
    assert server.stats["answered"] == len(keys) > 90
    assert server.stats["requests"] == len(keys) + sum(server.stats["faults"].values())
    alone = tmp_path / "alone"
    finish_build(start_build(server.base_url, data, alone, ledger, "--offline"))
    assert read_files(alone) == read_files(outs[0])


# --- in batches ---


def test_batches_give_the_same_bytes_and_go_on_after_a_stop(server: Any, tmp_path: Path) -> None:
    one_by_one = build_small(server, tmp_path / "one" / "out", FEW)
    server.behave()
    (tmp_path / "two").mkdir()
    out, key = tmp_path / "two" / "out", "sk-planted-0123456789"
    build = start_small(server, out, FEW, options=["--batch"], OPENAI_API_KEY=key)
    while not server.stats["batches"]:
        assert build.poll() is None, build.communicate()
        time.sleep(0.02)
    build.send_signal(signal.SIGINT)
    _, errors = build.communicate()
    assert build.returncode == 130, errors
    assert "coalm-it: stopped; run the same command again to resume" in errors
    assert not (out / "manifest.json").exists()

    build = start_small(server, out, FEW, options=["--batch"], OPENAI_API_KEY=key)
    _, errors = build.communicate()
    assert build.returncode == 0, errors
    assert read_files(out) == read_files(one_by_one.out)
    assert not [path for path in out.parent.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    assert (server.stats["batches"], server.stats["answered"], server.stats["requests"]) == (1, 4, 4)


def test_thoughts_that_do_not_pass_are_ordered_in_further_batches(server: Any, tmp_path: Path) -> None:
    server.behave(poor=0.1)
    one_by_one = build_small(server, tmp_path / "one" / "out", FEW)
    assert one_by_one.manifest.parts["sgd"].thoughts["repaired"] > 0
    asked = server.stats["requests"]
    server.behave(poor=0.1)
    (tmp_path / "two").mkdir()
    out = tmp_path / "two" / "out"
    while not (out / "manifest.json").exists():  # each start collects what is done, and orders what is missing
        ordered = server.stats["batches"]
        build = start_small(server, out, FEW, options=["--batch"])
        while build.poll() is None and server.stats["batches"] == ordered:
            time.sleep(0.02)
        if build.poll() is None:
            build.send_signal(signal.SIGINT)
        _, errors = build.communicate()
        assert build.returncode in (0, 130), errors
    assert read_files(out) == read_files(one_by_one.out)
    assert 2 <= server.stats["batches"] <= 3
    assert server.stats["answered"] == asked
