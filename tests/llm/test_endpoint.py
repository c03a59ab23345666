"""Asking a model: the real client over loopback, against a server with every fault there is."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.llm.endpoint import Endpoint, EndpointError
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.ledger.maintenance import describe_ledger, export_answers
from coalm_it.llm.online import CHUNK, ask_all
from coalm_it.llm.request import Answer, Failure, Outcome, Request, request_key
from coalm_it.llm.responses import Completion, read_error
from coalm_it.llm.retry import MAX_ATTEMPTS, MAX_CONSECUTIVE_FAILURES, RunStats
from coalm_it.model_settings import Settings

Questions = Callable[[int], list[Request]]
Ask = Callable[..., dict[str, Outcome]]

SCHEMA = {
    "type": "object",
    "properties": {"thought": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["thought", "sure"],
    "additionalProperties": False,
}


# --- asking ---


def test_everything_is_asked_once_and_answered(server: Any, questions: Questions, ask: Ask) -> None:
    server.behave(latency=0.02)
    got = ask(questions(100), server.settings(max_in_flight=10))
    assert list(got) != sorted(got)  # as the answers come
    assert len(got) == 100
    assert all(isinstance(outcome, Answer) and outcome.text and outcome.prompt_tokens for outcome in got.values())
    assert server.stats["requests"] == server.stats["answered"] == 100
    assert server.stats["most_at_once"] == 10


def test_what_the_ledger_has_is_not_asked(server: Any, questions: Questions, ask: Ask) -> None:
    first = ask(questions(20), server.settings())
    again = ask(questions(25), server.settings())
    assert server.stats["requests"] == 25
    assert {where: again[where] for where in first} == first


def test_another_sample_of_the_same_request_is_another_answer(server: Any, ask: Ask) -> None:
    messages = ({"role": "user", "content": "Say something."},)
    got = ask([Request(messages, sample=n, where=str(n)) for n in range(3)], server.settings(seed=7))
    assert len({outcome.text for outcome in got.values()}) == 3


def test_requests_that_are_alike_share_one_answer(server: Any, questions: Questions, ask: Ask) -> None:
    server.behave(latency=0.05)
    twins = [Request(request.messages, where=f"{n}") for n, request in enumerate(questions(4) * 5)]
    got = ask(twins, server.settings())
    assert server.stats["requests"] == 4
    assert Counter(outcome.text for outcome in got.values()) == Counter({text.text: 5 for text in got.values()})


def test_an_outcome_may_lead_to_another_request(server: Any, questions: Questions, path: Path) -> None:
    asked = []

    def ask_twice(request: Request, outcome: Outcome) -> Request | None:
        asked.append(request.where)
        if request.context == "repaired":
            return None
        said = ({"role": "assistant", "content": outcome.text}, {"role": "user", "content": "Shorter, please."})
        return Request(request.messages + said, where=f"{request.where}/repair", context="repaired")

    for _ in range(2):  # the second time all of it comes from the ledger
        asked.clear()
        with open_ledger(path) as ledger:
            stats = ask_all(questions(10), server.settings(), ledger, ask_twice)
        assert sorted(asked) == sorted([f"d/{n}{end}" for n in range(10) for end in ("", "/repair")])
    assert stats.stored == 20
    assert server.stats["requests"] == 20


def test_the_stream_is_consumed_as_needed(server: Any, path: Path) -> None:
    server.behave(latency=0.01)
    drawn = done = most_ahead = 0

    def stream() -> Iterator[Request]:
        nonlocal drawn
        while True:
            drawn += 1
            yield Request(({"role": "user", "content": f"question {drawn}"},))

    def stop_at_300(request: Request, outcome: Outcome) -> None:
        nonlocal done, most_ahead
        most_ahead = max(most_ahead, drawn - done)
        done += 1
        if done == 300:
            raise RuntimeError("enough")

    with open_ledger(path) as ledger, pytest.raises(RuntimeError, match="enough"):
        ask_all(stream(), server.settings(max_in_flight=8), ledger, stop_at_300)
    assert most_ahead <= 8 + CHUNK


def test_requests_in_flight_when_it_stops_are_stored(server: Any, questions: Questions, path: Path) -> None:
    server.behave(latency=0.1)

    def stop(request: Request, outcome: Outcome) -> None:
        raise ValueError("a check is broken")

    with open_ledger(path) as ledger:
        with pytest.raises(ValueError, match="a check is broken"):
            ask_all(questions(100), server.settings(max_in_flight=8), ledger, stop)
        (row,) = describe_ledger(ledger)
    assert row["requests"] == server.stats["answered"] >= 8


def test_it_works_where_an_event_loop_runs(server: Any, questions: Questions, ask: Ask) -> None:
    async def notebook() -> dict[str, Outcome]:
        return ask(questions(3), server.settings())

    assert len(asyncio.run(notebook())) == 3


def test_progress_is_reported(server: Any, questions: Questions, path: Path) -> None:
    server.behave(latency=0.3)
    seen: list[tuple[int, int, float | None]] = []

    def watch(stats: RunStats) -> None:
        seen.append((stats.done, stats.in_flight, stats.usd))

    settings = server.settings(max_in_flight=5)
    with open_ledger(path) as ledger:
        stats = ask_all(questions(15), settings, ledger, lambda request, outcome: None, on_progress=watch)
    assert (5, 5, None) in seen
    assert seen[-1] == (15, 0, None)
    assert stats.prompt_tokens + stats.completion_tokens == server.tokens


# --- faults ---


def test_thirty_percent_faults_and_every_request_has_an_outcome(server: Any, questions: Questions, ask: Ask) -> None:
    server.behave(
        errors=0.06,
        overloads=0.02,
        hangs=0.02,
        cuts=0.05,
        twice=0.05,
        garbage=0.04,
        length=0.02,
        empty=0.02,
        filtered=0.02,
    )
    got = ask(questions(200), server.settings(timeout=0.5), first_pause=0.05)
    assert len(got) == 200
    reasons = Counter(outcome.reason for outcome in got.values() if isinstance(outcome, Failure))
    assert set(reasons) <= {"length", "empty", "content_filter"}
    assert 190 > 200 - reasons.total() > 170
    faults = server.stats["faults"]
    assert all(faults[fault] for fault in ("500", "503", "cuts", "twice", "garbage"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("length", "length"), ("filtered", "content_filter"), ("empty", "empty"), ("huge", "oversized")],
)
def test_a_failure_is_stored_with_its_reason_and_paid_for_once(
    fault: str, reason: str, server: Any, questions: Questions, ask: Ask
) -> None:
    server.behave(**{fault: 1.0})
    for _ in range(2):
        (outcome,) = ask(questions(1), server.settings()).values()
        assert isinstance(outcome, Failure)
        assert outcome.reason == reason
    assert server.stats["requests"] == 1


def test_a_long_answer_that_is_cut_off_can_be_looked_at(server: Any, questions: Questions, ask: Ask) -> None:
    (outcome,) = ask(questions(1), server.settings(max_tokens=5)).values()
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.completion_tokens, len(outcome.text.split())) == ("length", 5, 5)


@pytest.mark.parametrize(
    ("behaviour", "reason", "detail", "requests"),
    [
        ({"garbage": 1.0}, "failed", "not a completion: '<html>Bad gateway", MAX_ATTEMPTS),
        ({"errors": 1.0}, "failed", "500: The server had an error", MAX_ATTEMPTS),
        ({"cuts": 1.0}, "failed", "the connection was lost", MAX_ATTEMPTS),
        ({"hangs": 1.0}, "failed", "no answer in 0.05 s", MAX_ATTEMPTS),
        ({"wrong_parameter": "messages"}, "rejected", "400: Unrecognized request argument", 1),
    ],
)
def test_a_failed_request_is_sent_again_by_a_later_run(
    behaviour: dict[str, Any], reason: str, detail: str, requests: int, server: Any, questions: Questions, ask: Ask
) -> None:
    server.behave(**behaviour)
    settings = server.settings(timeout=0.05)
    (outcome,) = ask(questions(1), settings, first_pause=0.001).values()
    assert isinstance(outcome, Failure)
    assert outcome.reason == reason
    assert detail in outcome.detail
    assert server.stats["requests"] == requests
    server.behave()
    (outcome,) = ask(questions(1), server.settings()).values()
    assert isinstance(outcome, Answer)


def test_a_server_with_little_capacity_is_not_flooded(server: Any, questions: Questions, ask: Ask) -> None:
    server.behave(latency=0.03, allow=8, retry_after=0.1)
    assert len(ask(questions(200), server.settings(max_in_flight=32))) == 200
    assert server.stats["refused"] < 50
    assert server.stats["most_at_once"] == 8


def test_a_refused_request_waits_as_long_as_the_server_says(server: Any, questions: Questions, ask: Ask) -> None:
    server.behave(latency=0.2, allow=1, retry_after=1.2)
    started = time.monotonic()
    assert len(ask(questions(2), server.settings(max_in_flight=2))) == 2
    assert time.monotonic() - started > 1.2
    assert server.stats["refused"] == 1


@pytest.mark.parametrize(("ceiling", "value"), [("requests_per_minute", 600), ("tokens_per_minute", 100_000)])
def test_a_rate_limit_is_kept(ceiling: str, value: int, server: Any, questions: Questions, ask: Ask) -> None:
    started = time.monotonic()
    ask(questions(11), server.settings(**{ceiling: value, "max_tokens": 100}))
    assert time.monotonic() - started > 0.95
    minutes = (time.monotonic() - started) / 60
    used = 11 if ceiling == "requests_per_minute" else server.tokens
    assert used / minutes <= value * 1.1


# --- servers that understand less ---


def test_a_schema_is_sent_and_the_answer_keeps_to_it(server: Any, ask: Ask) -> None:
    request = Request(({"role": "user", "content": "Think."},), schema=SCHEMA)
    (outcome,) = ask([request], server.settings()).values()
    assert re.fullmatch(r'\{"thought": ".+", "sure": (true|false)\}', outcome.text)


def test_without_structured_output_it_continues_and_says_so_once(server: Any, questions: Questions, path: Path) -> None:
    server.behave(refuse_schema=True)
    requests = [Request(request.messages, schema=SCHEMA) for request in questions(20)]
    said: list[str] = []
    with open_ledger(path) as ledger:
        stats = ask_all(requests, server.settings(), ledger, lambda request, outcome: None, say=said.append)
        assert all(isinstance(ledger.find(request_key(one, server.settings())), Answer) for one in requests)
    assert stats.answered == 20
    assert len(said) == 1
    assert "no structured output" in said[0]


def test_a_server_that_wants_the_schema_beside_json_object_gets_it_there(
    server: Any, questions: Questions, path: Path
) -> None:
    server.behave(schema_beside=True)
    requests = [Request(request.messages, schema=SCHEMA) for request in questions(20)]
    said: list[str] = []
    got: list[Outcome] = []
    with open_ledger(path) as ledger:
        ask_all(requests, server.settings(), ledger, lambda request, outcome: got.append(outcome), say=said.append)
    assert all(re.fullmatch(r'\{"thought": ".+", "sure": (true|false)\}', outcome.text) for outcome in got)
    assert (len(got), said) == (20, [])


def test_a_model_that_wants_max_completion_tokens_gets_them(server: Any, questions: Questions, ask: Ask) -> None:
    server.behave(refuse_max_tokens=True)
    assert all(isinstance(outcome, Answer) for outcome in ask(questions(5), server.settings()).values())


# --- errors that stop a run ---


@pytest.mark.parametrize(
    ("behaviour", "changes", "line"),
    [
        ({"key": "right"}, {}, r"does not accept the API key in the environment variable OPENAI_API_KEY \(401: "),
        ({"model": "large"}, {}, r"no model 'small',.* \(404: The model `small` does not exist\)"),
        ({"quota": 5}, {}, r"the quota is exhausted \(429: You exceeded"),
        (
            {"allow": 1, "latency": 0.2, "retry_after": 4000},
            {},
            r"asks to retry after 4,000 s \(429: Too many requests\)",
        ),
        ({}, {"base_url": "http://127.0.0.1:9/v1"}, r"http://127.0.0.1:9/v1 does not answer: .*127.0.0.1:9"),
        ({}, {"base_url": "http://127.0.0.1:9"}, r"does not answer"),
    ],
    ids=["key", "model", "quota", "come back later", "nobody there", "no path"],
)
def test_it_stops_with_one_line(
    behaviour: dict[str, Any],
    changes: dict[str, Any],
    line: str,
    server: Any,
    questions: Questions,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    server.behave(**behaviour)
    with pytest.raises(EndpointError, match=line) as raised:
        ask(questions(30), server.settings(**changes), first_pause=0.05)
    assert "\n" not in str(raised.value)
    assert server.stats["requests"] < 100


def test_a_parameter_that_the_server_does_not_know_stops_it_soon(server: Any, questions: Questions, ask: Ask) -> None:
    server.behave(refuse_max_tokens=False, refuse_schema=True)
    settings = server.settings(extra_body={"response_format2": 1})
    assert len(ask(questions(3), settings)) == 3  # this server does not mind
    server.behave(wrong_parameter="best_of")
    with pytest.raises(EndpointError, match=rf"{MAX_CONSECUTIVE_FAILURES} requests in a row failed, .*400: .*best_of"):
        ask(questions(500), server.settings(extra_body={"best_of": 3}, max_in_flight=4))
    assert server.stats["requests"] <= MAX_CONSECUTIVE_FAILURES + 4


def test_without_a_key_openai_is_not_even_asked(
    questions: Questions, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(EndpointError, match="no API key: set the environment variable OPENAI_API_KEY"):
        ask(questions(1), Settings(model="gpt-4o-mini"))


def test_whoever_has_all_answers_needs_no_key(
    server: Any, questions: Questions, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ask(questions(3), server.settings())
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert ask(questions(3), server.settings(base_url=Settings(model="any").base_url)) == answers


def test_a_server_that_needs_a_key_says_which_variable(
    server: Any, questions: Questions, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.behave(key="right")
    with pytest.raises(EndpointError, match="an API key is required: set the environment variable OPENAI_API_KEY"):
        ask(questions(1), server.settings())


def test_a_server_that_needs_no_key_gets_none(
    server: Any, questions: Questions, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert len(ask(questions(1), server.settings())) == 1


@pytest.mark.parametrize("behaviour", [{"key": "other"}, {"errors": 0.3, "garbage": 0.3}, {"length": 0.5}])
def test_the_key_is_in_no_output(
    behaviour: dict[str, Any],
    server: Any,
    questions: Questions,
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    planted = "sk-planted-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", planted)
    caplog.set_level("DEBUG")
    server.behave(**behaviour)  # the server's own error names the key that it got
    settings, requests = server.settings(), questions(30)
    written = [repr(settings)]
    with open_ledger(path) as ledger:
        try:
            stats = ask_all(requests, settings, ledger, lambda one, outcome: written.append(f"{one} {outcome}"))
            export_answers(ledger, [request_key(request, settings) for request in requests], tmp_path / "answers.jsonl")
            written.append(repr(stats))
        except EndpointError as error:
            written += [str(error), repr(error), repr(error.__context__)]
        written += [repr(describe_ledger(ledger)), caplog.text, *capfd.readouterr()]
    assert planted not in "".join(written)
    for file in tmp_path.rglob("*"):
        assert planted.encode() not in file.read_bytes()


def test_without_the_openai_package_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['openai'] = None; import coalm_it.llm.endpoint"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    install = "pip install 'coalm-it[llm]', or '.[llm]' in a checkout (47 MB)"
    assert ran.stderr.strip().endswith(f"asking a model needs openai: {install}")


# --- settings, and what servers write ---


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"extra_body": {"stream": True, "n": 2}}, "n, stream: not allowed in extra_body"),
        ({"base_url": "localhost:8000/v1"}, "base_url"),
        ({"base_url": "http://me:secret@localhost:8000/v1"}, "base_url"),
        ({"base_url": "http://localhost:8000/v1?api_key=secret"}, "base_url"),
        ({"base_url": "http://localhost:8000/v1#secret"}, "base_url"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"model": ""}, "model"),
        ({"max_usd": -1}, "max_usd"),
        ({"temprature": 1}, "temprature"),
    ],
)
def test_impossible_settings_are_rejected(wrong: dict[str, Any], line: str) -> None:
    with pytest.raises(ValidationError, match=line):
        Settings(**{"model": "small", **wrong})


ANNOTATE = ["--set", "reasoning.writer=annotate", "--set", "reasoning.model=small"]


@pytest.mark.parametrize(
    "command",
    [
        ["build", "tod", "--out", "out", *ANNOTATE, "--set"],
        ["eval", "bfcl", "--data", "bfcl", "--out", "out", "--model-name", "small", "--base-url"],
    ],
    ids=lambda command: command[0],
)
def test_a_key_in_an_address_is_refused_and_not_shown(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    address = "http://127.0.0.1:9/v1?api_key=planted-0123456789"
    address = address if command[-1] == "--base-url" else f"reasoning.base_url={address}"
    result = CliRunner().invoke(app, [*command, address])
    assert result.exit_code == 2
    assert "base_url: must be an address like https://HOST/v1, without user, query string" in result.stderr
    assert "planted" not in result.output
    assert result.output.count("\n") == 1


class Page(BaseHTTPRequestHandler):
    """A web page, whatever is asked for."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")

    def log_message(self, *_: object) -> None:
        pass


