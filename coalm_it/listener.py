"""Progress of long work, reported to a terminal, as plain lines, or to nobody."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Receives progress: lines for people to read, and how much of a stage is done, with an optional note."""

    def say(self, line: str) -> None: ...

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None: ...


class Silent:
    """A listener that ignores everything."""

    def say(self, line: str) -> None:
        pass

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        pass
