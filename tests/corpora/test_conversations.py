from __future__ import annotations

import pytest

from coalm_it.corpora.conversations import RawMessage, build_content, build_turns
from coalm_it.corpora.pairing import Result
from coalm_it.corpora.records import BadRecord
from coalm_it.schema import Call, Place, Step, Tool, Turn

TOOLS = [Tool(name=name, parameters={"type": "object", "properties": {}}) for name in ("find", "book")]


def user(text: str) -> RawMessage:
    return RawMessage("user", text)


def say(text: str, thought: str | None = None) -> RawMessage:
    return RawMessage("assistant", text, thought)


def call(*names: str, ids: tuple[str, ...] = (), text: str = "", thought: str | None = None) -> RawMessage:
    made = tuple(Call(id=ids[n] if ids else "", name=name) for n, name in enumerate(names))
    return RawMessage("assistant", text, thought, made)


def result(value: object, name: str = "", id: str = "") -> RawMessage:
    return RawMessage("tool", results=(Result(value, name, id),))


def build(*messages: RawMessage) -> tuple[Turn, ...]:
    return build_turns(messages, TOOLS)


def observed(*messages: RawMessage) -> list[tuple[object, ...]]:
    return [step.observations for turn in build(*messages) for step in turn.steps]


# --- turns ---


def test_a_turn_is_what_the_user_says_the_steps_and_the_reply() -> None:
    messages = [user("Book it"), call("find"), result(1), call("book"), result("ok"), say("Booked."), user("Bye")]
    first, second = build(*messages, say("Bye!"))
    assert first == Turn(
        user="Book it",
        steps=(
            Step(calls=(Call(id="call_0_0", name="find"),), observations=(1,)),
            Step(calls=(Call(id="call_0_1", name="book"),), observations=("ok",)),
        ),
        reply="Booked.",
    )
    assert second == Turn(user="Bye", reply="Bye!")


def test_a_system_message_belongs_to_what_the_agent_does_next() -> None:
    be_kind, now, again = (RawMessage("system", text) for text in ("Be kind", "Now!", "Again!"))
    messages = [be_kind, be_kind, user("Hi"), now, say("Hello"), again, user("Bye"), say("Bye!"), now]
    content = build_content(messages, TOOLS)
    assert content.system == "Be kind"
    assert content.turns == (
        Turn(user="Hi", system="Now!", reply="Hello"),
        Turn(user="Bye", system="Again!", reply="Bye!"),
    )


def test_consecutive_messages_of_one_speaker_are_joined() -> None:
    assert build(user("Hi"), user("you"), say("Hel"), say("lo")) == (Turn(user="Hi\nyou", reply="Hel\nlo"),)


def test_text_before_calls_is_their_thought() -> None:
    messages = [user("?"), say("Wait.", "Hm."), call("find", text="Now."), result(1), say("So"), call("book")]
    (turn,) = build(*messages)
    first, second = turn.steps
    assert (first.thought, second.thought) == ("Hm.\nWait.\nNow.", "So")


def test_reasoning_before_a_reply_is_the_thought_of_the_turn() -> None:
    (turn,) = build(user("?"), call("find", thought="Look."), result(1), say("One.", "It is one."))
    assert (turn.steps[0].thought, turn.thought, turn.reply) == ("Look.", "It is one.", "One.")


def test_an_empty_message_is_an_empty_reply() -> None:
    assert build(user("?"), say("")) == (Turn(user="?", reply=""),)


def test_the_decision_to_make_no_call_is_a_step_without_calls() -> None:
    assert build(user("?"), call()) == (Turn(user="?", steps=(Step(),)),)
    assert build(user("?"), call(), say("Sorry.")) == (Turn(user="?", steps=(Step(),), reply="Sorry."),)


def test_the_last_words_of_the_user_stay_without_an_answer() -> None:
    assert build(user("Hi"), say("Hello"), user("Bye"))[-1] == Turn(user="Bye")


# --- ids ---


def test_ids_are_kept_where_every_call_has_its_own() -> None:
    (turn,) = build(user("?"), call("find", "book", ids=("a", "b")), result(2, id="b"), result(1, id="a"))
    assert [made.id for made in turn.steps[0].calls] == ["a", "b"]


@pytest.mark.parametrize("ids", [("a", "a"), ("a", ""), ("", "")])
def test_else_ids_are_made_for_all(ids: tuple[str, ...]) -> None:
    _, turn = build(user("?"), say("!"), user("?"), call("find", ids=ids[:1]), result(1), call("book", ids=ids[1:]))
    assert [made.id for step in turn.steps for made in step.calls] == ["call_1_0", "call_1_1"]


# --- results ---


def test_results_pair_with_calls_by_id() -> None:
    calls = call("find", "find", ids=("a", "b"))
    assert observed(user("?"), calls, result(2, id="b"), result(1, id="a")) == [(1, 2)]


