"""A user's own templates: they go before the package's in rows and prompts, and a build carries them along."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from decoded import decode_messages
from typer.testing import CliRunner

from coalm_it.assets import asset
from coalm_it.cli import app
from coalm_it.dataset.tables import open_table
from coalm_it.listener import Silent
from coalm_it.pipeline.build import build
from coalm_it.pipeline.plan import find_part_sources, plan_tasks, prepare_recipe
from coalm_it.pipeline.shard import make_shard
from coalm_it.templates import TemplateError, fingerprint_templates, render_macro, use_templates
from coalm_it.templates.own import list_replaceable, read_own_templates
from coalm_it.thoughts.prompts import render_prompt

GREETING = "Work for the harbour office."


@pytest.fixture(autouse=True)
def ours() -> Iterator[None]:
    """Other tests go on with the package's templates."""
    yield
    use_templates({})


def change(folder: Path, name: str, edit: Callable[[str], str]) -> None:
    """Writes a changed copy of a template of the package into a folder of own templates."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(edit(asset("templates", name).read_text(encoding="utf-8")), encoding="utf-8")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A recipe with own wordings of a row, of a thought and of a prompt."""
    folder = tmp_path / "mine" / "wordings"
    change(folder, "rows/system.jinja", lambda text: text.replace("You help a user", f"{GREETING} You help a user"))
    change(folder, "thoughts/ask.yaml", lambda text: text.replace('  - "', '  - "Ahoy! '))
    change(folder, "prompts/judge.jinja", lambda text: text.replace("You judge", f"{GREETING} You judge"))
    recipe = tmp_path / "mine" / "recipe.yaml"
    part = "{source: sgd, task: [react_action, react_response]}"
    recipe.write_text(f"name: mine\ntemplates: wordings\nparts:\n  sgd: {part}\n", encoding="utf-8")
    return recipe


def read_rows(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "data" / "samples").to_pylist()
    return rows


def test_they_are_used_and_are_part_of_the_provenance(mine: Path, tmp_path: Path) -> None:
    before = {folder: fingerprint_templates(folder) for folder in ("rows", "thoughts")}
    rows = read_rows(build(str(mine), out=tmp_path / "out", workers=2).out)
    assert all(GREETING in decode_messages(row)[0][0]["content"] for row in rows)
    assert any("Ahoy! " in message.get("reasoning_content", "") for row in rows for message in decode_messages(row)[0])
    assert GREETING in render_prompt("judge", "system")
    provenance = json.loads(rows[0]["provenance"])
    assert provenance["templates"] == fingerprint_templates("rows") != before["rows"]
    assert provenance["thoughts"] == fingerprint_templates("thoughts") != before["thoughts"]


def test_the_next_recipe_without_any_uses_the_packages(mine: Path, tmp_path: Path, demo: Path) -> None:
    build(str(mine), out=tmp_path / "out")
    plain = build("tod", out=tmp_path / "plain").out
    for path in (demo / "data").rglob("*.parquet"):
        assert (plain / path.relative_to(demo)).read_bytes() == path.read_bytes()


def test_a_copy_of_the_packages_gives_the_same_rows_and_fingerprints(tmp_path: Path, demo: Path) -> None:
    for name in list_replaceable():
        change(tmp_path / "own", name, str)
    again = build("tod", out=tmp_path / "out", changes=[f"templates={tmp_path / 'own'}"]).out
    for path in (demo / "data").rglob("*.parquet"):
        assert (again / path.relative_to(demo)).read_bytes() == path.read_bytes()


def test_a_worker_that_starts_from_nothing_has_them(mine: Path, tmp_path: Path) -> None:
    recipe = prepare_recipe(str(mine))
    tasks = plan_tasks(recipe, find_part_sources(recipe, None, Silent()))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        (_, path), *_ = pool.map(partial(make_shard, tmp_path / "shards"), tasks)
    with open_table(path) as table:
        systems = [json.loads(prompt[0])["content"] for prompt in table["prompt"].to_pylist()]
    assert systems
    assert all(GREETING in system for system in systems)


def test_a_build_can_be_built_again_from_its_own_folder(mine: Path, tmp_path: Path) -> None:
    first = build(str(mine), out=tmp_path / "out").out
    shutil.rmtree(mine.parent)
    assert yaml.safe_load((first / "recipe.yaml").read_text())["templates"] == "templates"
    moved = first.rename(tmp_path / "moved")
    again = build(str(moved / "recipe.yaml"), out=tmp_path / "again").out
    names = json.loads((moved / "manifest.json").read_bytes())["files"]
    assert {"templates/rows/system.jinja", "templates/thoughts/ask.yaml", "templates/prompts/judge.jinja"} < set(names)
    for name in [*names, "manifest.json"]:
        assert (again / name).read_bytes() == (moved / name).read_bytes(), name
    (again / "manifest.json").unlink()
    assert build(str(again / "recipe.yaml"), out=again).fresh
    for name in [*names, "manifest.json"]:
        assert (again / name).read_bytes() == (moved / name).read_bytes(), name


