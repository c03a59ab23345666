"""coalm-it cache."""

from __future__ import annotations

import json
from pathlib import Path

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
