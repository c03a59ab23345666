"""Measures a complete build of recipe tod on the real corpora, next to a lower bound for the same bytes and machine.

    python benchmarks/build_tod.py CORPORA [--workers 2] [--runs 3]

Prints Markdown for the README. The lower bound ("floor") is work that no build can avoid: orjson parses the raw files,
pyarrow writes the Parquet files, in one process. Memory is that of the whole process tree, sampled while it runs: PSS,
in which a page that several processes share counts once. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from coalm_it import __version__
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import load_source

COMMAND = [sys.executable, "-c", "from coalm_it.cli import app; app()"]
PROC = Path("/proc")


@dataclass
class Run:
    """One build in a process of its own."""

    seconds: float = 0.0
    processor: float = 0.0
    """Processor time of all processes, seconds; other load on the machine affects it least."""
    peak: int = 0
    """Peak memory, bytes."""


def run_build(recipe: str, corpora: Path, out: Path, workers: int, *options: str) -> Run:
    """Builds into `out`, with a cache of shards beside it: `out` in another folder begins from scratch."""
    started = time.perf_counter()
    arguments = ["build", recipe, "--data", str(corpora), "--out", str(out), "--workers", str(workers), *options]
    environment = {**os.environ, "COALM_IT_CACHE": str(out.parent / "cache")}
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, env=environment)
    run = Run()
    over = threading.Event()
    watcher = threading.Thread(target=watch_memory, args=(process.pid, run, over))
    watcher.start()
    _, status, used = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    run.seconds = time.perf_counter() - started
    run.processor = used.ru_utime + used.ru_stime
    over.set()
    watcher.join()
    if code not in (0, 1):
        sys.exit(f"the build ended with {code}")
    return run


def watch_memory(process: int, run: Run, over: threading.Event) -> None:
    while not over.wait(0.1):
        run.peak = max(run.peak, sum(map(read_pss, list_tree(process))))


def list_tree(process: int) -> Iterator[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended in the meantime
                continue
            children[parent].append(int(entry.name))
    pending = [process]
    while pending:
        current = pending.pop()
        yield current
        pending += children[current]


def read_pss(process: int) -> int:
    """Bytes; 0 if the process has ended."""
    try:
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


@dataclass
class Floor:
    parse: float
    write: float
    raw_bytes: int
    written_bytes: int


def measure_floor(corpora: Path, out: Path, inputs: list[str]) -> Floor:
    """Measures parsing the build's inputs and writing its Parquet files again, in seconds."""
    found = find_corpora(corpora, [load_source(name) for name in {name.partition("/")[0] for name in inputs}])
    used = {entry.source: entry.corpus for entry in found if entry.used and entry.corpus}
    parse = write = 0.0
    raw_bytes = written_bytes = 0
    for name in inputs:
        source, _, file = name.partition("/")
        content = used[source].files[file].read_bytes()
        raw_bytes += len(content)
        started = time.perf_counter()
        orjson.loads(content)
        parse += time.perf_counter() - started
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        for path in sorted((out / "data").rglob("*.parquet")):
            table = pq.read_table(path)
            started = time.perf_counter()
            pq.write_table(table, Path(scratch) / "again.parquet", compression="zstd")
            write += time.perf_counter() - started
            written_bytes += path.stat().st_size
    return Floor(parse, write, raw_bytes, written_bytes)


def sum_stages(timings: dict[str, dict[str, dict[str, float]]]) -> dict[str, float]:
    """Stage -> seconds, over all parts and workers."""
    total: dict[str, float] = defaultdict(float)
    for stages in timings["stages"].values():
        for stage, seconds in stages.items():
            total[stage] += seconds
    return dict(total)


def describe_machine() -> str:
    lines = (PROC / "cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    versions = ", ".join(f"{name} {version(name)}" for name in ("pyarrow", "pydantic", "orjson", "jinja2"))
    ours = f"coalm-it {__version__}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores; {ours}, {versions}"


def print_report(runs: list[Run], changed: Run, again: Run, floor: Floor, out: Path, workers: int) -> None:
    manifest = json.loads((out / "manifest.json").read_bytes())
    timings = json.loads((out / "timings.json").read_bytes())
    seconds = sorted(run.seconds for run in runs)
    median, floor_seconds = statistics.median(seconds), floor.parse + floor.write
    parts = manifest["parts"].values()
    rows = sum(part["rows"] for part in parts)
    rejects = sum(part["rejects"] for part in parts)
    cells = {
        f"build, {workers} workers: median of {len(runs)} (fastest, slowest)": (
            f"{median:.1f} s ({seconds[0]:.1f}, {seconds[-1]:.1f})"
        ),
        "processor time": f"{min(run.processor for run in runs):.1f} s",
        "rows, rejects": f"{rows:,}, {rejects:,}",
        "rows per second": f"{rows / median:,.0f}",
        "raw bytes read, Parquet bytes written": (
            f"{floor.raw_bytes / 1e6:,.0f} MB, {floor.written_bytes / 1e6:,.0f} MB"
        ),
        "peak memory of the process tree": f"{max(run.peak for run in runs) / 1e9:.2f} GB",
        "floor, one process: orjson parse + Parquet write": f"{floor.parse:.1f} s + {floor.write:.1f} s",
        "build / floor": f"{median / floor_seconds:.1f}",
        "with a part's quota changed, into a new folder": f"{changed.seconds:.1f} s",
        "the same command again": f"{again.seconds:.1f} s",
    }
    print(f"| `coalm-it build {manifest['name']}` | |\n|---|---:|")
    for name, cell in cells.items():
        print(f"| {name} | {cell} |")
    stages = sum_stages(timings)
    print("\nStages of the last build, in seconds summed over the workers: ", end="")
    print(", ".join(f"{stage} {spent:.1f}" for stage, spent in stages.items()), end="; ")
    print(f"elapsed: shards {timings['shards']:.1f}, files {timings['files']:.1f}.")
    print(f"\nMachine: {describe_machine()}.")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a whole build of recipe tod.")
    parser.add_argument("corpora", nargs="?", type=Path, default=os.environ.get("COALM_IT_CORPORA"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if options.corpora is None:
        parser.error("name the folder of the real corpora, here or in COALM_IT_CORPORA")
    measure("tod", options.corpora, options.workers, options.runs)


def measure(recipe: str, corpora: Path, workers: int, runs: int) -> None:
    """Builds the recipe `runs` times from scratch, and over the last build; prints the measurements."""
    with tempfile.TemporaryDirectory() as scratch:
        done, manifests = [], []
        for number in range(runs):
            out = Path(scratch) / str(number) / "build"
            out.parent.mkdir()
            done.append(run_build(recipe, corpora, out, workers))
            manifests.append((out / "manifest.json").read_bytes())
            print(f"run {number + 1}: {done[-1].seconds:.1f} s", file=sys.stderr)
        again = run_build(recipe, corpora, out, workers)
        changed = run_build(recipe, corpora, out.parent / "changed", workers, "--set", "parts.sgd.rows=40000")
        inputs = list(json.loads(manifests[-1])["inputs"])
        print_report(done, changed, again, measure_floor(corpora, out, inputs), out, workers)
        if runs > 1:
            print(f"\nThe {runs} builds are {'the same' if len(set(manifests)) == 1 else 'NOT the same'} to the byte.")


if __name__ == "__main__":
    main()
