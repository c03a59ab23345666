"""Talks in the forms that people bring: pairing, markup, results, schemas and numbers, through a whole build."""

from __future__ import annotations

import json
from typing import Any

import pytest
from decoded import decode_messages
from talks import ARMADALE, ASK, FERRY, GOOD, GOOD_ROWS, MALLAIG, TALK, call, calls, result, says, tool, user

BOTH = user("When do the next ferries leave Mallaig and Armadale?")
EARLY, LATE = result('{"leaves": "07:40"}', "a"), result('{"leaves": "08:55"}', "b")
TWO_CALLS = '[next_ferry(port="Mallaig"), next_ferry(port="Armadale")]'


def read_results(sample: dict[str, Any]) -> list[str]:
    """The contents of the results in a row, in order."""
    return [message["content"] for message in decode_messages(sample)[0] if message["role"] == "tool"]


# --- calls and their results ---


@pytest.mark.parametrize("arguments", ["", None, {}, "{}", "null", ...], ids=str)
def test_arguments_of_a_function_without_parameters_may_be_left_out(build_own: Any, arguments: Any) -> None:
    made = call("ping", arguments)
    if arguments is ...:
        del made["function"]["arguments"]
    record = {"messages": [user("Ping."), calls(made), result("pong"), says("Pong.")], "tools": [tool("ping")]}
    assert build_own([record]).outputs == ["Pong.", "[ping()]"]


def test_calls_in_messages_of_their_own_are_made_at_once(build_own: Any) -> None:
    talk = [BOTH, calls(MALLAIG), calls(ARMADALE), EARLY, LATE, says("At 07:40 and 08:55.")]
    built = build_own([{"messages": talk, "tools": [FERRY]}])
    assert built.outputs == ["At 07:40 and 08:55.", TWO_CALLS]


def test_results_in_another_order_are_paired_by_id(build_own: Any) -> None:
    talk = [BOTH, calls(MALLAIG), calls(ARMADALE), LATE, EARLY, says("At 07:40 and 08:55.")]
    built = build_own([{"messages": talk, "tools": [FERRY]}])
    assert read_results(built.samples["own_0/0/function_call.1"]) == ['{"leaves": "07:40"}', '{"leaves": "08:55"}']


def test_ids_may_be_numbers(build_own: Any) -> None:
    made = [{**MALLAIG, "id": 1}, {**ARMADALE, "id": 2}]
    late, early = {**LATE, "tool_call_id": 2}, {**EARLY, "tool_call_id": "1"}
    built = build_own([{"messages": [BOTH, calls(*made), late, early, says("At 07:40 and 08:55.")], "tools": [FERRY]}])
    assert read_results(built.samples["own_0/0/function_call.1"]) == ['{"leaves": "07:40"}', '{"leaves": "08:55"}']


def test_one_id_for_two_calls_is_a_fault_and_no_guess(build_own: Any) -> None:
    talk = [BOTH, calls(MALLAIG, {**ARMADALE, "id": "a"}), EARLY, {**LATE, "tool_call_id": "a"}, says("See above.")]
    built = build_own([{"messages": talk, "tools": [FERRY]}, GOOD])
    assert built.outputs == GOOD_ROWS
    assert built.faults == [
        "own.jsonl, own_0: message 4: calls and results have doubled or missing ids, and may be paired in several ways"
    ]


@pytest.mark.parametrize("none", [[], "", "[]", None, "null"], ids=repr)
def test_empty_calls_beside_a_text_are_no_calls(build_own: Any, none: Any) -> None:
    record = {"messages": [user("Hi."), says("Hello.", tool_calls=none)], "tools": [FERRY]}
    assert build_own([record]).outputs == ["Hello."]


# --- results of every kind ---


def test_a_result_may_be_an_object(build_own: Any) -> None:
    record = {"messages": [ASK, calls(MALLAIG), result({"leaves": "07:40"}), says("At 07:40.")], "tools": [FERRY]}
    built = build_own([record])
    assert built.outputs == GOOD_ROWS
    assert json.loads(read_results(built.samples["own_0/0/function_call.1"])[0]) == {"leaves": "07:40"}


