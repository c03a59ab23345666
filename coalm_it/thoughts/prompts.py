"""The macros of templates/prompts, as functions; and the functions of a dialogue as a model is shown them."""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Any

from coalm_it.schema import Tool
from coalm_it.templates import render_macro

Message = dict[str, Any]


def render(name: str, macro: str, *values: object) -> str:
    """What a macro of templates/prompts/NAME.jinja gives, without line breaks around it."""
    return render_macro(f"prompts/{name}", macro, *values)


def say(role: str, text: str) -> Message:
    return {"role": role, "content": text}


@lru_cache(maxsize=1024)
def format_clock(clock: datetime.date | None) -> str:
    """The day as `Friday, 2019-03-01`; empty where the dialogue has none."""
    return f"{clock:%A, %Y-%m-%d}" if clock else ""


def describe_tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """Signature, description and results of each function."""
    return [{"signature": tool.signature, "description": tool.description, "results": tool.results} for tool in tools]
