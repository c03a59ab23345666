"""A dialogue with what its samples show and are held to, and what became of each thought that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass

from coalm_it.recipe import Part
from coalm_it.samples.targets import make_samples
from coalm_it.schema import Dialogue, Place, Sample, Tool


@dataclass(frozen=True, slots=True)
class ThoughtResult:
    """What became of one thought that a model was asked for."""

    thought: str | None
    """None where none passed the checks."""
    key: str
    """Of the last request about it."""
    attempts: int
    mended: bool = False
    """Whether the answer had to be mended to be JSON."""
    reasons: tuple[str, ...] = ()
    """Why the last one did not pass."""
    score: int | None = None
    """The judge's, from 1 to 5."""


_REACT = Part(source=("any",), task=("react_action", "react_response"))


@dataclass(frozen=True)
class FramedDialogue:
    """A dialogue about which a model is asked, and what its samples show and are held to."""

    dialogue: Dialogue
    tools: tuple[Tool, ...]
    """Those that the samples show."""
    checks: Collection[str]

    @property
    def where(self) -> str:
        return self.dialogue.full_name


def sample_places(
    dialogue: Dialogue, tools: tuple[Tool, ...], turns: Container[int] | None = None
) -> dict[Place, Sample]:
    """The sample of which each place holds the target's thought; of these turns, where not all are wanted."""
    samples = make_samples(dialogue, "any", _REACT, tools, turns=turns)
    return {sample.place: sample for sample in samples}
