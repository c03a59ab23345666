"""Whole builds of small inputs in the forms that people bring."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from talks import SOURCE, Outcome, build_part, lines


@pytest.fixture
def build_own(tmp_path: Path) -> Callable[..., Outcome]:
    """Builds a corpus of reader `messages` from files (name -> records, a text, or bytes)."""

    def run(files: Any, *, columns: Any = None, changes: tuple[str, ...] = (), **part: Any) -> Outcome:
        if not isinstance(files, dict):
            files = {"own.jsonl": files}
        data = tmp_path / "data"
        data.mkdir()
        for name, content in files.items():
            text = lines(*content) if isinstance(content, list) else content
            (data / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        source = {**SOURCE, "layouts": [{"name": "files", "splits": {"train": "own*"}}]}
        source |= {"columns": columns} if columns else {}
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(source))
        return build_part(tmp_path, data, "own.yaml", changes, **part)

    return run


@pytest.fixture
def build_bundled(tmp_path: Path, bundled: Path) -> Callable[..., Outcome]:
    """Builds a bundled corpus after `change` has altered its folder."""

    def run(name: str, change: Callable[[Path], object], changes: tuple[str, ...] = (), **part: Any) -> Outcome:
        folder = Path(shutil.copytree(bundled / name, tmp_path / "data" / name))
        change(folder)
        return build_part(tmp_path, folder, name, changes, **part)

    return run
