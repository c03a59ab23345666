"""What is said where a recipe's own corpus is not found, or gives too few rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from parcels import make_talk, write_lines, write_recipe, write_source
from typer.testing import CliRunner, Result

from coalm_it.cli import app


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with parcels.yaml, mine.yaml, and thirteen talks in corpora/post/chats.jsonl."""
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "corpora" / "post" / "chats.jsonl", [make_talk(number) for number in range(13)])
    write_source(tmp_path)
    write_recipe(tmp_path)
    return tmp_path


def complain(*options: object) -> str:
    """The one line of a build that is refused."""
    done = run("build", "mine.yaml", "--out", "out", "--workers", 1, *options)
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    return line.removeprefix("coalm-it: ")


@pytest.mark.parametrize("rows", [None, 5], ids=["all", "quota"])
def test_without_data_the_option_is_named(folder: Path, rows: int | None) -> None:
    write_recipe(folder, rows=rows)
    assert complain() == (
        "part parcels: parcels.yaml describes a corpus of your own: say where its files are, with --data FOLDER"
    )


@pytest.mark.parametrize(
    ("glob", "near"),
    [
        ("chat.jsonl", "post/chats.jsonl, post/chats.jsonl.gz"),
        ("chats.json", "post/chats.jsonl, post/chats.jsonl.gz"),
        ("data/chats.jsonl", "post/chats.jsonl, post/chats.jsonl.gz"),
        ("Chats.jsonl", "post/chats.jsonl, post/chats.jsonl.gz"),
        ("dialogues-*.parquet", ""),
    ],
)
def test_a_glob_that_matches_nothing_names_the_files_that_it_nearly_matches(folder: Path, glob: str, near: str) -> None:
    (folder / "corpora" / "post" / "chats.jsonl.gz").write_bytes(b"")
    (folder / "corpora" / "post" / "README.md").write_text("Talks.")
    write_source(folder, glob)
    hint = f"; nearly so: {near}" if near else ""
    assert complain("--data", "corpora") == (
        f"part parcels: no corpus 'parcels' in corpora: no path there ends in {glob}{hint}; "
        "its `layouts` in parcels.yaml say which files it consists of"
    )


def test_a_source_file_that_is_missing_names_the_part_and_where_it_was_looked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe(folder, "parcles.yaml")
    assert complain() == f"part parcels: no file parcles.yaml in {folder}; did you mean 'parcels.yaml'?"
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    done = run("build", "../mine.yaml", "--out", "out")
    assert f"part parcels: no file parcles.yaml in {folder} or {folder / 'elsewhere'}; did you mean" in done.stderr


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("chats.jsonl", "part parcels: source chats.jsonl is a data file: describe its corpus in a YAML file (docs/"),
        ("mine.yaml", "part parcels: mine.yaml: this is a recipe; the file that describes a corpus has reader and"),
        ("parcels", "part parcels: no source is called 'parcels'; there are: "),
    ],
)
def test_what_is_no_source_is_said_to_be_what_it_is(folder: Path, source: str, message: str) -> None:
    write_recipe(folder, source)
    assert complain("--data", "corpora").startswith(message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", ". is a folder; give a name (coalm_it, coalm_it_plus, tod) or the path of a YAML file"),
        ("corpora/post/chats.jsonl", "corpora/post/chats.jsonl: the name of a YAML file ends in .yaml or .yml"),
        ("mine.yml", "no mine.yml; did you mean 'mine.yaml'?"),
        ("corpora/mine.yaml", "no corpora/mine.yaml; there are: coalm_it, coalm_it_plus, tod"),
    ],
)
def test_what_is_no_recipe_is_one_line(folder: Path, name: str, message: str) -> None:
    done = run("build", name, "--out", "out")
    assert (done.exit_code, done.stderr) == (2, f"coalm-it: {message}\n")


def test_a_corpus_is_no_recipe(folder: Path) -> None:
    done = run("build", "parcels.yaml", "--out", "out")
    assert done.exit_code == 2
    assert done.stderr == (
        "coalm-it: parcels.yaml: this describes a corpus; a recipe names it, as in "
        "parts: {parcels: {source: parcels.yaml, task: function_call}}\n"
    )


