"""Chooses among the phrasings of templates/thoughts by a stable hash, and fills their placeholders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from coalm_it.assets import asset
from coalm_it.templates import fill_phrase, read_yaml, template_cache

Phrasings = dict[str, tuple[str, ...]]

_START = "\0"
_LABEL = re.compile(r"^(User|Thought|Action|Observation|System):")
_LATER_START = re.compile(r"(?<=[.?!]) (?=\{)")


@template_cache()
def read_phrasings() -> Phrasings:
    """FILE/SITUATION -> its phrasings. Raises yaml.YAMLError for a file that does not parse."""
    phrasings: Phrasings = {}
    for path in sorted(asset("templates", "thoughts").glob("*.yaml")):
        if path.name != "words.yaml":
            for situation, sentences in read_yaml(f"thoughts/{path.name}").items():
                phrasings[f"{path.stem}/{situation}"] = tuple(map(_mark_starts, sentences))
    return phrasings


def _mark_starts(phrasing: str) -> str:
    """Mark each later sentence that begins with a placeholder, so that it can be capitalised after filling."""
    return _LATER_START.sub(_START, phrasing)


class PhraseWriter:
    """Chooses phrasings for one dialogue by a stable hash, and avoids repeating them."""

    __slots__ = ("_base", "_number", "_phrasings", "_used")

    def __init__(self, seed: int, dialogue_id: str) -> None:
        self._base = hashlib.blake2b(f"{seed}/{dialogue_id}".encode())
        self._number = 0
        self._phrasings = read_phrasings()
        self._used: set[str] = set()

    def begin_thought(self, turn: int, place: str) -> None:
        """Start a thought. Its draws depend on seed, dialogue, turn and place, not on earlier thoughts."""
        base = self._base.copy()
        base.update(f"/{turn}/{place}".encode())
        self._number = int.from_bytes(base.digest(), "big")

    def draw(self, below: int) -> int:
        """A number from 0 to below - 1."""
        self._number, drawn = divmod(self._number, below)
        return drawn

    def pick(self, forms: Sequence[str]) -> str:
        """One of a few forms, drawn without regard to repetition."""
        if len(forms) == 1:
            return forms[0]
        self._number, drawn = divmod(self._number, len(forms))
        return forms[drawn]

    def phrase(self, situation: str, values: Mapping[str, str]) -> str:
        """A phrasing of the situation with its placeholders filled, for use inside a sentence."""
        sentences = self._phrasings[situation]
        index = self.draw(len(sentences))
        for _ in range(4):
            if sentences[index] not in self._used:
                break
            index = (index + 1) % len(sentences)
        self._used.add(sentences[index])
        text = fill_phrase(sentences[index], values, f"thoughts/{situation}")
        if _START in text:
            first, *later = text.split(_START)
            text = " ".join([first, *map(_capitalise, later)])
        return text

    def write(self, situation: str, values: Mapping[str, str]) -> str:
        """A phrasing of the situation with its placeholders filled, capitalised as a sentence."""
        text = self.phrase(situation, values)
        return _capitalise(text)


def _capitalise(text: str) -> str:
    """The text with a capital at its beginning, if that is the same letter: Turkish "ı" would become "I"."""
    capital = text[0].upper()
    return capital + text[1:] if capital.lower() == text[0] else text


def join_sentences(sentences: Iterable[str]) -> str:
    """The sentences as one text.

    A period after a name that ends in one is not doubled. A start that looks like the label of a line ("Action: that
    is all") is put in quotes.
    """
    text = " ".join([sentence for sentence in sentences if sentence]).replace("..", ".")
    return _LABEL.sub(r'"\1":', text)
