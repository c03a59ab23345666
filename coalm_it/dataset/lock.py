"""One process at a time in a folder: a build, a training or an upload holds it, and another one is told who does.

The lock is a file in the user's cache folder, so that nothing of it lies in the folder itself. The operating system
frees it when its holder ends, however that ends. Processes of other machines are not seen.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coalm_it.errors import OutsideError
from coalm_it.files import OutputError, cache_folder, hash_bytes


class FolderInUseError(OutsideError):
    """Another process is at work in the folder; one line that names it."""


@contextmanager
def hold_folder(path: Path, purpose: str) -> Iterator[None]:
    """Holds the folder, which need not exist yet, while the context lasts. `purpose`: what for, e.g. "a build of tod".

    Raises FolderInUseError; OutputError if the cache folder cannot be written.
    """
    lock = cache_folder() / "locks" / hash_bytes(os.fsencode(path.resolve()))[:32]
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        where = "COALM_IT_CACHE can name another folder"
        raise OutputError(f"the cache folder {lock.parent} cannot be written: {error.strerror}; {where}") from None
    try:
        if not _lock(file):
            raise FolderInUseError(f"{path} is in use by {_describe_holder(lock)}: wait for it, or name another folder")
        holder = {"purpose": purpose, "process": os.getpid(), "since": time.strftime("%H:%M:%S")}
        os.ftruncate(file, 0)
        os.write(file, json.dumps(holder).encode())
        yield
    finally:
        os.close(file)


def _describe_holder(lock: Path) -> str:
    try:
        holder = json.loads(lock.read_bytes())
        return f"{holder['purpose']} (process {holder['process']}, since {holder['since']})"
    except (OSError, ValueError, LookupError, TypeError):
        return "another process"


def _lock(file: int) -> bool:
    """Whether the lock was free; it is this process's now. Workers do not inherit it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, 1 << 30, os.SEEK_SET)  # a byte behind the text, which stays readable
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            os.lseek(file, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
