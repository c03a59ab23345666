from __future__ import annotations

import pytest
from dinner import response, with_turn

from coalm_it.checks.structure import check_structure
from coalm_it.schema import Turn


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("", "the reply is empty"),
        (None, "the reply is missing"),
        ("a\tb", "the reply holds the control character '\\t', which would break its line"),
        ("a\u2028b", "the reply holds the control character '\\u2028', which would break its line"),
        ("user : hello", "the reply has a line that begins like another one of the row: 'user :'"),
        ("[BEGIN OF QUERY] hi", "the reply holds the block marker [BEGIN OF QUERY]"),
    ],
)
def test_texts_that_break_a_row(reply: str | None, message: str) -> None:
    (finding,) = check_structure(with_turn(response(1), reply=reply))
    assert (finding.where, finding.message) == ("reply", message)


@pytest.mark.parametrize(
    "reply",
    [
        "The action: call them at 415-555-0123.",
        "Action movies are on.",
        "Café “Zum Löwen” – 北京, naïve… soft\u00adhyphen",
        "[sic] 415-555-0123",
    ],
)
def test_texts_that_look_odd_and_are_fine(reply: str) -> None:
    assert check_structure(with_turn(response(1), reply=reply)) == []


def test_a_state_that_is_empty_cannot_be_tracked() -> None:
    sample = response(0).model_copy(update={"task": "state_tracking"})
    assert check_structure(with_turn(sample, state={"GetWeather": {}})) == []
    (finding,) = check_structure(with_turn(sample, state={}))
    assert finding.message == "the state to be tracked is empty"


def test_single_turn_calls_need_no_thought_and_keep_their_lines() -> None:
    turn = Turn(user="Count:\n1 + 1\n2 + 2", reply="- 2\n- 4")
    sample = response(0).model_copy(update={"task": "function_call", "layout": "toolace", "turns": (turn,)})
    assert check_structure(sample) == []
    (finding,) = check_structure(with_turn(sample, reply="- 2\nUser: and then?"))
    assert finding.message == "the reply has a line that begins like another one of the row: 'User:'"
