"""Numbers and money: 1,740 dollars, $24, 4.40, four, one thousand three hundred and twenty."""

from __future__ import annotations

import re

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}

NUMBERS = {word: number for number, word in enumerate(_SMALL)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
"""The numbers below a hundred that are a single word."""

_WORD = "|".join(sorted([*NUMBERS, *_SCALES], key=len, reverse=True))
_WORDS = rf"(?:a )?(?:{_WORD})(?:(?: and | |-)(?:{_WORD}))*"
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_CURRENCY = r"dollars?|bucks|usd|euros?|eur|pounds?|gbp"

MONEY = rf"[$€£] ?(?:{_DIGITS})|(?:{_DIGITS}|{_WORDS}) (?:{_CURRENCY})"
NUMBER = rf"{_DIGITS}|{_WORDS}"
STARTS = [*NUMBERS, *_SCALES]

_READ = re.compile(rf"[$€£]? ?({NUMBER})(?: (?:{_CURRENCY}))?")


def read_number(text: str) -> list[str]:
    """The shortest decimal: "1,740 dollars" is 1740, "4.40" 4.4, "four" 4."""
    match = _READ.fullmatch(text)
    if match is None:
        return []
    digits = match[1].replace(",", "")
    if not digits[0].isdecimal():
        return [str(count_words(digits))]
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    return [(whole.lstrip("0") or "0") + ("." + fraction if fraction else "")]


def count_words(text: str) -> int:
    """The number that the words denote; other words ("and", "oh") are ignored."""
    total = current = 0
    for word in re.split(r"[ -]", text):
        if word in NUMBERS:
            current += NUMBERS[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0
    return total + current