@pytest.mark.parametrize(
    ("content", "reply"),
    [
        ("The ferry leaves at 07:40.", "At 07:40."),
        ("07:40", "At 07:40."),
        ([{"type": "text", "text": "Departs 07:40"}], "At 07:40."),
        ([{"leaves": "07:40"}, {"leaves": "09:10"}], "At 07:40 and at 09:10."),
        (740, "It is number 740."),
        ("12.5", "It costs 12.5 pounds."),
        (True, "Yes, it leaves on time."),
        ("false", "No, it does not leave on time."),
        (None, "I found none."),
        ("", "I found none."),
    ],
    ids=repr,
)
def test_whatever_a_result_is_the_reply_may_tell_it(build_own: Any, content: Any, reply: str) -> None:
    record = {"messages": [ASK, calls(MALLAIG), result(content), says(reply)], "tools": [FERRY]}
    built = build_own([record])
    assert (built.outputs, built.rejects, built.faults) == (sorted([reply, GOOD_ROWS[1]]), {}, [])


def test_what_no_result_tells_is_still_a_reject(build_own: Any) -> None:
    record = {"messages": [ASK, calls(MALLAIG), result("It sails."), says("At 07:40.")], "tools": [FERRY]}
    built = build_own([record])
    assert built.outputs == GOOD_ROWS[1:]
    assert built.rejects == {
        "own_0/0/function_call.1": ["reply_facts: '07:40' stands in no result so far and nobody said it"]
    }


def test_rows_with_thoughts_use_a_text_as_evidence_too(build_own: Any) -> None:
    thoughtful = [
        ASK,
        calls(MALLAIG, reasoning_content="They ask about Mallaig."),
        result("The ferry leaves at 07:40."),
        says("At 07:40.", reasoning_content="It is at 07:40."),
    ]
    built = build_own(
        [{"messages": thoughtful, "tools": [FERRY]}], task=["react_action", "react_response"], layout="varied"
    )
    assert set(built.samples) == {"own_0/0/react_action", "own_0/0/react_response"}
    assert built.samples["own_0/0/react_response"]["thought"] == "It is at 07:40."


def test_a_text_is_shown_as_it_is(build_own: Any) -> None:
    record = {"messages": [ASK, calls(MALLAIG), result("It leaves at 07:40."), says("At 07:40.")], "tools": [FERRY]}
    built = build_own([record])
    assert read_results(built.samples["own_0/0/function_call.1"]) == ["It leaves at 07:40."]


def test_a_thought_of_the_corpus_may_be_in_any_words(build_own: Any) -> None:
    thoughtful = [ASK, calls(MALLAIG, reasoning_content="Je regarde."), *TALK[2:3], says("At 07:40.")]
    record = {"messages": thoughtful, "tools": [FERRY]}
    built = build_own([record], task="react_action", layout="varied")
    assert [sample["thought"] for sample in built.samples.values()] == ["Je regarde."]


# --- markup in texts ---


def test_functions_may_stand_in_the_system_message(build_own: Any) -> None:
    made = says('{"name": "next_ferry", "arguments": {"port": "Mallaig"}}')
    seen = {"role": "observation", "content": '{"leaves": "07:40"}'}
    record = {"messages": [{"role": "system", "content": "", "tools": [FERRY]}, ASK, made, seen, says("At 07:40.")]}
    assert build_own([record]).outputs == GOOD_ROWS


def test_tags_of_calls_are_calls(build_own: Any) -> None:
    made = says('<tool_call>\n{"name": "next_ferry", "arguments": {"port": "Mallaig"}}\n</tool_call>')
    built = build_own([{"messages": [ASK, made, result('{"leaves": "07:40"}'), says("At 07:40.")], "tools": [FERRY]}])
    assert built.outputs == GOOD_ROWS


