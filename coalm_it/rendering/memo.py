"""Caches the text of a turn, which many samples of its dialogue show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from coalm_it.schema import Turn

T = TypeVar("T")


class TurnMemo(Generic[T]):
    """Calls `write` once for each turn of the current dialogue. Turns are compared by identity."""

    def __init__(self, write: Callable[[Turn], T]) -> None:
        self._write = write
        self._turns: Sequence[Turn] = ()
        self._written: dict[int, T] = {}

    def use_dialogue(self, turns: Sequence[Turn]) -> None:
        """Set the current dialogue, by its turns. They are kept alive, so that no identity is reused meanwhile."""
        if not self._turns or self._turns[0] is not turns[0]:
            self.clear()
        self._turns = turns

    def clear(self) -> None:
        """Empty the cache, for instance because `write` will give another result for the same turns."""
        self._written = {}

    def __call__(self, turn: Turn) -> T:
        if id(turn) not in self._written:
            self._written[id(turn)] = self._write(turn)
        return self._written[id(turn)]
