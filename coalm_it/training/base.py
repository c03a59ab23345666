"""The model to start from: its tokenizer and, for the base `tiny`, the making of both."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from coalm_it.assets import asset
from coalm_it.errors import OutsideError, RequestError
from coalm_it.listener import Listener
from coalm_it.rendering.chat import Form
from coalm_it.training.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import SFTConfig

_SPECIAL = [f"<|{name}|>" for name in "end pad system user assistant tool tools call thought /thought".split()]
_VOCABULARY = 1000
_TEXTS = 200
"""Rows from which the tiny tokenizer learns its tokens."""


class BaseError(RequestError):
    """The base is no model, or none that can be trained on these rows."""


class HubError(OutsideError):
    """The Hub cannot be reached."""


def load_tokenizer(base: str, form: Form, sft: SFTConfig, listener: Listener) -> PreTrainedTokenizerBase:
    """The tokenizer of a model's folder or Hub name, with a pad token; `sft` may name another chat template.

    Raises BaseError, HubError.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError
    from transformers import AutoTokenizer

    if (base.startswith((".", "/", "~")) or base.count("/") > 1) and not Path(base).is_dir():
        raise BaseError(f"no model {base}: there is no such folder")
    settings = sft.model_init_kwargs
    revision = settings.get("revision") if isinstance(settings, dict) else None
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, revision=revision, trust_remote_code=sft.trust_remote_code)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        if isinstance(error.__cause__, LocalEntryNotFoundError):
            raise HubError(f"no folder {base}, and the Hub cannot be asked: {reason}") from None
        raise BaseError(f"no model {base}: {reason}") from None
    if sft.chat_template_path is not None:
        tokenizer.chat_template = _read_template(sft.chat_template_path)
    if form == "messages" and not tokenizer.chat_template:
        raise BaseError(f"{base} has no chat template, which form messages needs: name one, sft.chat_template_path")
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise BaseError(f"the tokenizer of {base} has neither a pad token nor an end token")
        # Harmless: padding is behind the attention mask and its labels are no tokens, so the end token is learnt
        # where it ends a target and nowhere else.
        tokenizer.pad_token = tokenizer.eos_token
        listener.say(f"{base} has no pad token: {tokenizer.eos_token} pads; padding bears no loss")
    return tokenizer


def _read_template(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        raise BaseError(f"sft.chat_template_path: no file {path}") from None


# --- tiny ---


def make_tiny(folder: Path, rows: Iterable[Row], seed: int) -> None:
    """A random Llama of two layers in `folder`, with a tokenizer that learns its tokens from the rows.

    It learns what any other model would, only nothing well; for tests, and to see whether all is in place.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    texts = (json.dumps(row.conversation, ensure_ascii=False) for row in islice(rows, _TEXTS))
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=_SPECIAL[0], pad_token=_SPECIAL[1])
    fast.chat_template = asset("train", "tiny.jinja").read_text(encoding="utf-8")
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=8192,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
