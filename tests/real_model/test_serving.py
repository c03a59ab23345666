"""What is asked of the test server elsewhere, asked of a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coalm_it.llm.endpoint import EndpointError
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.online import ask_all
from coalm_it.llm.request import Answer, Failure, Outcome, Request
from coalm_it.llm.retry import RunStats
from coalm_it.model_settings import Settings

pytestmark = pytest.mark.llm

CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Japan": "Tokyo", "Germany": "Berlin", "Egypt": "Cairo",
    "Greece": "Athens", "Austria": "Vienna", "Poland": "Warsaw", "Portugal": "Lisbon", "Norway": "Oslo",
    "Sweden": "Stockholm", "Russia": "Moscow", "China": "Beijing", "Cuba": "Havana", "Peru": "Lima", "Kenya": "Nairobi",
    "Hungary": "Budapest", "Ireland": "Dublin", "Thailand": "Bangkok",
}  # fmt: skip
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def ask(path: Path, requests: list[Request], settings: Settings) -> tuple[dict[str, Outcome], RunStats]:
    got: dict[str, Outcome] = {}
    with open_ledger(path) as ledger:
        stats = ask_all(requests, settings, ledger, lambda request, one: got.update({request.where: one}))
    return got, stats


def test_a_real_server_answers_and_nothing_is_asked_twice(served: Callable[..., Settings], tmp_path: Path) -> None:
    requests = [
        Request(({"role": "user", "content": f"What is the capital of {country}?"},), schema=SCHEMA, where=country)
        for country in CAPITALS
    ]
    path = tmp_path / "answers.sqlite"
    outcomes, stats = ask(path, requests, served(max_tokens=60, seed=3))
    assert stats.done == len(outcomes) == 20
    answers = {country: one for country, one in outcomes.items() if isinstance(one, Answer)}
    assert sum(CAPITALS[country] in answer.text for country, answer in answers.items()) >= 15
    for answer in answers.values():
        assert answer.finish_reason == "stop"
        assert answer.prompt_tokens is not None
        assert answer.completion_tokens is not None
        assert 30 < answer.prompt_tokens < 50
        assert 1 < answer.completion_tokens < 60
    assert stats.prompt_tokens == sum(one.prompt_tokens or 0 for one in outcomes.values())

    nowhere = served(max_tokens=60, seed=3, base_url="http://127.0.0.1:9/v1")
    again, stats = ask(path, requests, nowhere)
    assert again == outcomes
    assert (stats.stored, stats.answered, stats.failed.total(), stats.retried) == (20, 0, 0, 0)


def test_an_answer_that_is_cut_off_is_kept_apart(served: Callable[..., Settings], tmp_path: Path) -> None:
    request = Request(({"role": "user", "content": "Tell me a long story about a lighthouse."},), where="story")
    outcomes, _ = ask(tmp_path / "answers.sqlite", [request], served(max_tokens=8))
    story = outcomes["story"]
    assert isinstance(story, Failure)
    assert (story.reason, story.completion_tokens) == ("length", 8)
    assert story.text


def test_another_model_than_the_servers_own_stops_it_with_one_line(
    served: Callable[..., Settings], tmp_path: Path
) -> None:
    request = Request(({"role": "user", "content": "Hello"},), where="hello")
    with pytest.raises(EndpointError, match=r"no model 'gpt-4o' there, or no such API \(400: .*smollm2"):
        ask(tmp_path / "answers.sqlite", [request], served(model="gpt-4o", max_tokens=8))
