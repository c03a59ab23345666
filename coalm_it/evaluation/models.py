"""Models that are asked: one that runs here, through transformers, or one behind an OpenAI-compatible endpoint.

Here: greedy, in batches with padding on the left, until the model ends its answer or the most tokens are written.
There: through the ledger, as all that is paid for, so that an evaluation that broke off goes on without paying again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coalm_it.errors import OutsideError, RequestError
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import Item, Output
from coalm_it.listener import Listener
from coalm_it.model_settings import Settings
from coalm_it.rendering.chat import Conversation, write_example, write_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from coalm_it.llm.request import Outcome, Request

STAGE = "answers"
_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_PROBE = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."}]


class ModelError(RequestError):
    """There is no such model, or it cannot be asked so; one line."""


class RunError(OutsideError):
    """The model could not be had or run: the network, memory; one line."""


# --- here ---


def ask_here(name: str, items: Sequence[Item], wanted: Evaluation, listener: Listener) -> list[Output]:
    """Asks the model of that name on the Hub, or in that folder (which may hold an adapter).

    Prompts of like length go together, the longest first. Raises ModelError, RunError, ChatError.
    """
    model, tokenizer = _load(name)
    prompts = [write_prompt(item.prompt, tokenizer) for item in items]
    lengths = [len(ids) for ids in tokenizer(prompts, add_special_tokens=False)["input_ids"]]
    room = getattr(model.config, "max_position_embeddings", None) or max(lengths, default=0) + wanted.max_tokens
    outputs: dict[int, Output] = {
        place: Output("", lost=f"too long: {length:,} tokens and max_tokens {wanted.max_tokens} in a model of {room:,}")
        for place, length in enumerate(lengths)
        if length + wanted.max_tokens > room
    }
    order = sorted((place for place in range(len(items)) if place not in outputs), key=lambda place: -lengths[place])
    ends = _find_ends(model, tokenizer)
    listener.advance(STAGE, len(outputs), len(items))
    for start in range(0, len(order), wanted.batch_size):
        places = order[start : start + wanted.batch_size]
        written = _generate([prompts[place] for place in places], model, tokenizer, ends, wanted.max_tokens)
        outputs.update(zip(places, written, strict=True))
        listener.advance(STAGE, len(outputs), len(items))
    return [outputs[place] for place in range(len(items))]


def _load(name: str) -> tuple[Any, PreTrainedTokenizerBase]:
    folder = Path(name)
    if folder.is_dir() and not any((folder / file).is_file() for file in ("config.json", "adapter_config.json")):
        raise ModelError(f"{name} is no model: there is neither config.json nor adapter_config.json in the folder")
    if not folder.is_dir() and (folder.exists() or not _HUB_NAME.fullmatch(name)):
        raise ModelError(f"no model {name}: no such folder, and no name on the Hub (USER/NAME)")
    try:
        import torch
        from huggingface_hub.errors import LocalEntryNotFoundError
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ImportError:
        raise ModelError(
            "to run a model, coalm-it needs transformers and torch: pip install 'coalm-it[train]'"
        ) from None
    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            _name_tokenizer(folder, name), padding_side="left"
        )
        kind = "auto" if device == "cuda" else torch.float32
        model: Any = AutoModelForCausalLM.from_pretrained(name, dtype=kind)
        model = model.to(device).eval()
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        if isinstance(error.__cause__, LocalEntryNotFoundError):
            raise RunError(f"there is no folder {name}, and the Hub cannot be asked: {reason}") from None
        raise ModelError(f"no model {name}: {reason}") from None
    except torch.OutOfMemoryError:
        raise RunError(f"model {name} does not fit into the memory of {device}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _name_tokenizer(folder: Path, name: str) -> str:
    """Of an adapter without a tokenizer beside it, its base model's."""
    adapter = folder / "adapter_config.json"
    if adapter.is_file() and not (folder / "tokenizer_config.json").is_file():
        return str(json.loads(adapter.read_bytes())["base_model_name_or_path"])
    return name


def _find_ends(model: Any, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end an answer: the model's and the tokenizer's, and the one that its chat template writes."""
    stated = model.generation_config.eos_token_id if model.generation_config else None
    ends = {*(stated if isinstance(stated, list) else [stated]), tokenizer.eos_token_id}
    target = write_example(Conversation(list(_PROBE), [], thinks=False), tokenizer).target
    ends.add(tokenizer(target, add_special_tokens=False)["input_ids"][-1])
    return sorted(end for end in ends if end is not None)


def _generate(
    prompts: Sequence[str],
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    ends: list[int],
    max_tokens: int,
) -> list[Output]:
    import torch

    batch = tokenizer(list(prompts), add_special_tokens=False, padding=True, return_tensors="pt").to(model.device)
    try:
        with torch.inference_mode():
            written = model.generate(
                **batch,
                max_new_tokens=max_tokens,
                do_sample=False,
                repetition_penalty=1.0,
                eos_token_id=ends,
                pad_token_id=tokenizer.pad_token_id,
            )
    except torch.OutOfMemoryError:
        raise RunError(f"{len(prompts)} prompts at a time do not fit into memory: lower batch_size") from None
    outputs = []
    for ids in written[:, batch["input_ids"].shape[1] :].tolist():
        end = next((place for place, token in enumerate(ids) if token in ends), None)
        text = tokenizer.decode(ids[:end], skip_special_tokens=False)
        outputs.append(Output(str(text), cut=end is None))
    return outputs


# --- there ---


def ask_there(settings: Settings, items: Sequence[Item], ledger: Path | None, listener: Listener) -> list[Output]:
    """Asks an endpoint what the ledger (by default the user's) does not hold. Raises what ask_all raises.

    What is answered stays in the ledger, however it ends.
    """
    try:
        from coalm_it.llm.budget import make_budget
        from coalm_it.llm.ledger import open_ledger
        from coalm_it.llm.online import ask_all
        from coalm_it.llm.request import Request
    except ImportError as missing:
        raise ModelError(str(missing)) from None
    outputs: dict[int, Output] = {}

    def keep(request: Request, outcome: Outcome) -> None:
        outputs[request.context] = _read_outcome(outcome)
        listener.advance(STAGE, len(outputs), len(items))

    requests = (
        Request(_write_messages(item.prompt), where=item.id, context=place, tools=tuple(item.prompt.tools))
        for place, item in enumerate(items)
    )
    with open_ledger(ledger, say=listener.say) as opened:
        ask_all(requests, settings, opened, keep, budget=make_budget(settings), say=listener.say)
    return [outputs[place] for place in range(len(items))]


def _write_messages(prompt: Conversation) -> tuple[dict[str, Any], ...]:
    """As endpoints take them: arguments as JSON text, and no thoughts, which not every server knows."""
    messages = []
    for message in prompt.messages:
        message = {key: value for key, value in message.items() if key != "reasoning_content"}
        if "tool_calls" in message:
            message["tool_calls"] = [
                {**call, "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])}}
                for call in message["tool_calls"]
            ]
        messages.append(message)
    return tuple(messages)


def _read_outcome(outcome: Outcome) -> Output:
    reason = getattr(outcome, "reason", None)
    if reason in (None, "length", "empty"):  # what is empty was said, too
        return Output(outcome.text, cut=reason == "length")
    return Output("", lost=f"{reason}: {getattr(outcome, 'detail', '')}")
