"""The Batch API: the same answers under the same keys, ordered once, collected whenever one comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coalm_it.llm.batch import MAX_BATCHES, ask_in_batches
from coalm_it.llm.budget import BudgetError, make_budget
from coalm_it.llm.endpoint import EndpointError
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.request import Answer, Failure, Outcome, Request
from coalm_it.llm.retry import RunStats
from coalm_it.model_settings import Settings

Questions = Callable[[int], list[Request]]
Ask = Callable[..., dict[str, Outcome]]
AskInBatches = Callable[..., tuple[RunStats, dict[str, Outcome]]]


@pytest.fixture
def ask_batches(path: Path) -> AskInBatches:
    def ask(requests: list[Request], settings: Settings, **options: Any) -> tuple[RunStats, dict[str, Outcome]]:
        got: dict[str, Outcome] = {}
        with open_ledger(path) as ledger:
            stats = ask_in_batches(
                lambda: requests,
                settings,
                ledger,
                lambda request, outcome: got.update({request.where: outcome}),
                poll_seconds=0.01,
                **options,
            )
        return stats, got

    return ask


def test_the_answers_are_those_that_are_got_one_by_one(
    server: Any, questions: Questions, ask: Ask, ask_batches: AskInBatches, path: Path
) -> None:
    one_by_one = {where: outcome.text for where, outcome in ask(questions(50), server.settings()).items()}
    path.unlink()
    server.behave(batch_polls=3)
    stats, got = ask_batches(questions(50), server.settings(), max_requests=20)
    assert {where: outcome.text for where, outcome in got.items()} == one_by_one
    assert (stats.answered, stats.stored, stats.in_flight) == (50, 0, 0)
    assert server.stats["batches"] == 3
    assert ask(questions(50), server.settings()) == got  # and under the same keys
    assert server.stats["requests"] == 50


def test_a_file_is_as_large_as_it_may_be(server: Any, questions: Questions, ask_batches: AskInBatches) -> None:
    ask_batches(questions(40), server.settings(), max_bytes=2000)
    sizes = server.stats["file_bytes"]
    assert all(1500 < size <= 2000 for size in sizes[:-1])
    assert sizes[-1] <= 2000


def test_one_may_leave_and_come_back(server: Any, questions: Questions, ask_batches: AskInBatches) -> None:
    server.behave(batch_polls=2)
    for polls in range(2):
        stats, got = ask_batches(questions(30), server.settings(), wait=False)
        assert (stats.in_flight, got) == (30, {}), polls
    stats, got = ask_batches(questions(30), server.settings(), wait=False)
    assert (stats.in_flight, len(got)) == (0, 30)
    assert server.stats["batches"] == 1


def test_what_failed_or_expired_is_ordered_again(server: Any, questions: Questions, ask_batches: AskInBatches) -> None:
    server.behave(batch_errors=0.2, batch_missing=0.2)
    stats, got = ask_batches(questions(100), server.settings())
    failed = [outcome for outcome in got.values() if isinstance(outcome, Failure)]
    assert len(got) == 100
    assert 0 < stats.retried < 100
    assert server.stats["answered"] == stats.answered == 100 - len(failed) > 80
    assert {outcome.reason for outcome in failed} <= {"failed"}


def test_what_never_comes_is_given_up(server: Any, questions: Questions, ask_batches: AskInBatches) -> None:
    server.behave(batch_errors=1.0)
    _, got = ask_batches(questions(5), server.settings())
    assert [(one.reason, one.detail) for one in got.values() if isinstance(one, Failure)] == [
        ("failed", f"500: The server had an error (in {MAX_BATCHES} batches)")
    ] * 5
    assert server.stats["batches"] == MAX_BATCHES
    server.behave()
    _, got = ask_batches(questions(5), server.settings())
    assert all(isinstance(outcome, Answer) for outcome in got.values())


def test_an_answer_that_is_delivered_twice_counts_once(
    server: Any, questions: Questions, ask_batches: AskInBatches
) -> None:
    server.behave(twice=1.0)
    stats, got = ask_batches(questions(20), server.settings())
    assert stats.answered == len(got) == 20
    assert stats.prompt_tokens + stats.completion_tokens == server.tokens


def test_an_order_whose_receipt_was_lost_is_not_paid_for_twice(
    server: Any, questions: Questions, ask_batches: AskInBatches
) -> None:
    server.behave(batch_cuts=1.0)
    with pytest.raises(EndpointError, match="the batch cannot be created"):
        ask_batches(questions(20), server.settings())
    _, got = ask_batches(questions(20), server.settings())
    assert len(got) == 20
    assert server.stats["batches"] == 1


def test_what_is_no_answer_is_kept_apart(server: Any, questions: Questions, ask_batches: AskInBatches) -> None:
    server.behave(length=0.5)
    _, got = ask_batches(questions(40), server.settings())
    assert {type(outcome) for outcome in got.values()} == {Answer, Failure}
    assert server.stats["answered"] == 40


def test_an_outcome_may_lead_to_another_request(server: Any, questions: Questions, path: Path) -> None:
    def ask_twice(request: Request, outcome: Outcome) -> Request | None:
        if request.context:
            return None
        return Request((*request.messages, {"role": "user", "content": "Shorter."}), context="repair")

    with open_ledger(path) as ledger:
        ask_in_batches(lambda: questions(10), server.settings(), ledger, ask_twice, poll_seconds=0.01)
    assert server.stats["answered"] == 20
    assert server.stats["batches"] == 2


def test_a_server_without_structured_output_is_asked_without_it(
    server: Any, questions: Questions, ask_batches: AskInBatches
) -> None:
    server.behave(refuse_schema=True)
    requests = [Request(one.messages, schema={"type": "object"}, where=one.where) for one in questions(10)]
    said: list[str] = []
    _, got = ask_batches(requests, server.settings(), say=said.append)
    assert all(isinstance(outcome, Answer) for outcome in got.values())
    assert len(said) == 1


def test_a_batch_that_is_turned_down_stops_it_with_one_line(
    server: Any, questions: Questions, ask_batches: AskInBatches
) -> None:
    server.behave(batch_fails="model_not_found")
    with pytest.raises(EndpointError, match=r"batch batch-\d+ was rejected: model_not_found: turned down$"):
        ask_batches(questions(5), server.settings())


def test_the_ceiling_holds_in_batches_too(server: Any, questions: Questions, ask_batches: AskInBatches) -> None:
    settings = server.settings(max_tokens_total=4000)
    with pytest.raises(BudgetError):
        ask_batches(questions(200), settings, budget=make_budget(settings))
    assert 3000 < server.tokens <= 4000
