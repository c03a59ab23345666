"""Renders the macros of templates/prompts, and describes the functions of a dialogue for prompts."""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Any

from coalm_it.schema import Dialogue, Tool
from coalm_it.templates import render_macro

PromptMessage = dict[str, Any]
Messages = tuple[PromptMessage, ...]


def render_prompt(name: str, macro: str, *values: object) -> str:
    """The output of a macro of templates/prompts/NAME.jinja, without line breaks around it."""
    return render_macro(f"prompts/{name}", macro, *values)


def write_turns_prompt(task: str, dialogue: Dialogue, before: str, lines: str) -> Messages:
    """The messages of a request about some turns of a dialogue.

    `task` names the template of the system message (annotate, judge); `lines` are the turns, with numbered places, and
    `before` the earlier ones (see transcript.format_turns).
    """
    clock, functions = format_clock(dialogue.clock), describe_tools(dialogue.tools)
    user = render_prompt("annotate", "user", clock, dialogue.system, functions, before, lines)
    return make_message("system", render_prompt(task, "system")), make_message("user", user)


def make_message(role: str, content: str) -> PromptMessage:
    return {"role": role, "content": content}


@lru_cache(maxsize=1024)
def format_clock(clock: datetime.date | None) -> str:
    """The day as `Friday, 2019-03-01`; empty if the dialogue has none."""
    return f"{clock:%A, %Y-%m-%d}" if clock else ""


def describe_tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """Signature, description and results of each function."""
    return [{"signature": tool.signature, "description": tool.description, "results": tool.results} for tool in tools]
