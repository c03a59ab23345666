"""Files that are either complete or absent: written to a temporary name beside their path, then renamed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_path

from coalm_it.errors import OutsideError, RequestError


def cache_folder() -> Path:
    """Where finished shards, locks and model answers are kept between runs.

    The folder that the variable COALM_IT_CACHE names, else the platform's: ~/.cache/coalm-it on Linux. Raises
    RequestError if the variable names a file, or something below one.
    """
    named = os.environ.get("COALM_IT_CACHE")
    if not named:
        return user_cache_path("coalm-it", appauthor=False)
    for place in (Path(named), *Path(named).parents):
        if place.exists() and not place.is_dir():
            raise RequestError(f"COALM_IT_CACHE={named}: {place} is a file; the variable names a folder")
    return Path(named)


class OutputError(OutsideError):
    """A file cannot be written; the message is one line for the user."""


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, for a file or a folder; it is renamed on success, and removed otherwise.

    Raises OutputError.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise OutputError(f"{path} cannot be written: {reason}") from None
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        with suppress(OSError):
            part.unlink()


def write_text(path: Path, text: str) -> None:
    with write_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")  # the same bytes on every system


def hash_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def hash_file(path: Path) -> str:
    """Its sha256. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
