"""A folder is held by one process at a time."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.dataset.lock import FolderInUseError, hold_folder
from coalm_it.files import OutputError

HOLD = """
import sys, time
from pathlib import Path
from coalm_it.dataset.lock import hold_folder
with hold_folder(Path(sys.argv[1]), "a build of tod"):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_folder_until_that_ends(tmp_path: Path) -> None:
    holder = start_holder(tmp_path / "out")
    line = rf"/out is in use by a build of tod \(process {holder.pid}, since \d\d:\d\d:\d\d\): wait for it, or name"
    with pytest.raises(FolderInUseError, match=line), hold_folder(tmp_path / "out", "another"):
        pass
    with hold_folder(tmp_path / "elsewhere", "another"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with hold_folder(tmp_path / "out", "another"):
        pass


def test_another_way_to_the_same_folder_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    holder = start_holder(tmp_path / "out")
    with pytest.raises(FolderInUseError), hold_folder(tmp_path / "link", "another"):
        pass
    holder.kill()
    holder.wait()


def test_a_lock_leaves_nothing_in_the_folder(tmp_path: Path) -> None:
    with hold_folder(tmp_path, "a build of tod"):
        assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "locks").touch()
    monkeypatch.setenv("COALM_IT_CACHE", str(tmp_path / "cache"))
    with (
        pytest.raises(OutputError, match=r"/cache/locks cannot be written: .*; COALM_IT_CACHE can name another folder"),
        hold_folder(tmp_path / "out", "a build of tod"),
    ):
        pass


@pytest.mark.parametrize(
    "command",
    [
        ["build", "tod", "--out", "FOLDER"],
        ["publish", "FOLDER", "--repo", "ada/mine", "--endpoint", "http://127.0.0.1:1"],
    ],
    ids=lambda command: command[0],
)
def test_a_command_that_finds_the_folder_in_use_is_one_line(tmp_path: Path, command: list[str]) -> None:
    out = tmp_path / "out"
    holder = start_holder(out)
    result = CliRunner().invoke(app, [str(out) if word == "FOLDER" else word for word in command])
    holder.kill()
    holder.wait()
    assert result.exit_code == 3, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("coalm-it: ")]
    assert re.search(rf"/out is in use by a build of tod \(process {holder.pid},", line)
