"""How many function-calling samples can be made unanswerable or get near misses, and what they look like.

    python benchmarks/variants.py FILE ... [--kind no_value] [--seed 12] [--show 0]

Each FILE has rows in the form of xLAM. Prints for each file on how many of its samples with calls the change was tried,
as a recipe with a share of 1 does, how often it succeeded, and the time for each; with --show N, N of the results in
all, drawn by the seed: the functions, the request before and after, and the reply.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from coalm_it.calls import format_calls
from coalm_it.draw import draw_items
from coalm_it.readers import read_dialogues
from coalm_it.recipe import Part
from coalm_it.samples.near_misses import ToolIndex, add_near_misses, find_near_misses
from coalm_it.samples.targets import make_samples
from coalm_it.samples.unanswerable import remove_tool, remove_value
from coalm_it.schema import Dialogue, Sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--kind", choices=["no_value", "no_function", "near_misses"], default="no_value")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--show", type=int, default=0, help="how many of the results to print")
    options = parser.parse_args()

    results: list[tuple[Sample, Sample]] = []
    all_tried = 0
    for file in options.files:
        samples = [sample for sample in read_samples(file) if sample.step is not None and sample.calls]
        started = time.perf_counter()
        index = ToolIndex(tool for sample in samples for tool in sample.tools)
        found = [(sample, change_sample(sample, index, options.kind, options.seed)) for sample in samples]
        milliseconds = 1000 * (time.perf_counter() - started) / max(1, len(samples))
        changed = [(sample, other) for sample, other in found if other is not None]
        print(f"{describe_share(file.name, len(changed), len(samples))}  {milliseconds:.2f} ms each")
        all_tried += len(samples)
        results += changed
    print(describe_share("all", len(results), all_tried))
    for sample, other in draw_items(results, options.show, "show", options.seed):
        show_change(sample, other)


def describe_share(name: str, count: int, tried: int) -> str:
    return f"{name:20s} {count:6,} of {tried:6,}  {count / max(1, tried):6.1%}"


def read_samples(file: Path) -> Iterator[Sample]:
    """The samples of a file, each with a source of its own."""
    about = {"name": "rows", "title": "Rows", "reader": "xlam", "licence": "", "homepage": "", "citation": "none"}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.yaml"
        source.write_text(yaml.safe_dump({**about, "layouts": [{"name": "files", "splits": {"train": file.name}}]}))
        part = Part.model_validate({"source": str(source), "task": "function_call", "layout": "varied"})
        for record in read_dialogues(str(source), file.parent, "train"):
            if isinstance(record, Dialogue):
                yield from make_samples(record, "part", part, record.tools)


def change_sample(sample: Sample, index: ToolIndex, kind: str, seed: int) -> Sample | None:
    if kind == "no_value":
        return remove_value(sample, seed=seed)
    if kind == "no_function":
        return None if sample.history else remove_tool(sample, pool=index.tools, seed=seed)
    found = find_near_misses(sample, index, 2, seed)
    return add_near_misses(sample, found, seed) if found else None


def show_change(sample: Sample, other: Sample) -> None:
    print(f"\n{sample.id}: {format_calls(sample.calls, 'bracket')}")
    print(f"  functions: {', '.join(tool.name for tool in other.tools)}")
    print(f"  asked: {sample.current.user}")
    if other.current.user != sample.current.user:
        print(f"  now:   {other.current.user}")
    if other.step is None:
        print(f"  reply: {other.current.reply}")
    for tool in other.tools:
        if tool.name in other.provenance.get("near_misses", ()):
            print(f"  near miss: {tool.signature}: {tool.description}")


if __name__ == "__main__":
    main()
