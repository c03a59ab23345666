"""What each check costs and how many samples it rejects, over a whole split with grounded thoughts.

    python benchmarks/checks.py CORPORA [--source sgd] [--split train] [--seed 12] [--show 0]

Prints for each check the processor time per sample, measured while all checks run in turn, as in a build, and how many
samples it rejects; with --show N, the first N findings of each check.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import Counter, defaultdict
from pathlib import Path

from coalm_it.checks import CHECKS
from coalm_it.readers import read_dialogues
from coalm_it.recipe import Part
from coalm_it.samples.targets import make_samples, shorten_observations
from coalm_it.schema import Dialogue
from coalm_it.thoughts.grounded import write_thoughts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, help="a folder with the corpus somewhere in it")
    parser.add_argument("--source", default="sgd")
    parser.add_argument("--split", default="train")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--show", type=int, default=0, help="how many findings of each check to print")
    options = parser.parse_args()

    tasks = ["react_action", "react_response"]
    part = Part.model_validate({"source": options.source, "task": tasks, "split": options.split})
    seconds: defaultdict[str, float] = defaultdict(float)
    found: Counter[str] = Counter()
    samples = 0
    gc.disable()
    for record in read_dialogues(options.source, options.corpora, options.split):
        if not isinstance(record, Dialogue):
            continue
        dialogue = write_thoughts(shorten_observations(record, 2), options.seed)
        for sample in make_samples(dialogue, "checks", part, dialogue.tools):
            samples += 1
            started = time.thread_time()
            for name, check in CHECKS.items():
                findings = check(sample)
                ended = time.thread_time()
                seconds[name] += ended - started
                started = ended
                found[name] += bool(findings)
                if findings and found[name] <= options.show:
                    print(f"{name}: {sample.id}\n  {sample.thought}\n  {findings[0].message}")

    clock = time_clock()
    print(f"{samples:,} samples of {options.source}, {options.split}")
    for name in CHECKS:
        print(f"  {name:14s} {(seconds[name] / samples - clock) * 1e6:6.1f} us  {found[name]:6,} rejected")
    print(f"  {'all':14s} {(sum(seconds.values()) / samples - clock * len(CHECKS)) * 1e6:6.1f} us")


def time_clock() -> float:
    """Duration of reading the clock, seconds."""
    started = time.thread_time()
    for _ in range(100_000):
        ended = time.thread_time()
    return (ended - started) / 100_000


if __name__ == "__main__":
    main()
