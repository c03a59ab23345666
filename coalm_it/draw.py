"""Reproducible random choices, each made by a stable hash of its key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def stable_hash(*key: object, bits: int = 64) -> int:
    """A number below 2**bits that depends only on the text of the key; `bits` is a multiple of 8, at most 512."""
    text = "\x1f".join(map(str, key))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=bits // 8).digest(), "big")


def draw_items(items: Sequence[T], count: int, *key: object) -> list[T]:
    """Up to `count` different items in random order; with `count=len(items)` a shuffle."""
    left = list(items)
    drawn: list[T] = []
    number = 0
    while left and len(drawn) < count:
        if number < len(left):
            number = stable_hash(len(drawn), *key, bits=512)
        number, index = divmod(number, len(left))
        drawn.append(left.pop(index))
    return drawn