def test_those_of_an_earlier_build_are_removed_and_changed_ones_are_another_build(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert build(str(mine), out=out).fresh
    assert not build(str(mine), out=out).fresh
    (mine.parent / "wordings" / "thoughts" / "ask.yaml").unlink()
    assert build(str(mine), out=out).fresh
    assert not (out / "templates" / "thoughts").exists() or not list((out / "templates" / "thoughts").iterdir())
    assert build(str(mine), out=out, changes=["templates=''"]).fresh
    assert not (out / "templates").exists()


def test_the_descriptions_of_own_corpora_come_along_too(tmp_path: Path) -> None:
    golden = Path(__file__).parents[1] / "golden" / "messages"
    home = tmp_path / "someone"
    shutil.copytree(golden / "raw", home / "corpora")
    source = yaml.safe_load((golden / "source.yaml").read_text(encoding="utf-8"))
    (home / "source.yaml").write_text(yaml.safe_dump(source), encoding="utf-8")
    part = f"{{source: {home / 'source.yaml'}, task: function_call}}"
    (home / "recipe.yaml").write_text(f"name: own\nparts:\n  own: {part}\n", encoding="utf-8")
    out = build(str(home / "recipe.yaml"), out=tmp_path / "out", data=home / "corpora").out
    copied = f"sources/{source['name']}.yaml"
    assert yaml.safe_load((out / "recipe.yaml").read_text())["parts"]["own"]["source"] == [copied]
    names = json.loads((out / "manifest.json").read_bytes())["files"]
    assert copied in names
    for name in [*names, "manifest.json"]:
        assert str(tmp_path).encode() not in (out / name).read_bytes(), name
    again = build(str(out / "recipe.yaml"), out=tmp_path / "again", data=home / "corpora").out
    assert (again / "manifest.json").read_bytes() == (out / "manifest.json").read_bytes()


# --- mistakes ---


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("rows/hamer.jinja", None, "no template is called 'rows/hamer.jinja'; did you mean 'rows/hammer.jinja'?"),
        ("prompts/bfcl.yaml", None, "no template is called 'prompts/bfcl.yaml'"),
        ("release/card.md.jinja", None, "no template is called 'release/card.md.jinja'"),
        ("rows/hammer.jinja", lambda text: text + "{% if %}", "line 38: Expected an expression"),
        ("rows/hammer.jinja", lambda text: text.replace(" output(", " outputs("), "no macro 'output'; the package's"),
        ("rows/hammer.jinja", lambda text: text.replace("(query)", "(a, b)"), r"input\(a, b\) is called with \(q"),
        ("rows/varied/agent.jinja", lambda text: "nothing", "no macro: each is a wording"),
        ("thoughts/ask.yaml", lambda text: text.replace("first_last:", "frist_last:"), "no 'first_last'; the package"),
        ("thoughts/ask.yaml", lambda text: text.replace("{want}", "{want.x}"), "a placeholder is a name in braces"),
        ("thoughts/ask.yaml", lambda text: "first_last: [", "not YAML"),
        ("thoughts/words.yaml", lambda text: text.replace("called:", "caled:"), "did you mean 'called'?"),
        ("thoughts/words.yaml", lambda text: text.replace(", ten]", "]"), "numbers needs 11 entries"),
        ("replies/unanswerable.yaml", lambda text: "no_value: x", "no 'no_function'; the package's file has it"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_before_anything_is_built(
    mine: Path, tmp_path: Path, name: str, edit: Callable[[str], str] | None, message: str
) -> None:
    path = mine.parent / "wordings" / name
    if edit is None:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    else:
        change(mine.parent / "wordings", name, edit)
    with pytest.raises(TemplateError, match=message) as raised:
        build(str(mine), out=tmp_path / "out")
    assert str(raised.value).startswith(str(path))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_there_is_one_line(mine: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["build", str(mine), "--out", str(tmp_path / "out"), "--set", "templates=words"])
    assert (result.exit_code, result.stderr) == (2, f"coalm-it: templates: {mine.parent / 'words'} is not a folder\n")


def test_a_name_that_a_template_does_not_get_is_one_line(mine: Path, tmp_path: Path) -> None:
    change(mine.parent / "wordings", "rows/system.jinja", lambda text: text.replace("{{ clock }}", "{{ clok }}"))
    with pytest.raises(TemplateError, match=r"^rows/system.jinja, macro react: 'clok' is undefined$"):
        build(str(mine), out=tmp_path / "out")
    change(mine.parent / "wordings", "rows/system.jinja", str)
    change(mine.parent / "wordings", "thoughts/ask.yaml", lambda text: text.replace("{ask}", "{aks}"))
    with pytest.raises(TemplateError, match=r"^thoughts/ask/\w+: .*: no placeholder 'aks'; there are: .*ask"):
        build(str(mine), out=tmp_path / "out")


def test_templates_of_others_reach_nothing_of_this_machine(tmp_path: Path) -> None:
    change(tmp_path, "rows/no_call.jinja", lambda text: "{% macro text() %}{{ ''.__class__.__mro__ }}{% endmacro %}")
    use_templates(read_own_templates(tmp_path))
    with pytest.raises(TemplateError, match=r"^rows/no_call.jinja, macro text: .*unsafe"):
        render_macro("rows/no_call", "text")
