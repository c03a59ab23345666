"""A model writes the thoughts of a dialogue: its prompt, accepted and rejected thoughts, repair requests."""

from __future__ import annotations

import pytest
from multisteps import answer, drive, failure, read_bundled, settings

from coalm_it.llm.request import Reason
from coalm_it.schema import Place
from coalm_it.thoughts.annotate import plan_annotation
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.grounded import write_thoughts
from coalm_it.thoughts.transcript import list_places, read_thoughts

# 1 before a search, 2 before its result is told, ... (the places of 1_00002; see sources/samples/sgd)
DIALOGUE = "1_00002"


@pytest.fixture(scope="module")
def framed() -> FramedDialogue:
    return read_bundled(DIALOGUE)


@pytest.fixture(scope="module")
def good(framed: FramedDialogue) -> dict[str, str]:
    """Thoughts that pass: those that the annotation gives."""
    places = list_places(framed.dialogue)
    thoughts = read_thoughts(write_thoughts(framed.dialogue, 12), places)
    return {str(number): str(thoughts[place]) for number, place in enumerate(places, 1)}


def test_the_model_sees_the_dialogue_with_numbered_places_above_what_was_done(framed: FramedDialogue) -> None:
    request = next(next(plan_annotation(framed, settings())))
    system, user = (message["content"] for message in request.messages)
    assert "inner reasoning" in system
    assert "Today is Friday, 2019-03-01." in user
    assert "- BookTable(" in user
    lines = user.splitlines()
    assert lines.index("User: Book me a table at Via Tomasi in Seattle for tomorrow night.") + 1 == lines.index("<1>")
    assert lines[lines.index("<1>") + 1] == "Answer: Sure. What time would you like to come?"
    call = next(number for number, line in enumerate(lines) if line.startswith("Call: BookTable("))
    assert lines[call - 1] == "<3>"
    assert lines[call + 1].startswith("Result: {'matches': 1")
    assert request.schema is not None
    assert list(request.schema["properties"]) == [str(n) for n in range(1, 9)]
    assert request.where == "sgd/train/1_00002, turns 0 to 5"


def test_accepted_thoughts_need_no_further_request(framed: FramedDialogue, good: dict[str, str]) -> None:
    written, requests = drive(next(plan_annotation(framed, settings())), [answer(good)])
    assert len(requests) == 1
    assert list(written) == list_places(framed.dialogue)
    assert [one.thought for one in written.values()] == list(good.values())
    assert {(one.attempts, one.mended, one.reasons) for one in written.values()} == {(1, False, ())}


def test_a_rejected_thought_is_requested_again_with_the_reason(framed: FramedDialogue, good: dict[str, str]) -> None:
    leaking = {**good, "3": "They agreed, so BookTable is next; it will be 20:15 rather than 19:30."}
    repaired = {"3": good["3"]}
    written, requests = drive(next(plan_annotation(framed, settings())), [answer(leaking, "a"), answer(repaired, "b")])
    again = requests[1]
    assert again.messages[:2] == requests[0].messages
    assert again.messages[2]["role"] == "assistant"
    assert "20:15" in again.messages[2]["content"]
    assert "- 3: the thought already knows '20:15'" in again.messages[3]["content"]
    assert again.schema is not None
    assert list(again.schema["properties"]) == ["3"]
    third = written[Place(2, 0)]
    assert (third.thought, third.key, third.attempts) == (good["3"], "b", 2)
    assert written[Place(0, None)].key == "a"


def test_after_the_last_repair_a_thought_is_rejected_with_its_reasons(
    framed: FramedDialogue, good: dict[str, str]
) -> None:
    leaking = {"3": "They agreed, so BookTable is next; it will be 20:15 rather than 19:30."}
    outcomes = [answer({**good, **leaking}), answer(leaking), answer(leaking)]
    written, _ = drive(next(plan_annotation(framed, settings(repairs=2))), outcomes)
    third = written[Place(2, 0)]
    assert third.thought is None
    assert third.attempts == 3
    assert "already knows '20:15'" in third.reasons[0]
    assert sum(one.thought is None for one in written.values()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I cannot do that.", "the answer was not the JSON object that was asked for"),
        ('["a list"]', "the answer was not the JSON object that was asked for"),
        ('{"1": 5}', "the answer was not the JSON object that was asked for"),
        ('{"1": "They want a table."}', "no thought was given for this place"),
    ],
)
def test_the_model_is_told_that_its_answer_has_another_form(
    framed: FramedDialogue, good: dict[str, str], text: str, reason: str
) -> None:
    written, requests = drive(next(plan_annotation(framed, settings())), [answer(text), answer(good)])
    assert f"- 2: {reason}" in requests[1].messages[3]["content"]
    assert all(one.thought for one in written.values())


def test_a_code_fence_odd_keys_and_invalid_json_are_tolerated(framed: FramedDialogue, good: dict[str, str]) -> None:
    members = ",\n".join(f'"<{key}>": "{text}"' for key, text in good.items() if '"' not in text)
    left = [key for key, text in good.items() if '"' in text]
    broken = "Here you are:\n```json\n{" + members + ",\n```"
    outcomes = [answer(broken), *([answer({key: good[key] for key in left})] if left else [])]
    written, _ = drive(next(plan_annotation(framed, settings())), outcomes)
    assert all(one.thought for one in written.values())
    assert any(one.mended for one in written.values())


def test_a_truncated_answer_is_requested_as_another_sample(framed: FramedDialogue, good: dict[str, str]) -> None:
    written, requests = drive(next(plan_annotation(framed, settings())), [failure("length"), answer(good)])
    assert requests[0].messages == requests[1].messages
    assert [request.sample for request in requests] == [0, 1]
    assert {one.attempts for one in written.values()} == {2}


@pytest.mark.parametrize("reason", ["content_filter", "rejected", "failed", "oversized"])
def test_a_rejected_request_is_not_sent_again(framed: FramedDialogue, reason: Reason) -> None:
    written, requests = drive(next(plan_annotation(framed, settings())), [failure(reason)])
    assert len(requests) == 1
    assert {one.reasons for one in written.values()} == {(f"{reason}: why",)}


def test_a_long_dialogue_goes_into_several_requests_that_do_not_depend_on_each_other(framed: FramedDialogue) -> None:
    multisteps = list(plan_annotation(framed, settings(turns_per_request=4)))
    first, second = (next(multistep) for multistep in multisteps)
    assert first.where.endswith("turns 0 to 3")
    assert second.where.endswith("turns 4 to 5")
    later = second.messages[1]["content"]
    before, after = later.split("It goes on:")
    assert "The conversation so far:" in before
    assert "<1>" not in before
    assert "User: Book me a table at Via Tomasi" in before
    assert after.count("<1>") == 1
