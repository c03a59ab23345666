"""A second model scores thoughts."""

from __future__ import annotations

from multisteps import answer, drive, failure, read_bundled

from coalm_it.schema import Place
from coalm_it.thoughts.judge import plan_judgement

FRAMED = read_bundled("1_00002")
THOUGHTS = {Place(0, None): "A table, but when?", Place(2, 0): "They agreed: BookTable."}


def test_the_judge_sees_each_thought_in_its_place_and_nothing_of_places_without_one() -> None:
    (request,) = (next(multistep) for multistep in plan_judgement(FRAMED, THOUGHTS, 50))
    lines = request.messages[1]["content"].splitlines()
    assert lines[lines.index("<1> A table, but when?") + 1] == "Answer: Sure. What time would you like to come?"
    assert lines[lines.index("<2> They agreed: BookTable.") + 1].startswith("Call: BookTable(")
    assert not any(line.startswith("<3>") for line in lines)
    assert request.schema is not None
    assert request.schema["properties"] == {"1": {"type": "integer"}, "2": {"type": "integer"}}


def test_scores_are_read_by_place_and_invalid_ones_are_left_out() -> None:
    (multistep,) = plan_judgement(FRAMED, THOUGHTS, 50)
    assert drive(multistep, [answer({"1": 4, "2": 9})])[0] == {Place(0, None): 4}


def test_unreadable_scores_are_requested_once_more_and_then_left_out() -> None:
    (multistep,) = plan_judgement(FRAMED, THOUGHTS, 50)
    scores, requests = drive(multistep, [answer("fine, both"), failure("length")])
    assert scores == {}
    assert [request.sample for request in requests] == [0, 1]


def test_a_stretch_without_thoughts_is_not_judged() -> None:
    assert len(list(plan_judgement(FRAMED, {Place(2, 0): "They agreed: BookTable."}, 2))) == 1
