"""A model rewrites a whole dialogue: it is parsed strictly, or rejected."""

from __future__ import annotations

from typing import Any

import pytest
from multisteps import answer, drive, failure, read_bundled, settings

from coalm_it.llm.request import Outcome
from coalm_it.schema import Place
from coalm_it.thoughts.rewrite import InvalidDialogueError, parse_dialogue, plan_rewriting

FRAMED = read_bundled("1_00002")
CALL = "BookTable(restaurant_name='Via Tomasi', city='Seattle', date='2019-03-02', time='19:30', guests=5)"
RESULT = '{"matches": 1, "results": [{"restaurant_name": "Via Tomasi", "city": "Seattle", "time": "19:30"}]}'


def turn(user: str, reply: str, thought: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {"user": user, "steps": list(steps), "thought": thought, "answer": reply}


GOOD: dict[str, Any] = {
    "turns": [
        turn("A table at Via Tomasi in Seattle, please.", "For when, and how many?", "Time and party are open."),
        turn(
            "Tomorrow, 7:30 in the evening, five of us.",
            "You have a table at Via Tomasi tomorrow at 7:30 pm.",
            "The record is what was asked for, so the table is booked.",
            {"thought": "Now it is complete, with tomorrow as March 2nd: BookTable.", "call": CALL, "result": RESULT},
        ),
    ]
}


def test_the_model_is_given_what_was_said_and_the_functions_with_their_results() -> None:
    request = next(plan_rewriting(FRAMED, settings(writer="rewrite")))
    user = request.messages[1]["content"]
    assert "User: Book me a table at Via Tomasi in Seattle for tomorrow night.\nAnswer: Sure." in user
    assert "Call:" not in user
    assert "- BookTable(" in user
    assert "Returns: " in user


def test_the_answer_becomes_a_dialogue_with_id_and_functions_of_the_seed() -> None:
    (dialogue, results), requests = drive(plan_rewriting(FRAMED, settings(writer="rewrite")), [answer(GOOD, "a")])
    assert len(requests) == 1
    assert (dialogue.id, dialogue.source, dialogue.tools) == ("1_00002", "sgd", FRAMED.dialogue.tools)
    call = dialogue.turns[1].steps[0].calls[0]
    assert (call.id, call.service, call.arguments["guests"]) == ("call_1_0", "Dining_1", 5)
    assert dialogue.turns[1].steps[0].observations[0]["results"][0]["time"] == "19:30"
    assert dialogue.turns[1].labels.system_acts == ()
    assert list(results) == [Place(0, None), Place(1, 0), Place(1, None)]
    assert {one.key for one in results.values()} == {"a"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"call": "BookTable(city='Seattle'"}, r"turn 2: .* is no call"),
        ({"call": "BookTables(city='Seattle')"}, "turn 2: there is no function 'BookTables' in the list"),
        ({"call": f"{CALL}\n{CALL}"}, "turn 2: a step has one call, and .* has 2"),
        ({"call": "__import__('os').system('true')"}, "turn 2: .*"),
        ({"result": "two tables"}, "turn 2: the result 'two tables' is not JSON"),
        ({"thought": ""}, r"turns.1.steps.0.thought"),
        ({"more": "x"}, r"turns.1.steps.0.more"),
    ],
)
def test_an_invalid_dialogue_is_rejected(changed: dict[str, Any], message: str) -> None:
    step = {**GOOD["turns"][1]["steps"][0], **changed}
    value = {"turns": [GOOD["turns"][0], {**GOOD["turns"][1], "steps": [step]}]}
    with pytest.raises(InvalidDialogueError, match=message):
        parse_dialogue(value, FRAMED.dialogue)


def test_an_invented_value_is_reported_and_the_dialogue_requested_again() -> None:
    invented = CALL.replace("19:30", "21:00")
    step = {**GOOD["turns"][1]["steps"][0], "call": invented, "thought": "It is complete: BookTable."}
    bad = {"turns": [GOOD["turns"][0], {**GOOD["turns"][1], "steps": [step]}]}
    (dialogue, results), requests = drive(
        plan_rewriting(FRAMED, settings(writer="rewrite")), [answer(bad, "a"), answer(GOOD, "b")]
    )
    assert "turn 2: BookTable.time is '21:00', which nobody said" in requests[1].messages[3]["content"]
    assert {one.attempts for one in results.values()} == {2}
    assert dialogue.turns[1].steps[0].calls[0].arguments["time"] == "19:30"


def test_without_a_valid_answer_the_seed_remains_without_thoughts() -> None:
    outcomes: list[Outcome] = [answer("no"), failure("length"), answer('{"turns": []}')]
    (dialogue, results), requests = drive(plan_rewriting(FRAMED, settings(writer="rewrite")), outcomes)
    assert dialogue is FRAMED.dialogue
    assert len(results) == 8
    assert {one.thought for one in results.values()} == {None}
    assert len(requests) == 3