def test_too_few_rows_are_explained_by_what_was_lost(folder: Path) -> None:
    talks = [make_talk(number, said="" if number < 3 else "none") for number in range(13)]
    write_lines(folder / "corpora" / "post" / "chats.jsonl", [*talks, {"messages": []}])
    write_recipe(folder, rows=100)
    done = run("build", "mine.yaml", "--data", "corpora", "--out", "out", "--workers", 1, "--json")
    assert done.exit_code == 1
    (short,) = json.loads(done.stdout)["shortages"]
    assert (short["wanted"], short["have"], short["rejects"], short["faults"]) == (100, 6, 20, 1)
    assert short["remedy"] == "mend what was rejected, ask for fewer rows, or set fill: repeat"


# --- one corpus, several folders ---


def test_of_two_folders_one_is_read_and_the_line_says_how_to_read_both(folder: Path) -> None:
    for month in ("2026-01", "2026-02"):
        write_lines(folder / "corpora" / "post" / month / "chats.jsonl", [make_talk(number) for number in range(5)])
    (folder / "corpora" / "post" / "chats.jsonl").unlink()
    build = ("build", "mine.yaml", "--data", "corpora", "--out", "out", "--workers", 1)
    told = run(*build).stderr
    assert (
        "skipped: parcels in post/2026-02 (layout jsonl): parcels is read from post/2026-01 (layout jsonl); "
        "a corpus is one folder: to read both as one, change its globs to {train: */chats.jsonl}"
    ) in told.splitlines()
    write_source(folder, "*/chats.jsonl")
    joined = run(*build)
    assert "skipped" not in joined.stderr
    (part,) = json.loads((folder / "out" / "manifest.json").read_bytes())["parts"].values()
    assert part["dialogues"] == 10


def test_folders_at_different_depths_are_to_be_brought_together(folder: Path) -> None:
    write_lines(folder / "corpora" / "chats.jsonl", [make_talk(0)])
    told = run("build", "mine.yaml", "--data", "corpora", "--out", "out", "--workers", 1).stderr
    assert "a corpus is one folder: to read both, bring their files together below one" in told


# --- sources ---


def test_sources_lists_the_files_of_ones_own_corpus(folder: Path) -> None:
    for number in range(12):
        (folder / "corpora" / "post" / f"notes-{number:02}.txt").touch()
    done = run("sources", "parcels.yaml", "--data", "corpora")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "parcels: Talks about parcels (CC0-1.0)",
        "    post (layout jsonl): train 1 file; used",
        "        read, 1 of 13 files: chats.jsonl",
        "        passed over, since no glob of the layout matches them: "
        f"{', '.join(f'notes-{number:02}.txt' for number in range(10))} and 2 more",
    ]
    assert done.stderr == "next: coalm-it build RECIPE --data corpora --out OUT; or coalm-it recipes\n"
    (row,) = json.loads(run("sources", "parcels.yaml", "--data", "corpora", "--json").stdout)
    assert (row["read"], len(row["not_read"])) == (["chats.jsonl"], 12)


def test_sources_says_why_ones_own_corpus_is_not_found(folder: Path) -> None:
    write_source(folder, "talks.jsonl", licence="")
    known = run("sources", "parcels.yaml")
    assert known.stdout.splitlines()[0] == "parcels: Talks about parcels (no licence stated)"
    assert known.stderr == "next: coalm-it sources parcels.yaml --data CORPORA\n"
    done = run("sources", "parcels.yaml", "snips", "--data", "corpora")
    assert "    not found: no path there ends in talks.jsonl; layouts: jsonl" in done.stdout.splitlines()
    assert done.stderr == ""


def test_a_corpus_needs_no_citation(folder: Path) -> None:
    assert "citation" not in (folder / "parcels.yaml").read_text()
    done = run("build", "mine.yaml", "--data", "corpora", "--out", "out", "--workers", 1)
    assert done.exit_code == 0, done.output
    citations = (folder / "out" / "README.md").read_text().partition("## Citations")[2]
    assert "[Talks about parcels](https://example.org/parcels)" in citations
