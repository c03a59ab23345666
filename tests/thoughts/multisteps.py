"""Multistep requests without a model, driven with answers that a test writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from coalm_it.assets import asset
from coalm_it.checks import CHECKS
from coalm_it.llm.multistep import MultistepRequest
from coalm_it.llm.request import Answer, Failure, Outcome, Reason, Request
from coalm_it.readers import read_dialogues
from coalm_it.recipe import Reasoning
from coalm_it.samples.targets import shorten_observations
from coalm_it.schema import Dialogue
from coalm_it.thoughts.framed import FramedDialogue

T = TypeVar("T")


def read_bundled(dialogue: str) -> FramedDialogue:
    """A dialogue of the bundled SGD samples, with its own tools and all checks."""
    found = (
        one
        for one in read_dialogues("sgd", asset("sources", "samples"))
        if isinstance(one, Dialogue) and one.id == dialogue
    )
    read = shorten_observations(next(found), 2)
    return FramedDialogue(read, read.tools, CHECKS)


def settings(**changes: Any) -> Reasoning:
    return Reasoning.model_validate({"writer": "annotate", "model": "m", "turns_per_request": 50, **changes})


def answer(text: Any, key: str = "k") -> Answer:
    text = text if isinstance(text, str) else json.dumps(text)
    return Answer(key, text, "m", "stop", 10, 10, 0.1, "2026-01-01T00:00:00Z")


def failure(reason: Reason, key: str = "k") -> Failure:
    return Failure(key, reason, "why", "", "m", None, None, 0.0, "2026-01-01T00:00:00Z")


def drive(multistep: MultistepRequest[T], outcomes: Iterable[Outcome]) -> tuple[T, list[Request]]:
    """The result of a multistep request that is sent these outcomes, and its requests. All outcomes must be used."""
    requests, given = [next(multistep)], iter(outcomes)
    try:
        while True:
            requests.append(multistep.send(next(given)))
    except StopIteration as end:
        assert next(given, None) is None, "not every outcome was used"
        return end.value, requests


def write_each(request: Request, write: Callable[[int], str]) -> dict[str, str]:
    """A thought for each place that a request asks for."""
    assert request.schema is not None
    return {key: write(int(key)) for key in request.schema["properties"]}
