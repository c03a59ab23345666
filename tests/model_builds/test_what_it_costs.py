"""Money and access: a ceiling that is never passed, and one line for all that only a person can mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dialogues import write_dialogues
from small import assert_one_line, build_small, read_files, read_rows, run_small

INPUT, OUTPUT = 9.0, 90.0
"""Dollars a million tokens."""
PRICE = f"reasoning.price={{input: {INPUT}, output: {OUTPUT}}}"


def count_dollars(server: Any) -> float:
    """What the server would have on its bill."""
    stats = server.stats
    return float(stats["prompt_tokens"] * INPUT + stats["completion_tokens"] * OUTPUT) / 1_000_000


# --- ceilings ---


def test_a_ceiling_of_a_dollar_holds_on_a_run_that_would_cost_five(server: Any, tmp_path: Path) -> None:
    data = ("--data", str(write_dialogues(tmp_path / "data", 50)))
    asked = ("reasoning.turns_per_request=1", "reasoning.max_in_flight=64", "reasoning.max_tokens=100", PRICE)
    server.behave(latency=0.1)
    result = run_small(server, tmp_path / "out", *asked, "reasoning.max_usd=1", options=data)
    assert result.exit_code == 1
    assert_one_line(
        result.stderr,
        r"limit does not allow another request .*\$0\.\d+ of max_usd 1 used.*; all answers are kept: raise the limit",
    )
    assert not (tmp_path / "out" / "manifest.json").exists()
    first = count_dollars(server)
    assert 0.9 < first <= 1.0
    assert server.stats["most_at_once"] > 4

    result = run_small(server, tmp_path / "out", *asked, "reasoning.max_usd=10", options=data)
    assert result.exit_code == 0, result.stderr
    assert 4 < count_dollars(server) < 6
    requests = len((tmp_path / "out" / "requests.txt").read_text().split())
    assert server.stats["answered"] == requests > 300


def test_tokens_have_a_ceiling_too(server: Any, tmp_path: Path) -> None:
    result = run_small(server, tmp_path / "out", "reasoning.max_tokens_total=20000")
    assert result.exit_code == 1
    assert_one_line(result.stderr, r"\([\d,]+ of max_tokens_total 20,000 used\)")
    assert 0 < server.tokens <= 20_000


@pytest.mark.parametrize("whose", ["reasoning", "reasoning.judge"])
def test_a_ceiling_in_dollars_needs_a_price_before_anything_is_asked(server: Any, tmp_path: Path, whose: str) -> None:
    judge = f"reasoning.judge={{model: critic, base_url: '{server.base_url}'}}"
    result = run_small(server, tmp_path / "out", "limit=2", judge, f"{whose}.max_usd=1")
    assert result.exit_code == 2
    named = "small" if whose == "reasoning" else "critic"
    assert_one_line(result.stderr, rf"max_usd is set, but the price of '{named}' is unknown: add it to the recipe")
    assert server.stats["requests"] == 0
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_known_model_has_the_price_of_the_list(server: Any, tmp_path: Path) -> None:
    result = run_small(server, tmp_path / "out", "reasoning.model=gpt-4o-mini", "reasoning.max_usd=1", "limit=2")
    assert result.exit_code == 0, result.stderr
    assert "tokens, $0.00" in result.stderr


def test_without_prices_there_is_no_word_of_dollars(server: Any, tmp_path: Path) -> None:
    result = run_small(server, tmp_path / "out", "limit=2")
    assert result.exit_code == 0
    assert "thoughts: 2 answered, 0 from the ledger; " in result.stderr
    assert "$" not in result.output


# --- what stops a run ---


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"key": "another-key"}, r"does not accept the API key in the environment variable OPENAI_API_KEY"),
        ({"model": "large"}, r"no model 'small',"),
        ({"quota": 5}, r"the quota is exhausted \(429: You exceeded your current quota\)$"),
        ({"wrong_parameter": "messages"}, r"20 requests in a row failed, the last: 400: Unrecognized request"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_only_a_person_can_mend_is_one_line(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, Any], said: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-the-right-one")
    server.behave(**behaviour)
    some = ("limit=12", "reasoning.turns_per_request=4")
    result = run_small(server, tmp_path / "out", *some)
    assert result.exit_code == 3
    assert_one_line(result.stderr, f"^coalm-it: {server.base_url}: .*{said}" if "quota" not in said else said)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert server.stats["answered"] <= 5

    server.behave()
    assert run_small(server, tmp_path / "out", *some).exit_code == 0
    lone = build_small(server, tmp_path / "alone" / "out", *some)
    assert read_files(tmp_path / "out") == read_files(lone.out)


def test_a_key_that_is_missing_is_asked_for(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.behave(key="the-one")
    result = run_small(server, tmp_path / "out")
    assert result.exit_code == 3
    assert_one_line(result.stderr, "an API key is required: set the environment variable OPENAI_API_KEY")


def test_an_endpoint_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    class Nowhere:
        base_url = "http://127.0.0.1:9/v1"

    result = run_small(Nowhere, tmp_path / "out")
    assert result.exit_code == 3
    assert_one_line(result.stderr, r"^coalm-it: http://127\.0\.0\.1:9/v1 does not answer: ")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_an_endpoint_that_fails_leaves_a_finished_build_as_it_is(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out", "limit=2")
    before = read_files(built.out)
    (tmp_path / "answers.sqlite").unlink()
    server.behave(model="large")
    assert run_small(server, tmp_path / "out", "limit=2").exit_code == 3
    assert read_files(built.out) == before


def test_a_ledger_that_cannot_be_used_is_one_line(server: Any, tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_text("not a ledger")
    result = run_small(server, tmp_path / "out")
    assert result.exit_code == 3
    assert_one_line(
        result.stderr, r"answers\.sqlite: not a ledger: not an SQLite file; choose another file with --ledger$"
    )
    assert server.stats["requests"] == 0


def test_a_server_without_structured_output_or_usage_is_asked_all_the_same(server: Any, tmp_path: Path) -> None:
    server.behave(refuse_schema=True, refuse_max_tokens=True, no_usage=True)
    result = run_small(server, tmp_path / "out", "limit=6")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count(": no structured output; ") == 1
    rows = read_rows(tmp_path / "out")
    assert {row["provenance"]["writer"] for row in rows} == {"annotate"}
    assert len(rows) == sum(1 for row in rows if row["provenance"]["attempts"] == 1)
