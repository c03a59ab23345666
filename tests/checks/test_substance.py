"""A model's thought that would fit before any call of a function is found; one with a thing of its moment passes."""

from __future__ import annotations

import pytest
from dinner import with_turn
from outings import SONGS, SUPPER, think
from test_written_thoughts import SONGS_THOUGHTS, SUPPER_THOUGHTS

from coalm_it.checks import run_checks
from coalm_it.checks.substance import check_substance
from coalm_it.schema import Dialogue, Sample

EMPTY_BEFORE_CALLS = [
    "Fine, their wish is easy to follow: FindRestaurants it is.",
    "The user wants me to find restaurants, so I call FindRestaurants.",
    "I have all I need to use the function, so let me go on.",
]
EMPTY_AFTER_RESULTS = ["Good, now I can answer the user.", "FindRestaurants gave what I need, so I tell them."]


def by_model(sample: Sample, writer: str = "annotate") -> Sample:
    return sample.model_copy(update={"provenance": {"writer": writer}})


@pytest.mark.parametrize(
    ("where", "thought"),
    [("call", one) for one in EMPTY_BEFORE_CALLS] + [("reply", one) for one in EMPTY_AFTER_RESULTS],
)
def test_a_thought_that_holds_nothing_of_its_moment_is_found(where: str, thought: str) -> None:
    sample = think(SUPPER, 1, where, thought)
    (finding,) = check_substance(by_model(sample))
    assert finding.where == "thought"
    assert "holds nothing of this moment; name a value of " in finding.message
    assert finding in run_checks(by_model(sample, "rewrite"))
    # what comes from annotation, or from the corpus itself, is not judged so
    assert check_substance(by_model(sample, "grounded")) == check_substance(sample) == []


@pytest.mark.parametrize(
    ("where", "thought"),
    [
        ("call", "Port Haven it is: FindRestaurants."),
        ("call", "Latin food then; FindRestaurants."),
        ("call", "The city is settled, on to FindRestaurants."),
        ("reply", "Three came back; I'll name one."),
        ("reply", "Nothing came back, so I have to say so."),
        ("reply", "Rosa's it is."),
    ],
)
def test_one_thing_is_enough(where: str, thought: str) -> None:
    assert check_substance(by_model(think(SUPPER, 1, where, thought))) == []


def test_a_reply_without_a_result_needs_none() -> None:
    last = len(SUPPER.turns) - 1
    sample = think(SUPPER, last, "reply", "Good, that is all.")
    assert check_substance(by_model(with_turn(sample, steps=()))) == []


@pytest.mark.parametrize(
    ("dialogue", "thoughts"), [(SUPPER, SUPPER_THOUGHTS), (SONGS, SONGS_THOUGHTS)], ids=["supper", "songs"]
)
def test_good_thoughts_have_substance(dialogue: Dialogue, thoughts: dict[tuple[int, str], list[str]]) -> None:
    for (number, where), written in thoughts.items():
        for thought in written:
            assert check_substance(by_model(think(dialogue, number, where, thought))) == [], thought
