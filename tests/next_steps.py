"""Reads the line with which a command names the likely next ones."""

from __future__ import annotations

import re
import shlex

import typer
from typer.core import TyperGroup
from typer.testing import Result

from coalm_it.cli import app


def read_next(result: Result) -> list[str]:
    """The steps in the last line of stderr. Each command among them takes the arguments that it is given."""
    assert result.exit_code == 0, result.output
    last = result.stderr.splitlines()[-1]
    assert last.startswith("next: "), result.stderr
    steps = last.removeprefix("next: ").split("; or ")
    for step in steps:
        if step.startswith("coalm-it "):
            _parse(shlex.split(re.sub(" > .*", "", step))[1:])
    return steps


def _parse(words: list[str]) -> None:
    group = typer.main.get_group(app)
    name, *rest = words
    command = group.commands[name]
    if isinstance(command, TyperGroup):
        name, *rest = rest
        command = command.commands[name]
    command.make_context(name, rest)  # raises where an option is unknown or an argument is missing
