from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coalm_it.models import Settings
from coalm_it.reasoning.asking import ask_all
from coalm_it.reasoning.ledger import open_ledger
from coalm_it.reasoning.request import Outcome, Request

SERVER = Path(__file__).parents[2] / "benchmarks" / "llm" / "server.py"


class Server:
    """The benchmarks' OpenAI-compatible server, in a process of its own."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def behave(self, **behaviour: Any) -> None:
        """Does from now on what `Behaviour` of the server's file has names for, and counts from zero."""
        self._call("control", json.dumps(behaviour).encode())

    @property
    def stats(self) -> dict[str, Any]:
        return self._call("stats")

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


@pytest.fixture
def questions() -> Callable[[int], list[Request]]:
    """`questions(3)`: three different requests, named d/0 to d/2."""

    def make(count: int) -> list[Request]:
        return [Request(({"role": "user", "content": f"What is {n} and {n}?"},), where=f"d/{n}") for n in range(count)]

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger is to lie."""
    return tmp_path / "answers.sqlite"


@pytest.fixture
def ask(path: Path) -> Callable[..., dict[str, Outcome]]:
    """`ask(requests, settings, ...)`: `where` of each request -> its outcome, asked with the ledger at `path`."""

    def ask(requests: Iterable[Request], settings: Settings, **options: Any) -> dict[str, Outcome]:
        got: dict[str, Outcome] = {}
        with open_ledger(path) as ledger:
            ask_all(requests, settings, ledger, lambda request, one: got.update({request.where: one}), **options)
        return got

    return ask
