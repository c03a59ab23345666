"""Complete builds with thoughts of a model, against server.py.

    python benchmarks/llm/builds.py                                         # all scenarios, some minutes
    python benchmarks/llm/builds.py killed_build --turns 600 --kills 8

killed_build    2,000 turns with one request each, and repair requests; kill -9 at 20 random moments, while it sends
                requests and while it writes, each time resumed with the same command: repeated requests, lost answers,
                and whether the data set is the same
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dialogues import write_dialogues

HERE = Path(__file__).parent
IN_FLIGHT = 64
SERVED = {"latency": 0.05, "poor": 0.1}
"""Latency in seconds; share of thoughts that are rejected and requested again."""
WARM = multiprocessing.get_context("forkserver")
"""Starts builds in processes that have imported everything already, which takes two seconds."""
WARM.set_forkserver_preload(["coalm_it.pipeline.build", "coalm_it.llm.online", "coalm_it.cli.terminal"])


# --- builds, servers ---


def start_build(base_url: str, data: Path, out: Path, ledger: Path, *options: str) -> BaseProcess:
    """Starts `coalm-it build` of these dialogues with thoughts of the model at `base_url`, one request per turn.

    Its output goes to OUT.log.
    """
    settings = {
        "parts.snips": "null",
        "reasoning.writer": "annotate",
        "reasoning.model": "small",
        "reasoning.base_url": base_url,
        "reasoning.turns_per_request": "1",
        "reasoning.max_in_flight": str(IN_FLIGHT),
    }
    changes = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    places = ["--data", str(data), "--out", str(out), "--ledger", str(ledger)]
    arguments = ["build", "tod", *places, "--workers", "2", *changes, *options]
    build = WARM.Process(target=_run_command, args=(arguments, f"{out}.log"))
    build.start()
    return build


def _run_command(arguments: list[str], log: str) -> None:
    from coalm_it.cli import app

    with open(log, "w") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    app(arguments)


def finish_build(build: BaseProcess) -> None:
    build.join()
    assert build.exitcode == 0, f"a build ended with {build.exitcode}: see its log"


def read_files(out: Path) -> dict[str, bytes]:
    """The content of all files of a build, except those that contain times."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".work" not in path.parts and path.name != "timings.json"
    }


@contextmanager
def start_server() -> Iterator[str]:
    """Runs the server; gives its base URL."""
    process = subprocess.Popen([sys.executable, str(HERE / "server.py")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def call_server(base_url: str, path: str, content: bytes | None = None) -> dict[str, Any]:
    address = base_url.replace("/v1", f"/{path}")
    with urllib.request.urlopen(urllib.request.Request(address, content)) as answer:
        result: dict[str, Any] = json.load(answer)
        return result


# --- a build that is killed ---


@dataclass(frozen=True)
class Kill:
    """The state of a build when it was killed."""

    answered: int
    """Different requests that the server had answered or was answering."""
    stored: int
    """Answers in the ledger."""
    shards: int
    files: int


@dataclass(frozen=True)
class Killed:
    """Result of a build that was killed many times."""

    requests: int
    """Requests of an undisturbed build."""
    kills: list[Kill]
    asked_again: int
    """Answers that the server produced a second time."""
    lost: int
    """Answers that were stored before a kill and requested again after it."""
    out: Path
    whole: Path
    """The undisturbed build."""

    @property
    def same_bytes(self) -> bool:
        return read_files(self.out) == read_files(self.whole)


def kill_builds(folder: Path, turns: int, kills: int, seed: int = 1) -> Killed:
    """Builds dialogues of about `turns` turns, once undisturbed, and once killed at moments that are drawn by `seed`.

    Two thirds of the kills are during the requests, the others while shards and files are written.
    """
    data = write_dialogues(folder / "data", turns=turns)
    out, whole, ledger = folder / "out", folder / "whole", folder / "out.sqlite"
    with start_server() as base_url:
        call_server(base_url, "control", json.dumps(SERVED).encode())
        finish_build(start_build(base_url, data, whole, folder / "whole.sqlite"))
        asked, shards, files = _read_progress(base_url, whole)
        call_server(base_url, "control", json.dumps(SERVED).encode())  # counts from zero
        drawn, writing = random.Random(seed), kills // 3
        moments = [drawn.randrange(asked) for _ in range(kills - writing)]
        moments += [drawn.randrange(asked + 1, asked + shards + files) for _ in range(writing)]
        killed = [_kill_build(base_url, data, out, ledger, moment) for moment in sorted(moments)]
        finish_build(start_build(base_url, data, out, ledger))
        again: int = call_server(base_url, "stats")["answered"] - asked
    done = [kill for kill in killed if kill is not None]
    unstored = sum(kill.answered - kill.stored for kill in done)
    return Killed(asked, done, again, max(0, again - unstored), out, whole)


def _kill_build(base_url: str, data: Path, out: Path, ledger: Path, moment: int) -> Kill | None:
    """Starts a build, and kills it at the given progress; None if it finished before."""
    build = start_build(base_url, data, out, ledger)
    while build.is_alive() and sum(_read_progress(base_url, out)) < moment:
        time.sleep(0.02)
    if not build.is_alive():
        return None
    build.kill()
    build.join()
    while call_server(base_url, "stats")["inside"]:
        time.sleep(0.02)
    answered, shards, files = _read_progress(base_url, out)
    return Kill(answered, _count_stored(ledger), shards, files)


def _read_progress(base_url: str, out: Path) -> tuple[int, int, int]:
    """Progress of a build: different requests answered, shards written, files written."""
    stats = call_server(base_url, "stats")
    shards, files = out.glob(".work/*.arrow"), out.rglob("*.parquet")
    return stats["answered"] - stats["repeated"], len(list(shards)), len(list(files))


def _count_stored(ledger: Path) -> int:
    from coalm_it.llm.ledger import open_ledger

    if not ledger.exists():
        return 0
    with open_ledger(ledger, readonly=True) as opened:
        return int(opened.query("SELECT count(*) FROM answers")[0][0])


def report_killed(folder: Path, turns: int, kills: int) -> None:
    killed = kill_builds(folder, turns, kills)
    asking = [kill for kill in killed.kills if not kill.shards]
    unstored = [kill.answered - kill.stored for kill in killed.kills]
    print(f"\nkilled_build: {killed.requests:,} requests, {IN_FLIGHT} in flight; {len(killed.kills)} kills, ", end="")
    print(f"{len(asking)} during requests, {len(killed.kills) - len(asking)} during writing")
    print(f"    requested again: {killed.asked_again}, at most {max(unstored)} after one kill")
    print(f"    stored and requested again: {killed.lost}")
    print(f"    same bytes as undisturbed: {killed.same_bytes}")


SCENARIOS = {"killed_build": report_killed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for scenario in options.scenarios or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder:
            SCENARIOS[scenario](Path(folder), options.turns, options.kills)


if __name__ == "__main__":
    main()
