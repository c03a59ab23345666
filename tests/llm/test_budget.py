"""Spending limits that are never exceeded, by the server's own count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.llm.budget import Budget, BudgetError, PriceError, find_price, make_budget
from coalm_it.llm.estimate import estimate_run
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.request import Outcome, Request, bound_prompt
from coalm_it.model_settings import Price, Settings

Questions = Callable[[int], list[Request]]
Ask = Callable[..., dict[str, Outcome]]

PRICE = Price(input=3.0, output=15.0)


def cost(server: Any) -> float:
    """Dollars, by what the server counted."""
    stats = server.stats
    return float(stats["prompt_tokens"] * PRICE.input + stats["completion_tokens"] * PRICE.output) / 1_000_000


@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"errors": 0.1, "cuts": 0.1, "garbage": 0.05, "twice": 0.05, "hangs": 0.02, "length": 0.05},
        {"no_usage": True},
    ],
    ids=["sound", "faulty", "without a count"],
)
def test_the_ceiling_is_never_passed(behaviour: dict[str, Any], server: Any, questions: Questions, ask: Ask) -> None:
    server.behave(latency=0.02, tail=0.1, tail_latency=0.1, **behaviour)
    settings = server.settings(max_in_flight=64, max_usd=0.1, price=PRICE, timeout=1)
    with pytest.raises(
        BudgetError, match=r"the spending limit does not allow another request .* of max_usd 0.1 used\)"
    ) as raised:
        ask(questions(1000), settings, budget=make_budget(settings), first_pause=0.05)
    assert "\n" not in str(raised.value)
    assert cost(server) <= 0.1
    if not behaviour:
        assert cost(server) > 0.095  # and it is used


def test_a_run_that_stopped_at_its_ceiling_goes_on_from_there(server: Any, questions: Questions, ask: Ask) -> None:
    settings = server.settings(max_tokens_total=4000)
    for runs in range(1, 3):
        with pytest.raises(BudgetError, match="of max_tokens_total 4,000 used"):
            ask(questions(200), settings, budget=make_budget(settings))
        assert server.tokens <= runs * 4000
    stored = server.stats["requests"]
    assert 100 < stored < 200
    assert len(ask(questions(200), server.settings())) == 200
    assert server.stats["requests"] == 200


def test_stored_answers_are_free(server: Any, questions: Questions, ask: Ask) -> None:
    ask(questions(50), server.settings())
    settings = server.settings(max_usd=0.000001, price=PRICE)
    assert len(ask(questions(50), settings, budget=make_budget(settings))) == 50


def test_a_ceiling_that_allows_nothing_asks_nothing(server: Any, questions: Questions, ask: Ask) -> None:
    settings = server.settings(max_usd=0.0001, price=PRICE)
    with pytest.raises(BudgetError):
        ask(questions(5), settings, budget=make_budget(settings))
    assert server.stats["requests"] == 0


def test_the_worst_case_of_a_prompt_is_never_too_small() -> None:
    text = 'Sag\'s mir: ¿dónde está? 你好 😀\n\t"quoted"'
    request = Request(({"role": "user", "content": text},) * 3, schema={"type": "object"})
    assert bound_prompt(request) > 3 * len(text.encode()) + len('{"type": "object"}')


# --- prices ---


def test_the_recipes_price_comes_first() -> None:
    assert find_price(Settings(model="gpt-4o-mini", price=PRICE)) == PRICE


def test_else_the_price_is_looked_up() -> None:
    price = find_price(Settings(model="gpt-4o-mini"))
    assert price is not None
    assert 0 < price.input < price.output < 10


def test_a_ceiling_in_dollars_needs_a_price() -> None:
    with pytest.raises(PriceError, match=r"the price of 'my-own' is unknown: .*price: \{input: 0.15, output: 0.60\}"):
        make_budget(Settings(model="my-own", max_usd=1))


def test_without_a_ceiling_no_price_is_needed() -> None:
    assert make_budget(Settings(model="my-own")).usd is None


# --- arithmetic ---

Steps = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 100), st.sampled_from(["used", "unknown", "free"])))


@given(steps=Steps, under_way=st.integers(1, 8), ceiling=st.integers(1, 3000))
def test_whatever_happens_it_stays_under_the_ceiling(
    steps: list[tuple[int, int, str]], under_way: int, ceiling: int
) -> None:
    budget = Budget(price=PRICE, max_usd=0.005, max_tokens=ceiling)
    held = []
    for prompt, completion, end in steps:
        worst = budget.reserve(prompt, completion)
        if worst is not None:
            held.append((worst, end))
        while len(held) > under_way or (held and worst is None):
            first, its_end = held.pop(0)
            if its_end == "used":
                budget.settle(first, first.prompt // 4, first.completion // 2)
            elif its_end == "unknown":
                budget.settle(first)
            else:
                budget.release(first)
        assert sum(budget.spent) + sum(budget.reserved) <= ceiling
        assert budget.usd is not None
        assert budget.usd <= 0.005


# --- before the first request ---


def test_an_estimate_knows_what_is_stored_and_how_long_answers_are(
    server: Any, questions: Questions, ask: Ask, path: Path
) -> None:
    settings = server.settings(price=PRICE, max_in_flight=4)
    with open_ledger(path) as ledger:
        before = estimate_run(questions(100), settings, ledger)
    assert (before.stored, before.asked, before.completion_tokens, before.seconds) == (0, 100, 5000, None)
    ask(questions(60), settings)
    asked = server.stats["requests"]
    with open_ledger(path) as ledger:
        after = estimate_run(questions(100), settings, ledger)
    assert server.stats["requests"] == asked
    assert (after.stored, after.asked) == (60, 40)
    ask(questions(100), settings)
    rest = server.stats["completion_tokens"] * 40 / 100
    assert after.completion_tokens == pytest.approx(rest, rel=0.2)
    assert after.usd is not None
    assert after.worst_case_usd is not None
    assert 0 < after.usd < after.worst_case_usd


def test_an_estimate_in_dollars_needs_a_price(server: Any, questions: Questions, path: Path) -> None:
    with open_ledger(path) as ledger:
        assert estimate_run(questions(3), server.settings(), ledger).usd is None
        with pytest.raises(PriceError):
            estimate_run(questions(3), server.settings(max_usd=1), ledger)
