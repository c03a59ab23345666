"""Finds the files that travel with the package: templates/, sources/, recipes/, train/, eval/.

In a checkout they lie at its top level, for people to read and copy; in a wheel inside the package.
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

    Raises FileNotFoundError, which names what lies there instead.
    """
    path = _ROOT.joinpath(kind, *parts)
    if not path.exists():
        name = "/".join((kind, *parts))
        known = sorted(beside.name for beside in path.parent.glob("*"))
        raise FileNotFoundError(f"no {name} in coalm-it; beside it there is: {', '.join(known) or 'nothing'}")
    return path


def list_assets(kind: Kind, suffix: str) -> list[Path]:
    """The paths of all files below `kind` whose name ends in `suffix`, sorted."""
    return sorted(path for path in asset(kind).rglob(f"*{suffix}") if path.is_file())


@cache
def fingerprint_package() -> str:
    """A hash of the package's code and templates: what an older version has made is not taken for this one's."""
    digest = hashlib.blake2b(digest_size=16)
    for path in [*sorted(_PACKAGE.rglob("*.py")), *list_assets("templates", "")]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
