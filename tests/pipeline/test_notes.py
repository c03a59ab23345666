"""What a build says beside its table: an odd split, many faults, why there is no row."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from parcels import FUNCTIONS, make_talk, write_lines, write_recipe, write_source
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.mixture.split import is_held_out


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of thirty talks that share their two functions; the current folder is its own."""
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "corpora" / "chats.jsonl", [make_talk(number) for number in range(30)])
    write_source(tmp_path)
    return write_recipe(tmp_path)


def build(recipe: Path, *changes: str) -> Result:
    sets = [word for change in changes for word in ("--set", change)]
    return run("build", recipe, "--data", "corpora", "--out", "out", "--workers", 1, *sets)


# --- the split ---


def test_dialogues_that_share_functions_are_held_out_by_dialogue_if_the_recipe_says_so(mine: Path) -> None:
    done = build(mine, "validation=0.2", "validation_by=dialogues")
    assert done.exit_code == 0, done.output
    assert "NOTE" not in done.stderr
    (part,) = json.loads(Path("out/manifest.json").read_bytes())["parts"].values()
    assert part["mixed"] == part["rejects"] == 0
    assert part["rows"] + part["validation"] == 60
    assert 6 <= part["validation"] <= 20
    card = Path("out/README.md").read_text()
    assert "train contains none of its dialogues.\n" in card


def test_a_split_without_validation_rows_says_so_and_names_the_remedy(mine: Path) -> None:
    done = build(mine, "validation=0.01")
    assert done.exit_code == 0, done.output
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("NOTE: ")]
    assert note == (
        "NOTE: validation 0.01 gives no validation row: it holds out none of the functions; "
        "where the dialogues share functions, hold out dialogues instead: --set validation_by=dialogues"
    )


def test_candidates_in_neither_split_are_named_and_have_a_column(mine: Path) -> None:
    """One of the two functions is held out: whoever calls it is in validation, whoever only shows it fits nowhere."""
    talks = [make_talk(number, tools=1 if number < 10 else 2) for number in range(30)]
    write_lines(mine.parent / "corpora" / "chats.jsonl", talks)
    seed = next(n for n in range(99) if [is_held_out(name, "function", 0.5, n) for name in FUNCTIONS] == [False, True])
    done = build(mine, "validation=0.5", f"seed={seed}")
    assert done.exit_code == 0, done.output
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("NOTE: ")]
    assert note == (
        "NOTE: validation 0.5 gives 20 validation rows and leaves 20 candidates in neither split, since they show or "
        "call functions that are held out beside others that are not; where the dialogues share functions, hold out "
        "dialogues instead: --set validation_by=dialogues"
    )
    header, row, *_ = done.stdout.splitlines()
    assert "in neither split" in header
    assert row.split() == "parcels 30 60 20 20 20 0 0 0".split()
    assert (
        "candidates = rows - second copies + validation + left out + in neither split + rejects."
        in Path("out/README.md").read_text()
    )


def test_where_nothing_is_left_for_train_the_split_is_named_and_not_the_corpus(mine: Path) -> None:
    told = set()
    for seed in range(6):
        done = build(mine, "validation=0.5", f"seed={seed}")
        if done.exit_code == 2:
            told.add(done.stderr.splitlines()[-1])
    assert told
    for line in told:
        assert re.search(
            r"no row to write: validation 0\.5 leaves no candidate for train: \d+ are held out, and \d+ are in neither "
            r"split; hold out less",
            line,
        )
        assert "no usable dialogue" not in line


def test_where_the_checks_reject_every_sample_the_first_one_is_told(mine: Path) -> None:
    talk = make_talk(0)
    talk["messages"][-1]["content"] = "It is at 06:10\x1b."
    write_lines(
        mine.parent / "corpora" / "chats.jsonl", [{**talk, "messages": [talk["messages"][0], talk["messages"][-1]]}]
    )
    done = build(mine)
    assert done.exit_code == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("coalm-it: no row to write: the checks rejected every sample (")
    assert "; the first, parcels/train/chats_0/0/function_call: " in last
    assert "\x1b" not in last


# --- faults ---


def test_of_many_faults_the_first_are_told_and_the_others_counted(mine: Path) -> None:
    done = build(mine, "expect.rejects_at_most=1")
    assert "fault" not in done.stderr
    broken = [{**make_talk(number), "tools": []} for number in range(1000)]
    write_lines(mine.parent / "corpora" / "chats.jsonl", [make_talk(0), *broken])
    again = {"parcels2": {"source": "parcels.yaml", "task": "function_call", "layout": "hammer"}}
    done = build(mine, "expect.rejects_at_most=1", f"parts.again={json.dumps(again['parcels2'])}")
    faults = [line for line in done.stderr.splitlines() if line.startswith("fault: ")]
    assert len(faults) == 2
    assert faults[0].startswith(
        "fault: chats.jsonl, 500 records (chats_1, chats_3, chats_5, ...): message 1: a call of"
    )


def test_a_reason_that_every_file_gives_is_told_ten_times(mine: Path) -> None:
    for number in range(40):
        write_lines(mine.parent / "corpora" / f"chats-{number}.jsonl", [{"talk": []}])
    write_source(mine.parent, "chats*.jsonl")
    done = build(mine, "expect.rejects_at_most=1")
    faults = [line for line in done.stderr.splitlines() if line.startswith("fault: ")]
    assert len(faults) == 11
    assert faults[-1].startswith("fault: and 30 more; ")
