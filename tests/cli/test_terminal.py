"""Tables on a terminal of 80 or 200 columns, and in a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.cli.terminal import PlainLines, print_table
from coalm_it.cli.visible import make_visible

COMMAND = [sys.executable, "-c", "from coalm_it.cli import app; app()"]
REFUSED = {
    "part": "multiwoz_state",
    "remedy": "coalm-it fetch multiwoz --data CORPORA, whose homepage asks for no registration at all",
}


def run_on_terminal(columns: int, *command: str, stream: str = "stdout") -> list[str]:
    """The lines that a command prints on a terminal of that width; its other stream goes nowhere."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    process = subprocess.Popen(command, stdout=streams["stdout"], stderr=streams["stderr"], env=environment)
    os.close(theirs)
    printed = b""
    while block := _read(ours):
        printed += block
    os.close(ours)
    assert process.wait() == 0
    return printed.decode().replace("\r\n", "\n").splitlines()


def _read(file: int) -> bytes:
    try:
        return os.read(file, 65_536)
    except OSError:  # the other end is closed
        return b""


def print_on_terminal(columns: int, rows: list[dict[str, str]]) -> list[str]:
    code = f"from coalm_it.cli.terminal import PlainLines, print_table; print_table({rows!r})"
    return run_on_terminal(columns, sys.executable, "-c", code)


# --- progress ---


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_elsewhere_a_line_every_half_minute_says_what_is_done_and_the_time_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    lines = PlainLines(clock)
    lines.advance("shards", 0, 4000)
    for done in range(1, 101):  # one a second
        clock.now += 1
        lines.advance("shards", done, 4000, f"{done * 500:,} rows")
    assert capsys.readouterr().err.splitlines() == [
        "shards: 30 of 4,000 (15,000 rows, 1:06:10 left)",
        "shards: 60 of 4,000 (30,000 rows, 1:05:40 left)",
        "shards: 90 of 4,000 (45,000 rows, 1:05:10 left)",
    ]
    lines.advance("shards", 4000, 4000, "9 rows")
    assert capsys.readouterr().err == "shards: 4,000 of 4,000 (9 rows)\n"


def test_the_time_left_counts_from_where_an_interrupted_run_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = PlainLines(clock)
    lines.advance("steps", 500, 1000)
    clock.now += 30
    lines.advance("steps", 600, 1000)
    lines.advance("steps", 0, 10)  # the stage begins anew
    clock.now += 30
    lines.advance("steps", 5, 10)
    assert capsys.readouterr().err.splitlines() == [
        "steps: 600 of 1,000 (0:02:00 left)",
        "steps: 5 of 10 (0:00:30 left)",
    ]


def test_a_terminal_shows_rows_and_the_time_left() -> None:
    code = """
import time
from coalm_it.cli.terminal import show_progress
with show_progress() as listener:
    listener.advance("shards", 0, 1000)
    time.sleep(0.3)
    listener.advance("shards", 1, 1000, "1,234 rows")
    time.sleep(0.3)
"""
    shown = "".join(run_on_terminal(120, sys.executable, "-c", code, stream="stderr"))
    assert re.search(r"shards.*1/1000.*0:0\d:\d\d left.*1,234 rows", shown), shown


def test_a_build_counts_its_rows(tmp_path: Path) -> None:
    command = [*COMMAND, "build", "tod", "--out", str(tmp_path / "out"), "--workers", "1", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = sum(part["rows"] for part in json.loads(done.stdout)["parts"].values())
    shards, files = re.findall(r"^(?:shards|files): \d+ of \d+ \((.+)\)$", done.stderr, re.MULTILINE)
    assert (shards, files) == (f"{rows:,} rows", f"{rows:,} of {rows:,} rows")


# --- tables ---


def test_a_wide_terminal_shows_a_line_for_each_row() -> None:
    header, line = print_on_terminal(200, [REFUSED])
    assert header.split() == ["part", "remedy"]
    assert line.endswith(REFUSED["remedy"])


def test_a_narrow_terminal_shows_a_line_for_each_value_and_cuts_none() -> None:
    lines = print_on_terminal(80, [REFUSED, {"part": "sgd", "remedy": "-"}])
    assert lines == ["part    multiwoz_state", f"remedy  {REFUSED['remedy']}", "", "part    sgd", "remedy  -"]


def test_a_table_in_a_pipe_is_neither_wrapped_nor_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    print_table([{"name": long, "rows": "1,000"}, {"name": "b", "rows": "2"}])
    assert capsys.readouterr().out.splitlines() == [
        f"name{' ' * 296}   rows",
        f"{long}  1,000",
        f"b{' ' * 299}      2",
    ]


def test_columns_are_aligned_by_what_a_terminal_shows(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"name": "東京", "status": "used"}, {"name": "Kyoto", "status": "used"}])
    assert [cell_len(line) for line in capsys.readouterr().out.splitlines()] == [13, 11, 11]


def test_no_rows_are_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([])
    assert capsys.readouterr().out == "nothing\n"


def test_text_of_a_corpus_cannot_steer_the_terminal() -> None:
    assert make_visible("a\x1b[2Jb\x07\n") == "a\\x1b[2Jb\\x07\n"


@pytest.mark.parametrize("columns", [80, 200])
def test_the_closing_table_of_a_build_fits_a_terminal(demo: Path, columns: int) -> None:
    lines = run_on_terminal(columns, *COMMAND, "build", "tod", "--out", str(demo))
    assert lines[0].split() == "part read candidates rows left out rejects faults".split()
    assert max(map(len, lines[:3])) <= 80


@pytest.mark.parametrize("columns", [80, 200])
def test_sources_are_a_block_for_each_corpus(bundled: Path, columns: int) -> None:
    lines = run_on_terminal(columns, *COMMAND, "sources", "--data", str(bundled))
    block = lines.index("sgd: Schema-Guided Dialogue (CC-BY-SA-4.0)")
    assert lines[block + 1] == "    sgd (layout sgd): train 2 of 127 files, validation 1 of 20 files; used"


def test_rejects_stand_in_lines_below_the_table(bundled: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(bundled, tmp_path / "data"))
    for path in (data / "sgd" / "train").iterdir():
        path.write_text(path.read_text().replace("Goodbye", "Good\\u001bbye"))
    options = ["--data", data, "--out", tmp_path / "out", "--set", "expect.rejects_at_most=1"]
    printed = CliRunner().invoke(app, ["build", "tod", *map(str, options)]).stdout.splitlines()
    (table,) = (line.split() for line in printed[:3] if line.startswith("sgd "))
    rejects = int(table[5])
    below = next(line for line in printed[3:] if line.startswith("sgd, rejected by check: "))
    assert re.search(rf"\bstructure {rejects}\b", below)
    assert max(map(len, printed[:3])) <= 80
