from __future__ import annotations

from typing import Any

import pytest

from coalm_it.observations import (
    booking_outcome,
    count_matches,
    find_differing_slots,
    make_observation,
    read_content,
    read_records,
    replace_results,
)
from coalm_it.schema import DONT_CARE, Call

CALL = Call(name="book_table", arguments={"name": "Luigi's", "seats": 2, "time": "19:00"})


@pytest.mark.parametrize(
    ("observation", "records", "content", "matches"),
    [
        ({"matches": 7, "results": [{"name": "a"}]}, ({"name": "a"},), [{"name": "a"}], 7),
        ({"matches": 0, "results": []}, (), [], 0),
        ({"results": ["a", {"name": "b"}]}, ({"name": "b"},), ["a", {"name": "b"}], None),
        ({"matches": "many", "results": "none"}, (), "none", None),
        ({"status": "done"}, (), {"status": "done"}, None),
        ([{"name": "a"}], (), [{"name": "a"}], None),
        ("done", (), "done", None),
        (None, (), None, None),
    ],
)
def test_every_form_of_an_observation_is_read(observation: Any, records: Any, content: Any, matches: Any) -> None:
    assert read_records(observation) == records
    assert read_content(observation) == content
    assert count_matches(observation) == matches


def test_a_made_observation_is_read_back() -> None:
    records = [{"name": "a"}, {"name": "b"}]
    observation = make_observation(records)
    assert list(observation) == ["matches", "results"]
    assert (list(read_records(observation)), count_matches(observation)) == (records, 2)
    shortened = replace_results(observation, records[:1])
    assert (list(read_records(shortened)), count_matches(shortened)) == (records[:1], 2)


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        ([], "empty"),
        ([{"name": "Luigi's", "seats": 2, "time": "19:00", "reference": "X1"}], "done"),
        ([{"reference": "X1"}], "done"),
        ([{"name": "Luigi's", "time": "20:00"}], "alternative"),
        ([{"name": "Luigi's", "time": "20:00"}, {"name": "Luigi's", "time": "19:00"}], "done"),
        ([{"seats": "2"}], "done"),
    ],
)
def test_a_booking_goes_through_if_a_record_agrees_with_the_request(records: list[Any], outcome: str) -> None:
    assert booking_outcome(CALL, make_observation(records)) == outcome


def test_an_observation_of_another_form_says_nothing_of_a_booking() -> None:
    assert booking_outcome(CALL, "done") is None
    assert booking_outcome(CALL, [{"name": "Luigi's"}]) is None


def test_any_value_meets_a_request_for_any_value() -> None:
    call = Call(name="book_table", arguments={"name": "Luigi's", "time": DONT_CARE})
    assert find_differing_slots(call, {"name": "Mario's", "time": "20:00"}) == ["name"]
