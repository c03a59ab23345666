"""The order of the rooms: each uses those above it and none below; and nothing heavy stands at the door."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import coalm_it

PACKAGE = Path(coalm_it.__file__).parent

ROOMS = """
    schema errors extras draw licences calls observations listener files values retry_after
    assets configs templates model_settings recipe
    corpora readers samples checks llm thoughts rendering tokens mixture dataset reports pipeline
    training evaluation verify cli
""".split()
USERS_OF_PIPELINE = {"pipeline", "verify", "cli"}
USED_BY_LLM = {"schema", "errors", "draw", "calls", "observations", "listener", "files", "values"}
USED_BY_LLM |= {"configs", "model_settings", "retry_after", "extras", "llm"}
"""It asks a model about anything: nothing that is made of dialogues or of our templates."""
HEAVY = {"torch", "datasets", "pandas", "transformers", "pyarrow"}


def imported_modules(code: str) -> set[str]:
    """Dotted names of all that is imported from the package, wherever in the file: "readers.sgd"."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write imports in full, from coalm_it..."
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("coalm_it.") for name in names if name.startswith("coalm_it.")}


def faults_of(module: str, code: str) -> list[str]:
    """What `module` ("calls", "readers.sgd") imports against the order."""
    room, _, corpus = module.partition(".")
    if module == "__main__":
        room = "cli"
    if room not in ROOMS:
        return [f"{module}: not in the list of rooms"]
    faults = []
    for name in sorted(imported_modules(code)):
        used, *inside = name.split(".")
        if used not in ROOMS:
            continue
        if used == "pipeline" and room not in USERS_OF_PIPELINE:
            faults.append(f"{module}: pipeline is only for {', '.join(sorted(USERS_OF_PIPELINE))}")
        elif room == "llm" and used not in USED_BY_LLM:
            faults.append(f"{module}: llm knows nothing of {used}")
        elif ROOMS.index(used) > ROOMS.index(room):
            faults.append(f"{module}: {used} lies below it")
        elif used == room == "readers" and corpus and inside[0] != corpus.partition(".")[0]:
            faults.append(f"{module}: a reader uses no other reader")
    return faults


def modules() -> dict[str, Path]:
    """Every module of the package but its door, by dotted name."""
    paths = {path.relative_to(PACKAGE): path for path in sorted(PACKAGE.rglob("*.py"))}
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): paths[path] for path in paths}
    del names["__init__"]
    return names


@pytest.mark.parametrize("module", modules())
def test_a_room_uses_only_rooms_above_it(module: str) -> None:
    assert faults_of(module, modules()[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "code", "fault"),
    [
        ("readers.sgd", "from coalm_it.schema import Call", None),
        ("readers.sgd", "from coalm_it import calls, corpora", None),
        ("readers", "from coalm_it.readers import sgd, snips", None),
        ("checks.grounding", "import coalm_it.checks.structure", None),
        ("cli", "def build():\n    from coalm_it.pipeline.build import build", None),
        ("cli", "from coalm_it import __version__", None),
        ("readers.multiwoz.acts", "from coalm_it.readers.multiwoz.memory import Memory", None),
        ("readers.multiwoz.acts", "from coalm_it.readers.sgd import read", "a reader uses no other reader"),
        ("readers.sgd", "from coalm_it.readers.snips import read", "a reader uses no other reader"),
        ("readers.sgd", "from coalm_it.readers import snips", "a reader uses no other reader"),
        ("schema", "def f():\n    import coalm_it.calls as c", "calls lies below it"),
        ("samples", "from coalm_it import rendering", "rendering lies below it"),
        ("training", "from coalm_it.pipeline.build import build", "pipeline is only for cli, pipeline, verify"),
        ("llm.online", "from coalm_it.recipe import Recipe", "llm knows nothing of recipe"),
        ("utils", "", "not in the list of rooms"),
    ],
)
def test_the_order_is_checked(module: str, code: str, fault: str | None) -> None:
    assert faults_of(module, code) == ([f"{module}: {fault}"] if fault else [])


@pytest.mark.parametrize(
    "command", ["import coalm_it", "from coalm_it.cli import app; app(['--help'])"], ids=["import", "help"]
)
def test_nothing_heavy_stands_at_the_door(command: str) -> None:
    ran = subprocess.run([sys.executable, "-X", "importtime", "-c", command], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    loaded = set(re.findall(r"\| +(\w+)(?:\.[\w.]+)?$", ran.stderr, re.MULTILINE))
    assert "coalm_it" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", ["build", "check", "diff", "read_dialogues", "stats"])
def test_what_the_package_offers_is_a_function_found_when_asked_for(name: str) -> None:
    assert name in dir(coalm_it)
    assert inspect.isfunction(getattr(coalm_it, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'coalm_it' has no attribute 'biuld'"):
        coalm_it.biuld  # noqa: B018
