from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.draw import draw_items, stable_hash


def test_a_hash_is_the_same_on_every_machine() -> None:
    # printf 'draw\x1f12\x1fsgd/train/1_00112' | b2sum -l 64
    assert stable_hash("draw", 12, "sgd/train/1_00112") == 0xAF539EC1C19A5304
    assert stable_hash("draw", 12, "sgd/train/1_00112", bits=16) == 0xD9A4


def test_each_part_of_the_key_counts_and_where_it_ends() -> None:
    keys = [("a", "b"), ("ab",), ("a", "", "b"), ("b", "a"), ("a", "b", 0), ("a", "b", 1)]
    assert len({stable_hash(*key) for key in keys}) == len(keys)


def test_as_many_items_as_wanted_are_drawn_none_twice() -> None:
    drawn = draw_items("abcdefgh", 3, "seed")
    assert len(drawn) == len(set(drawn)) == 3
    assert drawn == draw_items("abcdefgh", 3, "seed")
    assert drawn != draw_items("abcdefgh", 3, "another seed")


def test_a_shorter_draw_is_the_beginning_of_a_longer_one() -> None:
    assert draw_items(range(50), 5, 12) == draw_items(range(50), 40, 12)[:5]


@given(st.lists(st.integers(), max_size=60), st.integers(0, 70), st.text())
def test_a_draw_holds_what_it_was_given(items: list[int], count: int, key: str) -> None:
    drawn = draw_items(items, count, key)
    assert len(drawn) == min(count, len(items))
    assert Counter(drawn) <= Counter(items)


def test_drawing_all_of_many_is_a_shuffle() -> None:
    # More items than one hash has choices for: 100! is far above 2**512.
    drawn = draw_items(range(100), 100, "shuffle")
    assert sorted(drawn) == list(range(100))
    assert drawn != list(range(100))


@pytest.mark.parametrize("place", range(4))
def test_every_item_comes_first_about_equally_often(place: int) -> None:
    firsts = Counter(draw_items("abcd", 1, number)[0] for number in range(2000))
    assert 400 < firsts["abcd"[place]] < 600
