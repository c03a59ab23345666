"""Tokens per second of our training and of plain TRL, on the same rows, alternately.

    python benchmarks/training.py BUILD [--base FOLDER] [--rows 64] [--runs 3] [--set KEY=VALUE]

BUILD is a finished build folder (`coalm-it build tod --out BUILD`). Without --base the tiny base is made. Both use the
same base, LoRA and SFTConfig (those of train/smoke.yaml, changed by --set). Plain TRL is used as its documentation
shows: SFTTrainer on a data set of prompts and completions, rendered, tokenized and masked by TRL. `prepare` is the time
from the rows on disk to the first step. If both make the same tokens, the losses are identical to the last digit.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from transformers import AutoTokenizer, PrinterCallback
from transformers.utils import logging as transformers_logging
from trl import SFTTrainer

from coalm_it.dataset.finished import open_build
from coalm_it.training import load_training, train
from coalm_it.training.config import TrainConfig, build_arguments
from coalm_it.training.rows import read_rows
from coalm_it.training.tiny import make_tiny


@dataclass(frozen=True)
class Measured:
    prepare: float
    """Seconds."""
    tokens_per_second: float
    """During the training."""
    tokens_per_cpu_second: float
    """Of the whole run, with preparation: less affected by other work on the machine."""
    losses: list[float]


def measure_ours(config: TrainConfig, data: Path, out: Path) -> Measured:
    started, worked = time.monotonic(), time.process_time()
    run = train(config, data=data, out=out)
    worked = time.process_time() - worked
    prepare = time.monotonic() - started - run["seconds"]
    tokens = run["rows"]["train"]["tokens"] * run["epochs"]
    return Measured(prepare, run["tokens_per_second"], tokens / worked, [entry["loss"] for entry in run["loss"]])


def measure_plain(config: TrainConfig, data: Path, out: Path) -> Measured:
    started, worked = time.monotonic(), time.process_time()
    arguments = build_arguments(config, out, validates=False)
    arguments.sft.dataset_kwargs = None
    rows = [row.conversation.messages for row in read_rows(open_build(data), config.rows, "train")]
    dataset = Dataset.from_list([{"prompt": messages[:-1], "completion": messages[-1:]} for messages in rows])
    trainer = SFTTrainer(
        model=config.base,
        args=arguments.sft,
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(config.base),
        peft_config=arguments.lora,
    )
    trainer.remove_callback(PrinterCallback)
    prepared = time.monotonic() - started
    trainer.train()
    worked = time.process_time() - worked
    log: list[dict[str, Any]] = trainer.state.log_history
    tokens = [entry["num_tokens"] for entry in log if "num_tokens" in entry][-1]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    return Measured(prepared, tokens / log[-1]["train_runtime"], tokens / worked, losses)


def spread(values: Sequence[float], digits: int) -> str:
    return ", ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--base", type=Path, help="folder of a model; default: the tiny base")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--set", dest="changes", action="append", default=[], help="KEY=VALUE of the training")
    options = parser.parse_args()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    disable_progress_bar()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")

    changes = [f"rows.limit={options.rows}", "sft.save_strategy=no", "sft.num_train_epochs=1", *options.changes]
    measured: dict[str, list[Measured]] = {"coalm-it": [], "plain TRL": []}
    with tempfile.TemporaryDirectory() as folder:
        base = options.base or Path(folder) / "base"
        if not options.base:
            make_tiny(base, read_rows(open_build(options.build), load_training("smoke").rows, "train"), seed=1)
        config = load_training("smoke", [*changes, f"base={base}"])
        for number in range(-1, options.runs):  # the first run of each is a warm-up and does not count
            one = "warm-up" if number < 0 else f"run {number + 1}"
            for name, measure in (("coalm-it", measure_ours), ("plain TRL", measure_plain)):
                result = measure(config, options.build, Path(folder) / f"{name}{number}")
                print(f"{one}: {name}: {result.tokens_per_second:,.0f} tokens/s, prepared in {result.prepare:.1f} s")
                if number >= 0:
                    measured[name].append(result)
    print(f"\n{options.rows} rows, {options.runs} alternating runs; min, median, max of each")
    for name, results in measured.items():
        print(f"{name:>10}: tokens per second {spread([one.tokens_per_second for one in results], 0)}")
        print(f"{'':>10}  tokens per CPU second {spread([one.tokens_per_cpu_second for one in results], 0)}")
        print(f"{'':>10}  prepare {spread([one.prepare for one in results], 2)} s")
    curves = {tuple(one.losses) for results in measured.values() for one in results}
    print(f"loss curves: {'identical' if len(curves) == 1 else f'{len(curves)} different ones'}")


if __name__ == "__main__":
    main()
