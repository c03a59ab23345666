"""kill -9, again and again, at any moment: the same data set in the end, and nothing that was stored is asked again."""

from __future__ import annotations

from pathlib import Path

import pytest
from builds import IN_FLIGHT, kill_builds
from small import read_files

pytestmark = pytest.mark.slow


def test_a_build_that_is_killed_again_and_again_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    killed = kill_builds(tmp_path, turns=150, kills=5)
    assert killed.requests > 150
    assert read_files(killed.out) == read_files(killed.whole)
    assert killed.lost == 0
    assert killed.asked_again <= IN_FLIGHT * len(killed.kills)
    assert all(kill.answered - kill.stored <= IN_FLIGHT for kill in killed.kills)
    assert any(0 < kill.stored < killed.requests for kill in killed.kills)
    assert any(kill.shards for kill in killed.kills)
