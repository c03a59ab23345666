from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.mixture.quotas import (
    Candidate,
    Shortage,
    ShortError,
    allot_rows,
    draw_candidates,
    order_candidates,
    repeat_candidates,
)
from coalm_it.recipe import Part, Recipe


def candidates(*rows_of_dialogues: int) -> list[Candidate]:
    """Candidates of consecutive dialogues with these numbers of rows."""
    made: list[Candidate] = []
    for dialogue, rows in enumerate(rows_of_dialogues):
        name = f"sgd/train/1_{dialogue:05d}"
        made += [Candidate(0, len(made) + turn, f"{name}/{turn}/react_response", name) for turn in range(rows)]
    return made


def recipe(rows: int | None = None, scale: float = 1, **parts: float | int | None) -> Recipe:
    """Parts by name, each with a quota (a whole number), a share (a fraction), or neither."""
    made = {
        name: Part(
            source=(name,),
            task=("react_response",),
            rows=value if isinstance(value, int) else None,
            share=value if isinstance(value, float) else None,
        )
        for name, value in parts.items()
    }
    return Recipe(name="mix", parts=made, rows=rows, scale=scale)


# --- the draw ---


def test_a_draw_takes_whole_dialogues_and_cuts_the_last() -> None:
    rows = candidates(*[7] * 30)
    drawn = draw_candidates(rows, 45, seed=12)
    assert len(drawn) == 45
    taken = Counter(candidate.dialogue for candidate in drawn)
    assert sorted(taken.values()) == [3, 7, 7, 7, 7, 7, 7]
    (cut,) = [name for name, count in taken.items() if count == 3]
    turns = [candidate.id.split("/")[3] for candidate in drawn if candidate.dialogue == cut]
    assert turns == ["0", "1", "2"], "the first turns of the last dialogue"


def test_drawn_rows_keep_the_order_of_the_corpus() -> None:
    drawn = draw_candidates(candidates(*[5] * 40), 90, seed=12)
    assert drawn == sorted(drawn)


def test_a_draw_depends_on_seed_and_id_and_not_on_the_position() -> None:
    rows = candidates(*[4] * 50)
    drawn = {candidate.id for candidate in draw_candidates(rows, 40, seed=12)}
    assert drawn == {candidate.id for candidate in draw_candidates(rows[100:] + rows[:100], 40, seed=12)}
    assert drawn != {candidate.id for candidate in draw_candidates(rows, 40, seed=13)}
    assert drawn != {candidate.id for candidate in rows[:40]}


def test_a_larger_draw_contains_a_smaller_one() -> None:
    rows = candidates(*[4] * 50)
    assert set(draw_candidates(rows, 30, seed=12)) < set(draw_candidates(rows, 100, seed=12))


def test_a_draw_has_at_most_all_candidates() -> None:
    rows = candidates(3, 2)
    assert draw_candidates(rows, 5, seed=12) == draw_candidates(rows, 99, seed=12) == rows
    assert draw_candidates([], 5, seed=12) == []


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(0, 120), st.integers())
def test_a_quota_is_met_exactly_and_at_most_one_dialogue_is_cut(sizes: list[int], quota: int, seed: int) -> None:
    rows = candidates(*sizes)
    drawn = draw_candidates(rows, quota, seed)
    assert len(drawn) == min(quota, len(rows))
    assert set(drawn) <= set(rows)
    whole = Counter(candidate.dialogue for candidate in rows)
    taken = Counter(candidate.dialogue for candidate in drawn)
    assert sum(taken[name] < whole[name] for name in taken) <= 1


# --- quotas of parts ---


def test_a_part_without_a_quota_gives_all_its_rows() -> None:
    assert allot_rows(recipe(snips=None, sgd=100), {"snips": 13084, "sgd": 500}) == {"snips": 13084, "sgd": 100}


def test_shares_add_up_to_the_total() -> None:
    thirds = recipe(rows=100, a=1 / 3, b=1 / 3, c=1 / 3)
    assert allot_rows(thirds, {"a": 0, "b": 0, "c": 0}) == {"a": 34, "b": 33, "c": 33}


def test_a_smaller_build_keeps_the_shares_of_the_parts() -> None:
    published = {"snips": 13084, "hammer": 202500, "toolace": 13819, "sgd": 82236}
    tenth = allot_rows(recipe(scale=0.1, **published), dict.fromkeys(published, 10**6))
    assert tenth == {"snips": 1308, "hammer": 20250, "toolace": 1382, "sgd": 8224}
    assert sum(tenth.values()) == round(311639 * 0.1)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.floats(0.001, 1))
def test_scaled_quotas_are_off_by_less_than_one_row(quotas: list[int], scale: float) -> None:
    mix = recipe(scale=scale, **{f"part{n}": quota for n, quota in enumerate(quotas)})
    wanted = allot_rows(mix, dict.fromkeys(mix.parts, 0))
    assert sum(wanted.values()) == pytest.approx(scale * sum(quotas), abs=0.5 + 1e-6)
    for count, quota in zip(wanted.values(), quotas, strict=True):
        assert abs(count - scale * quota) < 1 + 1e-6


# --- repeats ---


def test_a_shortage_is_filled_by_one_second_copy_of_each_row_at_most() -> None:
    rows = candidates(3, 2)
    repeated = repeat_candidates(rows, 12, seed=12)
    assert sorted(candidate.id for candidate in repeated) == sorted(candidate.id for candidate in rows)
    assert repeat_candidates(rows, 2, seed=12) == repeated[:2]
    assert len({candidate.name for candidate in [*rows, *repeated]}) == 10, "every row has a name of its own"


def test_the_id_of_a_copy_names_its_original() -> None:
    (copy,) = repeat_candidates(candidates(1), 1, seed=12)
    assert (copy.id, copy.name) == ("sgd/train/1_00000/0/react_response", "sgd/train/1_00000/0/react_response~r1")


def test_a_shortage_says_what_each_part_misses_and_how_to_fill_it() -> None:
    error = ShortError([Shortage("sgd", 82236, 280)], {"sgd": "coalm-it fetch sgd"})
    assert str(error) == (
        "too few rows: sgd: wanted 82,236, have 280, missing 81,956, rejects 0, faults 0 (coalm-it fetch sgd). "
        "--allow-short builds with fewer rows"
    )


# --- the order ---


def test_corpus_order_is_the_order_of_the_candidates() -> None:
    rows = candidates(4, 4)
    assert order_candidates(iter(rows), "corpus", seed=12) == rows


def test_a_shuffle_depends_on_seed_and_id_and_not_on_the_position() -> None:
    rows = candidates(*[5] * 20)
    shuffled = order_candidates(rows, "shuffled", seed=12)
    assert sorted(shuffled) == rows
    assert shuffled != rows
    assert shuffled == order_candidates(rows[::-1], "shuffled", seed=12)
    assert shuffled != order_candidates(rows, "shuffled", seed=13)


def test_a_shuffle_separates_the_rows_of_a_dialogue() -> None:
    shuffled = order_candidates(candidates(*[5] * 20), "shuffled", seed=12)
    neighbours = sum(one.dialogue == two.dialogue for one, two in pairwise(shuffled))
    assert neighbours < 20
