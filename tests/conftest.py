from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Account, Hub, serve_hub
from hypothesis import settings

from coalm_it.assets import asset
from coalm_it.readers import READERS
from coalm_it.schema import Dialogue, Inventory
from coalm_it.sources import Corpus, cut_shards, find_corpora, load_source

# A slow machine is no failure.
settings.register_profile("coalm_it", deadline=None)
settings.load_profile("coalm_it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("COALM_IT_CORPORA"):
        return
    skip = pytest.mark.skip(reason="COALM_IT_CORPORA names no folder")
    for item in items:
        if item.get_closest_marker("corpora"):
            item.add_marker(skip)


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
    from coalm_it.pipeline import build

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
