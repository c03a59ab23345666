"""Speed, processor time and reliability of requests to a model: coalm-it and other libraries, against server.py.

    python benchmarks/llm/run.py                    # all scenarios, coalm-it only: about five minutes
    python benchmarks/llm/run.py short crowded      # some scenarios
    python benchmarks/llm/run.py --peers            # with the other libraries, each in its own environment: an hour

short     3,000 answers with a latency of 100 ms, 64 in flight      target: 1.6 x ideal, 3 ms of CPU per call
long      3,000 answers with a latency of 1 s, 256 in flight        target: 1.15 x ideal
crowded   600 answers, 64 in flight, the server accepts 16          target: 1.5 x ideal, fewer than 100 refusals
again     the requests of a second run, unchanged, and of a third with one more prompt
killed    2,000 answers, kill -9 half-way, then resumed: repeated requests, lost answers
shot      2,000 answers, kill -9 at 20 random moments, coalm-it only: are the results the same
ceiling   a run that would cost $5 with a limit of $1, coalm-it only: its cost, as counted by the server

Two clients run the whole first pass of a build, from the corpus to checked thoughts in the ledger, with `one call per
turn` or `one call per dialogue`; `requests only` sends prepared prompts. `floor` is a bare aiohttp pool, `sdk` the
openai package with its defaults, `lean` the same with its aiohttp transport and raw responses; these three store
nothing. Prints Markdown.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from client import Job
from clients import CLIENTS, LEDGER, PRICE
from environments import PEERS, PeerError, make_peer
from processes import Client, own_client, read_stats, run_client, start_server, wait_for_calm, watch_others
from tables import Line, describe_machine, print_speed, print_table

OURS = own_client("requests only")
WITHOUT_STORE = ("floor", "lean", "sdk")
LIMIT = 120.0
"""Maximum duration of one run, seconds; raise it on a busy machine."""
SPEED = {
    "short": ("--latency 0.1", 3000, 64, 0.1 * 3000 / 64),
    "long": ("--latency 1", 3000, 256, 1 * 3000 / 256),
    "crowded": ("--latency 0.1 --allow 16", 600, 64, 0.1 * 600 / 16),
}
"""Options of the server, number of requests, maximum in flight, ideal duration in seconds."""


def measure_speed(scenario: str, clients: Sequence[Client], options: argparse.Namespace) -> None:
    """In rounds, so that other load on the machine affects all clients alike."""
    server, count, in_flight, ideal = SPEED[scenario]
    lines: dict[str, list[Line]] = defaultdict(list)
    for number in range(options.runs):
        for client in clients:
            if number >= options.peer_runs and client.name not in CLIENTS:
                continue
            if len(lines[client.name]) == 1 and lines[client.name][0].run.report is None:
                continue  # a client that failed once is not run again
            wait_for_calm(options.patience)
            others = watch_others()
            with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server(server) as base_url:
                run = run_client(client, Job(base_url, count, in_flight, folder), options.limit)
                stats = read_stats(base_url)
            lines[client.name].append(Line(run, stats, number, others()))
            print(f"{scenario} {number + 1} {lines[client.name][-1]}", file=sys.stderr)
    print_speed(f"{scenario}: {count:,} answers, server {server}, {in_flight} in flight", ideal, count, lines)


def measure_again(clients: Sequence[Client], limit: float) -> None:
    count, in_flight = 1000, 64
    rows = []
    for client in clients:
        with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server("--latency 0.02") as base_url:
            asked, cells = 0, []
            for wanted in (count, count, count + 1):
                run = run_client(client, Job(base_url, wanted, in_flight, folder), limit)
                before, asked = asked, read_stats(base_url)["requests"]
                got = run.trouble if run.report is None else f"{run.report.answered:,} rows"
                cells.append(f"{asked - before:,} ({got})")
        rows.append([client.name, *cells])
        print(f"again {rows[-1]}", file=sys.stderr)
    print_table(
        f"again: {count:,} prompts, the same again, and with one added",
        ["client", "requests of the first run", "of the second", "of the third, with one added"],
        rows,
    )


def measure_killed(clients: Sequence[Client], limit: float) -> None:
    count, in_flight = 2000, 64
    rows = []
    for client in clients:
        with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server("--latency 0.05") as base_url:
            job = Job(base_url, count, in_flight, folder)

            def is_half_way(base_url: str = base_url) -> bool:
                return bool(read_stats(base_url)["answered"] >= count // 2)

            run_client(client, job, limit, is_half_way)
            at = read_stats(base_url)["answered"]
            run = run_client(client, job, limit)
            stats = read_stats(base_url)
        end = f"{run.report.answered:,}" if run.report else f"{run.trouble}, {stats['answered']:,} answers worked out"
        rows.append([client.name, f"{at:,}", f"{stats['repeated']:,}", end, f"{run.whole:.0f}"])
        print(f"killed {rows[-1]}", file=sys.stderr)
    print_table(
        f"killed: {count:,} prompts, {in_flight} in flight, kill -9 half-way, and the same command again",
        ["client", "answered when killed", "of these requested again", "rows at the end", "seconds of the second run"],
        rows,
    )


def measure_shot() -> None:
    count, in_flight, drawn = 2000, 64, random.Random(1)
    with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server("--latency 0.05") as base_url:
        whole = Job(base_url, count, in_flight, f"{folder}/whole")
        job = Job(base_url, count, in_flight, f"{folder}/killed")
        run_client(OURS, whole, LIMIT)
        before = read_stats(base_url)["answered"]
        for _ in range(20):
            asked, lives = read_stats(base_url)["requests"], drawn.uniform(0, 0.4)
            shot_at: list[float] = []

            def is_time(asked: int = asked, lives: float = lives, shot_at: list[float] = shot_at) -> bool:
                if not shot_at and read_stats(base_url)["requests"] > asked:
                    shot_at.append(time.monotonic() + lives)
                return bool(shot_at) and time.monotonic() > shot_at[0]

            run_client(OURS, job, LIMIT, is_time)
        killed_at = len(read_texts(job))
        run_client(OURS, job, LIMIT)
        again = read_stats(base_url)["answered"] - before - count
    print(f"\n### shot: kill -9 20 times, the last time with {killed_at:,} of {count:,} answers stored\n")
    print(f"{again} answers were asked again, {again / 20:.1f} a kill with {in_flight} in flight. ", end="")
    print("The stored answers are the same as undisturbed: " + str(read_texts(job) == read_texts(whole)) + ".")


def read_texts(job: Job) -> dict[str, str]:
    from coalm_it.llm.ledger.maintenance import read_outcomes

    return {outcome.key: outcome.text for outcome in read_outcomes(Path(job.folder, LEDGER))}


def measure_ceiling() -> None:
    with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server("--latency 0.02") as base_url:
        run = run_client(OURS, Job(base_url, 2400, 64, folder, max_usd=1.0), LIMIT)
        stats = read_stats(base_url)
    usd = (stats["prompt_tokens"] * PRICE["input"] + stats["completion_tokens"] * PRICE["output"]) / 1_000_000
    print(f"\n### ceiling: $1.00 allowed\n\n${usd:.4f} counted by the server, ", end="")
    print(f"{run.report.answered if run.report else 0:,} of 2,400 answered.")


def make_peers(names: str, folder: Path) -> list[Client]:
    """The peers that can be installed; prints why for the others."""
    peers = []
    for name in filter(None, names.split(",")):
        try:
            peers.append(make_peer(name, folder))
        except PeerError as error:
            print(f"- {name} {error}")
    return peers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    scenarios = (*SPEED, "again", "killed", "shot", "ceiling")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(scenarios))
    named = f"measure peers too: all, or some of {', '.join(PEERS)}"
    parser.add_argument("--peers", nargs="?", const=",".join(PEERS), default="", metavar="PEER,...", help=named)
    parser.add_argument("--runs", type=int, default=5, help="runs of each client of coalm-it")
    parser.add_argument("--peer-runs", type=int, default=3, help="runs of each peer")
    waits = "maximum seconds to wait for an idle machine before each run"
    parser.add_argument("--patience", type=float, default=0.0, metavar="SECONDS", help=waits)
    longest = "maximum duration of one run, seconds"
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS", help=longest)
    default = Path(tempfile.gettempdir(), "coalm-it-peers")
    parser.add_argument("--environments", type=Path, default=default, help="folder for the peers' environments")
    options = parser.parse_args()
    peers = make_peers(options.peers, options.environments)
    own = [own_client(name) for name in CLIENTS]
    keeping = [client for client in own if client.name not in WITHOUT_STORE]
    print(describe_machine(peers))
    for scenario in options.scenarios or scenarios:
        if scenario in SPEED:
            measure_speed(scenario, [*own, *peers], options)
        elif scenario == "again":
            measure_again([*keeping, *peers], options.limit)
        elif scenario == "killed":
            measure_killed([*keeping, *peers], options.limit)
        elif scenario == "shot":
            measure_shot()
        elif scenario == "ceiling":
            measure_ceiling()
        else:
            parser.error(f"no scenario {scenario!r}; there are {', '.join(scenarios)}")


if __name__ == "__main__":
    main()
