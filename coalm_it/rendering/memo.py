"""What is written of a turn is written once, however many samples of its dialogue show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from coalm_it.schema import Turn

T = TypeVar("T")


class TurnMemo(Generic[T]):
    """Calls `write` once for each turn of the dialogue at hand. Turns are told apart by identity."""

    def __init__(self, write: Callable[[Turn], T]) -> None:
        self._write = write
        self._turns: Sequence[Turn] = ()
        self._written: dict[int, T] = {}

    def attend(self, turns: Sequence[Turn]) -> None:
        """Makes theirs the dialogue at hand; it is kept alive, so that no identity is used twice meanwhile."""
        if not self._turns or self._turns[0] is not turns[0]:
            self.forget()
        self._turns = turns

    def forget(self) -> None:
        """What is written from now on differs, for the same turns too."""
        self._written = {}

    def __call__(self, turn: Turn) -> T:
        if id(turn) not in self._written:
            self._written[id(turn)] = self._write(turn)
        return self._written[id(turn)]
