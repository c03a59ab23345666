"""Trains a model on a build: TRL's SFTTrainer, on tokens of our own making.

    coalm-it train train/smoke.yaml --data OUT --out MODEL

MODEL then holds the adapter (or the model) with its tokenizer, a card, and last of all run.json: no run.json, no
finished training. Until it is there the same command goes on from the last checkpoint.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from coalm_it.dataset.finished import FinishedBuild, Split, open_build
from coalm_it.errors import OutsideError
from coalm_it.listener import Listener, Silent
from coalm_it.training.base import BaseError, load_tokenizer, make_tiny
from coalm_it.training.card import describe_run, render_run
from coalm_it.training.config import TINY, Arguments, TrainConfig, build_arguments, load_training
from coalm_it.training.folder import ModelFolder, claim_model_folder
from coalm_it.training.progress import report_progress
from coalm_it.training.rows import check_rows, list_splits, read_rows
from coalm_it.training.tokens import NO_LOSS, Count, write_tokens

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import SFTTrainer

__all__ = ["Marked", "TrainConfig", "load_training", "train"]


class MemoryShortError(OutsideError):
    """The device has too little memory."""


class Marked(NamedTuple):
    """A token (or several that are one character together) as text, and whether it bears loss."""

    text: str
    learnt: bool


Show = Callable[[Sequence[Marked]], None]


def train(
    config: TrainConfig,
    *,
    data: Path,
    out: Path,
    drop_long: bool = False,
    drop_unfit: bool = False,
    listener: Listener | None = None,
    show: Show = lambda sample: None,
) -> dict[str, Any]:
    """Trains on the build in `data`; the model lies in `out`. Returns the run, as run.json has it.

    `show` is given the tokens of the first row before training begins. Under `accelerate launch` every process calls
    this, and the first one speaks and writes. What is wrong is one of errors.py's three kinds.
    """
    build = open_build(data)
    check_rows(build, config.rows)
    settings = {"config": config.model_dump(mode="json"), "drop_long": drop_long, "drop_unfit": drop_unfit}
    folder = claim_model_folder(out, {**settings, "data": build.sha256})
    finished = folder.read_run()
    if finished:
        return finished
    with _quiet():
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
    first = bool(processes.is_main_process)
    listener = listener if first else Silent()
    with processes.local_main_process_first():
        base = _prepare_base(config, build, folder, arguments)
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
    if first:
        show(_mark_tokens(_open_tokens(folder, "train")[0], tokenizer))
    trainer = _make_trainer(base, tokenizer, arguments, folder, counts)
    trainer.add_callback(report_progress(listener))
    _run(trainer, folder)
    log, machine = trainer.state.log_history, {"device": _name_device(trainer), "processes": processes.num_processes}
    run = describe_run(config, build, counts, log, machine)
    if first:
        folder.finish(run, render_run(run))
    processes.wait_for_everyone()
    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' own bars and warnings, which are about one another."""
    from transformers import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _prepare_base(config: TrainConfig, build: FinishedBuild, folder: ModelFolder, arguments: Arguments) -> str:
    """The folder or Hub name of the base; `tiny` is made where it is not there yet."""
    if config.base != TINY:
        return config.base
    if not folder.base.is_dir():
        part = folder.base.with_name(".base.part")
        make_tiny(part, read_rows(build, config.rows, "train"), arguments.sft.seed)
        part.replace(folder.base)
    return str(folder.base)


def _open_tokens(folder: ModelFolder, split: Split) -> Dataset:
    """input_ids and labels, mapped from the disk."""
    from datasets import Dataset

    return Dataset.from_file(str(folder.tokens(split)))


def _make_trainer(
    base: str,
    tokenizer: PreTrainedTokenizerBase,
    arguments: Arguments,
    folder: ModelFolder,
    counts: dict[Split, Count],
) -> SFTTrainer:
    """Raises BaseError for a base that cannot be loaded, and for what TRL refuses."""
    from transformers import PrinterCallback
    from trl import SFTTrainer

    try:
        trainer = SFTTrainer(
            model=base,
            args=arguments.sft,
            train_dataset=_open_tokens(folder, "train"),
            eval_dataset=_open_tokens(folder, "validation") if "validation" in counts else None,
            processing_class=tokenizer,
            peft_config=arguments.lora,
            quantization_config=arguments.quantization,
        )
    except (OSError, ValueError, ImportError) as error:
        raise BaseError(f"{base} cannot be trained so: {' '.join(str(error).split())}") from None
    trainer.remove_callback(PrinterCallback)
    return trainer


def _run(trainer: SFTTrainer, folder: ModelFolder) -> None:
    """Trains from the last checkpoint, or from the start, and saves the model beside its place."""
    import torch

    checkpoint = folder.find_checkpoint()
    trainer.args.eval_on_start &= checkpoint is None  # what goes on has been tried at its start
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError as error:
        reason = str(error).split(".")[0]
        raise MemoryShortError(f"{reason}: lower sft.per_device_train_batch_size or sft.max_length") from None
    trainer.save_model(str(folder.unfinished))


def _name_device(trainer: SFTTrainer) -> str:
    import torch

    device = trainer.args.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)


def _mark_tokens(row: dict[str, list[int]], tokenizer: PreTrainedTokenizerBase) -> list[Marked]:
    """The tokens of a row as text; those that are one character together stay together."""
    marked: list[Marked] = []
    pending: list[int] = []
    labels = row["labels"]
    for place, (token, label) in enumerate(zip(row["input_ids"], labels, strict=True)):
        pending.append(token)
        text = str(tokenizer.decode(pending))
        ends = place + 1 == len(labels) or (labels[place + 1] == NO_LOSS) != (label == NO_LOSS)
        if ends or not text.endswith("\N{REPLACEMENT CHARACTER}"):
            marked.append(Marked(text, label != NO_LOSS))
            pending = []
    return marked
