from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.online import ask_all
from coalm_it.llm.request import Outcome, Request
from coalm_it.model_settings import Settings


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
