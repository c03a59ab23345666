"""coalm-it cache."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.pipeline.build import build


def show(*options: str) -> dict[str, dict[str, object]]:
    result = CliRunner().invoke(app, ["cache", "--json", *options])
    assert result.exit_code == 0, result.output
    return {row["kind"]: row for row in json.loads(result.stdout)}


def test_it_shows_what_is_kept_and_clears_the_shards(tmp_path: Path, own_cache: Path) -> None:
    assert show()["shards"]["files"] == 0
    build("tod", out=tmp_path / "out")
    (own_cache / "answers.sqlite").write_bytes(b"answers")
    kept = show()
    size = sum(path.stat().st_size for path in (own_cache / "shards").iterdir())
    assert (kept["shards"]["files"], kept["shards"]["bytes"]) == (3, size)
    assert kept["shards"]["path"] == str(own_cache / "shards")
    assert (kept["model answers"]["files"], kept["model answers"]["bytes"]) == (1, 7)
    assert show("--clear")["shards"]["files"] == 0
    assert (own_cache / "answers.sqlite").exists()
    assert "model answers" in CliRunner().invoke(app, ["cache"]).stdout


@pytest.mark.parametrize("below", ["", "inside"])
@pytest.mark.parametrize("words", [["build", "tod", "--out", "OUT"], ["cache"], ["ledger", "show"]], ids=" ".join)
def test_a_cache_folder_that_is_a_file_is_one_line(
    words: list[str], below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COALM_IT_CACHE", str(tmp_path / "file" / below))
    done = CliRunner().invoke(app, [word.replace("OUT", str(tmp_path / "out")) for word in words])
    assert done.exit_code == 2, done.output
    complaint = done.stderr.splitlines()[-1]
    assert complaint.startswith(f"coalm-it: COALM_IT_CACHE={tmp_path / 'file' / below}: {tmp_path / 'file'} is a file;")