def test_tags_that_cannot_be_read_are_a_fault(build_own: Any) -> None:
    built = build_own([{"messages": [ASK, says("<tool_call>next_ferry, Mallaig")], "tools": [FERRY]}, GOOD])
    assert built.outputs == GOOD_ROWS
    assert len(built.faults) == 1
    assert "markup" in built.faults[0]
    assert "own_0" in built.faults[0]


def test_a_thought_in_tags_is_no_part_of_the_reply(build_own: Any) -> None:
    record = {"messages": [*TALK[:3], says("<think>It says 07:40.</think>\n\nAt 07:40.")], "tools": [FERRY]}
    built = build_own([record])
    assert built.outputs == GOOD_ROWS
    (reply,) = (sample for name, sample in built.samples.items() if name.endswith(".1"))
    assert "<think>" not in json.dumps(reply)


@pytest.mark.parametrize("mark", [{"weight": 0}, {"loss": False}, {"train": "false"}, {"mask": True}], ids=str)
def test_a_message_that_bears_no_loss_is_no_target(build_own: Any, mark: dict[str, Any]) -> None:
    first = [ASK, says("Let me see.", **mark), user("Well?"), *TALK[1:]]
    built = build_own([{"messages": first, "tools": [FERRY]}])
    assert built.outputs == GOOD_ROWS
    assert all("Let me see." in prompt for prompt in built.prompts.values())


@pytest.mark.parametrize("reasoning", [["They ask.", "So I look."], {"text": "They ask."}, {"x": 1}, 5], ids=repr)
def test_reasoning_of_any_kind_costs_at_most_its_record(build_own: Any, reasoning: Any) -> None:
    odd = {"messages": [ASK, calls(MALLAIG, reasoning_content=reasoning), *TALK[2:]], "tools": [FERRY]}
    built = build_own([odd, GOOD])
    assert sorted(row for name, row in built.rows.items() if name.startswith("own_1")) == GOOD_ROWS
    assert len(built.faults) + sum(name.startswith("own_0") for name in built.rows) in (1, 2)
    assert all("error of coalm-it" not in fault for fault in built.faults)


# --- descriptions of functions ---


@pytest.mark.parametrize("key", ["input_schema", "inputSchema", "arguments", "params"])
def test_the_parameters_may_have_other_names(build_own: Any, key: str) -> None:
    line = FERRY["function"]["parameters"]  # type: ignore[index]
    built = build_own(
        [{"messages": TALK, "tools": [{"name": "next_ferry", "description": "The next ferry.", key: line}]}]
    )
    assert built.outputs == GOOD_ROWS
    assert all('"port"' in prompt for prompt in built.prompts.values())


def test_definitions_stay_with_the_function(build_own: Any) -> None:
    boat = {"type": "object", "properties": {"name": {"type": "string"}, "metres": {"type": "integer"}}}
    berth = tool("berth", boat={"$ref": "#/$defs/Boat"})
    berth["function"]["parameters"]["$defs"] = {"Boat": boat}
    made = call("berth", {"boat": {"name": "Kestrel", "metres": 12}})
    talk = [user("A berth for the Kestrel, 12 m."), calls(made), result("ok"), says("Done.")]
    built = build_own([{"messages": talk, "tools": [berth]}])
    assert built.outputs == ["Done.", '[berth(boat={"name": "Kestrel", "metres": 12})]']
    assert all('"$defs"' in prompt and '"metres"' in prompt for prompt in built.prompts.values())


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ({"type": "array", "items": [{"type": "integer"}, {"type": "integer"}]}, [3, 4]),
        ({"type": "array", "items": True}, [3, 4]),
        ({"type": "array", "items": None}, [3, 4]),
        ({"type": "object", "properties": ["x", "y"]}, {"x": 3}),
        ({"type": "integer", "enum": None}, 3),
        ({"type": "integer", "enum": "3 or 4"}, 3),
        ({"type": "object", "required": True}, {"x": 3}),
    ],
    ids=str,
)
def test_a_keyword_of_another_shape_binds_nobody(build_own: Any, parameter: Any, value: Any) -> None:
    talk = [user("Plot 3 and 4."), calls(call("plot", {"p": value})), result("ok"), says("Done.")]
    built = build_own([{"messages": talk, "tools": [tool("plot", p=parameter)]}, GOOD])
    assert built.outputs == sorted(["Done.", f"[plot(p={json.dumps(value)})]", *GOOD_ROWS])


