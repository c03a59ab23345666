"""Tables on a terminal of 80 or 200 columns, and in a pipe."""

from __future__ import annotations

import fcntl
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
from coalm_it.cli.terminal import print_table
from coalm_it.cli.visible import make_visible

COMMAND = [sys.executable, "-c", "from coalm_it.cli import app; app()"]
REFUSED = {
    "part": "multiwoz_state",
    "remedy": "coalm-it fetch multiwoz --data CORPORA, whose homepage asks for no registration at all",
}


def run_on_terminal(columns: int, *command: str) -> list[str]:
    """The lines that a command prints on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
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
    code = f"from coalm_it.cli.terminal import print_table; print_table({rows!r})"
    return run_on_terminal(columns, sys.executable, "-c", code)


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
    assert lines[block + 1] == "    sgd (layout sgd); files: train 2 of 127, validation 1 of 20; used"


def test_rejects_stand_in_lines_below_the_table(bundled: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(bundled, tmp_path / "data"))
    for path in (data / "sgd" / "train").iterdir():
        path.write_text(path.read_text().replace('"GetForecast"', '"Get=Forecast("'))  # no row can hold such a call
    options = ["--data", data, "--out", tmp_path / "out", "--set", "expect.rejects_at_most=1"]
    printed = CliRunner().invoke(app, ["build", "tod", *map(str, options)]).stdout.splitlines()
    (table,) = (line.split() for line in printed[:3] if line.startswith("sgd "))
    rejects = int(table[5])
    below = next(line for line in printed[3:] if line.startswith("sgd, rejected by check: "))
    assert re.search(rf"\brendering {rejects}\b", below)
    assert max(map(len, printed[:3])) <= 80
