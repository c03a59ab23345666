"""A thought as words and sentences, and the names of tools in it: what the checks of thoughts share."""

from __future__ import annotations

import re
from functools import lru_cache

from coalm_it.schema import Sample

_WORD = re.compile(r"\w+(?:['’]\w+)*")
# Three times faster than the expression, for the texts that are plain ASCII.
_BLANKS = "".join(chr(code) if chr(code).isalnum() or chr(code) in "_'" else " " for code in range(128))
_ABBREVIATION = re.compile(
    r"\b(?:[A-Z]|[Dd]rs?|[Mm]rs?|[Mm]s|[Jj]r|[Ss]r|[Ss]t|[Nn]o|[Vv]s|[Ff]t|e\.g|i\.e|[ap]\.m|etc)\."
)
_SENTENCE_END = re.compile(r"[.!?…]+[\"”’')\]]*\s+(?=\S)")
_PARTS = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_\d]+")
_CODE_NAME = re.compile(r"\w*(?:[a-z][A-Z]|_|\d)\w*")


def read_thought(sample: Sample) -> str | None:
    """The target's thought, for the tasks that have one; None elsewhere, and where there is none to judge."""
    return sample.thought if sample.task in ("react_action", "react_response") else None


@lru_cache(maxsize=1 << 12)
def read_words(text: str) -> tuple[str, ...]:
    """The words of a text in small letters, without punctuation; apostrophes stay ("i'll", "celia's")."""
    lowered = text.lower()
    if not lowered.isascii():
        return tuple(_WORD.findall(lowered.replace("’", "'")))
    words = lowered.translate(_BLANKS).split()
    if "'" in lowered and ("' " in lowered or " '" in lowered or lowered[0] == "'" or lowered[-1] == "'"):
        words = [word.strip("'") for word in words if word != "'"]
    return tuple(words)


def split_sentences(text: str) -> list[str]:
    """The sentences of a text; initials and titles ("Dr. Kwang H. Kim") end none."""
    joined = _ABBREVIATION.sub(lambda match: match[0].replace(".", "\0"), text)
    return [sentence.replace("\0", ".") for sentence in _SENTENCE_END.split(joined)]


def split_name(name: str) -> list[str]:
    """The words of names in code: FindHotel, find_hotel and "find hotel" are all find, hotel."""
    return _PARTS.sub(" ", name).lower().split()


def is_code_name(name: str) -> bool:
    """Whether a name can be nothing but a function's: FindHotel, find_hotel; not "search"."""
    return _CODE_NAME.fullmatch(name) is not None


def names_tool(thought: str, name: str) -> bool:
    """Whether a thought writes a function's name; its first letter may be a capital at a sentence's start."""
    for written in (name, name[:1].upper() + name[1:]):
        place = thought.find(written)
        while place >= 0:
            end = place + len(written)
            if not (_is_part(thought[place - 1 : place]) or _is_part(thought[end : end + 1])):
                return True
            place = thought.find(written, place + 1)
    return False


def _is_part(letter: str) -> bool:
    return letter.isalnum() or letter == "_"
