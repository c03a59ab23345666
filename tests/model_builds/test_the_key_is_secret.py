"""The API key is in the environment and nowhere else: not in a build, a ledger, an export, or anything that is said."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from small import assert_one_line, export_used, read_rows, run_small, start_small

KEY = "sk-planted-0123456789abcdef"


def assert_nowhere(folder: Path, *said: str) -> None:
    """In no file of a folder, hidden ones too, and in nothing that was said, is the key."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 1
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in "".join(said)


def test_a_planted_key_is_found(tmp_path: Path) -> None:
    (tmp_path / "clean").write_text("nothing")
    (tmp_path / ".hidden").write_bytes(b"\0\0" + KEY.encode() + b"\0")
    with pytest.raises(AssertionError, match="hidden"):
        assert_nowhere(tmp_path)


def test_a_build_that_goes_well_does_not_tell_it(server: Any, tmp_path: Path) -> None:
    server.behave(key=KEY)
    judge = f"reasoning.judge={{model: critic, base_url: '{server.base_url}'}}"
    build = start_small(server, tmp_path / "out", "limit=3", judge, options=["--json"], OPENAI_API_KEY=KEY)
    said = build.communicate()
    assert build.returncode == 0, said[1]
    export_used(tmp_path / "out", tmp_path / "answers.sqlite", tmp_path / "answers.jsonl")
    assert_nowhere(tmp_path, *said)


def test_a_build_that_is_killed_does_not_leave_it_in_the_log_of_its_ledger(server: Any, tmp_path: Path) -> None:
    server.behave(key=KEY, latency=0.05)
    slowly = ("reasoning.turns_per_request=1", "reasoning.max_in_flight=2")
    build = start_small(server, tmp_path / "out", *slowly, OPENAI_API_KEY=KEY)
    while server.stats["answered"] < 5:
        assert build.poll() is None, build.communicate()
        time.sleep(0.1)
    build.kill()
    said = build.communicate()
    assert (tmp_path / "answers.sqlite-wal").exists()
    assert_nowhere(tmp_path, *said)


@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [
        ({"key": "another"}, r"\(401: Incorrect API key provided: \*\*\*\)$"),
        ({"model": "large"}, r"\(404: \*\*\*: The model `small` does not exist\)$"),
        ({"quota": 1}, r"\(429: \*\*\*: You exceeded your current quota\)$"),
    ],
    ids=["key", "model", "quota"],
)
def test_a_complaint_of_the_server_is_told_without_it(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, Any], complaint: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.behave(tell_key="key" not in behaviour, **behaviour)
    result = run_small(server, tmp_path / "out", "limit=3")
    assert result.exit_code == 3
    assert_one_line(result.stderr, complaint)
    assert_nowhere(tmp_path, result.output)


def test_the_reason_of_a_rejected_request_is_kept_without_it(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.behave(wrong_parameter="messages", tell_key=True)
    reject = ("limit=2", "parts.snips={source: snips, task: state_tracking}", "reasoning.fallback=reject")
    result = run_small(server, tmp_path / "out", *reject, "expect.rejects_at_most=1")
    assert result.exit_code == 0, result.stderr
    (message,) = {row["findings"][0]["message"] for row in read_rows(tmp_path / "out", "rejects")}
    assert message.endswith("rejected: 400: ***: Unrecognized request argument supplied: messages")
    assert_nowhere(tmp_path, result.output)
