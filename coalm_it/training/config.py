"""The YAML of a training as types: the base, the rows, and the keys of SFTConfig, LoraConfig, BitsAndBytesConfig."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from coalm_it.configs import ConfigError, load_config
from coalm_it.configs.validation import explain_error, name_nearest, show_value
from coalm_it.rendering.chat import Form

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig

TINY = "tiny"
"""Name of the base that is made on the spot (see tiny.py)."""

_DOCUMENTED_TYPES: Mapping[str, Any] = {"fsdp": bool | str | None}
"""Keys for which the library documents more than its annotation allows: `fsdp: true`."""

_RESERVED = {
    "output_dir": "the option --out sets it",
    "resume_from_checkpoint": "the same command resumes from the last checkpoint",
    "completion_only_loss": "the loss is always on the target",
    "assistant_only_loss": "the loss is always on the target",
    "truncation_mode": "rows longer than max_length are never truncated",
    "dataset_kwargs": "the rows are tokenized already",
    "dataset_text_field": "the rows are tokenized already",
    "push_to_hub": "inspect the folder first, then `coalm-it publish` uploads it",
}
"""Keys of SFTConfig that a training cannot set, and why."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RowSelection(_Section):
    form: Form = Field("columns", description="columns: instruction, input, output. messages: messages and tools.")
    thoughts: bool | None = Field(
        None, description="Form messages: whether thoughts are in prompt and target (default) or in neither."
    )
    parts: tuple[str, ...] = Field((), description="Parts of the data set; none: all.")
    limit: int | None = Field(None, gt=0, description="Maximum number of rows, from the first; null: all.")
    validation_limit: int | None = Field(None, gt=0, description="Maximum number of validation rows; null: all.")

    @model_validator(mode="after")
    def _refuse_thoughts_of_columns(self) -> RowSelection:
        if self.form == "columns" and self.thoughts is not None:
            raise ValueError("thoughts can only be set for form messages; in form columns the recipe decides")
        return self


class TrainConfig(_Section):
    name: str = Field(description="Name of the training.")
    version: int = Field(1, description="Changes when the trained model may change.")
    base: str = Field(description="Folder of a model, or name on the Hub; tiny: a small random Llama.")
    rows: RowSelection = Field(RowSelection(), description="Rows to train on, and their form.")
    sft: dict[str, Any] = Field({}, description="Keys of TRL's SFTConfig.")
    lora: dict[str, Any] | None = Field(None, description="Keys of PEFT's LoraConfig; null: all weights are trained.")
    quantization: dict[str, Any] | None = Field(None, description="Keys of BitsAndBytesConfig.")


@dataclass(frozen=True)
class TrainerArguments:
    """The arguments of TRL's trainer."""

    sft: SFTConfig
    lora: LoraConfig | None
    quantization: BitsAndBytesConfig | None


def load_training(name: str, changes: Sequence[str] = ()) -> TrainConfig:
    """The training of that name in train/, or in the YAML file at that path. Raises ConfigError."""
    return load_config("train", name, TrainConfig, changes)


def build_arguments(config: TrainConfig, out: Path, *, validates: bool) -> TrainerArguments:
    """The arguments for the libraries; checkpoints go to `out`. Raises ConfigError for a key or value they refuse.

    `validates`: there are validation rows. They are evaluated before the first step and after each epoch, unless the
    file sets it otherwise.
    """
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig

    for key in sorted(config.sft.keys() & _RESERVED.keys()):
        raise ConfigError(f"sft.{key} cannot be set: {_RESERVED[key]}")
    for key in ("packing", "padding_free"):
        if config.sft.get(key) and "flash" not in str(config.sft.get("model_init_kwargs")):
            raise ConfigError(f"sft.{key} needs FlashAttention (model_init_kwargs), or rows attend to each other")
    defaults: dict[str, Any] = {"output_dir": str(out), "report_to": "none", "disable_tqdm": True}
    defaults |= {"eval_on_start": True, "eval_strategy": "epoch"}
    overrides = {} if validates else {"eval_on_start": False, "eval_strategy": "no"}
    if not config.sft.get("packing"):
        defaults["dataset_kwargs"] = {"skip_prepare_dataset": True}
    lora = None if config.lora is None else {"task_type": "CAUSAL_LM", **config.lora}
    return TrainerArguments(
        sft=_construct("sft", SFTConfig, {**defaults, **config.sft, **overrides}),
        lora=None if lora is None else _construct("lora", LoraConfig, lora),
        quantization=None
        if config.quantization is None
        else _construct("quantization", BitsAndBytesConfig, config.quantization),
    )


def _construct(section: str, kind: Any, values: Mapping[str, Any]) -> Any:
    """An instance of a library's class. YAML reads 1e-4 as a string and `no` as false: both are converted back."""
    hints = {**typing.get_type_hints(kind), **_DOCUMENTED_TYPES}
    known = [key for key in inspect.signature(kind).parameters if key != "kwargs"]
    typed = {}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"unknown key '{section}.{key}'; {name_nearest(key, known)}")
        if value is False and key.endswith("_strategy"):
            value = "no"
        try:
            typed[key] = TypeAdapter(hints.get(key, Any)).validate_python(value)
        except ValidationError as error:
            raise ConfigError(
                f"{section}.{key}: {explain_error(error.errors()[0])} (found {show_value(value)})"
            ) from None
    try:
        return kind(**typed)
    except (ValueError, TypeError, ImportError) as error:
        raise ConfigError(f"{section}: {' '.join(str(error).split())}") from None
