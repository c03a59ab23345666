"""Who is told how long work goes: a terminal, plain lines, or nobody."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Is told how the work goes: lines for a person, and how much of a stage is done, with a note beside it."""

    def say(self, line: str) -> None: ...

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None: ...


class Silent:
    """A listener that does not listen."""

    def say(self, line: str) -> None:
        pass

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        pass
