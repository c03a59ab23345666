"""How fast, how cheap, how safe a model is asked, against a server of our own (server.py), with the SDK as a peer.

    python benchmarks/llm/run.py                    # everything, about five minutes
    python benchmarks/llm/run.py short crowded      # some scenarios

short     3,000 answers of 100 ms, 64 in flight       target: 1.6 x ideal, 3 ms of CPU a call
long      3,000 answers of 1 s, 256 in flight         target: 1.15 x ideal
crowded   600 answers wanted at 64, the server takes 16 at a time     target: 1.5 x ideal, under 100 refusals
again     what is asked when nothing changed, and when one request was added
killed    2,000 answers, kill -9 at 20 random moments: what was asked again, and whether all is the same in the end
ceiling   a run that would cost $5 and may cost $1: what it cost, as the server counted it

Peers: `sdk` is the openai package as it comes, its retries too, in a loop with a semaphore, and keeps nothing. `lean`
is the same with its aiohttp transport and bare responses, which is what endpoint.py builds on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORDS = "the user asks for a table and the agent looks for one in the list that came back ".split()
PROMPT_WORDS = 400
SERVER_OPTIONS = {
    "short": "--latency 0.1",
    "long": "--latency 1",
    "crowded": "--latency 0.1 --allow 16",
    "again": "",
    "killed": "--latency 0.05",
    "ceiling": "--latency 0.02",
}
SPEED = {"short": (3000, 64, 64), "long": (3000, 256, 256), "crowded": (600, 64, 16)}
"""Requests, wanted in flight, and how many the server takes."""
PRICE = {"input": 3.0, "output": 15.0}


# --- the clients, each in a process of its own ---


def make_prompt(number: int) -> str:
    return f"{number}: {' '.join(random.Random(number).choices(WORDS, k=PROMPT_WORDS))}"


def ask_ours(base_url: str, count: int, in_flight: int, ledger: str, max_usd: float | None = None) -> int:
    from coalm_it.models import Settings
    from coalm_it.reasoning.asking import ask_all
    from coalm_it.reasoning.budget import BudgetError, make_budget
    from coalm_it.reasoning.ledger import open_ledger
    from coalm_it.reasoning.request import Outcome, Request

    settings = Settings(
        model="small", base_url=base_url, max_in_flight=in_flight, max_tokens=200, max_usd=max_usd, price=PRICE
    )
    requests = (Request(({"role": "user", "content": make_prompt(number)},)) for number in range(count))
    told = 0

    def tell(request: Request, outcome: Outcome) -> None:
        nonlocal told
        told += 1

    with open_ledger(Path(ledger)) as opened:
        try:
            ask_all(requests, settings, opened, tell, budget=make_budget(settings))
        except BudgetError as error:
            print(error, file=sys.stderr)
    return told


def ask_sdk(base_url: str, count: int, in_flight: int) -> int:
    import openai

    async def ask() -> int:
        gate = asyncio.Semaphore(in_flight)
        async with openai.AsyncOpenAI(base_url=base_url, api_key="none") as client:

            async def ask_one(number: int) -> bool:
                async with gate:
                    try:
                        got = await client.chat.completions.create(
                            model="small", max_tokens=200, messages=[{"role": "user", "content": make_prompt(number)}]
                        )
                    except openai.OpenAIError:
                        return False
                    return bool(got.choices[0].message.content)

            return sum(await asyncio.gather(*map(ask_one, range(count))))

    return asyncio.run(ask())


def ask_lean(base_url: str, count: int, in_flight: int) -> int:
    import openai

    async def ask() -> int:
        numbers, good = iter(range(count)), 0
        transport = openai.DefaultAioHttpClient()
        async with openai.AsyncOpenAI(base_url=base_url, api_key="none", http_client=transport) as client:

            async def work() -> None:
                nonlocal good
                for number in numbers:
                    try:
                        got = await client.chat.completions.with_raw_response.create(
                            model="small", max_tokens=200, messages=[{"role": "user", "content": make_prompt(number)}]
                        )
                    except openai.OpenAIError:
                        continue
                    good += bool(json.loads(got.content)["choices"][0]["message"]["content"])

            await asyncio.gather(*(work() for _ in range(in_flight)))
        return good

    return asyncio.run(ask())


CLIENTS: dict[str, Callable[..., int]] = {"ours": ask_ours, "sdk": ask_sdk, "lean": ask_lean}


def run_client(name: str, arguments: list[Any]) -> None:
    """Prints what it came to, as JSON. Start and imports, which take a second, are not measured."""
    import coalm_it.reasoning.asking  # noqa: F401  (and with it openai)

    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    good = CLIENTS[name](*arguments)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"answered": good, "seconds": seconds, "cpu": cpu, "peak_mb": after.ru_maxrss / 1024}))


# --- the scenarios ---


def start_client(name: str, *arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--client", name, json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measure(name: str, *arguments: Any) -> dict[str, Any]:
    output, _ = start_client(name, *arguments).communicate()
    result: dict[str, Any] = json.loads(output)
    return result


@contextmanager
def start_server(options: str) -> Iterator[str]:
    command = [sys.executable, str(HERE / "server.py"), *options.split()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def read_stats(base_url: str) -> dict[str, Any]:
    with urllib.request.urlopen(base_url.replace("/v1", "/stats")) as answer:
        stats: dict[str, Any] = json.load(answer)
        return stats


def measure_speed(scenario: str, folder: Path) -> None:
    count, in_flight, taken = SPEED[scenario]
    latency = float(SERVER_OPTIONS[scenario].split()[1])
    ideal = count * latency / taken
    print(f"\n{scenario}: {count:,} answers of {latency:g} s, {in_flight} in flight, ideal {ideal:.1f} s\n")
    print("| client | seconds | x ideal | calls/s | CPU ms/call | peak MB | answered | refused |")
    print("|---|---|---|---|---|---|---|---|")
    for name in CLIENTS:
        with start_server(SERVER_OPTIONS[scenario]) as base_url:
            extra = [str(folder / f"{scenario}.sqlite")] if name == "ours" else []
            got = measure(name, base_url, count, in_flight, *extra)
            refused = read_stats(base_url)["refused"]
        seconds = got["seconds"]
        print(
            f"| {name} | {seconds:.1f} | {seconds / ideal:.2f} | {count / seconds:.0f} | "
            f"{got['cpu'] * 1000 / count:.2f} | {got['peak_mb']:.0f} | {got['answered']:,} | {refused:,} |",
            flush=True,
        )


def measure_again(folder: Path) -> None:
    ledger = str(folder / "again.sqlite")
    with start_server(SERVER_OPTIONS["again"]) as base_url:
        asked = []
        for count in (1000, 1000, 1001):
            got = measure("ours", base_url, count, 64, ledger)
            asked.append(read_stats(base_url)["requests"])
    print(
        f"\nagain: {asked[0]:,} asked; the same once more: {asked[1] - asked[0]}; with one added: {asked[2] - asked[1]}"
    )
    print(f"       {got['answered']:,} stored answers are served in {got['seconds']:.2f} s")


def measure_killed(folder: Path) -> None:
    count, in_flight, drawn = 2000, 64, random.Random(1)
    ledger, whole = folder / "killed.sqlite", folder / "whole.sqlite"
    with start_server(SERVER_OPTIONS["killed"]) as base_url:
        measure("ours", base_url, count, in_flight, str(whole))
        before = read_stats(base_url)["answered"]
        for _ in range(20):
            asked = read_stats(base_url)["requests"]
            run = start_client("ours", base_url, count, in_flight, str(ledger))
            while read_stats(base_url)["requests"] == asked:
                time.sleep(0.01)
            time.sleep(drawn.uniform(0, 0.4))
            run.kill()
            run.communicate()
        killed_at = len(read_texts(ledger))
        measure("ours", base_url, count, in_flight, str(ledger))
        answered = read_stats(base_url)["answered"] - before
    same = read_texts(ledger) == read_texts(whole)
    print(f"\nkilled: 20 times, the last time with {killed_at:,} of {count:,} answers stored")
    print(
        f"        {answered - count} answers asked again ({(answered - count) / 20:.1f} a kill, {in_flight} in flight)"
    )
    print(f"        the same answers as undisturbed: {same}")


def read_texts(path: Path) -> dict[str, str]:
    from coalm_it.reasoning.exchange import read_outcomes

    return {outcome.key: outcome.text for outcome in read_outcomes(path)}


def measure_ceiling(folder: Path) -> None:
    with start_server(SERVER_OPTIONS["ceiling"]) as base_url:
        got = measure("ours", base_url, 2400, 64, str(folder / "ceiling.sqlite"), 1.0)
        stats = read_stats(base_url)
    usd = (stats["prompt_tokens"] * PRICE["input"] + stats["completion_tokens"] * PRICE["output"]) / 1_000_000
    print(f"\nceiling: $1.00 allowed, ${usd:.4f} counted by the server, {got['answered']:,} of 2,400 answered")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SERVER_OPTIONS))
    parser.add_argument("--client", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        run_client(options.client[0], json.loads(options.client[1]))
        return
    others = {"again": measure_again, "killed": measure_killed, "ceiling": measure_ceiling}
    with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder:
        for scenario in options.scenarios or SERVER_OPTIONS:
            if scenario in SPEED:
                measure_speed(scenario, Path(folder))
            else:
                others[scenario](Path(folder))


if __name__ == "__main__":
    main()
