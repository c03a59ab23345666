"""What to train: a base, which rows in which form, and the keys of SFTConfig, LoraConfig and BitsAndBytesConfig."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from coalm_it.configs import ConfigError, load_config
from coalm_it.rendering.chat import Form
from coalm_it.validation import explain_error, name_nearest, show_value

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig

TINY = "tiny"
"""The base that is made on the spot (see tiny.py)."""

_HINTS: Mapping[str, Any] = {"fsdp": bool | str | None}
"""Where a library's type says less than its documentation: `fsdp: true`."""

_TAKEN = {
    "output_dir": "where the model goes is --out",
    "resume_from_checkpoint": "the same command goes on from the last checkpoint",
    "completion_only_loss": "loss is on the target alone",
    "assistant_only_loss": "loss is on the target alone",
    "truncation_mode": "a row that is longer than max_length is never cut",
    "dataset_kwargs": "rows come ready",
    "dataset_text_field": "rows come ready",
    "push_to_hub": "upload the folder when you have looked at it",
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rows(_Section):
    form: Form = Field("columns", description="columns: instruction, input, output. messages: messages and tools.")
    thoughts: bool | None = Field(
        None, description="Of form messages: whether the model learns thoughts (default) or is never shown any."
    )
    parts: tuple[str, ...] = Field((), description="Only these parts of the data set; without it, all.")
    limit: int | None = Field(None, gt=0, description="Only the first so many rows of these.")
    validation_limit: int | None = Field(None, gt=0, description="Only the first so many validation rows.")

    @model_validator(mode="after")
    def _leave_thoughts_to_the_recipe(self) -> Rows:
        if self.form == "columns" and self.thoughts is not None:
            raise ValueError("thoughts are for form messages; in columns they stand where the recipe put them")
        return self


class TrainConfig(_Section):
    name: str = Field(description="Name of the training.")
    version: int = Field(1, description="Changes when the model that comes out may change.")
    base: str = Field(description="A model's folder or name on the Hub; tiny: a small random Llama made on the spot.")
    rows: Rows = Field(Rows(), description="Which rows, in which form.")
    sft: dict[str, Any] = Field({}, description="Keys of TRL's SFTConfig.")
    lora: dict[str, Any] | None = Field(None, description="Keys of PEFT's LoraConfig; without it, all weights learn.")
    quantization: dict[str, Any] | None = Field(None, description="Keys of BitsAndBytesConfig.")


@dataclass(frozen=True)
class Arguments:
    """What TRL is given."""

    sft: SFTConfig
    lora: LoraConfig | None
    quantization: BitsAndBytesConfig | None


def load_training(name: str, changes: Sequence[str] = ()) -> TrainConfig:
    """The training of that name in train/, or in the YAML file at that path. Raises ConfigError."""
    return load_config("train", name, TrainConfig, changes)


def build_arguments(config: TrainConfig, out: Path, *, validates: bool) -> Arguments:
    """The libraries' own arguments; checkpoints go to `out`. Raises ConfigError for a key or value of theirs.

    Where there are validation rows, they are tried before the first step and after each epoch, or as the file says;
    else never.
    """
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig

    for key in sorted(config.sft.keys() & _TAKEN.keys()):
        raise ConfigError(f"sft.{key}: not for the file: {_TAKEN[key]}")
    for key in ("packing", "padding_free"):
        if config.sft.get(key) and "flash" not in str(config.sft.get("model_init_kwargs")):
            raise ConfigError(f"sft.{key}: without FlashAttention (model_init_kwargs) rows would see one another")
    own: dict[str, Any] = {"output_dir": str(out), "report_to": "none", "disable_tqdm": True}
    own |= {"eval_on_start": True, "eval_strategy": "epoch"}
    ruled = {} if validates else {"eval_on_start": False, "eval_strategy": "no"}
    if not config.sft.get("packing"):
        own["dataset_kwargs"] = {"skip_prepare_dataset": True}
    lora = None if config.lora is None else {"task_type": "CAUSAL_LM", **config.lora}
    return Arguments(
        sft=_construct("sft", SFTConfig, {**own, **config.sft, **ruled}),
        lora=None if lora is None else _construct("lora", LoraConfig, lora),
        quantization=None
        if config.quantization is None
        else _construct("quantization", BitsAndBytesConfig, config.quantization),
    )


def _construct(section: str, kind: Any, values: Mapping[str, Any]) -> Any:
    """An object of one of the libraries' classes. YAML's 1e-4 is a text, its `no` is false: what is meant is taken."""
    hints = {**typing.get_type_hints(kind), **_HINTS}
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
