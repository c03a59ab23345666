"""The commands; no logic. Rooms are imported where a command needs them, so that --help is instant."""

from __future__ import annotations

from coalm_it.cli import building, corpora, evaluating, training
from coalm_it.cli.app import app

__all__ = ["app", "building", "corpora", "evaluating", "training"]
