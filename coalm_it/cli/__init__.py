"""The commands; no logic. Rooms are imported where a command needs them, so that --help is instant."""

from __future__ import annotations

from coalm_it.cli import (
    build,
    cache,
    diff,
    estimate,
    eval,
    export,
    ledger,
    model,
    publish,
    rebuild,
    show,
    sources,
    stats,
    train,
    verify,
)
from coalm_it.cli.app import app

__all__ = [
    "app",
    "build",
    "cache",
    "diff",
    "estimate",
    "eval",
    "export",
    "ledger",
    "model",
    "publish",
    "rebuild",
    "show",
    "sources",
    "stats",
    "train",
    "verify",
]
