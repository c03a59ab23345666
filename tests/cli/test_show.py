"""`coalm-it show` finds the rows of a dialogue by any of its names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.cli.transcripts import print_preview
from coalm_it.pipeline.build import build
from coalm_it.pipeline.preview import PreviewedDialogue
from coalm_it.recipe import Recipe
from coalm_it.schema import Dialogue, Place, Turn
from coalm_it.thoughts.writers import DialogueWithThoughts

POLICY = "Be kind.\nNever refund."
NOT_READ = {"messages": [{"role": "assistant", "content": "Hello.\x1b[2J"}], "id": "first/7"}
TALK = {"system": POLICY, "messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of records with slashes in their ids, one of which occurs twice."""
    folder = tmp_path_factory.mktemp("show")
    ids = ["a/b", "a/b", "x/0/function_call", "own_3"]
    records = [*({**TALK, "id": id} for id in ids), NOT_READ]
    (folder / "own.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    source = {
        "name": "own",
        "title": "Own",
        "reader": "messages",
        "licence": "CC0-1.0",
        "homepage": "https://example.org",
    }
    layouts = [{"name": "files", "splits": {"train": "own.jsonl"}}]
    (folder / "own.yaml").write_text(
        yaml.safe_dump({**source, "citation": "none", "layouts": layouts, "columns": {"id": "id"}})
    )
    parts = {"own": {"source": str(folder / "own.yaml"), "task": "function_call"}}
    build(Recipe.model_validate({"name": "show", "parts": parts}), data=folder, out=folder / "out", workers=1)
    return folder / "out"


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("a/b", "own/train/a/b/0/function_call"),
        ("own/train/a/b", "own/train/a/b/0/function_call"),
        ("own/train/a/b~2", "own/train/a/b~2/0/function_call"),
        ("a/b~2", "own/train/a/b~2/0/function_call"),
        ("x/0/function_call", "own/train/x/0/function_call/0/function_call"),
        ("own/train/own_3/0/function_call", "own/train/own_3/0/function_call"),
    ],
)
def test_a_record_with_slashes_in_its_id_is_found(out: Path, name: str, row: str) -> None:
    shown = CliRunner().invoke(app, ["show", str(out), name])
    assert shown.exit_code == 0, shown.output
    assert row + "  (part own" in shown.output
    assert "system  Be kind.\nNever refund.\n" in shown.output
    assert "fault" not in shown.output


@pytest.mark.parametrize("name", ["first/7", "own/train/first/7", "own/train/first/7/0/function_call"])
def test_a_record_that_could_not_be_read_is_told_with_the_reason(out: Path, name: str) -> None:
    shown = CliRunner().invoke(app, ["show", str(out), name])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("own.jsonl, record first/7: a fault, of which no dialogue was made: ")
    assert len(shown.stdout.splitlines()) == 1


def test_what_is_neither_is_one_line(out: Path) -> None:
    shown = CliRunner().invoke(app, ["show", str(out), "own/test/first/7"])
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "no row and no dialogue 'own/test/first/7'" in shown.stderr


def test_a_preview_shows_what_the_system_says(capsys: pytest.CaptureFixture[str]) -> None:
    turns = (Turn(user="Hi.", reply="Hello."), Turn(user="Bye.", system="Close \x1b[2J now.", reply="Bye!"))
    dialogue = Dialogue(id="1", source="own", split="train", licence="", system=POLICY, turns=turns)
    places = [Place(0, None), Place(1, None)]
    written = DialogueWithThoughts(dialogue, {place: {} for place in places}, dict.fromkeys(places, "no answer"))
    print_preview(PreviewedDialogue("own", written, DialogueWithThoughts(dialogue)))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:4] == ["system  Be kind.", "Never refund.", "user  Hi."]
    assert lines[6] == "system  Close \\x1b[2J now."