def test_an_address_without_a_path_is_told_what_to_try(server: Any, questions: Questions, ask: Ask) -> None:
    bare = server.base_url.removesuffix("/v1")
    with pytest.raises(EndpointError, match=rf"no chat completions API; try base_url: {bare}/v1 \(404: "):
        ask(questions(1), server.settings(base_url=bare))
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as pages:
        threading.Thread(target=pages.serve_forever).start()
        address = f"http://127.0.0.1:{pages.server_port}"
        with pytest.raises(EndpointError, match=f"^{address}/: a web page, no .* API; try base_url: {address}/v1$"):
            ask(questions(1), server.settings(base_url=f"{address}/"))
        pages.shutdown()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "no such model", "code": "model_not_found"}}, "no such model"),
        ({"message": "no such model", "type": "NotFoundError", "code": 404}, "no such model"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"error": "model is loading"}, "model is loading"),
        ("<html>", "<html>"),
        (None, ""),
    ],
)
def test_errors_are_read_as_different_servers_write_them(body: Any, message: str) -> None:
    assert read_error(404, body).message == message


# --- what is sent ---


def test_a_request_goes_out_as_the_sdk_would_send_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, key and organization; nothing of the machine that it comes from."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-a-test")
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        choice = {"message": {"content": "Fine."}, "finish_reason": "stop"}
        return httpx2.Response(200, json={"choices": [choice]})

    async def ask() -> object:
        settings = Settings(model="small", base_url="https://models.example/openai/v1", max_tokens=10)
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        async with openai.AsyncOpenAI(base_url=settings.base_url, http_client=http) as client:
            endpoint = Endpoint(settings, client, http, "sk-of-a-test", print)
            return await endpoint.ask(Request(({"role": "user", "content": "How are you?"},)))

    completion = asyncio.run(ask())
    assert isinstance(completion, Completion)
    assert completion.text == "Fine."
    (request,) = seen
    assert str(request.url) == "https://models.example/openai/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer sk-of-a-test"
    assert request.headers["OpenAI-Organization"] == "org-of-a-test"
    assert request.headers["Content-Type"] == "application/json"
    assert not [name for name in request.headers if name.startswith("x-stainless")]
    assert json.loads(request.content) == {
        "model": "small",
        "messages": [{"role": "user", "content": "How are you?"}],
        "max_tokens": 10,
    }
