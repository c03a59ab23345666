from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A slow machine is no failure.
settings.register_profile("coalm_it", deadline=None)
settings.load_profile("coalm_it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("COALM_IT_CORPORA"):
        return
    skip = pytest.mark.skip(reason="COALM_IT_CORPORA names no folder")
    for item in items:
        if item.get_closest_marker("corpora"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of the real corpora, for tests that carry the marker `corpora`."""
    folder = Path(os.environ["COALM_IT_CORPORA"])
    assert folder.is_dir(), f"COALM_IT_CORPORA={folder} is no folder"
    return folder
