"""The model to start from, and its tokenizer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from coalm_it.errors import RequestError
from coalm_it.files import write_whole
from coalm_it.listener import Listener
from coalm_it.rendering.chat import Form
from coalm_it.training.config import TINY, TrainConfig
from coalm_it.training.folder import ModelFolder
from coalm_it.training.pretrained import check_model_name, explain_load_errors
from coalm_it.training.rows import Row
from coalm_it.training.tiny import make_tiny

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import SFTConfig


class BaseError(RequestError):
    """The base cannot be trained on these rows, or with these settings; one line."""


def prepare_base(config: TrainConfig, folder: ModelFolder, rows: Iterable[Row], seed: int) -> str:
    """The folder or Hub name of the base. The base `tiny` is made from the rows if it does not exist yet."""
    if config.base != TINY:
        return config.base
    if not folder.base.is_dir():
        with write_whole(folder.base) as part:
            make_tiny(part, rows, seed)
    return str(folder.base)


def load_tokenizer(base: str, form: Form, sft: SFTConfig, listener: Listener) -> PreTrainedTokenizerBase:
    """The tokenizer of a model's folder or Hub name, with a pad token; `sft` may name another chat template.

    Raises ModelError, HubError, BaseError.
    """
    from transformers import AutoTokenizer

    check_model_name(base)
    settings = sft.model_init_kwargs
    revision = settings.get("revision") if isinstance(settings, dict) else None
    with explain_load_errors(base):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            base, revision=revision, trust_remote_code=sft.trust_remote_code
        )
    if sft.chat_template_path is not None:
        tokenizer.chat_template = _read_template(sft.chat_template_path)
    if form == "messages" and not tokenizer.chat_template:
        raise BaseError(f"{base} has no chat template, which form messages needs: set sft.chat_template_path")
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise BaseError(f"the tokenizer of {base} has neither a pad token nor an end token")
        # Harmless: padding is masked, and the labels of padding are not tokens, so the model learns the end token
        # only at the end of a target.
        tokenizer.pad_token = tokenizer.eos_token
        listener.say(f"{base} has no pad token: {tokenizer.eos_token} is used; padding has no loss")
    return tokenizer


def _read_template(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        raise BaseError(f"sft.chat_template_path: no file {path}") from None
