"""Turns raw dialogue and function-calling corpora into a data set for agents that reason and call tools.

From Python: `coalm_it.build("tod", data="corpora", out="out/tod")`; the commands are a thin skin over it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOM_OF = {
    "build": "coalm_it.pipeline.build",
    "check": "coalm_it.checks",
    "diff": "coalm_it.reports.diff",
    "export": "coalm_it.dataset.export",
    "read_dialogues": "coalm_it.readers",
    "stats": "coalm_it.reports.stats",
}


def __getattr__(name: str) -> Any:
    # Imported when first asked for, so that `import coalm_it` costs nothing (PEP 562).
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(import_module(_ROOM_OF[name]))[name]


def __dir__() -> list[str]:
    return [*globals(), *_ROOM_OF]
