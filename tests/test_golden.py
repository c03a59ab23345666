"""Raw records, and beside them what the code makes of them, as files that a newcomer can read."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

REGENERATE = runpy.run_path(str(Path(__file__).parent / "golden" / "regenerate.py"))


@pytest.mark.parametrize("folder", REGENERATE["list_folders"](), ids=lambda folder: folder.name)
def test_the_derived_files_are_what_the_code_makes_of_the_raw_records(folder: Path) -> None:
    for name, content in REGENERATE["derive"](folder).items():
        assert (folder / name).read_text(encoding="utf-8") == content, "python tests/golden/regenerate.py"


def test_there_is_a_golden_folder_for_every_layout() -> None:
    names = {folder.name for folder in REGENERATE["list_folders"]()}
    assert {"snips_split", "snips_original", "snips_joint_slu", "sgd", "xlam", "toolace", "messages"} <= names
