"""What a thread that downloads shares with the one that watches it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from coalm_it.errors import OutsideError

FIRST_PAUSE = 0.5
"""Seconds before something that failed is tried again; each further pause is twice as long."""


class FetchError(OutsideError):
    """Something outside failed: network, server, Hub or disk; one line for the person who must act."""


class Stopped(Exception):
    """The person who waits has stopped it."""


@dataclass
class Job:
    """One thing to bring: a file, or the folders of a repository, which come in one archive."""

    work: Callable[[Job], None]
    total: int | None
    """Bytes, where they are known."""
    stop: threading.Event
    pause: float = FIRST_PAUSE
    done: int = 0
    written: int = 0
    """Bytes, in this run."""
    notes: list[str] = field(default_factory=list)
    """Lines that the watching thread is to say."""

    def advance(self, count: int) -> None:
        """Counts bytes that are about to be written. Raises Stopped."""
        self.done += count
        self.written += count
        if self.stop.is_set():
            raise Stopped

    def skip(self) -> None:
        """There is nothing to bring."""
        self.done = self.total = self.total or 0

    def wait(self, seconds: float) -> None:
        """Raises Stopped as soon as it is to stop."""
        if self.stop.wait(seconds):
            raise Stopped
