"""Reads the commands, programs and files that a page of documentation shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

import coalm_it

ROOT = Path(coalm_it.__file__).parents[1]
PAGES = {path.name: path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}

_FENCED = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)((?:    .*\n|\n(?=    ))+)")


class Block(NamedTuple):
    """What a page shows as code. An indented block is one of commands."""

    language: str
    title: str
    """Name of the file that it is; "" for others."""
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command, if it is a block of them; a shell's comments are left out."""
        lines = self.text.splitlines() if self.language == "sh" else []
        return [words for line in lines if (words := _split(line))]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # an indented block need not be one of commands
        return []


def read_blocks(page: str) -> list[Block]:
    """All blocks, in order."""
    found = [(match.start(), Block(match[1], match[2] or "", match[3])) for match in _FENCED.finditer(page)]
    prose = _FENCED.sub(lambda match: "x" * len(match[0]), page)
    found += [(match.start(), Block("sh", "", match[1])) for match in _INDENTED.finditer(prose)]
    return [block for _, block in sorted(found)]


def read_section(page: str, title: str) -> str:
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0]


def list_our_commands(page: str) -> list[list[str]]:
    """Every command of ours that the page names, in a block or in a sentence, without "coalm-it"."""
    said = re.findall(r"`(coalm-it [^`]+)`", _FENCED.sub("", page).replace("\n", " "))
    words = [*map(_split, said), *(words for block in read_blocks(page) for words in block.commands)]
    return [rest for first, *rest in filter(None, words) if first == "coalm-it" and rest]
