"""coalm-it ledger show, merge, export: what they print, what they refuse, and that no key is in any of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from next_steps import read_next
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.dataset.manifest import AnswersEntry, FileEntry, Manifest
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.ledger.maintenance import read_outcomes
from coalm_it.llm.request import Answer, Failure, Outcome, Request, request_key
from coalm_it.recipe import load_recipe

ANSWERS = [
    Answer(f"{n:032x}", f"thought {n}", "small", "stop", 1_000, 50, 0.5, f"2026-11-0{n + 1}T12:00:00Z")
    for n in range(4)
]
ODD = "It \x1b[2Jsays [red]no[/red] \x9b and\n\nthen " + "goes on " * 20
FAILURES = [
    Failure("e" * 32, "length", "cut off at max_tokens", ODD, "small", 900, 100, 0.5, "2026-11-08T12:00:00Z"),
    Failure(
        "f" * 32, "rejected", "400: \x1b]0;title\x07 [b]too long", "", "large", None, None, 0.0, "2026-11-09T12:00:00Z"
    ),
]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["ledger", *map(str, arguments)], terminal_width=200)


def refuse(result: Result, code: int) -> str:
    """The one line with which it ended."""
    assert result.exit_code == code, result.output
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("coalm-it: "))
    assert result.stdout == ""
    return line.removeprefix("coalm-it: ")


def store(path: Path, outcomes: Iterable[Outcome]) -> None:
    with open_ledger(path) as ledger:
        ledger.store([*outcomes]).result()


def write_build(folder: Path, keys: Iterable[str]) -> Path:
    """A finished build folder, as far as an export looks at it."""
    folder.mkdir()
    content = "".join(f"{key}\n" for key in sorted(keys)).encode()
    (folder / "requests.txt").write_bytes(content)
    manifest = Manifest(
        name="tod", build="", versions={}, recipe=load_recipe("tod"), parts={}, faults=(), sources={}, trained_on=(),
        inputs={}, answers=AnswersEntry(requests=0, digest=""),
        files={"requests.txt": FileEntry(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())},
    )  # fmt: skip
    (folder / "manifest.json").write_text(manifest.to_json())
    return folder


# --- show ---


def test_show_prints_a_row_for_each_model_and_outcome(path: Path) -> None:
    store(path, [*ANSWERS, *FAILURES])
    result = run("show", "--ledger", path)
    assert result.exit_code == 0
    assert result.stderr == f"{path}\n"
    assert [line.split() for line in result.stdout.splitlines()[1:]] == [
        "small answered 4 4,000 200 2026-11-01 2026-11-04".split(),
        "large rejected 1 0 0 2026-11-09 2026-11-09".split(),
        "small length 1 900 100 2026-11-08 2026-11-08".split(),
    ]
    (answered, *_) = json.loads(run("show", "--ledger", path, "--json").stdout)
    assert answered == {
        "model": "small", "outcome": "answered", "requests": 4, "prompt_tokens": 4000, "completion_tokens": 200,
        "first": "2026-11-01T12:00:00Z", "last": "2026-11-04T12:00:00Z",
    }  # fmt: skip


def test_show_failures_prints_a_line_for_each_and_text_as_it_is(path: Path) -> None:
    store(path, [*ANSWERS, *FAILURES])
    result = run("show", "--ledger", path, "--failures")
    rejected, cut_off = result.stdout.splitlines()
    assert rejected == rf"{'f' * 32}  large  rejected  400: \x1b]0;title\x07 [b]too long"
    assert cut_off.startswith(
        rf"{'e' * 32}  small  length  cut off at max_tokens  It \x1b[2Jsays [red]no[/red] \x9b and"
    )
    assert cut_off.endswith("...")
    assert len(cut_off) < 180
    assert result.stderr == f"{path}\n2 without an answer\n"
    listed = json.loads(run("show", "--ledger", path, "--failures", "--json").stdout)
    assert [row["text"] for row in listed] == ["", ODD]


def test_show_without_a_path_shows_the_users_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COALM_IT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mine = tmp_path / "coalm-it" / "answers.sqlite"
    assert refuse(run("show"), 3) == f"{mine}: there is no ledger"
    assert not mine.parent.exists()
    store(mine, ANSWERS)
    result = run("show")
    assert result.stderr == f"{mine}\n"
    assert "answered" in result.stdout


def test_show_of_an_empty_ledger_is_nothing(path: Path) -> None:
    store(path, [])
    assert run("show", "--ledger", path).stdout == run("show", "--ledger", path, "--failures").stdout + "nothing\n"


# --- merge ---


def test_merge_brings_what_is_whole_in_a_damaged_ledger(path: Path, tmp_path: Path) -> None:
    damaged, whole = tmp_path / "damaged.sqlite", tmp_path / "whole.sqlite"
    long = [replace(ANSWERS[0], key=f"{n:032x}", text=f"{n} " * 400) for n in range(100)]
    store(damaged, long)
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size * 2 // 3])
    store(whole, FAILURES)
    result = run("merge", damaged, whole, "--ledger", path, "--json")
    assert result.exit_code == 0, result.output
    saved, failures = json.loads(result.stdout)
    assert failures == {"source": str(whole), "new": 2}
    assert 20 < saved["new"] < 100
    assert result.stderr.splitlines() == [
        str(path), f"{damaged}: the ledger is damaged; {saved['new']} intact answers were recovered"
    ]  # fmt: skip
    kept = [outcome for outcome in read_outcomes(path) if isinstance(outcome, Answer)]
    assert len(kept) == saved["new"]
    assert set(kept) <= set(long)
    assert json.loads(run("merge", damaged, whole, "--ledger", path, "--json").stdout)[0]["new"] == 0


def test_merge_prints_a_table_of_what_each_brought(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store(Path("one.sqlite"), ANSWERS[:3])
    store(Path("two.sqlite"), ANSWERS)
    result = run("merge", "one.sqlite", "two.sqlite", "--ledger", path)
    assert read_next(result) == [f"coalm-it ledger show --ledger {path}"]
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["source", "new"],
        ["one.sqlite", "3"],
        ["two.sqlite", "1"],
    ]


def test_merge_of_what_is_not_there_stores_nothing(path: Path, tmp_path: Path) -> None:
    store(tmp_path / "one.sqlite", ANSWERS)
    missing = tmp_path / "none.sqlite"
    assert (
        refuse(run("merge", tmp_path / "one.sqlite", missing, "--ledger", path), 3) == f"{missing}: there is no ledger"
    )
    assert not path.exists()


# --- export ---


def test_an_export_holds_what_the_build_used_and_reads_as_the_ledger_does(path: Path, tmp_path: Path) -> None:
    store(path, [*ANSWERS, *FAILURES])
    used: list[Outcome] = [ANSWERS[2], ANSWERS[0], FAILURES[0]]
    out, file = write_build(tmp_path / "out", [one.key for one in used]), tmp_path / "published" / "answers.jsonl"
    result = run("export", out, file, "--ledger", path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == [{"file": str(file), "requests": 3}]
    with open_ledger(file, readonly=True) as exported, open_ledger(path, readonly=True) as ledger:
        assert {one.key for one in exported.read_all()} == {one.key for one in used}
        for one in used:
            assert exported.find(one.key) == ledger.find(one.key) == one
    before = file.read_bytes()
    again = run("export", out, file, "--ledger", file)  # from the export itself, over an earlier one
    rebuild = f"coalm-it build {out}/recipe.yaml --data CORPORA --ledger {file} --offline --out OUT"
    assert read_next(again) == [rebuild]
    assert file.read_bytes() == before


def test_an_export_that_lacks_an_answer_writes_nothing(path: Path, tmp_path: Path) -> None:
    store(path, ANSWERS[:1])
    out = write_build(tmp_path / "out", [ANSWERS[0].key, ANSWERS[1].key])
    line = refuse(run("export", out, tmp_path / "answers.jsonl", "--ledger", path), 3)
    assert line == f"{path}: no answer to request {ANSWERS[1].key}, which the build used"
    assert not list(tmp_path.glob("*answers.jsonl*"))


def test_an_export_writes_over_no_ledger(path: Path, tmp_path: Path) -> None:
    store(path, ANSWERS)
    out, before = write_build(tmp_path / "out", [ANSWERS[0].key]), path.read_bytes()
    line = refuse(run("export", out, path, "--ledger", path), 2)
    assert line == f"{path} is not a file of answers and is not overwritten: choose another file"
    assert refuse(run("export", out, out / "manifest.json", "--ledger", path), 2).startswith(str(out / "manifest.json"))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        ("no manifest", "{out} is not a finished build: it has no manifest.json"),
        ("no model", "{out} was built without a model: it has no requests.txt, and no answers to export"),
        ("other list", "{out}/requests.txt is not the file that was built: its sha256 has changed; build it again"),
        ("no list", "{out}/requests.txt is missing: manifest.json lists it; build it again"),
        ("cut off", "{out}/manifest.json is not JSON; build it again"),
        ("not ours", "{out}/manifest.json is not the manifest of a coalm-it build; build it again"),
    ],
)
def test_a_folder_from_which_nothing_can_be_exported_is_one_line(
    damage: str, line: str, path: Path, tmp_path: Path
) -> None:
    store(path, ANSWERS)
    out = write_build(tmp_path / "out", [ANSWERS[0].key])
    manifest, requests = out / "manifest.json", out / "requests.txt"
    match damage:
        case "no manifest":
            manifest.unlink()
        case "no model":
            manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "files": {}}))
        case "other list":
            requests.write_text(f"{ANSWERS[1].key}\n")
        case "no list":
            requests.unlink()
        case "cut off":
            manifest.write_bytes(manifest.read_bytes()[:40])
        case "not ours":
            manifest.write_text("[]")
    assert refuse(run("export", out, tmp_path / "answers.jsonl", "--ledger", path), 2) == line.format(out=out)
    assert not (tmp_path / "answers.jsonl").exists()


def test_a_build_without_a_model_has_nothing_to_export(demo: Path, path: Path, tmp_path: Path) -> None:
    line = refuse(run("export", demo, tmp_path / "answers.jsonl", "--ledger", path), 2)
    assert line == f"{demo} was built without a model: it has no requests.txt, and no answers to export"


# --- the key ---


def test_the_key_is_nowhere_from_the_server_to_the_published_file(
    server: Any,
    questions: Callable[[int], list[Request]],
    ask: Callable[..., dict[str, Outcome]],
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planted = "sk-planted-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", planted)
    server.behave(length=0.3, filtered=0.2)
    settings, requests = server.settings(), questions(30)
    assert any(isinstance(outcome, Failure) for outcome in ask(requests, settings).values())
    out = write_build(tmp_path / "out", [request_key(one, settings) for one in requests])
    file, other = tmp_path / "answers.jsonl", tmp_path / "other.sqlite"
    results = [
        run("show", "--ledger", path),
        run("show", "--ledger", path, "--json"),
        run("show", "--ledger", path, "--failures"),
        run("show", "--ledger", path, "--failures", "--json"),
        run("export", out, file, "--ledger", path),
        run("merge", file, path, "--ledger", other),
        run("show", "--ledger", file),
    ]
    assert [result.exit_code for result in results] == [0] * 7
    assert len(list(read_outcomes(other))) == 30
    assert planted not in "".join(result.output for result in results)
    for written in tmp_path.rglob("*"):
        assert not written.is_file() or planted.encode() not in written.read_bytes()
