"""The annotation contract: docs/annotation.md lists the dialogue acts, and code uses no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

import coalm_it
from coalm_it.schema import (
    ActName,
    Call,
    Dialogue,
    Step,
    Turn,
    format_sample_id,
    parse_dialogue_id,
    parse_dialogue_name,
)

PACKAGE = Path(coalm_it.__file__).parent
ACTS = set(get_args(ActName))
OTHER_WORDS = {"LATIN"}
"""The script in the names of Unicode."""


def test_every_act_is_described_and_no_other() -> None:
    text = (PACKAGE.parent / "docs" / "annotation.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)) == ACTS


@pytest.mark.parametrize("room", ["checks", "samples", "thoughts"])
def test_code_names_only_known_acts(room: str) -> None:
    for path in sorted((PACKAGE / room).rglob("*.py")):
        constants = (
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant)
        )
        words = {value for value in constants if isinstance(value, str) and re.fullmatch("[A-Z]+(_[A-Z]+)*", value)}
        assert {word for word in words if len(word) > 4} <= ACTS | OTHER_WORDS, path.name


def test_names_of_dialogues_and_samples() -> None:
    dialogue = Dialogue(id="a/1", source="sgd", split="train", licence="MIT", turns=(Turn(user="Hello."),))
    assert dialogue.full_name == "sgd/train/a/1"
    assert parse_dialogue_id(dialogue.full_name) == "a/1"
    assert parse_dialogue_id("1_00001") == "1_00001"
    assert format_sample_id(dialogue.full_name, 2, "react_action") == "sgd/train/a/1/2/react_action"
    assert format_sample_id(dialogue.full_name, 2, "react_action", 1) == "sgd/train/a/1/2/react_action.1"
    assert parse_dialogue_name("sgd/train/a/1/2/react_action.1") == dialogue.full_name


def test_calls_stand_beside_their_observations() -> None:
    one, two = Call(name="find"), Call(name="book")
    assert list(Step(calls=(one, two), observations=({"matches": 0}, "done")).exchanges) == [
        (one, {"matches": 0}),
        (two, "done"),
    ]
    assert list(Step(calls=(one,)).exchanges) == []
