"""TRL's trainer: made from our arguments and tokens, and run from the last checkpoint."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from coalm_it.dataset.tables import Split
from coalm_it.training.base import BaseError
from coalm_it.training.config import TrainerArguments
from coalm_it.training.folder import ModelFolder
from coalm_it.training.pretrained import DeviceMemoryError

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import SFTTrainer


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hides the progress bars and warnings of the libraries: the warnings concern their own use of each other."""
    from transformers import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def make_trainer(
    base: str,
    tokenizer: PreTrainedTokenizerBase,
    arguments: TrainerArguments,
    datasets: Mapping[Split, Dataset],
) -> SFTTrainer:
    """Raises BaseError if the base cannot be loaded, or TRL refuses the arguments."""
    from transformers import PrinterCallback
    from trl import SFTTrainer

    try:
        trainer = SFTTrainer(
            model=base,
            args=arguments.sft,
            train_dataset=datasets["train"],
            eval_dataset=datasets.get("validation"),
            processing_class=tokenizer,
            peft_config=arguments.lora,
            quantization_config=arguments.quantization,
        )
    except (OSError, ValueError, ImportError) as error:
        raise BaseError(f"{base} cannot be trained with these settings: {' '.join(str(error).split())}") from None
    trainer.remove_callback(PrinterCallback)
    return trainer


def run_trainer(trainer: SFTTrainer, folder: ModelFolder) -> None:
    """Trains from the last checkpoint, or from the start, and saves the model to `folder.staging`.

    Raises DeviceMemoryError.
    """
    import torch

    checkpoint = folder.find_checkpoint()
    trainer.args.eval_on_start &= checkpoint is None  # a resumed run was evaluated at its start
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError as error:
        reason = str(error).split(".")[0]
        raise DeviceMemoryError(f"{reason}: lower sft.per_device_train_batch_size or sft.max_length") from None
    trainer.save_model(str(folder.staging))


def name_device(trainer: SFTTrainer) -> str:
    """Name of the GPU, or type of another device."""
    import torch

    device = trainer.args.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)
