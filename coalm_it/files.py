"""Files that are either complete or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coalm_it.errors import OutsideError


class OutputError(OutsideError):
    """A file cannot be written; the message is one line for the user."""


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """A temporary path to write to: renamed to `path` on success, deleted otherwise. Raises OutputError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise OutputError(f"{path} cannot be written: {reason}") from None
    finally:
        with suppress(OSError):
            part.unlink()


def write_text(path: Path, text: str) -> None:
    with write_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def hash_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
