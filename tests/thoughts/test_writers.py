"""Thoughts from the answers in a ledger: accepted ones, and what replaces rejected ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from multisteps import answer, read_bundled, settings

from coalm_it.llm.ledger import Ledger, MissingAnswerError, open_ledger
from coalm_it.llm.multistep import serve_from_ledger
from coalm_it.llm.request import Outcome, Request, request_key
from coalm_it.recipe import Reasoning, load_recipe
from coalm_it.schema import Place
from coalm_it.thoughts.grounded import write_thoughts
from coalm_it.thoughts.transcript import list_places, read_thoughts
from coalm_it.thoughts.writers import (
    DialogueWithThoughts,
    add_thoughts,
    plan_judge_requests,
    plan_writer_requests,
    read_ledger,
)

FRAMED = read_bundled("1_00002")
PLACES = list_places(FRAMED.dialogue)
GROUNDED = write_thoughts(FRAMED.dialogue, 12)
GOOD = {str(number): str(thought) for number, thought in enumerate(read_thoughts(GROUNDED, PLACES).values(), 1)}
OTHER = {**GOOD, "1": "A table for tomorrow night; I still need the time."}
BOOKING = Place(2, 0)
LEAK = "They agreed, so BookTable is next; it will be 20:15 rather than 19:30."

Write = Callable[[Request], Any]


def write_by_hand(ledger: Ledger, reasoning: Reasoning, write: Write, score: int = 5) -> None:
    """Puts an answer to whatever is asked about the dialogue into the ledger."""

    def settle(reply: Callable[[Request], Any], multisteps: Any, to: Any) -> None:
        for multistep in multisteps:
            request = next(multistep)
            while True:
                outcome = answer(reply(request), request_key(request, to))
                ledger.store([outcome]).result()
                try:
                    request = multistep.send(outcome)
                except StopIteration:
                    break

    settle(write, plan_writer_requests(FRAMED, reasoning), reasoning)
    if reasoning.judge is not None:
        keys = lambda request: dict.fromkeys(request.schema["properties"], score)  # noqa: E731
        settle(keys, plan_judge_requests(FRAMED, reasoning, ledger), reasoning.judge)


@pytest.fixture
def think(tmp_path: Path) -> Callable[..., DialogueWithThoughts]:
    """`think(write, ...)`: the dialogue as it comes out where `write` answers requests and the recipe says `...`."""

    def think(write: Write, *, score: int = 5, **changes: Any) -> DialogueWithThoughts:
        recipe = load_recipe("tod").model_copy(update={"reasoning": settings(**changes)})
        with open_ledger(tmp_path / "answers.sqlite") as ledger:
            write_by_hand(ledger, recipe.reasoning, write, score)
            return add_thoughts(FRAMED, recipe, ledger)

    return think


def only(thoughts: dict[str, str]) -> Write:
    """Answers with those of the thoughts that are asked for."""
    return lambda request: {key: thoughts[key] for key in request.schema["properties"]}  # type: ignore[index]


def test_the_models_thoughts_are_in_their_places_with_their_provenance(
    think: Callable[..., DialogueWithThoughts],
) -> None:
    result = think(only(OTHER))
    assert read_thoughts(result.dialogue, PLACES) == dict(zip(PLACES, OTHER.values(), strict=True))
    assert [turn.reply for turn in result.dialogue.turns] == [turn.reply for turn in FRAMED.dialogue.turns]
    provenance = result.provenance[Place(0, None)]
    assert {**provenance, "request": None} == {"writer": "annotate", "model": "m", "request": None, "attempts": 1}
    assert result.thought_counts == {"first": 8}


def test_a_rejected_thought_is_replaced_by_a_grounded_one(think: Callable[..., DialogueWithThoughts]) -> None:
    result = think(only({**OTHER, "3": LEAK}))
    assert read_thoughts(result.dialogue, [BOOKING]) == read_thoughts(GROUNDED, [BOOKING])
    provenance = result.provenance[BOOKING]
    assert provenance["writer"] == "grounded"
    assert provenance["instead_of"]["attempts"] == 3
    assert "20:15" in provenance["instead_of"]["because"][0]
    assert result.thought_counts == {"first": 7, "replaced": 1}
    assert result.missing == {}


def test_or_it_is_left_out_with_its_reason(think: Callable[..., DialogueWithThoughts]) -> None:
    result = think(only({**OTHER, "3": LEAK}), fallback="reject")
    assert read_thoughts(result.dialogue, [BOOKING]) == {BOOKING: None}
    assert list(result.missing) == [BOOKING]
    assert result.missing[BOOKING].startswith("no thought passed in 3 attempts: the thought already knows '20:15'")
    assert result.thought_counts == {"first": 7, "rejected": 1}


def test_a_repaired_thought_says_how_often_it_was_asked_for(think: Callable[..., DialogueWithThoughts]) -> None:
    result = think(lambda request: {**only(OTHER)(request), **({} if len(request.messages) > 2 else {"3": LEAK})})
    assert result.provenance[BOOKING]["attempts"] == 2
    assert result.thought_counts == {"first": 7, "repaired": 1}


def test_a_thought_that_the_judge_scores_too_low_is_rejected(think: Callable[..., DialogueWithThoughts]) -> None:
    judge = {"model": "j", "min_score": 4}
    kept = think(only(OTHER), judge=judge, score=4)
    assert {provenance["score"] for provenance in kept.provenance.values()} == {4}
    low = think(only(OTHER), judge={**judge, "min_score": 5}, score=4)
    assert low.thought_counts == {"replaced": 8}
    assert low.provenance[BOOKING]["instead_of"]["because"] == ["the judge scores it 4 of 5"]


def test_a_copy_of_a_thought_from_another_request_is_found(think: Callable[..., DialogueWithThoughts]) -> None:
    same = "They would rather have a table at Via Tomasi, as they said before."

    def copy(request: Request) -> dict[str, str]:
        assert request.schema is not None
        first = next(iter(request.schema["properties"]))
        start = 0 if "turns 0" in request.where else 6
        given = {key: list(OTHER.values())[start + int(key) - 1] for key in request.schema["properties"]}
        return {**given, first: same}

    result = think(copy, turns_per_request=4)
    assert result.thought_counts["replaced"] == 1


def test_a_rejected_rewritten_dialogue_is_replaced_as_a_whole(think: Callable[..., DialogueWithThoughts]) -> None:
    result = think(lambda request: "no", writer="rewrite")
    assert result.dialogue == GROUNDED
    assert result.thought_counts == {"replaced": 8}
    left = think(lambda request: "no", writer="rewrite", fallback="reject")
    assert len(left.missing) == 8


def test_without_a_model_every_thought_is_grounded() -> None:
    result = add_thoughts(FRAMED, load_recipe("tod"), None)
    assert result.dialogue == GROUNDED
    assert {provenance["writer"] for provenance in result.provenance.values()} == {"grounded"}
    assert result.thought_counts == {"grounded": 8}


def test_a_missing_answer_names_dialogue_and_turns(tmp_path: Path) -> None:
    recipe = load_recipe("tod").model_copy(update={"reasoning": settings()})
    with (
        open_ledger(tmp_path / "empty.sqlite") as ledger,
        pytest.raises(MissingAnswerError, match="1_00002, turns 0 to 5"),
    ):
        add_thoughts(FRAMED, recipe, ledger)


def test_a_file_of_answers_serves_as_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    reasoning = settings()
    request = next(next(plan_writer_requests(FRAMED, reasoning)))
    outcome = answer(GOOD, request_key(request, reasoning))
    path.write_text('{"coalm_it_answers": 1}\n' + json.dumps(asdict(outcome)))
    with read_ledger(path) as ledger:
        assert ledger is not None
        told: list[Outcome] = []
        serve_from_ledger([replace(request)], reasoning, ledger, lambda one, got: told.append(got))
    assert told == [outcome]
