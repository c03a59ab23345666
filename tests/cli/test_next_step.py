"""Each command ends by naming the likely next one, as one types it; not where it prints JSON, nor where it failed.

The commands that need a model, a Hub or a training do so in test_whole_way.py, in model_builds and in llm.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from next_steps import read_next
from typer.testing import CliRunner, Result

from coalm_it.cli import app


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def test_a_build_is_looked_at_published_or_trained_on(tmp_path: Path) -> None:
    out = tmp_path / "my set"
    shown, published, trained = read_next(run("build", "tod", "--out", out, "--workers", "1"))
    assert shown.startswith(f"coalm-it show '{out}' ")
    assert published == f"coalm-it publish '{out}' --repo USER/NAME"
    assert trained == f"coalm-it train smoke --data '{out}' --out MODEL"
    row = shown.split()[-1]
    assert run("show", out, row).stdout
    again = run("build", "tod", "--out", out, "--workers", "1")
    assert read_next(again) == [shown, published, trained], "also where there was nothing to do"


def test_after_a_build_that_fell_short_a_reject_is_looked_at(tmp_path: Path) -> None:
    words = ["--set", "expect.rejects_at_most=0", "--set", "parts.sgd=null", "--set", "parts.snips=null"]
    part = "parts.multiwoz={source: multiwoz, task: react_response}"
    result = run("build", "tod", "--out", tmp_path / "out", "--workers", "1", *words, "--set", part)
    assert result.exit_code == 1
    fell_short, named = result.stderr.splitlines()[-2:]
    assert fell_short.startswith("coalm-it: ")
    *command, row = named.split()
    assert command == ["next:", "coalm-it", "show", str(tmp_path / "out")]
    assert "rejected" in run("show", tmp_path / "out", row).stdout


def test_after_faults_alone_one_of_them_is_looked_at(tmp_path: Path) -> None:
    about = dict.fromkeys(("name", "title", "licence", "homepage"), "mine")
    layouts = [{"name": "json", "splits": {"train": "talks.json"}}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**about, "reader": "messages", "layouts": layouts}))
    said = {"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]}
    (tmp_path / "talks.json").write_text(json.dumps([said, {"messages": []}]))
    recipe = {"name": "mine", "parts": {"mine": {"source": "mine.yaml", "task": "function_call"}}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    words = ["build", f"{tmp_path}/recipe.yaml", "--data", f"{tmp_path}", "--out", f"{tmp_path}/out", "--workers", "1"]
    result = run(*words)
    assert result.exit_code == 1
    *_, fell_short, named = result.stderr.splitlines()
    assert fell_short.endswith("mend the records, or accept so many: --set expect.rejects_at_most=0.5")
    assert named == f"next: coalm-it show {tmp_path / 'out'} talks_1"
    assert "record talks_1: a fault" in run(*named.split()[2:]).stdout
    assert run(*words, "--set", "expect.rejects_at_most=0.5").exit_code == 0


def test_recipes_are_copied_and_then_used() -> None:
    assert read_next(run("recipes"))[0] == "coalm-it recipes tod > mine.yaml"
    for name, command in {"tod": "build", "train/smoke": "train", "eval/bfcl": "eval", "eval/verify": "verify"}.items():
        result = run("recipes", name)
        assert f"coalm-it {command} " in read_next(result)[0]
        assert yaml.safe_load(result.stdout)["version"]


def test_corpora_are_fetched_or_built_from(bundled: Path, tmp_path: Path) -> None:
    assert read_next(run("sources")) == ["coalm-it fetch snips --data CORPORA"]
    assert read_next(run("sources", "--data", tmp_path)) == [f"coalm-it fetch snips --data {tmp_path}"]
    assert read_next(run("sources", "--data", bundled))[0] == f"coalm-it build RECIPE --data {bundled} --out OUT"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server with a file talks.json."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "talks.json").write_text("[]")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_what_was_fetched_is_listed_and_built_from(site: str, tmp_path: Path) -> None:
    about = dict.fromkeys(("name", "title", "licence", "citation", "homepage"), "mine")
    layout = {"name": "json", "splits": {"train": "talks.json"}}
    fetch = {"layout": "json", "url": site, "files": [{"path": "talks.json"}]}
    source = {**about, "reader": "messages", "layouts": [layout], "fetch": [fetch]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(source))
    data = tmp_path / "data"
    listed, built = read_next(run("fetch", tmp_path / "mine.yaml", "--data", data))
    assert listed == f"coalm-it sources {tmp_path / 'mine.yaml'} --data {data}"
    assert built == f"coalm-it build RECIPE --data {data} --out OUT"


def test_a_dry_run_of_publishing_is_followed_by_the_real_one(demo: Path) -> None:
    result = run("publish", demo, "--repo", "ada/mine", "--public", "--tag", "v1", "--dry-run")
    assert read_next(result) == [f"coalm-it publish {demo} --repo ada/mine --public --tag v1"]


@pytest.mark.parametrize(("on_path", "named"), [(True, "coalm-it"), (False, "{folder}/coalm-it")])
def test_the_command_is_named_as_it_can_be_typed(on_path: bool, named: str, tmp_path: Path) -> None:
    """After `make demo` it is .venv/bin/coalm-it, until the environment is activated."""
    script = tmp_path / "bin" / "coalm-it"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom coalm_it.__main__ import main\nmain()\n")
    script.chmod(0o755)
    path = f"{script.parent}:/usr/bin" if on_path else "/usr/bin"
    done = subprocess.run([script, "sources"], capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert done.stderr == f"next: {named.format(folder=script.parent)} fetch snips --data CORPORA\n"


def test_it_comes_last_also_in_a_pipe_that_takes_both() -> None:
    command = [sys.executable, "-m", "coalm_it", "recipes"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.stdout.splitlines()[-1].startswith("next: ")


@pytest.mark.parametrize(
    "words",
    [
        ["build", "tod", "--workers", "1", "--out", "OUT"],
        ["sources"],
        ["recipes"],
        ["publish", "DEMO", "--repo", "ada/mine", "--dry-run"],
    ],
    ids=lambda words: words[0],
)
def test_json_is_followed_by_nothing(words: list[str], demo: Path, tmp_path: Path) -> None:
    places = {"OUT": str(tmp_path / "out"), "DEMO": str(demo)}
    result = run(*(places.get(word, word) for word in words), "--json")
    assert json.loads(result.stdout)
    assert "next: " not in result.stderr
