"""Builds that are disturbed at random moments: is anything lost, wrong, or ended by a traceback?

    python benchmarks/disturbances.py CORPORA [--kills 30 --changes 24 --full-disks 12 --pairs 6 --flips 10] [--seed 1]

A build of recipe tod from a part of SGD in CORPORA is done once undisturbed. Then, each time in a new folder with a new
cache: it is killed (kill -9), an input is edited while it runs, its disk is full, another build begins in its folder,
bits of its finished shards are flipped. Afterwards the inputs are as before, and the same command is run again: it must
end well, with the same bytes as undisturbed.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = ("--set", "parts.snips=null")


class Trial:
    """A folder for one disturbed build."""

    def __init__(self, folder: Path, corpora: Path, files: int) -> None:
        self.data, self.out, self.cache = folder / "data", folder / "out", folder / "cache"
        train = self.data / "sgd" / "train"
        train.mkdir(parents=True)
        shutil.copy(corpora / "sgd" / "train" / "schema.json", train)
        for path in sorted((corpora / "sgd" / "train").glob("dialogues_*.json"))[:files]:
            shutil.copy(path, train)

    def start(self, *options: str, limit: int | None = None) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "coalm_it", "build", "tod", "--data", str(self.data), "--out", str(self.out)]

        def prepare() -> None:
            os.setsid()
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return subprocess.Popen(
            [*command, *CHANGES, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COALM_IT_CACHE": str(self.cache)},
            preexec_fn=prepare,
        )

    def run(self, *options: str) -> tuple[int, str]:
        process = self.start(*options)
        _, errors = process.communicate()
        return process.returncode, errors

    def read(self) -> dict[str, bytes]:
        files = (path for path in self.out.rglob("*") if path.is_file() and path.name != "timings.json")
        return {path.relative_to(self.out).as_posix(): path.read_bytes() for path in files}


def kill(trial: Trial, moment: float, draw: random.Random) -> tuple[int, str]:
    process = trial.start()
    time.sleep(moment)
    whom = draw.choice(["group", "parent"])
    os.killpg(process.pid, signal.SIGKILL) if whom == "group" else process.kill()
    _, errors = process.communicate()
    return process.returncode, errors


def change_input(trial: Trial, moment: float, draw: random.Random) -> tuple[int, str]:
    path = draw.choice(sorted((trial.data / "sgd" / "train").iterdir()))
    content = path.read_bytes()
    process = trial.start()
    time.sleep(moment)
    path.write_bytes(content.replace(b"San", b"Sun"))
    _, errors = process.communicate()
    if process.returncode == 0 and not _is_of(trial, path.name, content):
        errors += "\nWRONG: the manifest has a hash of what was not read"
    path.write_bytes(content)
    return process.returncode, errors


def _is_of(trial: Trial, name: str, content: bytes) -> bool:
    """Whether the finished build is of this content, or honestly of the changed one."""
    from coalm_it.dataset.finished import open_build
    from coalm_it.files import hash_bytes

    told = open_build(trial.out).manifest.inputs[f"sgd/train/{name}"]
    return told in (hash_bytes(content), hash_bytes(content.replace(b"San", b"Sun")))


def fill_disk(trial: Trial, moment: float, draw: random.Random) -> tuple[int, str]:
    process = trial.start(limit=int(draw.uniform(1_000, 8_000_000)))
    _, errors = process.communicate()
    return process.returncode, errors


def build_beside(trial: Trial, moment: float, draw: random.Random) -> tuple[int, str]:
    first = trial.start()
    time.sleep(moment)
    second_code, second_errors = trial.run("--set", "seed=5", "--replace")
    _, errors = first.communicate()
    told = "is in use by" in second_errors + errors
    both = first.returncode == 0 and second_code == 0  # one after the other
    return (first.returncode, errors + second_errors) if told or both else (9, errors + second_errors)


def flip_bits(trial: Trial, moment: float, draw: random.Random) -> tuple[int, str]:
    done = trial.run()
    for path in (trial.cache / "shards").iterdir():
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(content))
    (trial.out / "manifest.json").unlink()
    return done


DISTURBANCES: dict[str, Callable[[Trial, float, random.Random], tuple[int, str]]] = {
    "kills": kill,
    "changes": change_input,
    "full_disks": fill_disk,
    "pairs": build_beside,
    "flips": flip_bits,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--files", type=int, default=40, help="Files of SGD train that are built.")
    parser.add_argument("--seed", type=int, default=1)
    for name, count in zip(DISTURBANCES, (30, 24, 12, 6, 10), strict=True):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=count)
    options: Any = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="coalm-it-") as folder:
        whole = Trial(Path(folder, "whole"), options.corpora, options.files)
        started = time.monotonic()
        code, errors = whole.run()
        assert code == 0, errors
        seconds, expected = time.monotonic() - started, whole.read()
        print(f"undisturbed: {seconds:.1f} s, {len(expected)} files")
        print("disturbance  times  ended by it  same bytes after a rerun  tracebacks  wrong")
        for name, disturb in DISTURBANCES.items():
            report(name, disturb, getattr(options, name), Path(folder), options, seconds, expected, draw)


def report(
    name: str,
    disturb: Callable[[Trial, float, random.Random], tuple[int, str]],
    times: int,
    folder: Path,
    options: Any,
    seconds: float,
    expected: dict[str, bytes],
    draw: random.Random,
) -> None:
    ended = same = tracebacks = wrong = 0
    for number in range(times):
        place = folder / f"{name}{number}"
        trial = Trial(place, options.corpora, options.files)
        code, errors = disturb(trial, draw.uniform(0.3, seconds), draw)
        again, more = trial.run("--replace")
        ended += code != 0
        tracebacks += "Traceback" in errors + more
        wrong += "WRONG" in errors or code == 9
        same += again == 0 and trial.read() == expected
        shutil.rmtree(place)
    print(f"{name:<11}  {times:>5}  {ended:>11}  {same:>24}  {tracebacks:>10}  {wrong:>5}", flush=True)


if __name__ == "__main__":
    main()
