from __future__ import annotations

from typing import Any

import pytest

from coalm_it.checks.database import check_database
from coalm_it.schema import Act, Call, Labels, Sample, Step, Tool, Turn

FIND = Tool(name="find_hotel", service="hotel", parameters={"type": "object", "properties": {}})
BOOK = Tool(name="book_hotel", service="hotel", parameters={"type": "object", "properties": {}}, transactional=True)
ROWAN = {"name": "rowan lodge", "area": "north", "stars": 4, "address": "22 priory road", "phone": "01632960202"}
PRIORY = {"name": "priory guest house", "area": "north", "stars": 3, "address": "70 priory road"}
ROOM = {"name": "rowan lodge", "day": "friday", "people": 2}
BOOKED = ROOM | {"reference": "AB12CD34"}


def search(*results: dict[str, Any], matches: int | None = None) -> Step:
    observation = {"matches": len(results) if matches is None else matches, "results": list(results)}
    return Step(calls=(Call(name="find_hotel", service="hotel"),), observations=(observation,))


def booking(*results: dict[str, Any]) -> Step:
    observation = {"matches": len(results), "results": list(results)}
    return Step(calls=(Call(name="book_hotel", service="hotel", arguments=ROOM),), observations=(observation,))


def act(name: str, slot: str = "", *canonical: str, service: str = "hotel") -> Act:
    return Act(name=name, service=service, slot=slot, values=canonical, canonical=canonical)


def judge(*acts: Act, steps: tuple[Step, ...] = (), history: tuple[Turn, ...] = ()) -> list[tuple[str, str]]:
    """Kind and message of the findings about a reply with these acts after these steps."""
    turn = Turn(user="u", steps=steps, reply="r", labels=Labels(system_acts=acts))
    sample = Sample(
        id="s",
        part="p",
        task="react_response",
        layout="react_response",
        source="multiwoz",
        split="train",
        dialogue_id="d",
        turn=len(history),
        licence="MIT",
        tools=(FIND, BOOK),
        turns=(*history, turn),
    )
    return [(finding.where, finding.message) for finding in check_database(sample)]


def earlier(*steps: Step) -> tuple[Turn, ...]:
    return (Turn(user="u", steps=steps, reply="r"),)


# --- agreement ---


@pytest.mark.parametrize(
    ("acts", "steps", "history"),
    [
        ([act("OFFER", "name", "rowan lodge"), act("OFFER", "stars", "4")], (search(ROWAN, PRIORY),), ()),
        ([act("OFFER", "name", "rowan lodge", "priory guest house")], (search(ROWAN, PRIORY),), ()),
        ([act("OFFER", "stars", "4"), act("INFORM", "stars", "3")], (search(ROWAN, PRIORY),), ()),
        ([act("INFORM_COUNT", "count", "2")], (search(ROWAN, PRIORY),), ()),
        ([act("INFORM_COUNT", "count", "9")], (search(ROWAN, matches=9),), ()),
        ([act("INFORM", "phone", "01632960202")], (), earlier(search(ROWAN))),
        ([act("NOTIFY_FAILURE")], (search(),), ()),
        ([act("NOTIFY_FAILURE", "type", "hotel"), act("OFFER", "name", "rowan lodge")], (search(ROWAN),), ()),
        ([act("NOTIFY_FAILURE")], (booking(),), earlier(search(ROWAN))),
        ([act("NOTIFY_SUCCESS"), act("INFORM", "reference", "AB12CD34")], (booking(BOOKED),), ()),
        ([act("NOTIFY_SUCCESS")], (), earlier(booking(BOOKED))),
        ([act("NOTIFY_FAILURE"), act("NOTIFY_SUCCESS")], (booking(BOOKED),), ()),
        ([act("INFORM", "colour", "red")], (search(ROWAN),), ()),
        ([act("REQUEST", "area"), act("GOODBYE")], (), ()),
    ],
)
def test_a_reply_that_agrees_with_the_results_passes(
    acts: list[Act], steps: tuple[Step, ...], history: tuple[Turn, ...]
) -> None:
    assert judge(*acts, steps=steps, history=history) == []


def test_facts_may_be_divided_between_a_booking_and_its_search() -> None:
    acts = [act("INFORM", "reference", "AB12CD34"), act("INFORM", "address", "22 priory road")]
    assert judge(act("NOTIFY_SUCCESS"), *acts, steps=(booking(BOOKED),), history=earlier(search(ROWAN))) == []


# --- disagreement ---


def test_a_name_that_is_in_no_result() -> None:
    found = judge(act("OFFER", "name", "rowan lodge", "the ritz"), steps=(search(ROWAN),))
    assert found == [("offer", "name 'the ritz' is in no result of hotel")]


def test_details_of_different_results() -> None:
    acts = [act("OFFER", "name", "rowan lodge"), act("INFORM", "address", "70 priory road")]
    assert judge(*acts, steps=(search(ROWAN, PRIORY),)) == [
        ("details", "no result of hotel has all of name 'rowan lodge', address '70 priory road'")
    ]


def test_a_detail_that_no_result_has() -> None:
    ((kind, _),) = judge(act("INFORM", "phone", "01632960000"), history=earlier(search(ROWAN)))
    assert kind == "details"


def test_another_count() -> None:
    assert judge(act("INFORM_COUNT", "count", "3"), steps=(search(ROWAN, PRIORY),)) == [
        ("count", "the reply counts 3 where find_hotel found 2")
    ]
    assert judge(act("INFORM_COUNT", "count", "3"), history=earlier(search(ROWAN))) == [
        ("count", "the reply counts 3 where find_hotel found 1")
    ]
    assert judge(act("INFORM_COUNT", "count", "3")) == [("count", "the reply counts 3, and nothing was searched")]


def test_nothing_found_although_there_were_results() -> None:
    assert judge(act("NOTIFY_FAILURE"), steps=(search(ROWAN),)) == [
        ("search", "the reply says that there is nothing, and find_hotel found 1")
    ]


@pytest.mark.parametrize("steps", [(), (booking(),), (booking(BOOKED | {"day": "sunday"}),)])
def test_booked_although_nothing_was(steps: tuple[Step, ...]) -> None:
    assert judge(act("NOTIFY_SUCCESS"), steps=steps) == [
        ("booking", "the reply says that something of hotel is booked, and nothing was")
    ]


def test_failed_although_the_booking_succeeded() -> None:
    assert judge(act("NOTIFY_FAILURE"), steps=(booking(BOOKED),)) == [
        ("booking", "the reply says that it failed, and book_hotel went through")
    ]
    assert judge(act("NOTIFY_FAILURE"), steps=(booking(BOOKED | {"day": "sunday"}),)) == [], "an alternative is none"


def test_a_reference_that_the_booking_did_not_give() -> None:
    ((kind, message),) = judge(act("NOTIFY_SUCCESS"), act("INFORM", "reference", "ZZ99"), steps=(booking(BOOKED),))
    assert (kind, message) == ("details", "no result of hotel has all of reference 'ZZ99'")


def test_only_replies_are_checked() -> None:
    turn = Turn(
        user="u", steps=(search(ROWAN),), reply="r", labels=Labels(system_acts=(act("INFORM_COUNT", "count", "7"),))
    )
    sample = Sample(
        id="s",
        part="p",
        task="react_action",
        layout="react_action",
        source="multiwoz",
        split="train",
        dialogue_id="d",
        turn=0,
        licence="MIT",
        tools=(FIND, BOOK),
        turns=(turn,),
        step=0,
    )
    assert check_database(sample) == []
