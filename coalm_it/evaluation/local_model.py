"""A model that runs here, through transformers: greedy decoding, in batches with padding on the left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import Item, NextPrompt, Output
from coalm_it.evaluation.session import Session
from coalm_it.extras import import_hub
from coalm_it.listener import Listener
from coalm_it.rendering.chat import Conversation, write_example, write_prompt
from coalm_it.training.pretrained import DeviceMemoryError, check_model_name, explain_load_errors

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PROBE = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."}]


def ask_local_model(
    name: str, items: Sequence[Item], next_prompt: NextPrompt, config: Evaluation, listener: Listener
) -> list[list[Output]]:
    """Asks the model of that name on the Hub, or in that folder (which may hold an adapter); the outputs of each item.

    First the first prompts of all items are answered, then their next prompts, until no item has one.
    Raises ModelError, HubError, DeviceMemoryError, ChatError.
    """
    session = Session(items, next_prompt, listener)
    model = LocalModel(name, config)
    prompts = {index: item.prompt for index, item in enumerate(items)}
    while prompts:
        indices, later = list(prompts), {}
        for position, output in model.answer(list(prompts.values())):
            prompt = session.record(indices[position], output)
            if prompt is not None:
                later[indices[position]] = prompt
        prompts = dict(sorted(later.items()))
    return session.outputs


class LocalModel:
    """A loaded model with its tokenizer. Raises ModelError, HubError, DeviceMemoryError."""

    def __init__(self, name: str, config: Evaluation) -> None:
        self._model, self._tokenizer = _load(name)
        self._batch_size, self._max_tokens = config.batch_size, config.max_tokens
        self._positions: int | None = getattr(self._model.config, "max_position_embeddings", None) or None
        self._ends = _find_end_tokens(self._model, self._tokenizer)

    def answer(self, conversations: Sequence[Conversation]) -> Iterator[tuple[int, Output]]:
        """Yields the index and the answer of each conversation, in batches of similar length, the longest first."""
        prompts = [write_prompt(conversation, self._tokenizer) for conversation in conversations]
        lengths = [len(ids) for ids in self._tokenizer(prompts, add_special_tokens=False)["input_ids"]]
        fitting = []
        for index, length in enumerate(lengths):
            if self._positions is not None and length + self._max_tokens > self._positions:
                sizes = f"{length:,} tokens and max_tokens {self._max_tokens} in a model of {self._positions:,}"
                yield index, Output("", failure=f"too long: {sizes}")
            else:
                fitting.append(index)
        fitting.sort(key=lambda index: -lengths[index])
        for start in range(0, len(fitting), self._batch_size):
            indices = fitting[start : start + self._batch_size]
            yield from zip(indices, self._generate([prompts[index] for index in indices]), strict=True)

    def _generate(self, prompts: list[str]) -> list[Output]:
        import torch

        batch = self._tokenizer(prompts, add_special_tokens=False, padding=True, return_tensors="pt")
        batch = batch.to(self._model.device)
        try:
            with torch.inference_mode():
                generated = self._model.generate(
                    **batch,
                    max_new_tokens=self._max_tokens,
                    do_sample=False,
                    repetition_penalty=1.0,
                    eos_token_id=self._ends,
                    pad_token_id=self._tokenizer.pad_token_id,
                )
        except torch.OutOfMemoryError:
            raise DeviceMemoryError(
                f"a batch of {len(prompts)} prompts does not fit into memory: lower batch_size"
            ) from None
        outputs = []
        for ids in generated[:, batch["input_ids"].shape[1] :].tolist():
            end = next((index for index, token in enumerate(ids) if token in self._ends), None)
            text = self._tokenizer.decode(ids[:end], skip_special_tokens=False)
            outputs.append(Output(str(text), truncated=end is None))
        return outputs


def _load(name: str) -> tuple[Any, PreTrainedTokenizerBase]:
    check_model_name(name)
    import_hub("running a model")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with explain_load_errors(name):
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
                _find_tokenizer(name), padding_side="left"
            )
            model: Any = AutoModelForCausalLM.from_pretrained(name, dtype="auto" if device == "cuda" else torch.float32)
            model = model.to(device).eval()
    except torch.OutOfMemoryError:
        raise DeviceMemoryError(f"model {name} does not fit into the memory of {device}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _find_tokenizer(name: str) -> str:
    """An adapter without a tokenizer takes that of its base model."""
    adapter = Path(name) / "adapter_config.json"
    if adapter.is_file() and not (Path(name) / "tokenizer_config.json").is_file():
        return str(json.loads(adapter.read_bytes())["base_model_name_or_path"])
    return name


def _find_end_tokens(model: Any, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end an answer: those of model and tokenizer, and the one that the chat template writes."""
    configured = model.generation_config.eos_token_id if model.generation_config else None
    ends = {*(configured if isinstance(configured, list) else [configured]), tokenizer.eos_token_id}
    target = write_example(Conversation(list(_PROBE), [], thinks=False), tokenizer).target
    ends.add(tokenizer(target, add_special_tokens=False)["input_ids"][-1])
    return sorted(end for end in ends if end is not None)
