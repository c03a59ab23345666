"""The language of a row: of those that its corpus has, the one in whose script the user writes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

import orjson

_SCRIPTS = {
    "ar": {"ARABIC"},
    "bn": {"BENGALI"},
    "el": {"GREEK"},
    "fa": {"ARABIC"},
    "he": {"HEBREW"},
    "hi": {"DEVANAGARI"},
    "ja": {"HIRAGANA", "KATAKANA"},
    "ko": {"HANGUL"},
    "ru": {"CYRILLIC"},
    "th": {"THAI"},
    "uk": {"CYRILLIC"},
    "zh": {"CJK"},
}
"""ISO 639-1 code -> the scripts of the language, as the names of their letters begin; the others: Latin."""
_LETTERS = 400
"""Letters at which a text is judged."""
_SHARE = 0.15
"""Share of the letters in a script of its own from which a text is of that language; names in it may be Latin."""
UNSTATED = "unstated"


def name_language(prompt: Sequence[str], languages: Sequence[str]) -> str:
    """The code of the language of a row, of those that its corpus states; UNSTATED if it states none."""
    if len(languages) <= 1:
        return languages[0] if languages else UNSTATED
    spoken = next((orjson.loads(text)["content"] for text in reversed(prompt) if _is_of_user(text)), "")
    latin = next((code for code in languages if code not in _SCRIPTS), languages[0])
    if spoken.isascii():
        return latin
    letters = [letter for letter in spoken if letter.isalpha()][:_LETTERS]
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in letters)
    # Japanese before Chinese, whose letters it has too
    for code in sorted((one for one in languages if one in _SCRIPTS), key=lambda one: one == "zh"):
        if sum(scripts[name] for name in _SCRIPTS[code]) >= _SHARE * len(letters) > 0:
            return code
    return latin


def _is_of_user(text: str) -> bool:
    return text.startswith('{"role": "user"')
