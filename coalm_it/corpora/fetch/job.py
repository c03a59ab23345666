"""The state that a downloading thread shares with the thread that watches it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from coalm_it.errors import OutsideError

FIRST_PAUSE = 0.5
"""Time before the first retry, in seconds; each further pause is twice as long."""


class FetchError(OutsideError):
    """Network, server, Hub or disk failed; the message is one line for the user."""


class Stopped(Exception):
    """The user has stopped the download."""


@dataclass
class Job:
    """One download: a file, or the folders of a repository, which come in one archive."""

    work: Callable[[Job], None]
    total: int | None
    """Bytes, if known."""
    stop: threading.Event
    pause: float = FIRST_PAUSE
    done: int = 0
    written: int = 0
    """Bytes written in this run."""
    notes: list[str] = field(default_factory=list)
    """Lines for the watching thread to report."""

    def advance(self, count: int) -> None:
        """Counts bytes before they are written. Raises Stopped."""
        self.done += count
        self.written += count
        if self.stop.is_set():
            raise Stopped

    def skip(self) -> None:
        """Marks the job as done: there is nothing to download."""
        self.done = self.total = self.total or 0

    def wait(self, seconds: float) -> None:
        """Waits; raises Stopped as soon as the user stops the download."""
        if self.stop.wait(seconds):
            raise Stopped
