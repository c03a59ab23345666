"""How a command ends that does not end well: three kinds of error, each one line for the person who must act.

Every room's own errors are of one of these kinds; the commands print them and end with the exit code.
"""

from __future__ import annotations

from typing import ClassVar


class RequestError(ValueError):
    """The request is wrong: a recipe, an option, a folder, an input with nothing good in it."""

    exit_code: ClassVar = 2


class ShortfallError(RuntimeError):
    """The data fell short: of a quota, an expectation, a threshold, a ceiling."""

    exit_code: ClassVar = 1


class OutsideError(RuntimeError):
    """Something outside failed: network, endpoint, Hub, disk."""

    exit_code: ClassVar = 3
