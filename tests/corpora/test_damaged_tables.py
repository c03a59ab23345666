"""A Parquet file with flipped bits is read, or is one fault of the file in one line."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from coalm_it.readers import read_dialogues
from coalm_it.schema import Fault

SOURCE = """
name: mine
title: Mine
reader: messages
licence: CC0-1.0
citation: "@misc{mine}"
homepage: https://example.org
layouts: [{name: plain, splits: {train: talks.parquet}}]
"""


def test_flipped_bits_are_one_fault_of_the_file(tmp_path: Path) -> None:
    """Seeded: 400 files."""
    (tmp_path / "mine.yaml").write_text(SOURCE)
    path = tmp_path / "data" / "talks.parquet"
    path.parent.mkdir()
    talk = [
        {"role": "user", "content": "Ist das Café am Hafen noch geöffnet?"},
        {"role": "assistant", "content": "Ja."},
    ]
    table = pa.table({"messages": [talk] * 20, "n": list(range(20)), "at": [datetime(2026, 12, 1)] * 20})
    rng = random.Random(21)
    damaged = 0
    for compression in ("snappy", "none"):
        pq.write_table(table, path, compression=compression)
        whole = path.read_bytes()
        for _ in range(200):
            content = bytearray(whole)
            for _ in range(rng.randint(1, 3)):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(content)
            faults = [one for one in read_dialogues(str(tmp_path / "mine.yaml"), path.parent) if isinstance(one, Fault)]
            assert all("\n" not in fault.reason for fault in faults)
            damaged += any(fault.record is None for fault in faults)
    assert damaged > 100
