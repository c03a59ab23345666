"""The three kinds of expected error, each with an exit code and a message of one line for the user.

Every error that a room defines is of one of these kinds; the commands print the message and exit with the code.
"""

from __future__ import annotations

from typing import ClassVar


class RequestError(ValueError):
    """The request is wrong: a recipe, an option, a folder, an input without a single valid record."""

    exit_code: ClassVar = 2


class ShortfallError(RuntimeError):
    """The data do not meet a quota, an expectation, a threshold or a ceiling."""

    exit_code: ClassVar = 1


class OutsideError(RuntimeError):
    """Something outside the program failed: network, endpoint, Hub, disk."""

    exit_code: ClassVar = 3
