"""The ledger keeps every answer, whatever happens to process, file or recipe."""

from __future__ import annotations

import json
import os
import platform
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.llm.ledger import MissingAnswerError, default_path, open_ledger
from coalm_it.llm.ledger.database import APPLICATION_ID, DamagedError, LedgerError
from coalm_it.llm.ledger.maintenance import describe_ledger, export_answers, merge_ledgers, read_outcomes
from coalm_it.llm.multistep import serve_from_ledger
from coalm_it.llm.request import Answer, Failure, Outcome, Request, request_key
from coalm_it.model_settings import Price, Settings

Questions = Callable[[int], list[Request]]
Ask = Callable[..., dict[str, Outcome]]

ANSWER = Answer("a1" * 16, "The time is missing; I ask.", "small", "stop", 312, 41, 0.8, "2026-11-01T12:00:00Z")
FAILURE = Failure(ANSWER.key, "length", "cut off", "The time is", "small", 312, 3, 0.2, "2026-11-01T11:00:00Z")


def store(path: Path, *outcomes: Outcome) -> None:
    with open_ledger(path) as ledger:
        ledger.store(outcomes).result()


def many(count: int) -> list[Answer]:
    """Answers of all lengths, some longer than a page of the file."""
    drawn = random.Random(count)
    lengths = [drawn.choice([10, 300, 2_000, 9_000]) for _ in range(count)]
    return [replace(ANSWER, key=f"{n:032x}", text=f"{n} é " * (length // 5)) for n, length in enumerate(lengths)]


# --- storing ---


def test_an_outcome_is_found_again_as_it_was(path: Path) -> None:
    odd = replace(
        ANSWER, key="b" * 32, text="tab\t nul\0 é 😀 \ud83d".encode("utf-8", "replace").decode(), prompt_tokens=None
    )
    store(path, ANSWER, odd)
    for readonly in (True, False):
        with open_ledger(path, readonly=readonly) as ledger:
            assert ledger.find(ANSWER.key) == ANSWER
            assert ledger.find(odd.key) == odd
            assert ledger.find("c" * 32) is None


def test_a_failure_gives_way_to_an_answer_and_never_the_other_way(path: Path) -> None:
    store(path, FAILURE)
    with open_ledger(path) as ledger:
        assert ledger.find(FAILURE.key) == FAILURE
    store(path, replace(FAILURE, detail="again"))
    store(path, ANSWER, replace(ANSWER, text="another"), FAILURE)
    with open_ledger(path) as ledger:
        assert ledger.find(ANSWER.key) == ANSWER
        assert list(ledger.read_all()) == [ANSWER]


def test_what_is_told_is_on_disk(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.store([ANSWER]).result()
        with sqlite3.connect(path) as other:
            assert other.execute("SELECT text FROM answers").fetchall() == [(ANSWER.text,)]


def test_a_row_that_was_changed_is_not_served(path: Path) -> None:
    store(path, ANSWER)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE answers SET text = 'something else'")
    with open_ledger(path) as ledger:
        assert ledger.find(ANSWER.key) is None


REQUEST = Request(({"role": "user", "content": "Hello"},), where="sgd/train/1_00000/0")
SETTINGS = Settings(model="small", temperature=0.5, seed=3)


@pytest.mark.parametrize(
    ("request_changes", "settings_changes"),
    [
        ({"messages": ({"role": "user", "content": "Hello!"},)}, {}),
        ({"messages": ({"role": "system", "content": "Hello"},)}, {}),
        ({"schema": {"type": "object"}}, {}),
        ({"sample": 1}, {}),
        ({"tools": ({"type": "function", "function": {"name": "f"}},)}, {}),
        ({}, {"model": "large"}),
        ({}, {"temperature": 0.6}),
        ({}, {"temperature": None}),
        ({}, {"max_tokens": 7}),
        ({}, {"seed": 4}),
        ({}, {"extra_body": {"top_p": 0.9}}),
    ],
)
def test_what_changes_the_answer_changes_the_key(
    request_changes: dict[str, Any], settings_changes: dict[str, Any]
) -> None:
    changed = request_key(replace(REQUEST, **request_changes), SETTINGS.model_copy(update=settings_changes))
    assert changed != request_key(REQUEST, SETTINGS)


@pytest.mark.parametrize(
    ("request_changes", "settings_changes"),
    [
        ({"where": "elsewhere", "context": object()}, {}),
        ({}, {"base_url": "http://127.0.0.1:8000/v1"}),
        ({}, {"max_in_flight": 3, "requests_per_minute": 7, "tokens_per_minute": 8, "timeout": 9}),
        ({}, {"max_usd": 3.0, "max_tokens_total": 4, "price": Price(input=1, output=2)}),
    ],
)
def test_what_leaves_the_request_the_same_leaves_the_key(
    request_changes: dict[str, Any], settings_changes: dict[str, Any]
) -> None:
    same = request_key(replace(REQUEST, **request_changes), SETTINGS.model_copy(update=settings_changes))
    assert same == request_key(REQUEST, SETTINGS)


def test_keys_stay_what_they_are() -> None:
    """Published answers depend on them."""
    assert request_key(REQUEST, SETTINGS) == "157ee7e0175d2f72f5662aadbe22995c"


def test_processes_that_create_the_same_ledger_at_once_share_it(tmp_path: Path) -> None:
    together = 4

    def claim(path: Path, barrier: threading.Barrier) -> set[str]:
        barrier.wait()
        with open_ledger(path) as ledger:
            ledger.send_heartbeat().result()
            claimed = ledger.claim(["one", "other"]).result()
            barrier.wait()  # nobody leaves before all have asked
            return claimed

    with ThreadPoolExecutor(together) as threads:
        for number in range(10):
            path, barrier = tmp_path / f"{number}.sqlite", threading.Barrier(together, timeout=30)
            claims = list(threads.map(claim, [path] * together, [barrier] * together))
            assert sorted(key for claimed in claims for key in claimed) == ["one", "other"]
    assert not list(tmp_path.glob(".*"))


# --- damaged and other files ---


@pytest.mark.parametrize(
    "damage", ["half", "an eighth", "garbage in the middle", "second page gone", "head of the tree"]
)
def test_a_damaged_ledger_is_rebuilt_from_its_intact_rows(damage: str, path: Path) -> None:
    answers = many(300)
    store(path, *answers)
    content, pages = path.read_bytes(), range(0, path.stat().st_size, 4096)
    middle = pages[len(pages) // 2]
    damaged, at_least = {
        "half": (content[: len(content) // 2], 80),
        "an eighth": (content[: len(content) // 8 + 77], 10),
        "garbage in the middle": (content[:middle] + b"\x99" * 8192 + content[middle + 8192 :], 280),
        "second page gone": (content[:4096] + bytes(4096) + content[8192:], 300),
        "head of the tree": (content[:100] + bytes(3996) + content[4096:], 300),
    }[damage]
    path.write_bytes(damaged)
    said: list[str] = []
    with open_ledger(path, say=said.append) as ledger:
        saved = list(ledger.read_all())
        assert [ledger.find(answer.key) in (answer, None) for answer in answers] == [True] * 300
        ledger.store([ANSWER]).result()
    assert {answer.key: answer for answer in answers}.items() >= {one.key: one for one in saved}.items()
    assert len(saved) >= at_least
    assert said == [
        f"{path}: the ledger was damaged; {len(saved)} intact answers were recovered; "
        "the damaged file is answers.sqlite.damaged-1"
    ]
    assert path.with_name("answers.sqlite.damaged-1").read_bytes() == damaged


# --- 20 damaged ledgers ---


def flip_bits(content: bytearray, drawn: random.Random) -> None:
    for _ in range(drawn.randint(1, 400)):
        content[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)


def zero_pages(content: bytearray, drawn: random.Random) -> None:
    for _ in range(drawn.randint(1, 5)):
        start = drawn.randrange(0, len(content), 4096)
        content[start : start + 4096] = bytes(4096)


def truncate(content: bytearray, drawn: random.Random) -> None:
    del content[drawn.randrange(len(content) // 10, len(content)) :]


def zero_header(content: bytearray, drawn: random.Random) -> None:
    start = drawn.choice([0, 0, 16, 40])
    end = drawn.randint(start + 16, 100)
    content[start:end] = bytes(end - start)


def damage_header(content: bytearray, drawn: random.Random) -> None:
    for _ in range(drawn.randint(1, 3)):
        content[drawn.randrange(100)] ^= 1 << drawn.randrange(8)


def damage_tables(content: bytearray, drawn: random.Random) -> None:
    """In the list of tables, as SQLite keeps it in the text of their statements."""
    start = content.index(drawn.choice([b"CREATE TABLE answers", b"CREATE TABLE failures"]))
    for _ in range(3):
        content[start + drawn.randrange(150)] = drawn.choice(b"xyz(,\0\xff")


DAMAGES: list[Callable[[bytearray, random.Random], None]] = [
    flip_bits, zero_pages, truncate, zero_header, damage_header, damage_tables,
]  # fmt: skip
STATEMENTS = [
    "UPDATE answers SET text = CAST(text AS BLOB) WHERE id % 7 = 0",
    "UPDATE answers SET text = CAST(x'fffe80' AS TEXT) WHERE id % 7 = 0",
    "UPDATE answers SET prompt_tokens = 'many', seconds = x'00' WHERE id % 7 = 0",
    "UPDATE answers SET digest = 'ffff', model = x'ff' WHERE id % 7 = 0",
    "UPDATE answers SET key = x'00' || id WHERE id % 7 = 0",
    "INSERT INTO owners VALUES (x'01', x'02', 'pid', 'never'), ('far', 'here', 1e300, x'00');"
    "INSERT INTO batches VALUES (x'01', x'02', 'three', NULL), (CAST(x'ff' AS TEXT), 'server', 1, 1);"
    "INSERT INTO batched VALUES ('k', x'00', 'often')",
]


@pytest.mark.parametrize("number", range(20))
def test_whatever_happens_to_a_ledger_its_intact_rows_are_kept_and_the_others_asked_again(
    number: int, server: Any, path: Path, tmp_path: Path, questions: Questions, ask: Ask
) -> None:
    drawn = random.Random(number)
    settings = server.settings(max_in_flight=4)
    first = ask(questions(60), settings)
    store(path, *many(100))  # of another size and model: only ever read
    if number < 2 * len(DAMAGES):
        content = bytearray(path.read_bytes())
        DAMAGES[number // 2](content, drawn)
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as other:
            other.executescript(STATEMENTS[(number - 2 * len(DAMAGES)) % len(STATEMENTS)])
    salvaged = {one.key: one for one in read_outcomes(path, print)}
    shutil.copy(path, tmp_path / "merged.sqlite")
    shown = CliRunner().invoke(app, ["ledger", "show", "--ledger", str(path), "--failures"])
    assert (shown.exit_code, type(shown.exception)) in [(0, type(None)), (3, SystemExit)], shown.exception
    assert shown.stderr.count("\n") <= 2

    server.behave()
    again = ask(questions(60), settings)
    keys = [request_key(one, settings) for one in questions(60)]
    missing = [key for key in keys if key not in salvaged]
    assert server.stats["requests"] == len(missing)
    assert {where: one.text for where, one in again.items()} == {where: one.text for where, one in first.items()}
    with open_ledger(path) as ledger:
        assert [ledger.find(key) for key in salvaged] == list(salvaged.values())
        assert all(ledger.find(key) for key in keys)
    assert len(salvaged) >= (5 if number // 2 == DAMAGES.index(truncate) else 90)
    into = tmp_path / "other.sqlite"
    assert list(merge_ledgers(into, [tmp_path / "merged.sqlite"], lambda line: None).values()) == [len(salvaged)]


def test_the_answer_to_a_request_whose_row_is_damaged_takes_its_place(
    server: Any, path: Path, questions: Questions, ask: Ask
) -> None:
    ask(questions(3), server.settings())
    with sqlite3.connect(path) as other:
        other.execute("UPDATE answers SET digest = 'wrong' WHERE id = 2")
    with open_ledger(path, readonly=True) as ledger:
        (row,) = describe_ledger(ledger)
    assert row["requests"] == 2
    for _ in range(2):
        assert len(ask(questions(3), server.settings())) == 3
        assert server.stats["requests"] == 4
    with open_ledger(path) as ledger:
        assert ledger.query("SELECT count(*) FROM answers") == [(3,)]


def test_a_damaged_ledger_can_be_merged_into_another(path: Path, tmp_path: Path) -> None:
    answers = many(100)
    store(path, *answers)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    said: list[str] = []
    into = tmp_path / "other.sqlite"
    (brought,) = merge_ledgers(into, [path], said.append).values()
    with open_ledger(into) as ledger:
        saved = list(ledger.read_all())
    assert 20 < brought == len(saved) < 100
    assert set(saved) <= set(answers)
    assert said == [f"{path}: the ledger is damaged; {brought} intact answers were recovered"]


def test_a_damaged_ledger_is_not_read_as_if_it_were_intact(path: Path) -> None:
    store(path, *many(100))
    path.write_bytes(path.read_bytes()[:5000])
    hint = r"the ledger is damaged .*`coalm-it ledger merge` recovers the intact answers"
    with pytest.raises(DamagedError, match=hint), open_ledger(path, readonly=True) as ledger:
        list(ledger.read_all())


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.touch()
    store(path, ANSWER)
    assert list(read_outcomes(path)) == [ANSWER]


def make_file(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("these are not the answers you are looking for")
    elif kind == "other head":
        path.write_text('{"rows": 3}\n')
    elif kind == "other version of an export":
        path.write_text('{"coalm_it_answers": 2}\n')
    elif kind == "folder":
        path.mkdir()
    else:
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE songs (name TEXT)")
            if kind == "other version":
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute("PRAGMA user_version = 2")


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("text", "not a ledger: not an SQLite file; choose another file with --ledger"),
        ("songs", "not a ledger of coalm-it but another database; choose another file with --ledger"),
        ("other version", "ledger version 2, but this coalm-it reads version 1: "),
        ("other head", 'not a file of answers: the first line must be {"coalm_it_answers": 1}'),
        ("other version of an export", "file of answers of version 2, but this coalm-it reads version 1"),
        ("folder", "the ledger cannot be opened; is its folder writable?"),
    ],
)
def test_another_kind_of_file_is_left_unchanged(kind: str, line: str, path: Path) -> None:
    make_file(path, kind)
    before = path.read_bytes() if path.is_file() else b""
    for readonly in (False, True):
        if kind == "folder" and readonly:
            continue
        with pytest.raises(LedgerError) as raised, open_ledger(path, readonly=readonly):
            pass
        assert str(raised.value).startswith(f"{path}: {line}")
        assert "\n" not in str(raised.value)
    assert before == (path.read_bytes() if path.is_file() else b"")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can write")
def test_a_disk_that_cannot_be_written_gets_one_line() -> None:
    there, new = Path("/proc/answers.sqlite"), Path("/proc/none/answers.sqlite")
    with pytest.raises(LedgerError, match=r"/proc/answers.sqlite: the ledger cannot be opened"), open_ledger(there):
        pass
    with pytest.raises(LedgerError, match=r"/proc/none/answers.sqlite: its folder cannot be created"), open_ledger(new):
        pass


def test_a_ledger_that_is_only_read_must_be_there(path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"), open_ledger(path, readonly=True):
        pass
    assert not path.exists()


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("/tmp/cache", "/tmp/cache/coalm-it/answers.sqlite"), ("cache", "/home/me/.cache/coalm-it/answers.sqlite")],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="another folder there")
def test_the_users_ledger_lies_in_the_cache_folder(
    variable: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COALM_IT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    monkeypatch.setenv("HOME", "/home/me")
    assert default_path() == Path(expected)


# --- export and merge ---


def test_others_rebuild_from_an_export_without_server_or_key(
    server: Any, questions: Questions, ask: Ask, path: Path, tmp_path: Path
) -> None:
    server.behave(length=0.2)
    settings, exported = server.settings(max_in_flight=4), tmp_path / "published" / "answers.jsonl"
    first = ask(questions(40), settings)
    with open_ledger(path) as ledger:
        assert export_answers(ledger, (request_key(one, settings) for one in questions(30)), exported) == 30
    path.unlink()
    exported.replace(path)
    asked = server.stats["requests"]
    nowhere = settings.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    again: dict[str, Outcome] = {}
    with open_ledger(path) as ledger:
        serve_from_ledger(questions(30), nowhere, ledger, lambda request, one: again.update({request.where: one}))
    assert again == {where: first[where] for where in again}
    assert any(isinstance(outcome, Failure) for outcome in again.values())
    with (
        open_ledger(path) as ledger,
        pytest.raises(MissingAnswerError, match=r"^d/30: no answer in .*answers.sqlite$"),
    ):
        serve_from_ledger(questions(31), nowhere, ledger, lambda request, one: None)
    assert server.stats["requests"] == asked


def test_an_export_is_sorted_and_the_same_whatever_the_order(path: Path, tmp_path: Path) -> None:
    answers: list[Outcome] = [*many(20), replace(FAILURE, key="f" * 32)]
    store(path, *answers)
    with open_ledger(path) as ledger:
        export_answers(ledger, [one.key for one in answers], tmp_path / "one.jsonl")
        export_answers(ledger, [one.key for one in reversed(answers)] * 2, tmp_path / "two.jsonl")
    lines = (tmp_path / "one.jsonl").read_text().splitlines()
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert json.loads(lines[0]) == {"coalm_it_answers": 1}
    assert [json.loads(line)["key"] for line in lines[1:]] == [one.key for one in answers]
    assert list(read_outcomes(tmp_path / "one.jsonl")) == answers
    assert sorted(file.name for file in tmp_path.iterdir()) == ["answers.sqlite", "one.jsonl", "two.jsonl"]


def test_an_export_of_what_is_not_there_says_so(path: Path, tmp_path: Path) -> None:
    store(path, ANSWER)
    with open_ledger(path) as ledger, pytest.raises(LedgerError, match=f"no answer to request {'c' * 32}"):
        export_answers(ledger, [ANSWER.key, "c" * 32], tmp_path / "answers.jsonl")
    assert list(tmp_path.glob("*.jsonl")) == []


def test_of_a_truncated_export_the_intact_lines_are_read(path: Path, tmp_path: Path) -> None:
    answers, exported = many(10), tmp_path / "answers.jsonl"
    store(path, *answers)
    with open_ledger(path) as ledger:
        export_answers(ledger, [one.key for one in answers], exported)
    lines = exported.read_bytes().splitlines(keepends=True)
    exported.write_bytes(b"".join([*lines[:4], b'{"key": 3}\n', *lines[5:-1], lines[-1][:20]]))
    said: list[str] = []
    assert list(read_outcomes(exported, said.append)) == answers[:3] + answers[4:9]
    assert said == [f"{exported}: 2 damaged or truncated lines skipped, the first is line 5"]


def test_ledgers_are_merged(path: Path, tmp_path: Path) -> None:
    one, two, file = tmp_path / "one.sqlite", tmp_path / "two.sqlite", tmp_path / "three.jsonl"
    mine, theirs = many(6)[:4], [replace(answer, text="theirs") for answer in many(6)[2:]]
    store(path, *mine, replace(FAILURE, key=theirs[-1].key))
    store(one, *theirs)
    store(two, ANSWER)
    with open_ledger(two) as ledger:
        export_answers(ledger, [ANSWER.key], file)
    assert merge_ledgers(path, [one, file, two]) == {str(one): 1, str(file): 1, str(two): 0}
    assert list(read_outcomes(path)) == [*mine, *theirs[2:], ANSWER]


def test_a_ledger_is_described_by_model_and_outcome(path: Path) -> None:
    store(path, *many(3), replace(ANSWER, model="large", at="2026-11-09T00:00:00Z"), replace(FAILURE, key="f" * 32))
    with open_ledger(path, readonly=True) as ledger:
        rows = describe_ledger(ledger)
    assert [(row["model"], row["outcome"], row["requests"], row["prompt_tokens"], row["last"]) for row in rows] == [
        ("large", "answered", 1, 312, "2026-11-09T00:00:00Z"),
        ("small", "answered", 3, 936, "2026-11-01T12:00:00Z"),
        ("small", "length", 1, 312, "2026-11-01T11:00:00Z"),
    ]


# --- several processes ---

RUN = """
import sys
from pathlib import Path
from coalm_it.llm.online import ask_all
from coalm_it.llm.ledger import open_ledger
from coalm_it.model_settings import Settings
from coalm_it.llm.request import Request

path, base_url, count, max_in_flight = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
requests = (Request(({"role": "user", "content": f"What is {n} and {n}?"},), where=f"d/{n}") for n in range(count))
settings = Settings(model="small", base_url=base_url, max_tokens=100, max_in_flight=max_in_flight)
told = 0

def tell(request, outcome):
    global told
    told += 1
    print(told, flush=True)

with open_ledger(path) as ledger:
    ask_all(requests, settings, ledger, tell)
"""


def start(path: Path, server: Any, count: int, max_in_flight: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(path), server.base_url, str(count), str(max_in_flight)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_texts(path: Path) -> dict[str, str]:
    return {outcome.key: outcome.text for outcome in read_outcomes(path)}


def test_two_builds_share_a_ledger_and_each_request_is_paid_for_once(server: Any, path: Path) -> None:
    server.behave(latency=0.1)
    runs = [start(path, server, 200, 8) for _ in range(2)]
    told = [run.communicate()[0].split()[-1] for run in runs]
    assert told == ["200", "200"]
    assert server.stats["requests"] == server.stats["answered"] == len(read_texts(path)) == 200


def test_a_killed_run_loses_nothing_and_repeats_only_requests_in_flight(
    server: Any, path: Path, tmp_path: Path, questions: Questions, ask: Ask
) -> None:
    server.behave(latency=0.02)
    drawn, kept, kills = random.Random(5), 0, 0
    killed = tmp_path / "killed.sqlite"
    while True:
        run = start(killed, server, 120, 8)
        assert run.stdout is not None
        stop_after = kept + drawn.randint(10, 40)
        lines = 0
        for line in run.stdout:
            lines = int(line)
            if lines == stop_after:
                run.kill()
        run.communicate()
        if run.returncode == 0:
            break
        kills += 1
        with open_ledger(killed, readonly=True) as ledger:
            kept = sum(1 for _ in ledger.read_all())
        assert kept >= lines  # all that was told is there
    assert kills > 1
    assert server.stats["answered"] <= 120 + kills * 8
    ask(questions(120), server.settings(max_in_flight=8))
    assert read_texts(killed) == read_texts(path)


def test_the_claims_of_a_dead_process_are_void(server: Any, questions: Questions, ask: Ask, path: Path) -> None:
    keys = [request_key(request, server.settings()) for request in questions(3)]
    here, now = platform.node(), time.time()
    owners = [
        ("dead", here, 2**22 + 1, now),
        ("silent", here, os.getpid(), now - 3600),
        ("far away", "another machine", 1, now - 3600),
    ]
    with open_ledger(path):
        pass
    with sqlite3.connect(path) as other:
        other.executemany("INSERT INTO owners VALUES (?, ?, ?, ?)", owners)
        other.executemany("INSERT INTO claims VALUES (?, ?)", zip(keys, [owner[0] for owner in owners], strict=True))
    assert len(ask(questions(3), server.settings())) == 3


def test_ctrl_c_stops_a_run_at_once_and_it_can_be_resumed(
    server: Any, path: Path, questions: Questions, ask: Ask
) -> None:
    server.behave(latency=0.05, tail=0.02, tail_latency=30)
    run = start(path, server, 300, 8)
    assert run.stdout is not None
    for line in run.stdout:
        if line == "50\n":
            break
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    run.communicate()
    assert time.monotonic() - began < 10
    assert run.returncode != 0
    asked = server.stats["requests"]
    kept = len(read_texts(path))
    server.behave()
    assert len(ask(questions(300), server.settings())) == 300
    assert 50 <= kept <= asked
    assert server.stats["requests"] == 300 - kept
