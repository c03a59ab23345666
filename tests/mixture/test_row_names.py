from __future__ import annotations

from coalm_it.mixture.row_names import RowNames


def test_a_row_keeps_its_id() -> None:
    names = RowNames()
    ids = ["own/train/a/0/function_call", "own/train/a/0/function_call.1", "own/train/b/c/0/function_call"]
    assert [names.name_row("p", 0, row_id) for row_id in ids] == ids


def test_the_second_record_of_an_id_in_another_table_is_told_apart() -> None:
    names = RowNames()
    named = [
        names.name_row("p", table, f"own/train/{record}/{turn}/function_call")
        for table, record in ((0, "a"), (1, "a"), (1, "a~2"), (2, "a"))
        for turn in (0, 1)
    ]
    assert named == [
        *("own/train/a/0/function_call", "own/train/a/1/function_call"),
        *("own/train/a~2/0/function_call", "own/train/a~2/1/function_call"),
        *("own/train/a~2~2/0/function_call", "own/train/a~2~2/1/function_call"),
        *("own/train/a~3/0/function_call", "own/train/a~3/1/function_call"),
    ]


def test_a_sample_of_two_parts_is_a_further_copy() -> None:
    names = RowNames()
    ids = ["own/train/a/0/function_call", "own/train/a/0/function_call~1"]
    first = [names.name_row("p", 0, row_id) for row_id in ids]
    second = [names.name_row("q", 1, row_id) for row_id in ids]
    assert first == ids
    assert second == ["own/train/a/0/function_call~2", "own/train/a/0/function_call~1~1"]
