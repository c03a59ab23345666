"""Items with several requests: each prompt depends on the answer before it, for a local model and for an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from scripted import Json, Reply, serve
from test_local_model import make_model

from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.endpoint import ask_endpoint
from coalm_it.evaluation.items import Item, Output
from coalm_it.evaluation.local_model import ask_local_model
from coalm_it.listener import Silent
from coalm_it.model_settings import Settings
from coalm_it.rendering.chat import Conversation


def make_item(text: str, requests: int) -> Item:
    """An item whose reference is its number of requests."""
    prompt = Conversation([{"role": "user", "content": text}], [], thinks=False)
    return Item(text, "p", "t", text, prompt, requests, None)


def continue_conversation(item: Item, outputs: Sequence[Output]) -> Conversation | None:
    """Repeats every answer, and asks once more, until the item has had its number of requests."""
    if len(outputs) == item.reference:
        return None
    messages = list(item.prompt.messages)
    for output in outputs:
        messages += [{"role": "assistant", "content": output.text}, {"role": "user", "content": "And then?"}]
    return Conversation(messages, [], thinks=False)


ITEMS = [make_item("Hello", 1), make_item("A table for two", 3), make_item("x", 2)]


class Progress:
    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def say(self, line: str) -> None: ...

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        self.seen.append((done, total))


def ask(base_url: str, ledger: Path, listener: Progress | None = None) -> list[list[Output]]:
    settings = Settings(model="scripted", base_url=base_url)
    return ask_endpoint(settings, ITEMS, continue_conversation, ledger, listener or Silent())


def count_messages(body: Json) -> Reply:
    return f"{body['messages'][0]['content']}: {len(body['messages'])}"


@pytest.mark.server
def test_an_endpoint_is_asked_until_every_item_is_finished(tmp_path: Path) -> None:
    progress = Progress()
    with serve(count_messages) as script:
        outputs = ask(script.base_url, tmp_path / "answers.sqlite", progress)
    assert [[output.text for output in some] for some in outputs] == [
        ["Hello: 1"],
        ["A table for two: 1", "A table for two: 3", "A table for two: 5"],
        ["x: 1", "x: 3"],
    ]
    assert progress.seen[0] == (0, 3)
    assert progress.seen[-1] == (6, 6)
    last = max((body["messages"] for body in script.asked), key=len)
    assert [message["content"] for message in last if message["role"] == "assistant"] == [
        "A table for two: 1",
        "A table for two: 3",
    ]


@pytest.mark.server
def test_a_conversation_is_repeated_from_the_ledger(tmp_path: Path) -> None:
    with serve(count_messages) as script:
        first = ask(script.base_url, tmp_path / "answers.sqlite")
    with serve(lambda body: 500) as script:
        assert ask(script.base_url, tmp_path / "answers.sqlite") == first
        assert script.asked == []


@pytest.mark.server
def test_a_failed_request_ends_the_conversation(tmp_path: Path) -> None:
    with serve(lambda body: 400 if len(body["messages"]) == 3 else "yes") as script:
        outputs = ask(script.base_url, tmp_path / "answers.sqlite")
    assert [len(some) for some in outputs] == [1, 2, 2]
    assert [some[-1].failure is None for some in outputs] == [True, False, False]


@pytest.mark.libraries
def test_a_local_model_gives_the_same_answers_in_batches_and_alone(tmp_path: Path) -> None:
    model = make_model(tmp_path / "tiny")

    def ask_here(items: list[Item], batch_size: int) -> list[list[Output]]:
        config = Evaluation(name="x", version=1, benchmark="none", max_tokens=6, batch_size=batch_size)
        return ask_local_model(model, items, continue_conversation, config, Silent())

    together = ask_here(ITEMS, 4)
    assert [len(outputs) for outputs in together] == [1, 3, 2]
    assert together == [outputs for item in ITEMS for outputs in ask_here([item], 1)]
    assert len({output.text for output in together[1]}) > 1