def test_calls_in_messages_of_their_own_with_results_after_them_are_one_step() -> None:
    first, second = call("find", ids=("a",), thought="One."), call("book", ids=("b",), text="Two.")
    (turn,) = build(user("?"), first, second, result(2, id="b"), result(1, id="a"), say("Done."))
    calls = (Call(id="a", name="find"), Call(id="b", name="book"))
    assert turn.steps == (Step(thought="One.\nTwo.", calls=calls, observations=(1, 2)),)
    (turn,) = build(user("?"), first, second)
    assert turn.steps == (Step(thought="One.\nTwo.", calls=calls),)


@pytest.mark.parametrize(
    ("ids", "names", "results"),
    [
        (("x", "x"), ("find", "book"), [result(2, "book", "x"), result(1, "", "x")]),
        (("a", ""), ("find", "find"), [result(2), result(1, id="a")]),
        (("a", "b"), ("find", "find"), [result(2), result(1, id="a")]),
        (("a", ""), ("find", "find"), [result(2, id="b"), result(1, id="a")]),
    ],
)
def test_doubled_or_missing_ids_are_resolved_where_one_way_is_possible(
    ids: tuple[str, ...], names: tuple[str, ...], results: list[RawMessage]
) -> None:
    assert observed(user("?"), call(*names, ids=ids), *results) == [(1, 2)]


@pytest.mark.parametrize(
    ("ids", "results"),
    [
        (("x", "x"), [result(1, id="x"), result(2, id="x")]),
        (("a", "b", "c"), [result(1, id="a"), result(2), result(3)]),
    ],
)
def test_where_several_ways_are_possible_nothing_is_guessed(ids: tuple[str, ...], results: list[RawMessage]) -> None:
    with pytest.raises(BadRecord, match=r"doubled or missing ids, and may be paired in several ways$"):
        build(user("?"), call(*["find"] * len(ids), ids=ids), *results)


def test_a_list_with_an_id_is_the_result_of_its_call_alone() -> None:
    with pytest.raises(BadRecord, match="do not pair: 2 calls, 1 results"):
        build(user("?"), call("find", "book", ids=("a", "b")), result([1, 2], id="a"), say("?"))


def test_what_is_not_to_be_learnt_is_context() -> None:
    bad = RawMessage("assistant", "Wrong.", learn=False)
    look = RawMessage("assistant", calls=(Call(name="find"),), learn=False)
    messages = [user("?"), look, result(1), bad, user("Sure?"), call("book"), result(2), say("Right."), bad]
    content = build_content([*messages, user("Bye"), say("Bye.")], TOOLS)
    assert content.context_only == (Place(0, 0), Place(0, None), Place(1, None))
    assert len(content.turns) == 3


def test_else_by_name_and_among_namesakes_in_order() -> None:
    calls = call("find", "book", "find")
    assert observed(user("?"), calls, result(1, "find"), result(3, "find"), result(2, "book")) == [(1, 2, 3)]


def test_else_in_order() -> None:
    assert observed(user("?"), call("find", "book"), result(1), result(2)) == [(1, 2)]


def test_one_message_may_list_the_results_of_all_calls() -> None:
    assert observed(user("?"), call("find", "book"), result([1, 2])) == [(1, 2)]
    assert observed(user("?"), call("find"), result([1])) == [([1],)]


def test_only_the_last_calls_may_lack_results() -> None:
    assert observed(user("?"), call("find"), result(1), call("book", "find")) == [(1,), ()]


# --- bad input ---


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "no message of the assistant"),
        ([user("Hi")], "no message of the assistant"),
        ([say("Hello")], "message 0: the user should speak first, not the assistant"),
        ([user("?"), result(1)], "message 1: a result, but no call before it"),
        ([user("?"), call(), result(1)], "message 2: a result, but no call before it"),
        ([user("?"), call("find"), result(1), say("1"), result(1)], "message 4: a result, but no call before it"),
        (
            [user("?"), call("find"), say("1")],
            "message 2: calls and results do not pair: 1 calls, 0 results",
        ),
        (
            [user("?"), call("find", "book"), result(1), user("?")],
            "message 3: calls and results do not pair: 2 calls, 1 results",
        ),
        (
            [user("?"), call("find"), result(1), result(2)],
            "calls and results do not pair: 1 calls, 2 results",
        ),
        (
            [user("?"), call("find", ids=("a",)), result(1, id="b"), say("1")],
            "message 3: results of b, but calls a",
        ),
        (
            [user("?"), call("find"), result(1, "book"), say("1")],
            "message 3: results of 'book', but calls of 'find'",
        ),
        ([user("?"), call("fly")], "message 1: a call of 'fly', which is not among the 2 functions"),
    ],
)
def test_an_inconsistent_conversation_is_explained(messages: list[RawMessage], reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        build(*messages)
    assert str(caught.value) == reason


def test_calls_need_functions_and_only_one_of_a_name() -> None:
    with pytest.raises(BadRecord, match=r"^message 1: a call of 'find', but no functions are listed$"):
        build_turns([user("?"), call("find")], [])
    with pytest.raises(BadRecord, match=r"^message 1: a call of 'find', which may be any of 2 functions of that name$"):
        build_turns([user("?"), call("find")], [*TOOLS, TOOLS[0]])
    assert build_turns([user("?"), call("book")], [*TOOLS, TOOLS[0]])
