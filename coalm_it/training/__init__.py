"""Trains a model on a build: TRL's SFTTrainer, on rows that are tokenized here.

    coalm-it train train/smoke.yaml --data OUT --out MODEL

MODEL then holds the adapter (or the model) with its tokenizer, a card, and run.json, which is written last. Until it
exists, the same command resumes from the last checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from coalm_it.dataset.finished import FinishedBuild
from coalm_it.dataset.lock import hold_folder
from coalm_it.dataset.published import open_anywhere
from coalm_it.extras import import_hub, require_extra
from coalm_it.listener import Listener, Silent
from coalm_it.training.base import load_tokenizer, prepare_base
from coalm_it.training.card import describe_run, render_run
from coalm_it.training.config import TrainConfig, build_arguments, load_training
from coalm_it.training.folder import ModelFolder, claim_model_folder
from coalm_it.training.progress import make_progress_callback
from coalm_it.training.rows import check_rows, list_splits, read_rows
from coalm_it.training.tokens import MarkedToken, mark_tokens, open_tokens, write_tokens
from coalm_it.training.trainer import make_trainer, name_device, quiet_libraries, run_trainer

__all__ = ["MarkedToken", "TrainConfig", "load_training", "train"]

Show = Callable[[Sequence[MarkedToken]], None]


def train(
    config: TrainConfig,
    *,
    data: Path,
    out: Path,
    drop_long: bool = False,
    drop_unfit: bool = False,
    listener: Listener | None = None,
    show: Show = lambda tokens: None,
) -> dict[str, Any]:
    """Trains on the build in `data` and writes the model to `out`; returns the content of run.json.

    `data` is a folder, or a repository USER/NAME of the Hub.
    `drop_long` and `drop_unfit` leave out the rows that are longer than max_length, or that the chat template does not
    render completely; otherwise they are errors. `show` receives the tokens of the first row before the training.
    Under `accelerate launch` every process calls this; only the main process reports and writes.
    Raises RequestError, ShortfallError, OutsideError.
    """
    require_extra("train", "training a model")
    import_hub("training a model")
    build = open_anywhere(data, listener or Silent())
    check_rows(build, config.rows)
    settings = {"config": config.model_dump(mode="json"), "drop_long": drop_long, "drop_unfit": drop_unfit}
    # Of the processes of `accelerate launch` the first holds the folder for all.
    is_first = os.environ.get("RANK", "0") == "0"
    with hold_folder(out, "a training") if is_first else nullcontext():
        folder = claim_model_folder(out, {**settings, "data": build.sha256})
        finished = folder.read_run()
        if finished:
            return finished
        with quiet_libraries():
            return _train(config, build, folder, drop_long, drop_unfit, listener or Silent(), show)


def _train(
    config: TrainConfig,
    build: FinishedBuild,
    folder: ModelFolder,
    drop_long: bool,
    drop_unfit: bool,
    listener: Listener,
    show: Show,
) -> dict[str, Any]:
    from accelerate import PartialState

    splits = list_splits(build, config.rows)
    arguments = build_arguments(config, folder.checkpoints, validates="validation" in splits)
    processes = PartialState()
    is_main = bool(processes.is_main_process)
    listener = listener if is_main else Silent()

    # The main process writes the base and the tokens; the others wait and then find them there.
    with processes.local_main_process_first():
        base = prepare_base(config, folder, read_rows(build, config.rows, "train"), arguments.sft.seed)
        tokenizer = load_tokenizer(base, config.rows.form, arguments.sft, listener)
        counts = {
            split: write_tokens(
                folder.tokens(split),
                read_rows(build, config.rows, split),
                tokenizer,
                arguments.sft.max_length,
                listener,
                drop_long=drop_long,
                drop_unfit=drop_unfit,
            )
            for split in splits
        }
    datasets = {split: open_tokens(folder.tokens(split)) for split in splits}
    if is_main:
        show(mark_tokens(datasets["train"][0], tokenizer))

    trainer = make_trainer(base, tokenizer, arguments, datasets)
    trainer.add_callback(make_progress_callback(listener))
    run_trainer(trainer, folder)

    machine = {"device": name_device(trainer), "processes": processes.num_processes}
    run = describe_run(config, build, counts, trainer.state.log_history, machine)
    if is_main:
        run = folder.finish(run, render_run(run))
    processes.wait_for_everyone()
    return run
