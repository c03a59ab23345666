"""Draws new names for functions and parameters."""

from __future__ import annotations

import hashlib
import keyword
from collections.abc import Collection, Mapping
from typing import Literal

from coalm_it.draw import stable_hash
from coalm_it.samples.masking.texts import PLAIN_WORD, mentions_name
from coalm_it.schema import Call, Sample

Style = Literal["plain", "hammer"]
"""plain: names of letters, digits and underscores. hammer: as in the published rows, with single dots inside."""

FUNCTION_LENGTHS = (5, 15)
PARAMETER_LENGTHS = (4, 10)

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_TABLES = {
    style: bytes(ord(letters[byte % len(letters)]) for byte in range(256))
    for style, letters in (("plain", _LETTERS), ("hammer", _LETTERS + "."))
}
_NEVER_FIRST = frozenset("0123456789.")
_CHUNK = FUNCTION_LENGTHS[1] + 2
"""Bytes of one draw: the characters of the longest name, and two for its length."""


class NameGenerator:
    """Draws names and numbers from a stream of bytes that depends only on the key.

    No name is drawn twice, and none that occurs in the sample. The names in `kept` stay; `texts` are texts in which no
    new name may occur.
    """

    def __init__(
        self, style: Style, key: tuple[object, ...], sample: Sample, kept: Collection[str] = (), texts: str = ""
    ) -> None:
        self._kept, self._texts = kept, texts
        self._table = _TABLES[style]
        self._stream = hashlib.shake_256(stable_hash(*key).to_bytes(8, "big"))
        self._bytes = self._stream.digest(32 * _CHUNK)
        self._position = 0
        self._taken = set(keyword.kwlist)
        for tool in sample.tools:
            self._taken.add(tool.name)
            self._taken.update(tool.properties)
        for call in list_calls(sample):
            self._taken.add(call.name)
            self._taken.update(call.arguments)
        self.said = _join_conversation(sample)
        """Everything that the user and the agent say, as one text."""

    def draw(self) -> bytes:
        """The next _CHUNK bytes."""
        start = self._position
        self._position += _CHUNK
        if self._position > len(self._bytes):
            # A longer digest begins with the shorter one.
            self._bytes = self._stream.digest(2 * len(self._bytes))
        return self._bytes[start : self._position]

    def draw_below(self, below: int) -> int:
        """A number from 0 to below - 1."""
        return int.from_bytes(self.draw(), "big") % below

    def draw_text(self, length: int) -> str:
        """Random characters."""
        return self.draw()[:length].translate(self._table).decode("ascii")

    def draw_names(self, described: Mapping[str, str], lengths: tuple[int, int]) -> dict[str, str]:
        """Name -> new name, for names with their descriptions; the same name if it must stay.

        A name stays if the conversation mentions it, or if it has no description of its own.
        """
        shortest, longest = lengths
        descriptions = list(described.values())
        all_differ = len(set(descriptions)) == len(descriptions)
        new_names: dict[str, str] = {}
        for name, description in described.items():
            described_alone = description and (all_differ or descriptions.count(description) == 1)
            if name in self._kept or not described_alone or (name in self.said and _is_mentioned(name, self.said)):
                new_names[name] = name
            while name not in new_names:
                drawn = self.draw()
                length = shortest + (drawn[-2] << 8 | drawn[-1]) % (longest - shortest + 1)
                new = drawn[:length].translate(self._table).decode("ascii")
                is_name = new[0] not in _NEVER_FIRST and new[-1] != "." and ".." not in new
                if is_name and new not in self._taken and new not in self._texts:
                    self._taken.add(new)
                    new_names[name] = new
        return new_names


def _is_mentioned(name: str, said: str) -> bool:
    return PLAIN_WORD.fullmatch(name) is None and mentions_name(said, name)


def list_calls(sample: Sample) -> list[Call]:
    """All calls of the dialogue up to the target, and of the current turn."""
    return [call for turn in sample.turns for step in turn.steps for call in step.calls]


def _join_conversation(sample: Sample) -> str:
    """What the system says, all utterances, thoughts and replies as one text, without calls and observations."""
    texts: list[str | None] = [sample.system]
    for turn in sample.turns:
        texts += (turn.user, turn.thought, turn.reply)
        texts += [step.thought for step in turn.steps]
    return "\n".join(filter(None, texts))
