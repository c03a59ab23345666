"""Splits thoughts into words and sentences and finds names of tools in them, for the checks of thoughts."""

from __future__ import annotations

import re
from functools import lru_cache

from coalm_it.schema import Sample

_WORD = re.compile(r"\w+(?:['’]\w+)*")
# Three times faster than the regular expression, for ASCII texts.
_BLANKS = "".join(chr(code) if chr(code).isalnum() or chr(code) in "_'" else " " for code in range(128))
_ABBREVIATION = re.compile(
    r"\b(?:[A-Z]|[Dd]rs?|[Mm]rs?|[Mm]s|[Jj]r|[Ss]r|[Ss]t|[Nn]o|[Vv]s|[Ff]t|e\.g|i\.e|[ap]\.m|etc)\."
)
_SENTENCE_END = re.compile(r"[.!?…]+[\"”’')\]]*\s+(?=\S)")
_SEPARATORS = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_\d]+")
_CODE_NAME = re.compile(r"\w*(?:[a-z][A-Z]|_|\d)\w*")


def is_of_corpus(sample: Sample) -> bool:
    """Whether the thought of the target is the corpus's own."""
    return bool(sample.provenance.get("writer") == "corpus")


def read_thought(sample: Sample) -> str | None:
    """The thought of the target in the ReAct tasks; None in other tasks, or if it is missing."""
    return sample.thought if sample.task in ("react_action", "react_response") else None


@lru_cache(maxsize=1 << 12)
def read_words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without punctuation except apostrophes ("i'll", "celia's")."""
    lowered = text.lower()
    if not lowered.isascii():
        return tuple(_WORD.findall(lowered.replace("’", "'")))
    words = lowered.translate(_BLANKS).split()
    if "'" in lowered and ("' " in lowered or " '" in lowered or lowered[0] == "'" or lowered[-1] == "'"):
        words = [word.strip("'") for word in words if word != "'"]
    return tuple(words)


def split_sentences(text: str) -> list[str]:
    """The sentences of a text; initials and titles ("Dr. Kwang H. Kim") do not end a sentence."""
    joined = _ABBREVIATION.sub(lambda match: match[0].replace(".", "\0"), text)
    return [sentence.replace("\0", ".") for sentence in _SENTENCE_END.split(joined)]


def split_name(name: str) -> list[str]:
    """The words of an identifier: FindHotel, find_hotel and "find hotel" all give find, hotel."""
    return _SEPARATORS.sub(" ", name).lower().split()


@lru_cache(maxsize=1 << 13)
def stem_word(word: str) -> str:
    """A word without endings of number and tense: searches, searching -> search."""
    word = word.removesuffix("'s").replace("'", "")
    for ending in ("ing", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def is_code_name(name: str) -> bool:
    """Whether a name can only be an identifier: FindHotel, find_hotel; not "search"."""
    return _CODE_NAME.fullmatch(name) is not None


def names_tool(thought: str, name: str) -> bool:
    """Whether a thought contains the name of a function; at the start of a sentence it may be capitalised."""
    for written in (name, name[:1].upper() + name[1:]):
        position = thought.find(written)
        while position >= 0:
            end = position + len(written)
            if not (_is_name_character(thought[position - 1 : position]) or _is_name_character(thought[end : end + 1])):
                return True
            position = thought.find(written, position + 1)
    return False


def _is_name_character(character: str) -> bool:
    return character.isalnum() or character == "_"
