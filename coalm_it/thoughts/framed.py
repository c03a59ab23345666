"""Dialogues for which a model writes thoughts, and its result for each thought."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass

from coalm_it.recipe import Part
from coalm_it.samples.targets import make_samples
from coalm_it.schema import Dialogue, Place, Sample, Tool
from coalm_it.thoughts.transcript import list_places


@dataclass(frozen=True, slots=True)
class ThoughtResult:
    """Result of asking a model for one thought."""

    thought: str | None
    """None if no thought was accepted."""
    key: str
    """Key of the last request for it."""
    attempts: int
    mended: bool = False
    """Whether the answer was not valid JSON and had to be mended."""
    reasons: tuple[str, ...] = ()
    """Why the last thought was rejected."""
    score: int | None = None
    """The judge's score, from 1 to 5."""


_REACT = Part(source=("any",), task=("react_action", "react_response"))

_BY_MODEL = {"writer": "model"}
"""Provenance of a thought that is still to be checked."""


@dataclass(frozen=True)
class FramedDialogue:
    """A dialogue together with the tools that its samples show and the checks that they must pass."""

    dialogue: Dialogue
    tools: tuple[Tool, ...]
    checks: Collection[str]

    @property
    def name(self) -> str:
        """Source, split and id: `sgd/train/1_00000`."""
        return self.dialogue.full_name


def make_place_samples(
    dialogue: Dialogue, tools: tuple[Tool, ...], turns: Container[int] | None = None
) -> dict[Place, Sample]:
    """Place -> the sample whose target contains the thought of this place; only of `turns`, unless that is None."""
    by_model = dict.fromkeys(list_places(dialogue), _BY_MODEL)
    samples = make_samples(dialogue, "any", _REACT, tools, by_model, turns=turns)
    return {sample.place: sample for sample in samples}
