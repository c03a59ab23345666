"""A model that runs here: a tiny one with random weights, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coalm_it.chat import Conversation
from coalm_it.cli import app
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import Item, Output
from coalm_it.evaluation.models import ask_here
from coalm_it.listener import Silent
from coalm_it.pipeline import build

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_model(folder: Path, positions: int = 4096) -> str:
    """A Llama of two narrow layers that reads bytes; its chat template ends an answer with <|end|>."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={mark: place for place, mark in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|stop|>")  # type: ignore[no-untyped-call]
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|end|>", "<|user|>", "<|assistant|>"]})
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(12)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=positions,
        initializer_range=0.5,  # wide, so that what it writes hangs on what it reads
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(tmp_path_factory.mktemp("model") / "tiny")


def items(*texts: str) -> list[Item]:
    return [
        Item(text, "p", "t", text, Conversation([{"role": "user", "content": text}], [], thinks=False), due=())
        for text in texts
    ]


def ask(model: str, texts: list[str], **changes: Any) -> list[Output]:
    wanted = Evaluation(name="x", version=1, benchmark="held_out", max_tokens=12, **changes)
    return ask_here(model, items(*texts), wanted, Silent())


TEXTS = ["Hello", "A much longer text that is to be answered", "Book a table for two", "x"]


def test_answers_do_not_depend_on_who_else_is_asked(model: str) -> None:
    """Padding on the left is not seen, and the order of the answers is that of the prompts."""
    together = ask(model, TEXTS, batch_size=4)
    assert together == ask(model, TEXTS, batch_size=1)
    assert together == ask(model, TEXTS[::-1], batch_size=3)[::-1]
    assert len({output.text for output in together}) > 1


def test_an_answer_ends_where_the_template_ends_one(model: str, tmp_path: Path) -> None:
    """Every row of the output layer is made worthless but that of the template's end token, which no config names."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights = AutoModelForCausalLM.from_pretrained(model)
    tokenizer = AutoTokenizer.from_pretrained(model)
    with torch.no_grad():
        weights.lm_head.weight.zero_()
        hidden = weights.model(**tokenizer("<|user|>x<|end|><|assistant|>", return_tensors="pt")).last_hidden_state[
            0, -1
        ]
        weights.lm_head.weight[tokenizer.convert_tokens_to_ids("<|end|>")] = hidden
    weights.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    assert ask(str(tmp_path / "m"), ["x"]) == [Output("", cut=False)]


def test_what_does_not_end_is_cut_off(model: str) -> None:
    outputs = ask(model, TEXTS)
    assert all(output.cut for output in outputs if "<|end|>" not in output.text)
    assert any(output.cut for output in outputs)


def test_a_prompt_that_is_longer_than_the_model_is_lost_and_said(tmp_path: Path) -> None:
    small = make_model(tmp_path / "small", positions=64)
    long, short = ask(small, ["x" * 100, "x"])
    assert short.lost is None
    assert long.lost == "too long: 103 tokens and max_tokens 12 in a model of 64"


def test_the_whole_evaluation_gives_the_same_bytes_twice(model: str, tmp_path: Path) -> None:
    recipe = ["validation=0.3", "parts.sgd=null"]
    built = build("tod", out=tmp_path / "build", changes=recipe).out
    found = []
    for name in ("one", "two"):
        command = ["eval", "held_out", "--data", built, "--out", tmp_path / name, "--model", model]
        options = ["--set", "rows=3", "--set", "max_tokens=16", "--set", "resamples=50"]
        result = CliRunner().invoke(app, [*map(str, command), *options])
        assert result.exit_code == 0, result.output
        found.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert found[0] == found[1]
    results = json.loads(found[0]["results.json"])
    assert (results["asked"], results["answered"], results["model"]) == (3, 3, model)
    assert {row["metric"]: row["value"] for row in results["metrics"] if row["part"] == "all"} == {
        "jga": 0,
        "slot_f1": 0,
    }


def test_a_folder_without_a_model_is_one_line(tmp_path: Path, model: str) -> None:
    built = build("tod", out=tmp_path / "build", changes=["validation=0.3", "parts.sgd=null"]).out
    (tmp_path / "empty").mkdir()
    command = ["eval", "held_out", "--data", built, "--out", tmp_path / "r", "--model", tmp_path / "empty"]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"coalm-it: {tmp_path / 'empty'} is no model: there is neither")
