"""Scores of a row, ratios over many, intervals: each expectation is worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from coalm_it.evaluation.metrics import ClusterScore, estimate, estimate_difference, score_calls, score_state
from coalm_it.schema import Call


def call(name: str, **arguments: Any) -> Call:
    return Call(name=name, arguments=arguments)


FIND = call("FindBus", origin="Fresno", destination="Anaheim", seats=2)


@pytest.mark.parametrize(
    ("predicted", "gold", "exact", "function", "f1"),
    [
        ([FIND], [FIND], 1, 1, (6, 6)),
        # one of three arguments has another value: 2 hits of 3 predicted and 3 gold
        ([call("FindBus", origin="Fresno", destination="Anaheim", seats=3)], [FIND], 0, 1, (4, 6)),
        # one is missing: 2 hits of 2 predicted and 3 gold
        ([call("FindBus", origin="Fresno", destination="Anaheim")], [FIND], 0, 1, (4, 5)),
        # one too many: 3 hits of 4 predicted and 3 gold
        ([call("FindBus", origin="Fresno", destination="Anaheim", seats=2, day="x")], [FIND], 0, 1, (6, 7)),
        # another function: its arguments do not count
        ([call("BuyTicket", origin="Fresno")], [FIND], 0, 0, (0, 4)),
        # parallel calls, in any order; a missing or repeated one is wrong
        ([call("b", y=2), call("a", x=1)], [call("a", x=1), call("b", y=2)], 1, 1, (4, 4)),
        ([call("a", x=1)], [call("a", x=1), call("b", y=2)], 0, 0, (2, 3)),
        ([call("a", x=1), call("a", x=1)], [call("a", x=1)], 0, 0, (2, 3)),
        # types count, spellings of numbers do not
        ([call("a", x=2.0)], [call("a", x=2)], 1, 1, (2, 2)),
        ([call("a", x="2")], [call("a", x=2)], 0, 1, (0, 2)),
        ([call("a", x=True)], [call("a", x=1)], 0, 1, (0, 2)),
        ([call("a", x={"p": [1, 2]})], [call("a", x={"p": [1, 2]})], 1, 1, (2, 2)),
        ([call("a", x={"p": [2, 1]})], [call("a", x={"p": [1, 2]})], 0, 1, (0, 2)),
        ([call("a", x="fresno")], [call("a", x="Fresno")], 0, 1, (0, 2)),
        # no argument at all: nothing for F1 to measure
        ([call("a")], [call("a")], 1, 1, (0, 0)),
        # nothing readable
        (None, [FIND], 0, 0, (0, 3)),
        ([], [FIND], 0, 0, (0, 3)),
    ],
)
def test_scores_of_calls(
    predicted: list[Call] | None, gold: list[Call], exact: int, function: int, f1: tuple[int, int]
) -> None:
    assert score_calls(predicted, gold) == {"exact": (exact, 1), "function": (function, 1), "argument_f1": f1}


STATE = {"Hotels_1": {"city": "San Jose", "stars": "4"}, "Buses_1": {"day": "today"}}


@pytest.mark.parametrize(
    ("predicted", "gold", "jga", "f1"),
    [
        (STATE, STATE, 1, (6, 6)),
        ({"Hotels_1": {"city": "san  jose", "stars": "4"}, "Buses_1": {"day": "Today"}}, STATE, 1, (6, 6)),
        ({"Hotels_1": {"city": "San Jose", "stars": 4}, "Buses_1": {"day": "today"}}, STATE, 1, (6, 6)),
        ({"Hotels_1": {"city": "San Jose", "stars": "5"}, "Buses_1": {"day": "today"}}, STATE, 0, (4, 6)),
        ({"Hotels_1": {"city": "San Jose"}}, STATE, 0, (2, 4)),
        ({"Hotels_2": {"city": "San Jose", "stars": "4"}, "Buses_1": {"day": "today"}}, STATE, 0, (2, 6)),
        ({}, STATE, 0, (0, 3)),
        (None, STATE, 0, (0, 3)),
        (None, {}, 0, (0, 0)),
        ({}, {}, 1, (0, 0)),
        # SNIPS: the domain counts as a slot
        (
            {"domain": "RateBook", "slot_values": {"rating_value": "4"}},
            {"domain": "RateBook", "slot_values": {"rating_value": "4", "object_name": "x"}},
            0,
            (4, 5),
        ),
        (
            {"domain": "PlayMusic", "slot_values": {"rating_value": "4"}},
            {"domain": "RateBook", "slot_values": {"rating_value": "4"}},
            0,
            (0, 4),
        ),
        ({"Hotels_1": "San Jose"}, {"Hotels_1": {"city": "San Jose"}}, 0, (0, 2)),
    ],
)
def test_scores_of_states(predicted: Any, gold: Any, jga: int, f1: tuple[int, int]) -> None:
    assert score_state(predicted, gold) == {"jga": (jga, 1), "slot_f1": f1}


def rows(*scores: tuple[str, float, float]) -> list[ClusterScore]:
    return [ClusterScore(cluster, (above, below)) for cluster, above, below in scores]


def test_the_value_is_the_ratio_of_the_sums() -> None:
    assert estimate(rows(("a", 4, 6), ("b", 0, 2), ("c", 2, 2)), 100, 12).value == 6 / 10


def test_there_is_no_value_if_there_is_nothing_to_measure() -> None:
    assert estimate(rows(("a", 0, 0)), 100, 12) == (1, None, None, None)
    assert estimate([], 100, 12) == (0, None, None, None)


def test_an_interval_depends_on_the_seed_and_not_on_the_order_of_the_rows() -> None:
    some = rows(*((f"d{n}", n % 7, n % 3 + 6) for n in range(60)))
    found = estimate(some, 500, 12)
    assert found == estimate(some, 500, 12) == estimate(some[::-1], 500, 12)
    assert found != estimate(some, 500, 13)


def test_an_interval_is_close_to_theory() -> None:
    """A mean of 400 rows, half of them right: 0.5 +- 1.96 * 0.5 / 20 = 0.451 to 0.549."""
    found = estimate(rows(*((f"d{n}", n % 2, 1) for n in range(400))), 2000, 12)
    assert found.low == pytest.approx(0.451, abs=0.01)
    assert found.high == pytest.approx(0.549, abs=0.01)


def test_rows_of_a_dialogue_are_resampled_together() -> None:
    """Ten dialogues of 40 rows, all right or all wrong, are ten pieces of evidence and not 400."""
    apart = estimate(rows(*((f"d{n}", n % 2, 1) for n in range(400))), 1000, 12)
    together = estimate(rows(*((f"d{n % 10}", n % 2, 1) for n in range(400))), 1000, 12)
    assert apart.value == together.value == 0.5
    assert apart.low is not None
    assert together.low is not None
    assert 0.5 - together.low > 4 * (0.5 - apart.low)


def test_the_interval_of_a_constant_has_no_width() -> None:
    assert estimate(rows(*((f"d{n}", 1, 1) for n in range(9))), 100, 12) == (9, 1.0, 1.0, 1.0)


def test_a_difference_uses_the_same_resamples_for_both() -> None:
    before = rows(*((f"d{n}", n % 2, 1) for n in range(200)))
    after = rows(*((f"d{n}", 1 if n % 4 == 0 else n % 2, 1) for n in range(200)))
    found = estimate_difference(before, after, 1000, 12)
    assert found.value == 0.25
    assert found.low is not None
    assert found.high is not None
    # 50 of 200 rows changed, none for the worse: 0.25 +- 1.96 * sqrt(0.25 * 0.75 / 200)
    assert found.low == pytest.approx(0.19, abs=0.015)
    assert found.high == pytest.approx(0.31, abs=0.015)
    assert estimate_difference(before, before, 100, 12)[1:] == (0.0, 0.0, 0.0)


def test_a_difference_of_other_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="the same items"):
        estimate_difference(rows(("a", 1, 1)), rows(("b", 1, 1)), 10, 12)
