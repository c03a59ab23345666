"""Unpacks untrusted archives, and verifies folders by their git id."""

from __future__ import annotations

import hashlib
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from coalm_it.corpora.sources import is_safe_path
from coalm_it.corpora.zip_files import MAX_BYTES, MAX_FILES, UNREADABLE, limit_unpacked, open_member

CHUNK = 1 << 18
_PACKED_CHUNK = 1 << 14
"""Compressed bytes that are unpacked at a time: up to a thousand times as many come out."""


class ArchiveError(ValueError):
    """The archive cannot be unpacked; the message is one line, without the name of the archive."""


@dataclass(frozen=True)
class Member:
    """A file in an archive. It can be read until the next member is requested."""

    name: str
    content: IO[bytes] | None
    """None if it is not a plain file: a link, a device."""


def unpack_file(path: Path, folder: Path, report: Callable[[int], None]) -> None:
    """Unpacks a zip or tar file, compressed or not, by `unpack`, within the limit for its size. Raises ArchiveError.

    Errors of the disk that is written to are raised as they are.
    """
    try:
        with path.open("rb") as file:
            members = _read_zip(file) if path.suffix.lower() == ".zip" else _read_tar_file(file)
            unpack(members, folder, report, limit_unpacked(path.stat().st_size))
    except ArchiveError:
        raise
    except (tarfile.TarError, lzma.LZMAError, *UNREADABLE) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk; gzip and bz2 raise some without a number for what they cannot read
        raise ArchiveError(f"it cannot be read: {error}") from None


def read_tar(stream: IO[bytes]) -> Iterator[Member]:
    """The files of a tar file while it is received, so that it need not be stored. Raises the errors of tarfile."""
    with tarfile.open(fileobj=stream, mode="r|*", bufsize=_PACKED_CHUNK) as archive:
        yield from _list_members(archive)


def _read_tar_file(file: IO[bytes]) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:*") as archive:
        yield from _list_members(archive)


def _list_members(archive: tarfile.TarFile) -> Iterator[Member]:
    for info in archive:
        if not info.isdir():
            yield Member(info.name, archive.extractfile(info) if info.isreg() else None)


def _read_zip(file: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                yield Member(info.filename, None)
            else:
                with open_member(archive, info) as content:
                    yield Member(info.filename, content)


def unpack(members: Iterator[Member], folder: Path, report: Callable[[int], None], most_bytes: int = MAX_BYTES) -> None:
    """Writes plain files to the new folder `folder`, except hidden ones; `report` gets the number of bytes written.

    Nothing is written elsewhere, and no more than `most_bytes`. Raises ArchiveError; files written so far remain.
    """
    folder.mkdir(parents=True)
    files = written = 0
    for member in members:
        if not is_safe_path(member.name):
            raise ArchiveError(f"{member.name!r} would lie outside the folder that it is unpacked to")
        path = PurePosixPath(member.name.replace("\\", "/"))
        if any(part.startswith(".") for part in path.parts):
            continue
        if member.content is None:
            raise ArchiveError(f"{member.name!r} is no plain file but a link or a device")
        files += 1
        if files > MAX_FILES:
            raise ArchiveError(f"it holds more than {MAX_FILES:,} files")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            out = target.open("xb")
        except FileExistsError:
            raise ArchiveError(f"it holds {member.name!r} twice") from None
        with out:
            while chunk := member.content.read(CHUNK):
                written += len(chunk)
                if written > most_bytes:
                    raise ArchiveError(f"it unpacks to more than {most_bytes:,} bytes")
                out.write(chunk)
                report(len(chunk))


def hash_tree(folder: Path) -> str:
    """The git id of a folder (`git rev-parse COMMIT:FOLDER`), which depends on every name and every byte.

    Hidden files are left out, and no file counts as executable.
    """
    return _hash_folder(folder).hex()


def _hash_folder(folder: Path) -> bytes:
    entries = []
    for path in folder.iterdir():
        name = path.name.encode()
        if name.startswith(b"."):
            continue
        if path.is_dir():
            entries.append((name + b"/", b"40000 " + name + b"\0" + _hash_folder(path)))
        else:
            entries.append((name, b"100644 " + name + b"\0" + _hash_file(path)))
    body = b"".join(line for _, line in sorted(entries))
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).digest()


def _hash_file(path: Path) -> bytes:
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()
