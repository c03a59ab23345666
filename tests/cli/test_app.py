"""What holds for every command: version, unexpected errors, text that is printed, shipped files to copy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from coalm_it import __version__
from coalm_it.assets import list_assets
from coalm_it.cli import app
from coalm_it.cli.app import Commands, main, print_json
from coalm_it.cli.visible import make_visible, show_escapes
from coalm_it.errors import RequestError

STEERING = "a\x1b[2J\x07\x85\u202eb\u2066\u200f\ud83d\u2028"


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"coalm-it {__version__}\n"


# --- an error that nobody foresaw ---


@pytest.fixture
def failing() -> typer.Typer:
    """An app like ours with two commands that fail: `surprise`, and `refuse` with text of others in its message."""
    commands = typer.Typer(cls=Commands)
    commands.callback()(main)

    @commands.command()
    def surprise() -> None:
        raise LookupError(f"no such thing {STEERING}")

    @commands.command()
    def refuse() -> None:
        raise RequestError(f"bad file {STEERING}")

    return commands


def test_an_unexpected_error_is_one_line_that_says_it_is_ours(failing: typer.Typer) -> None:
    result = CliRunner().invoke(failing, ["surprise"])
    assert result.exit_code == 4
    (line,) = result.stderr.splitlines()
    assert line.startswith("coalm-it: surprise: a fault of coalm-it, not of your data: LookupError: no such thing a")
    assert "(test_app.py, line " in line
    assert "`coalm-it --debug surprise ...`" in line


def test_with_debug_it_has_its_traceback(failing: typer.Typer) -> None:
    result = CliRunner().invoke(failing, ["--debug", "surprise"])
    assert result.exit_code == 4
    assert "Traceback (most recent call last)" in result.stderr


@pytest.mark.parametrize("command", ["surprise", "refuse"])
def test_text_of_others_in_an_error_cannot_steer_the_terminal(failing: typer.Typer, command: str) -> None:
    result = CliRunner().invoke(failing, [command])
    assert not set(STEERING) - {"a", "b", "[", "2", "J"} & set(result.stderr)
    assert r"a\x1b[2J\x07\x85\u202eb\u2066\u200f\ud83d\u2028" in result.stderr


def test_a_wrong_option_is_told_as_ever(failing: typer.Typer) -> None:
    result = CliRunner().invoke(failing, ["surprise", "--nonsense"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr


# --- what is printed ---


def test_steering_characters_become_escapes_and_others_stay() -> None:
    assert make_visible(STEERING) == r"a\x1b[2J\x07\x85\u202eb\u2066\u200f\ud83d\u2028"
    assert make_visible("tab\tline\nÜmläut 東京 😀") == "tab\tline\nÜmläut 東京 😀"


def test_json_keeps_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": "a\u202eb\x85 東京"}
    print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert r"\u202e" in printed
    assert "東京" in printed
    assert json.loads(show_escapes(json.dumps(STEERING, ensure_ascii=False))) == STEERING


def test_a_pipe_that_closes_early_is_no_error(bundled: Path) -> None:
    command = f"{sys.executable} -m coalm_it sources --data {bundled} | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "fault" not in done.stderr


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "coalm_it", "recipes"], capture_output=True, text=True, check=True)
    assert done.stdout == CliRunner().invoke(app, ["recipes"]).stdout


# --- shipped files to copy ---


@pytest.mark.parametrize("kind", ["recipes", "train", "eval"])
def test_each_shipped_file_is_printed_as_it_is(kind: str) -> None:
    for path in list_assets(kind, ".yaml"):  # type: ignore[arg-type]
        name = path.stem if kind == "recipes" else f"{kind}/{path.stem}"
        printed = CliRunner().invoke(app, ["recipes", name]).stdout
        assert printed == path.read_text(encoding="utf-8")
        assert yaml.safe_load(printed)


def test_an_unknown_one_is_one_line() -> None:
    result = CliRunner().invoke(app, ["recipes", "todd"])
    assert result.exit_code == 2
    assert result.stderr == "coalm-it: no todd comes with the package; did you mean 'tod'?\n"