@pytest.mark.parametrize(
    "parameter",
    [
        {"type": "string", "nullable": True},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
    ],
    ids=str,
)
def test_null_is_a_value_where_the_schema_allows_it(build_own: Any, parameter: Any) -> None:
    talk = [user("Plot it."), calls(call("plot", {"p": None})), result("ok"), says("Done.")]
    assert build_own([{"messages": talk, "tools": [tool("plot", p=parameter)]}]).outputs == ["Done.", "[plot(p=None)]"]


@pytest.mark.parametrize("name", ["next=ferry(", "next\nferry"])
def test_a_name_that_the_syntax_of_the_row_cannot_hold_is_a_reject(build_own: Any, name: str) -> None:
    odd = {"messages": [ASK, calls(call(name, {})), result("ok"), says("Done.")], "tools": [tool(name)]}
    built = build_own([odd, GOOD])
    assert [built.rows[row] for row in sorted(built.rows)][-2:] == GOOD_ROWS[::-1]
    assert any("rendering: " in finding for finding in built.rejects["own_0/0/function_call"])


# --- numbers and texts ---


@pytest.mark.parametrize("as_text", [False, True])
def test_an_integer_of_many_digits_stays_exact(build_own: Any, as_text: bool) -> None:
    arguments: Any = {"account": 98765432109876543210987}
    made = call("pay", json.dumps(arguments) if as_text else arguments)
    talk = [user("Pay to 98765432109876543210987."), calls(made), result("ok"), says("Done.")]
    built = build_own([{"messages": talk, "tools": [tool("pay", account={"type": "integer"})]}])
    assert built.outputs == ["Done.", "[pay(account=98765432109876543210987)]"]


def test_a_number_that_no_float_holds_is_a_fault(build_own: Any) -> None:
    odd = {"messages": [ASK, calls(MALLAIG), result('{"leaves": "07:40", "depth": 1e400}'), says("At 07:40.")]}
    built = build_own([{**odd, "tools": [FERRY]}, GOOD])
    assert built.outputs == GOOD_ROWS
    assert built.faults == ["own.jsonl, own_0: message 2: result: the number 1e400 is too large"]


def test_an_integral_float_serves_as_an_integer(build_own: Any) -> None:
    made = calls(call("pay", {"account": 5.0, "amount": 2}))
    pay = tool("pay", account={"type": "integer"}, amount={"type": "number"})
    built = build_own([{"messages": [user("Pay 2 to account 5."), made, result("ok"), says("Done.")], "tools": [pay]}])
    assert built.outputs == ["Done.", "[pay(account=5, amount=2)]"]


@pytest.mark.parametrize("between", ["\r\n", "\r", "\n", "\t", "\x85", "\u2028", "\u00a0", "\u200b"], ids=ascii)
def test_any_break_or_blank_inside_a_text_keeps_the_row(build_own: Any, between: str) -> None:
    built = build_own([{"messages": [user(f"Two{between}things."), says(f"All{between}right.")], "tools": [FERRY]}])
    (reply,) = built.outputs
    assert reply.startswith("All")
    assert reply.endswith("right.")
    assert "\r" not in reply
    assert built.rejects == {}


# --- layout hammer ---


def test_layout_hammer_takes_a_single_turn_and_step(build_own: Any) -> None:
    """Its prompt has one question and no history; a reply has no place in it."""
    later = {"messages": [user("Hello."), says("Hello!"), ASK, calls(MALLAIG)], "tools": [FERRY]}
    built = build_own([GOOD, later], layout="hammer")
    assert built.rows == {"own_0/0/function_call": '[{"name": "next_ferry", "arguments": {"port": "Mallaig"}}]'}
    assert set(built.rejects) >= {"own_0/0/function_call.1", "own_1/1/function_call"}
    assert all("hammer" in " ".join(found) for found in built.rejects.values())
