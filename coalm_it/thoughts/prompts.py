"""The macros of templates/prompts, as functions; and the functions of a dialogue as a model is shown them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import jinja2

from coalm_it.assets import asset
from coalm_it.schema import Tool

Message = dict[str, Any]


def render(name: str, macro: str, *values: object) -> str:
    """What a macro of templates/prompts/NAME.jinja gives, without line breaks around it."""
    return str(_load_macro(name, macro)(*values)).strip("\n")


@cache
def _load_macro(name: str, macro: str) -> Callable[..., str]:
    loader = jinja2.FileSystemLoader(asset("templates", "prompts"))
    environment = jinja2.Environment(
        loader=loader, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False
    )
    loaded: Callable[..., str] = getattr(environment.get_template(f"{name}.jinja").module, macro)
    return loaded


def say(role: str, text: str) -> Message:
    return {"role": role, "content": text}


@lru_cache(maxsize=1024)
def format_clock(clock: datetime.date | None) -> str:
    """The day as `Friday, 2019-03-01`; empty where the dialogue has none."""
    return f"{clock:%A, %Y-%m-%d}" if clock else ""


def describe_tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """Signature, description and results of each function."""
    return [{"signature": tool.signature, "description": tool.description, "results": tool.results} for tool in tools]
