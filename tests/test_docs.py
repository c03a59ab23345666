"""README and docs say what is so: every command, recipe and room is in them, and what they show is what comes out."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest
import typer
import yaml
from pages import PAGES, list_our_commands
from typer.core import TyperGroup
from typer.testing import CliRunner

import coalm_it
from coalm_it.calls import Syntax
from coalm_it.checks import CHECKS
from coalm_it.cli import app
from coalm_it.dataset.folder import FILES
from coalm_it.dataset.tables import COALM_IT, DIALOGUES, MEANINGS, PROVENANCE, REJECTS
from coalm_it.pipeline.build import build
from coalm_it.recipe import Part, list_recipes
from coalm_it.rendering.varied import ToolStyle
from coalm_it.templates import list_macros

ROOT = Path(coalm_it.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
GROUP = typer.main.get_group(app)
COMMANDS = sorted(GROUP.commands)
SUB_COMMANDS = {name: sorted(group.commands) for name, group in GROUP.commands.items() if isinstance(group, TyperGroup)}


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipe coalm_it_plus, built from the bundled corpora."""
    return build("coalm_it_plus", out=tmp_path_factory.mktemp("plus") / "out").out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(command: str) -> None:
    assert f"coalm-it {command}" in README
    assert "Usage" in CliRunner().invoke(app, [command, "--help"]).stdout


@pytest.mark.parametrize(
    ("group", "command"), [(group, name) for group in SUB_COMMANDS for name in SUB_COMMANDS[group]]
)
def test_every_command_of_a_group_is_in_the_readme(group: str, command: str) -> None:
    assert f"coalm-it {group} {command} " in README


def test_the_readme_names_no_command_that_is_not_there() -> None:
    assert set(re.findall(r"coalm-it ([a-z]+)(?= )", README)) <= {*COMMANDS, "is"}
    for group, names in SUB_COMMANDS.items():
        assert set(re.findall(rf"coalm-it {group} ([a-z0-9]+)", README)) <= set(names)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_that_a_page_names_exists(page: str) -> None:
    for name, *words in list_our_commands(PAGES[page].read_text(encoding="utf-8")):
        if name.startswith("--"):  # of all commands
            continue
        assert name in GROUP.commands, f"coalm-it {name}"
        command = GROUP.commands[name]
        if isinstance(command, TyperGroup) and words:
            command = command.commands[words[0]]
        options = {option for one in command.params for option in one.opts} | {"--help"}
        named = {found for word in words for found in re.findall(r"^\[?(--[a-z-]+)", word)}
        assert named <= options, f"coalm-it {name}: {named - options}"


def test_every_page_is_on_the_site() -> None:
    """The site itself, with every anchor, is built by .ci/run: its packages are not among those of the tests."""
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = re.findall(r"\w+\.md", json.dumps(site["nav"]))
    assert sorted(pages) == sorted(set(PAGES) - {"README.md"})
    assert pages[0] == "index.md"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    path = PAGES[page]
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        there = path.parent / target if target else path
        assert there.exists(), link
        if path.parent.name == "docs":  # a site holds only its own folder
            assert there.resolve().is_relative_to(ROOT / "docs"), link
        titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w]+", "-", title.lower()).strip("-") for title in titles}, link


def test_the_readme_shows_a_dialogue_as_it_is_printed(demo: Path) -> None:
    printed = CliRunner().invoke(app, ["show", str(demo), "sgd/train/1_00002"], terminal_width=10_000).stdout
    shown = re.findall(r"^    ( *(?:user|thought|call|tool|assistant)  .+)$", README, re.MULTILINE)
    assert len(shown) > 10
    for line in shown:
        assert line.removesuffix(" ...") in printed


def test_every_room_is_in_the_picture() -> None:
    package = ROOT / "coalm_it"
    rooms = {path.name for path in package.glob("*.py")} | {
        f"{path.parent.name}/" for path in package.glob("*/__init__.py")
    }
    for room in rooms - {"__init__.py"}:
        assert f"`{room}`" in ARCHITECTURE, room


@pytest.mark.parametrize("recipe", list_recipes())
def test_every_recipe_is_in_the_readme(recipe: str) -> None:
    assert f"`{recipe}`" in README


def test_the_reference_pages_are_made_from_the_code() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "reference.py"))["write_pages"]()
    for name, text in made.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, f"run: python docs/reference.py ({name})"


@pytest.mark.parametrize(
    ("page", "rows"),
    [("recipe", 60), ("corpus_yaml", 25), ("training_config", 10), ("evaluation_config", 30), ("data_set", 80)],
)
def test_every_key_and_column_has_its_meaning_there(page: str, rows: int) -> None:
    found = re.findall(r"^\| `.+$", (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) > rows
    assert not [row for row in found if row.endswith("|  |")]


def test_every_column_and_every_file_of_a_build_is_described(demo: Path) -> None:
    columns = {field.name for schema in (COALM_IT, REJECTS, DIALOGUES) for field in schema}
    assert {name for name in MEANINGS if "." not in name} == columns
    files = [path.relative_to(demo) for path in demo.rglob("*") if path.is_file() and ".work" not in path.parts]
    for file in files:
        assert any(file.match(pattern) for pattern in FILES), file
    absent = {pattern for pattern in FILES if not any(file.match(pattern) for file in files)}
    assert absent <= {"requests.txt", "rejects/*.parquet"}, "no build writes these"


def test_every_key_of_provenance_is_described(plus: Path) -> None:
    paths = (plus / "data" / "samples").glob("*.parquet")
    rows = [row for path in paths for row in pq.read_table(path, columns=["provenance"])["provenance"].to_pylist()]
    keys = {key for row in rows for key in json.loads(row)}
    assert keys >= {"mask", "unanswerable", "writer"}
    assert keys <= set(PROVENANCE)


def test_the_numbers_of_wordings_and_formats_are_those_that_there_are() -> None:
    layout = Part.model_fields["layout"].description or ""
    counts = len(list_macros("rows/varied/agent")), len(get_args(Syntax)), len(get_args(ToolStyle))
    assert "one of {} wordings, {} call formats and {} forms of the list of functions".format(*counts) in layout


def test_every_check_stands_in_the_reference_with_its_meaning() -> None:
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8").split("## Checks")[1]
    assert re.findall(r"^\| `(\w+)` \| .{40,}\. \|$", page, re.MULTILINE) == [*CHECKS]
