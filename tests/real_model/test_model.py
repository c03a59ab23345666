"""The model that `coalm-it model smollm2` makes: it reads and writes as it should."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.schema import Dialogue

pytestmark = pytest.mark.llm


@pytest.fixture(scope="module")
def tokenizer(smollm2: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smollm2, local_files_only=True)


def test_the_folder_is_what_transformers_saves(smollm2: Path) -> None:
    assert {path.name for path in smollm2.iterdir()} == {
        "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    config = json.loads((smollm2 / "config.json").read_text())
    assert (config["model_type"], config["dtype"], config["vocab_size"]) == ("llama", "float32", 49152)
    assert "quantization_config" not in config
    assert not list(smollm2.parent.glob(".smollm2.*"))


def test_every_utterance_comes_back_as_it_was(tokenizer: Any, sgd_dialogues: dict[str, Dialogue]) -> None:
    turns = [turn for dialogue in sgd_dialogues.values() for turn in dialogue.turns]
    texts = [text for turn in turns for text in (turn.user, turn.reply) if text]
    assert len(texts) > 200
    for text in [*texts, "Zoë's café: 3 ½ €, naïve  two  blanks\n\ttab 日本 🙂"]:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_each_digit_is_a_token(tokenizer: Any) -> None:
    assert tokenizer.tokenize("at 20:15") == ["at", "Ġ", "2", "0", ":", "1", "5"]
    assert tokenizer.tokenize("for  2") == ["for", "ĠĠ", "2"]


def test_a_turn_ends_where_the_model_stops(tokenizer: Any, smollm2: Path) -> None:
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    assert [(getattr(tokenizer, name), getattr(tokenizer, f"{name}_id")) for name in names] == [
        ("<|im_start|>", 1), ("<|im_end|>", 2), ("<|im_end|>", 2), ("<|endoftext|>", 0),
    ]  # fmt: skip
    generation = json.loads((smollm2 / "generation_config.json").read_text())
    assert (generation["eos_token_id"], generation["pad_token_id"]) == (2, 2)
    assert tokenizer.model_max_length == 8192


def test_the_chat_template_renders(tokenizer: Any) -> None:
    messages = [
        {"role": "system", "content": "You book tables."},
        {"role": "user", "content": "For 2, please."},
        {"role": "assistant", "content": "When?"},
    ]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False)
    assert rendered == (
        "<|im_start|>system\nYou book tables.<|im_end|>\n<|im_start|>user\nFor 2, please.<|im_end|>\n"
        "<|im_start|>assistant\nWhen?<|im_end|>\n"
    )
    asked = tokenizer.apply_chat_template(messages[1:2], tokenize=False, add_generation_prompt=True)
    assert asked.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert asked.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_it_says_something_sensible(tokenizer: Any, smollm2: Path) -> None:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(smollm2, local_files_only=True)
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    (written,) = model.generate(**inputs, max_new_tokens=20)
    answer = written[inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(answer) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.parametrize("missing", ["gguf", "torch", "transformers"])
def test_without_what_reads_the_weights_it_says_what_to_install(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    result = CliRunner().invoke(app, ["model", "smollm2", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    install = "pip install 'coalm-it[local]', or '.[local]' in a checkout"
    assert result.stderr == f"coalm-it: making the model needs {missing}: {install}\n"
    assert list(tmp_path.iterdir()) == []
