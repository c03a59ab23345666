"""Finds the files that are distributed with the package: templates/, sources/, recipes/, train/, eval/.

In a checkout they are at the top level, for people to read and copy; in a wheel they are inside the package.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Literal

Kind = Literal["eval", "recipes", "sources", "templates", "train"]

_PACKAGE = Path(__file__).resolve().parent
_WHEEL_ASSETS = _PACKAGE / "_assets"
_ROOT = _WHEEL_ASSETS if _WHEEL_ASSETS.is_dir() else _PACKAGE.parent


def asset(kind: Kind, *parts: str) -> Path:
    """The path of a file or folder below `kind`: asset("templates", "rows", "snips.jinja").

    Raises FileNotFoundError, whose message lists the files in that folder.
    """
    path = _ROOT.joinpath(kind, *parts)
    if not path.exists():
        name = "/".join((kind, *parts))
        known = sorted(other.name for other in path.parent.glob("*"))
        raise FileNotFoundError(f"no {name} in coalm-it; its folder contains: {', '.join(known) or 'nothing'}")
    return path


def list_assets(kind: Kind, suffix: str) -> list[Path]:
    """The paths of all files below `kind` whose name ends in `suffix`, sorted."""
    return sorted(path for path in asset(kind).rglob(f"*{suffix}") if path.is_file())


@cache
def fingerprint_package() -> str:
    """A hash of the code and templates of the package, so that results of another version are not reused."""
    digest = hashlib.blake2b(digest_size=16)
    for path in [*sorted(_PACKAGE.rglob("*.py")), *list_assets("templates", "")]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
