"""How fast, how cheap, how safe a model is asked, against a server of our own (server.py), with others beside us.

    python benchmarks/llm/run.py                    # everything of ours, about five minutes
    python benchmarks/llm/run.py short crowded      # some scenarios
    python benchmarks/llm/run.py --peers            # with the peers, each in an environment of its own; an hour

short     3,000 answers of 100 ms, 64 in flight       target: 1.6 x ideal, 3 ms of CPU a call
long      3,000 answers of 1 s, 256 in flight         target: 1.15 x ideal
crowded   600 answers wanted at 64, the server takes 16 at a time     target: 1.5 x ideal, under 100 refusals
again     what is asked when nothing changed, and when one request was added
killed    2,000 answers, kill -9 half-way, and again: what was asked again, what was lost
shot      2,000 answers, kill -9 at 20 random moments: ours alone; whether all is the same in the end
ceiling   a run that would cost $5 and may cost $1: ours alone; what it cost, as the server counted it

Two clients go the whole way of a build's first pass, from the corpus to checked thoughts in the ledger: `a turn a call`
asks about each turn by itself, `a dialogue a call` about all of a dialogue at once; `asking only` sends ready prompts.
`floor` is a bare aiohttp pool, `sdk` the openai package as it comes, `lean` the same with its aiohttp transport and
bare responses: none of the three keeps anything. Prints Markdown.
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

from client import Order
from clients import CLIENTS, LEDGER, PRICE
from environments import PEERS, PeerError, make_peer
from processes import Client, own_client, read_stats, run_client, start_server, wait_for_calm, watch_others
from tables import Line, describe_machine, print_speed, print_table

OURS = own_client("asking only")
KEEP_NOTHING = ("floor", "lean", "sdk")
LIMIT = 120.0
"""Seconds that one run may take; more on a machine that is busy with other things."""
SPEED = {
    "short": ("--latency 0.1", 3000, 64, 0.1 * 3000 / 64),
    "long": ("--latency 1", 3000, 256, 1 * 3000 / 256),
    "crowded": ("--latency 0.1 --allow 16", 600, 64, 0.1 * 600 / 16),
}
"""How the server is, how many requests, wanted in flight, and the seconds that it ideally takes."""


def measure_speed(scenario: str, clients: Sequence[Client], options: argparse.Namespace) -> None:
    """In rounds: what else the machine has to do meanwhile then falls on all alike."""
    server, count, in_flight, ideal = SPEED[scenario]
    lines: dict[str, list[Line]] = defaultdict(list)
    for number in range(options.runs):
        for client in clients:
            if number >= options.peer_runs and client.name not in CLIENTS:
                continue
            if len(lines[client.name]) == 1 and lines[client.name][0].run.report is None:
                continue  # what did not come to its end once does not get hours more
            wait_for_calm(options.patience)
            others = watch_others()
            with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server(server) as base_url:
                run = run_client(client, Order(base_url, count, in_flight, folder), options.limit)
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
                run = run_client(client, Order(base_url, wanted, in_flight, folder), limit)
                before, asked = asked, read_stats(base_url)["requests"]
                got = run.trouble if run.report is None else f"{run.report.answered:,} rows"
                cells.append(f"{asked - before:,} ({got})")
        rows.append([client.name, *cells])
        print(f"again {rows[-1]}", file=sys.stderr)
    print_table(
        f"again: {count:,} prompts, the same once more, and with one added",
        ["client", "asked at first", "asked again", "asked with one added"],
        rows,
    )


def measure_killed(clients: Sequence[Client], limit: float) -> None:
    count, in_flight = 2000, 64
    rows = []
    for client in clients:
        with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server("--latency 0.05") as base_url:
            order = Order(base_url, count, in_flight, folder)

            def is_half_way(base_url: str = base_url) -> bool:
                return bool(read_stats(base_url)["answered"] >= count // 2)

            run_client(client, order, limit, is_half_way)
            at = read_stats(base_url)["answered"]
            run = run_client(client, order, limit)
            stats = read_stats(base_url)
        end = f"{run.report.answered:,}" if run.report else f"{run.trouble}, {stats['answered']:,} answers worked out"
        rows.append([client.name, f"{at:,}", f"{stats['repeated']:,}", end, f"{run.whole:.0f}"])
        print(f"killed {rows[-1]}", file=sys.stderr)
    print_table(
        f"killed: {count:,} prompts, {in_flight} in flight, kill -9 half-way, and the same command again",
        ["client", "answered when killed", "of these asked again", "rows in the end", "seconds of the second run"],
        rows,
    )


def measure_shot() -> None:
    count, in_flight, drawn = 2000, 64, random.Random(1)
    with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server("--latency 0.05") as base_url:
        whole = Order(base_url, count, in_flight, f"{folder}/whole")
        order = Order(base_url, count, in_flight, f"{folder}/killed")
        run_client(OURS, whole, LIMIT)
        before = read_stats(base_url)["answered"]
        for _ in range(20):
            asked, lives = read_stats(base_url)["requests"], drawn.uniform(0, 0.4)
            shot_at: list[float] = []

            def is_time(asked: int = asked, lives: float = lives, shot_at: list[float] = shot_at) -> bool:
                if not shot_at and read_stats(base_url)["requests"] > asked:
                    shot_at.append(time.monotonic() + lives)
                return bool(shot_at) and time.monotonic() > shot_at[0]

            run_client(OURS, order, LIMIT, is_time)
        killed_at = len(read_texts(order))
        run_client(OURS, order, LIMIT)
        again = read_stats(base_url)["answered"] - before - count
    print(f"\n### shot: kill -9 20 times, the last time with {killed_at:,} of {count:,} answers stored\n")
    print(f"{again} answers were asked again, {again / 20:.1f} a kill with {in_flight} in flight. ", end="")
    print("The stored answers are the same as undisturbed: " + str(read_texts(order) == read_texts(whole)) + ".")


def read_texts(order: Order) -> dict[str, str]:
    from coalm_it.llm.ledger.maintenance import read_outcomes

    return {outcome.key: outcome.text for outcome in read_outcomes(Path(order.folder, LEDGER))}


def measure_ceiling() -> None:
    with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder, start_server("--latency 0.02") as base_url:
        run = run_client(OURS, Order(base_url, 2400, 64, folder, max_usd=1.0), LIMIT)
        stats = read_stats(base_url)
    usd = (stats["prompt_tokens"] * PRICE["input"] + stats["completion_tokens"] * PRICE["output"]) / 1_000_000
    print(f"\n### ceiling: $1.00 allowed\n\n${usd:.4f} counted by the server, ", end="")
    print(f"{run.report.answered if run.report else 0:,} of 2,400 answered.")


def make_peers(names: str, folder: Path) -> list[Client]:
    """Those that can be had; of the others it says why not."""
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
    parser.add_argument("--runs", type=int, default=5, help="of each client of ours")
    parser.add_argument("--peer-runs", type=int, default=3, help="of each peer")
    waits = "seconds to wait before each run for a calm machine, where it has other work"
    parser.add_argument("--patience", type=float, default=0.0, metavar="SECONDS", help=waits)
    longest = "seconds that one run may take"
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS", help=longest)
    default = Path(tempfile.gettempdir(), "coalm-it-peers")
    parser.add_argument("--environments", type=Path, default=default, help="folder for the peers' environments")
    options = parser.parse_args()
    peers = make_peers(options.peers, options.environments)
    own = [own_client(name) for name in CLIENTS]
    keeping = [client for client in own if client.name not in KEEP_NOTHING]
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
