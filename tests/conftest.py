from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hub_server import Account, Hub, serve_hub
from hypothesis import settings

from coalm_it.assets import asset
from coalm_it.corpora.corpus import Corpus, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import load_source
from coalm_it.model_settings import Settings
from coalm_it.readers import READERS
from coalm_it.schema import Dialogue, Inventory

SERVER = Path(__file__).parents[1] / "benchmarks" / "llm" / "server.py"

# A slow machine is no failure.
settings.register_profile("coalm_it", deadline=None)
settings.load_profile("coalm_it")


NEEDED = {"corpora": "COALM_IT_CORPORA", "llm": "COALM_IT_SMOLLM2"}
"""Marker -> the variable that names the folder which such a test needs."""


SERVERS = {"ask", "hub", "server", "site"}
"""Fixtures: a test that uses one of them is marked `server`."""
NOT_FAST = ("libraries", "server", "slow")
"""Markers that --fast leaves out."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help=f"leave out the tests marked {', '.join(NOT_FAST)}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --fast, a file marked `libraries` as a whole is not imported: what it imports need not be installed."""
    if not config.getoption("--fast") or collection_path.suffix != ".py":
        return None
    marked = re.search(r"^pytestmark = .*\bmark\.libraries\b", collection_path.read_text("utf-8"), re.MULTILINE)
    return True if marked else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("server")
        for marker, variable in NEEDED.items():
            if item.get_closest_marker(marker) and not os.environ.get(variable):
                item.add_marker(pytest.mark.skip(reason=f"{variable} names no folder"))
        tool = item.get_closest_marker("tool")
        if tool and find_spec(tool.args[0]) is None:
            item.add_marker(pytest.mark.skip(reason=f"{tool.args[0]} is not installed"))
    if config.getoption("--fast"):
        left_out = {item for item in items if any(map(item.get_closest_marker, NOT_FAST))}
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Threads of torch that wait for one another on a busy machine cost more than they give."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache folder of fixtures that several tests share; none of the tests sees the user's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("COALM_IT_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of a test: shards, locks, and the ledger where none is named."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("COALM_IT_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of the real corpora, for tests that carry the marker `corpora`."""
    folder = Path(os.environ["COALM_IT_CORPORA"])
    assert folder.is_dir(), f"COALM_IT_CORPORA={folder} is no folder"
    return folder


@pytest.fixture(scope="session")
def bundled() -> Path:
    """The folder of the bundled corpora; a test that changes one copies it first."""
    return asset("sources", "samples")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipe tod, built from the bundled corpora with two workers. Only to be looked at."""
    from coalm_it.pipeline.build import build

    return build("tod", out=tmp_path_factory.mktemp("demo") / "tod", workers=2).out


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub on this machine with one account, ada, whose token is in HF_TOKEN; `hub.address` is its address, and
    `hub.repos["ada/NAME"].files()` what was published (see hub_server.py)."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "hf_adas_secret")
    with serve_hub() as hub:
        hub.accounts["hf_adas_secret"] = Account("ada")
        yield hub


@pytest.fixture(scope="session")
def tod(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipe tod, built from the real corpora. Only to be looked at."""
    out = tmp_path_factory.mktemp("tod") / "out"
    command = [sys.executable, "-c", "from coalm_it.cli import app; app()", "build", "tod", "--workers", "2"]
    subprocess.run([*command, "--data", str(corpora), "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
    return out


@pytest.fixture(scope="session")
def sgd(bundled: Path) -> Corpus:
    """The bundled dialogues in the layout of SGD."""
    (found,) = find_corpora(bundled, [load_source("sgd")])
    assert found.corpus
    return found.corpus


@pytest.fixture(scope="session")
def sgd_inventory(sgd: Corpus) -> Inventory:
    inventory: Inventory = READERS["sgd"].read_inventory(sgd, "train")
    return inventory


@pytest.fixture(scope="session")
def sgd_dialogues(sgd: Corpus) -> dict[str, Dialogue]:
    """Id -> dialogue of the bundled train split. The thoughts are plain: "act 3.0" before the first calls of turn 3,
    "say 3" before its reply."""
    read = READERS["sgd"].read_dialogues
    dialogues = [one for shard in cut_shards(sgd, "train") for one in read(sgd, "train", shard, licence="CC0-1.0")]
    return {dialogue.id: _think_plainly(dialogue) for dialogue in dialogues}


def _think_plainly(dialogue: Dialogue) -> Dialogue:
    turns = []
    for number, turn in enumerate(dialogue.turns):
        steps = tuple(
            step.model_copy(update={"thought": f"act {number}.{place}"}) for place, step in enumerate(turn.steps)
        )
        turns.append(turn.model_copy(update={"steps": steps, "thought": f"say {number}"}))
    return dialogue.model_copy(update={"turns": tuple(turns)})


class Server:
    """The benchmarks' OpenAI-compatible server, in a process of its own."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def behave(self, **behaviour: Any) -> None:
        """Does from now on what `Behaviour` of the server's file has names for, and counts from zero."""
        self._call("control", json.dumps(behaviour).encode())

    @property
    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self._call("stats")
        return stats

    @property
    def tokens(self) -> int:
        """What the server has charged for, by its own count."""
        stats = self.stats
        return int(stats["prompt_tokens"] + stats["completion_tokens"])

    def settings(self, **changes: Any) -> Settings:
        return Settings(**{"model": "small", "base_url": self.base_url, "max_tokens": 100, "timeout": 10, **changes})

    def _call(self, path: str, content: bytes | None = None) -> Any:
        address = self.base_url.replace("/v1", f"/{path}")
        request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def server_process() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.communicate()


@pytest.fixture
def server(server_process: str) -> Server:
    """A server that answers everything at once; `server.behave(...)` changes that. Tests call its type Any."""
    server = Server(server_process)
    server.behave()
    return server
