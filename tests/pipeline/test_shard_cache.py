"""The cache of finished shards: what is found again, and what is removed when it grows too large."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from coalm_it.dataset.summary import ShardSummary
from coalm_it.dataset.tables import read_summary
from coalm_it.errors import RequestError
from coalm_it.pipeline.shard_cache import ShardCache, list_tables, read_size_limit, store_table

DAY = 86_400


def store(folder: Path, key: str, *, days_old: float = 0) -> Path:
    path = store_table(folder, key, pa.table({"id": ["a"] * 1_000}), ShardSummary(rows=1_000))
    used = time.time() - days_old * DAY
    os.utime(path, (used, used))
    return path


def test_a_stored_table_is_found_by_its_key(tmp_path: Path) -> None:
    path = store(tmp_path, "one")
    assert ShardCache(tmp_path).find("one") == path
    assert read_summary(path).rows == 1_000
    assert ShardCache(tmp_path).find("two") is None
    assert ShardCache(tmp_path / "nowhere").find("one") is None


def test_a_damaged_table_is_not_found_and_removed(tmp_path: Path) -> None:
    path = store(tmp_path, "one")
    content = bytearray(path.read_bytes())
    content[300] ^= 4
    path.write_bytes(content)
    assert ShardCache(tmp_path).find("one") is None
    assert not path.exists()


def test_those_unused_for_longest_are_removed_until_the_rest_fits(tmp_path: Path) -> None:
    paths = [store(tmp_path, name, days_old=days) for name, days in (("a", 4), ("b", 3), ("c", 2), ("d", 1))]
    size = paths[0].stat().st_size
    ShardCache(tmp_path).prune(2 * size, keep=[paths[0]])
    assert sorted(tmp_path.iterdir()) == [paths[0], paths[3]]


def test_finding_a_table_makes_it_the_last_to_be_removed(tmp_path: Path) -> None:
    paths = [store(tmp_path, name, days_old=days) for name, days in (("a", 4), ("b", 3))]
    ShardCache(tmp_path).find("a")
    ShardCache(tmp_path).prune(paths[0].stat().st_size, keep=[])
    assert list(tmp_path.iterdir()) == [paths[0]]


def test_what_was_used_just_now_stays_and_what_was_left_unfinished_goes(tmp_path: Path) -> None:
    recent, part = store(tmp_path, "a"), tmp_path / ".b.new.99.part"
    part.touch()
    os.utime(part, (time.time() - DAY,) * 2)
    ShardCache(tmp_path).prune(0, keep=[])
    assert list(tmp_path.iterdir()) == [recent]
    assert [table.path for table in list_tables(tmp_path)] == [recent]


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_a_size_limit_that_is_no_number_is_one_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("COALM_IT_CACHE_GB", text)
    with pytest.raises(RequestError, match=rf"^COALM_IT_CACHE_GB={text}: a number of gigabytes is expected"):
        read_size_limit()


def test_the_size_limit_is_twenty_gigabytes_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_size_limit() == 20_000_000_000
    monkeypatch.setenv("COALM_IT_CACHE_GB", "0.5")
    assert read_size_limit() == 500_000_000
