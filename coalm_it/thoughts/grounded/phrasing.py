"""The pen: chooses among the phrasings of templates/thoughts by a stable hash, and fills them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from coalm_it.assets import asset
from coalm_it.templates import read_yaml

Phrasings = dict[str, tuple[str, ...]]

_START = "\0"
_LABEL = re.compile(r"^(User|Thought|Action|Observation|System):")
_LATER_START = re.compile(r"(?<=[.?!]) (?=\{)")


@cache
def read_phrasings() -> Phrasings:
    """Every phrasing by FILE/SITUATION. Raises yaml.YAMLError for a file that does not parse."""
    phrasings: Phrasings = {}
    for path in sorted(asset("templates", "thoughts").glob("*.yaml")):
        if path.name != "words.yaml":
            for situation, sentences in read_yaml(f"thoughts/{path.name}").items():
                phrasings[f"{path.stem}/{situation}"] = tuple(map(_mark_starts, sentences))
    return phrasings


def _mark_starts(phrasing: str) -> str:
    """Mark where a sentence after the first begins with a placeholder, for a capital once it is filled."""
    return _LATER_START.sub(_START, phrasing)


class Pen:
    """Chooses phrasings for one dialogue: by a stable hash, and seldom one twice."""

    __slots__ = ("_base", "_number", "_phrasings", "_used")

    def __init__(self, seed: int, dialogue_id: str) -> None:
        self._base = hashlib.blake2b(f"{seed}/{dialogue_id}".encode())
        self._number = 0
        self._phrasings = read_phrasings()
        self._used: set[str] = set()

    def begin(self, turn: int, place: str) -> None:
        """Start a thought: its draws hang on seed, dialogue, turn and place, not on the thoughts before."""
        base = self._base.copy()
        base.update(f"/{turn}/{place}".encode())
        self._number = int.from_bytes(base.digest(), "big")

    def draw(self, below: int) -> int:
        """A number from 0 to below - 1."""
        self._number, drawn = divmod(self._number, below)
        return drawn

    def pick(self, forms: Sequence[str]) -> str:
        """One of a few ways to say something; repetition is no matter."""
        if len(forms) == 1:
            return forms[0]
        self._number, drawn = divmod(self._number, len(forms))
        return forms[drawn]

    def phrase(self, situation: str, values: Mapping[str, str]) -> str:
        """A phrasing of the situation, filled, as it stands inside a sentence."""
        sentences = self._phrasings[situation]
        place = self.draw(len(sentences))
        for _ in range(4):
            if sentences[place] not in self._used:
                break
            place = (place + 1) % len(sentences)
        self._used.add(sentences[place])
        text = sentences[place].format_map(values)
        if _START in text:
            first, *later = text.split(_START)
            text = " ".join([first, *(part[0].upper() + part[1:] for part in later)])
        return text

    def write(self, situation: str, values: Mapping[str, str]) -> str:
        """A sentence of the situation, filled, with a capital at its start."""
        text = self.phrase(situation, values)
        return text[0].upper() + text[1:]


def join_sentences(sentences: Iterable[str]) -> str:
    """The sentences one after another; a name that ends in a period does not double it, and a value that would look
    like the label of a line ("Action: that is all") stands in quotes."""
    text = " ".join([sentence for sentence in sentences if sentence]).replace("..", ".")
    return _LABEL.sub(r'"\1":', text)
