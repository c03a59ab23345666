"""A model that runs here: a tiny one with random weights."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from scripted import serve
from typer.testing import CliRunner

from coalm_it.assets import asset, list_assets
from coalm_it.cli import app
from coalm_it.evaluation.bfcl.questions import CATEGORIES, SCORED
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import Item, Output
from coalm_it.evaluation.local_model import ask_local_model
from coalm_it.listener import Silent
from coalm_it.pipeline.build import build
from coalm_it.rendering.chat import Conversation

pytestmark = pytest.mark.libraries

ROOT = Path(__file__).parents[2]
PARAMETERS = {"type": "dict", "properties": {"x": {"type": "String"}}, "required": ["x"]}
FUNCTION = {"name": "f", "description": "Does f.", "parameters": PARAMETERS}
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_model(folder: Path, positions: int = 16_384) -> str:
    """A Llama of two narrow layers; its chat template ends an answer with <|end|>, which no config names."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1000, initial_alphabet=alphabet, show_progress=False)
    core.train([str(ROOT / "README.md"), *map(str, list_assets("templates", ".jinja"))], trainer)
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|stop|>")
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
        initializer_range=0.5,  # wide, so that its output depends on its input
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(tmp_path_factory.mktemp("model") / "tiny")


def items(*texts: str) -> list[Item]:
    return [
        Item(text, "p", "t", text, Conversation([{"role": "user", "content": text}], [], False), (), "no call")
        for text in texts
    ]


def ask(model: str, texts: list[str], **changes: Any) -> list[Output]:
    config = Evaluation(name="x", version=1, benchmark="held_out", max_tokens=12, **changes)
    outputs = ask_local_model(model, items(*texts), lambda item, outputs: None, config, Silent())
    return [output for (output,) in outputs]


TEXTS = ["Hello", "A much longer text that is to be answered", "Book a table for two", "x"]


def test_answers_do_not_depend_on_the_batch(model: str) -> None:
    """Padding on the left has no effect, and the answers are in the order of the prompts."""
    together = ask(model, TEXTS, batch_size=4)
    assert together == ask(model, TEXTS, batch_size=1)
    assert together == ask(model, TEXTS[::-1], batch_size=3)[::-1]
    assert len({output.text for output in together}) > 1


def test_an_answer_ends_at_the_end_token_of_the_template(model: str, tmp_path: Path) -> None:
    """Every row of the output layer is zero, except that of the end token of the template."""
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
    assert ask(str(tmp_path / "m"), ["x"]) == [Output("", truncated=False)]


def test_an_adapter_is_applied_to_its_base(model: str, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(model), LoraConfig(r=4, init_lora_weights=False))
    adapted.save_pretrained(str(tmp_path / "adapter"))
    assert not (tmp_path / "adapter" / "tokenizer.json").exists()
    assert ask(str(tmp_path / "adapter"), TEXTS) != ask(model, TEXTS)


def test_an_answer_without_an_end_is_truncated(model: str) -> None:
    outputs = ask(model, TEXTS)
    assert all(output.truncated for output in outputs if "<|end|>" not in output.text)
    assert any(output.truncated for output in outputs)


def test_a_prompt_longer_than_the_model_fails(tmp_path: Path) -> None:
    small = make_model(tmp_path / "small", positions=64)
    long, short = ask(small, ["7 " * 30, "7"])
    assert short.failure is None
    assert long.failure == "too long: 63 tokens and max_tokens 12 in a model of 64"


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


def test_the_commands_of_the_docs_run(model: str, tmp_path: Path) -> None:
    """Those of docs/evaluation.md, with real paths for the placeholders, and fewer rows."""
    text = (ROOT / "docs" / "evaluation.md").read_text()
    commands = [shlex.split(line) for line in re.findall(r"^    coalm-it (.+)$", text, re.MULTILINE)]
    assert [command[0] for command in commands] == ["build", "eval", "eval", "eval"]
    bfcl = tmp_path / "bfcl"
    bfcl.mkdir()
    for category in CATEGORIES:
        question = {"id": category, "question": [[{"role": "user", "content": "?"}]], "function": [FUNCTION]}
        (bfcl / f"BFCL_v3_{category}.json").write_text(json.dumps(question))
    (bfcl / "possible_answer").mkdir()
    for category in SCORED:
        answer = {"id": category, "ground_truth": [{"f": {"x": ["1"]}}]}
        (bfcl / "possible_answer" / f"BFCL_v3_{category}.json").write_text(json.dumps(answer))
    with serve(lambda body: "no") as script:
        names = {"OUT": tmp_path / "out", "MODEL": model, "BFCL": bfcl, "CORPORA": asset("sources", "samples")}
        names |= {"RESULTS": tmp_path / "results", "http://localhost:8000/v1": script.base_url}
        for command in commands:
            if command[0] == "eval":
                command += ["--set", "rows=1", "--set", "max_tokens=4", "--set", "resamples=10"]
                command += ["--ledger", "LEDGER"]
            else:
                command += ["--set", "validation=0.3"]
            words = [str({**names, "LEDGER": tmp_path / "answers.sqlite"}.get(word, word)) for word in command]
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, (words, result.output)


def test_a_folder_without_a_model_is_one_line(tmp_path: Path, model: str) -> None:
    built = build("tod", out=tmp_path / "build", changes=["validation=0.3", "parts.sgd=null"]).out
    (tmp_path / "empty").mkdir()
    command = ["eval", "held_out", "--data", built, "--out", tmp_path / "r", "--model", tmp_path / "empty"]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(
        f"coalm-it: {tmp_path / 'empty'} is not a model: the folder has no config.json"
    )
