"""Measures recipe coalm_it at its published size, 311,639 rows, from raw corpora of the full size.

    python benchmarks/full_size.py CORPORA [--workers 2] [--runs 2]

SNIPS and SGD are read from CORPORA; xLAM-60k, its irrelevance rows and ToolACE are replaced by stand-ins of the same
size and format (see stand_ins.py). Prints the same table as build_tod.py.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from build_tod import measure
from stand_ins import write_stand_ins


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the complete mix at its published size.")
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        for name in ("snips", "sgd"):
            (data / name).symlink_to((options.corpora / name).resolve())
        write_stand_ins(options.corpora, data)
        measure("coalm_it", data, options.workers, options.runs)


if __name__ == "__main__":
    main()
