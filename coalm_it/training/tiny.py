"""The base `tiny`: a random Llama of two layers, made on the spot, and its tokenizer, trained on the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from coalm_it.assets import asset
from coalm_it.training.rows import Row

_SPECIAL_TOKENS = [f"<|{name}|>" for name in "end pad system user assistant tool tools call thought /thought".split()]
_VOCABULARY_SIZE = 1000
_TOKENIZER_ROWS = 200
"""Rows on which the tokenizer is trained."""


def make_tiny(folder: Path, rows: Iterable[Row], seed: int) -> None:
    """Writes model and tokenizer to `folder`: for tests, and to check an installation. It learns, but not much."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY_SIZE, special_tokens=_SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False
    )
    texts = (json.dumps(row.conversation, ensure_ascii=False) for row in islice(rows, _TOKENIZER_ROWS))
    tokenizer.train_from_iterator(texts, trainer)
    end, pad, *_ = _SPECIAL_TOKENS
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=pad)
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
