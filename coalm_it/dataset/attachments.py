"""The files of a build folder to which its recipe refers: a user's own templates and descriptions of corpora."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from coalm_it.files import write_whole

SOURCES = "sources"
TEMPLATES = "templates"


def write_attachments(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Writes the files, by their paths below the folder, and removes those of an earlier build. Raises OutputError."""
    written = [folder / name for name in contents]
    for path, content in zip(written, contents.values(), strict=True):
        with write_whole(path) as part:
            part.write_bytes(content)
    for kind in (SOURCES, TEMPLATES):
        for path in sorted((folder / kind).rglob("*")):
            if path.is_file() and path not in written:
                path.unlink()
        if not any(path.is_file() for path in (folder / kind).rglob("*")):
            shutil.rmtree(folder / kind, ignore_errors=True)
    return written
