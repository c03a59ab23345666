"""How much of a data set the Hub stores again when some of its rows have changed.

    python benchmarks/reupload.py BUILD [--rows 20000]

The Hub cuts files into chunks of some 64 kB where a rolling hash of the last 64 bytes has 16 zero bits (at least 8 kB,
at most 128 kB), and stores each chunk once. Of the first rows of config `samples` of a finished build, 1 % are
appended, changed in a row, or changed here and there, and written as a build writes them; printed is the share of the
bytes in chunks that are new, beside that of files written without content-defined pages.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coalm_it.dataset.finished import open_build
from coalm_it.dataset.tables import ROWS_PER_GROUP, SAMPLES, choose_options

SMALLEST, LARGEST, BITS, WINDOW = 8 << 10, 128 << 10, 16, 64


def find_cuts(content: bytes) -> list[int]:
    """The ends of the chunks of a file."""
    gear = np.random.default_rng(1).integers(0, 2**63, 256, dtype=np.uint64)
    values = gear[np.frombuffer(content, np.uint8)]
    hashes = np.zeros(len(values), np.uint64)
    for back in range(WINDOW):
        hashes[back:] += values[: len(values) - back] << np.uint64(back)
    candidates = np.flatnonzero(hashes >> np.uint64(64 - BITS) == 0)
    cuts, start = [], 0
    for place in map(int, candidates):
        while place - start > LARGEST:
            start += LARGEST
            cuts.append(start)
        if place - start >= SMALLEST:
            start = place
            cuts.append(start)
    while start < len(content):
        start = min(start + LARGEST, len(content))
        cuts.append(start)
    return cuts


def list_chunks(content: bytes) -> dict[str, int]:
    """Hash of each chunk -> its size."""
    cuts = find_cuts(content)
    return {
        hashlib.sha256(content[start:end]).hexdigest(): end - start
        for start, end in zip([0, *cuts], cuts, strict=False)
    }


def write(rows: list[dict[str, Any]], path: Path, **options: Any) -> bytes:
    table = pa.Table.from_pylist(rows, SAMPLES)
    pq.write_table(table, path, row_group_size=ROWS_PER_GROUP, **{**choose_options(SAMPLES), **options})
    return path.read_bytes()


def change(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "completion": [text.replace(". ", ", and so. ") + " " for text in row["completion"]]}


def append(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*rows, *others]


def change_contiguous(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    start = len(rows) // 3
    return [*rows[:start], *map(change, rows[start : start + len(others)]), *rows[start + len(others) :]]


def change_scattered(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    chosen = set(random.Random(1).sample(range(len(rows)), len(others)))
    return [change(row) if index in chosen else row for index, row in enumerate(rows)]


CHANGES: dict[str, Callable[[list[dict[str, Any]], list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "1 % appended": append,
    "1 % changed, in a row": change_contiguous,
    "1 % changed, scattered": change_scattered,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    build = open_build(options.build)
    names = build.list_files("samples", "train")
    rows = pq.read_table(build.folder / names[0]).slice(0, options.rows + options.rows // 100).to_pylist()
    before, others = rows[: options.rows], rows[options.rows :]
    print("| change | bytes stored again | without content-defined pages |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet")
        for name, apply in CHANGES.items():
            shares = []
            for chunked in (True, False):
                known = list_chunks(write(before, path, use_content_defined_chunking=chunked))
                new = list_chunks(write(apply(before, others), path, use_content_defined_chunking=chunked))
                shares.append(sum(size for chunk, size in new.items() if chunk not in known) / sum(new.values()))
            print(f"| {name} | {shares[0]:.1%} | {shares[1]:.1%} |")


if __name__ == "__main__":
    main()
