"""Exports read by the tools themselves: rows in are rows out, and the loss is on what is to be learnt.

Each tool stands in an environment of its own; a test is skipped where it is not installed (marker `tool`).
"""

from __future__ import annotations

import importlib.util
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import trl
import yaml
from datasets import load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from coalm_it.dataset.export import export
from coalm_it.dataset.export.format import Conversation
from coalm_it.dataset.export.rows import RowChoice, read_conversations
from coalm_it.dataset.finished import open_build
from coalm_it.dataset.tables import Config
from coalm_it.pipeline.build import build
from coalm_it.rendering.chat import read_conversation, write_example

pytestmark = pytest.mark.libraries

ROWS = 100
BOTH = pytest.mark.parametrize("config", ["samples", "dialogues"])


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    """Tokens are bytes, and the marks of Qwen 3, whose chat template it has."""
    bytes_ = Tokenizer(models.BPE())
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_.decoder = decoders.ByteLevel()
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bytes_.train_from_iterator([], trainers.BpeTrainer(special_tokens=marks, initial_alphabet=alphabet))
    wrapped: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerBase = wrapped(tokenizer_object=bytes_, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    made.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text(encoding="utf-8")
    return made


def read_rows(demo: Path, config: Config) -> list[Conversation]:
    return list(read_conversations(open_build(demo), config, "train", RowChoice()))


def write_target(row: Conversation, tokenizer: PreTrainedTokenizerBase) -> str:
    """What is learnt of a sample, in a training of ours."""
    parts = {"prompt": row.messages[:-1], "completion": row.messages[-1:], "tools": row.tools or None}
    return write_example(read_conversation(parts, "messages"), tokenizer).target


def decode_learnt(ids: Any, labels: Any, tokenizer: PreTrainedTokenizerBase) -> str:
    return str(tokenizer.decode([token for token, label in zip(ids, labels, strict=True) if label != -100]))


@BOTH
def test_datasets_reads_trl_with_every_key_as_it_is(config: Config, demo: Path, tmp_path: Path) -> None:
    export(demo, "trl", out=tmp_path / "out", config=config)
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    for row, read in zip(read_rows(demo, config), loaded, strict=True):
        assert [*read.get("prompt", ()), *read.get("completion", ()), *read.get("messages", ())] == row.messages
        assert (read["tools"] or []) == row.tools


def test_datasets_sees_that_an_export_was_replaced(tmp_path: Path) -> None:
    for seed in (1, 2):
        out = build("tod", out=tmp_path / f"seed {seed}", changes=[f"seed={seed}"]).out
        export(out, "trl", out=tmp_path / "out", replace=True)
        loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
        assert loaded["id"] == [row.id for row in read_rows(out, "samples")]


@pytest.mark.tool("axolotl")
@BOTH
def test_axolotl(config: Config, demo: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    from axolotl.prompt_strategies.chat_template import load
    from axolotl.utils.dict import DictDefault

    export(demo, "axolotl", out=tmp_path / "out", config=config)
    (about,) = yaml.safe_load((tmp_path / "out" / "axolotl.yaml").read_text())["datasets"]
    data = load_dataset(about["ds_type"], data_files=str(tmp_path / "out" / about["path"]), split=about["split"])
    settings = DictDefault(sequence_len=100_000, train_on_inputs=False, chat_template="tokenizer_default")
    strategy = load(tokenizer, settings, about)
    rows = read_rows(demo, config)
    assert len(data) == len(rows)
    for row, record in islice(zip(rows, data, strict=True), ROWS):
        tokens = strategy.tokenize_prompt(record)
        learnt = decode_learnt(tokens["input_ids"], tokens["labels"], tokenizer)
        if config == "samples":
            # It finds an answer by what differs from a dummy: a mark that every answer begins with is not learnt.
            assert learnt == write_target(row, tokenizer).removeprefix("<think>\n").removeprefix("\n</think>\n\n")
        else:
            assert learnt.count("<|im_end|>") == sum(one["role"] == "assistant" for one in row.messages)


@pytest.mark.tool("llamafactory")
@pytest.mark.parametrize("config", ["samples", "dialogues", "coalm_it"])
def test_llama_factory(config: Config, demo: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    from llamafactory.data.converter import get_dataset_converter
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments

    export(demo, "llama-factory", out=tmp_path / "out", config=config)
    (about,) = get_dataset_list(["tod"], str(tmp_path / "out"))
    data = load_dataset("json", data_files=str(tmp_path / "out" / about.dataset_name), split="train")
    arguments = DataArguments(template="qwen3", cutoff_len=100_000, mask_history=config != "dialogues")
    template = get_template_and_fix_tokenizer(tokenizer, arguments)
    convert = get_dataset_converter(about.formatting, about, arguments)
    processor = SupervisedDatasetProcessor(template, tokenizer, None, arguments)
    rows = read_rows(demo, config)
    assert len(data) == len(rows)
    for row, record in islice(zip(rows, data, strict=True), ROWS):
        aligned = convert(record)
        batch = {key: [value] for key, value in aligned.items()}
        tokens = processor.preprocess_dataset(batch)
        ((ids,), (labels,)) = tokens["input_ids"], tokens["labels"]
        learnt = decode_learnt(ids, labels, tokenizer)
        target = row.messages[-1]
        assert target.get("reasoning_content", "") in learnt
        assert target["content"] in learnt
        for call in target.get("tool_calls", ()):
            assert json.dumps(call["function"]["arguments"], ensure_ascii=False) in learnt
        if config == "samples":
            assert learnt.count("<|im_end|>") == 1
            assert all(tool["function"]["name"] in tokenizer.decode(ids) for tool in row.tools)


@pytest.mark.tool("swift")
@BOTH
def test_ms_swift(config: Config, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swift.dataset import load_dataset as load

    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
    export(demo, "ms-swift", out=tmp_path / "out", config=config)
    data, _ = load(str(tmp_path / "out" / "train.jsonl"), strict=True, load_from_cache_file=False)
    rows = read_rows(demo, config)
    assert len(data) == len(rows)
    for row, record in zip(rows, data, strict=True):
        read = [
            {"name": one["name"], "arguments": one["arguments"]}
            for one in (
                json.loads(message["content"]) for message in record["messages"] if message["role"] == "tool_call"
            )
        ]
        assert read == [call["function"] for message in row.messages for call in message.get("tool_calls", ())]
        assert (record.get("tools") or []) == row.tools


@pytest.mark.tool("oumi")
@BOTH
def test_oumi(config: Config, demo: Path, tmp_path: Path) -> None:
    from oumi.core.configs import TrainingConfig
    from oumi.datasets.sft.sft_jsonlines import TextSftJsonLinesDataset

    export(demo, "oumi", out=tmp_path / "out", config=config)
    config_file = str(tmp_path / "out" / "oumi.yaml")
    settings = TrainingConfig.from_yaml_and_arg_list(config_file, ["model.model_name=any"]).data.train
    assert settings.train_target == ("final_assistant_turn" if config == "samples" else "all_assistant_turns")
    (about,) = settings.datasets
    assert about.dataset_name == "text_sft"
    data = TextSftJsonLinesDataset(dataset_path=tmp_path / "out" / about.dataset_path)
    rows = read_rows(demo, config)
    assert len(data) == len(rows)
    for index, row in enumerate(rows):
        read = data.conversation(index)
        assert read.conversation_id == row.id
        assert [message.reasoning_content for message in read.messages] == [
            message.get("reasoning_content") for message in row.messages
        ]
        assert [
            (call.function.name, json.loads(call.function.arguments))
            for message in read.messages
            for call in message.tool_calls or ()
        ] == [
            (call["function"]["name"], call["function"]["arguments"])
            for message in row.messages
            for call in message.get("tool_calls", ())
        ]
        assert read.to_dict().get("tools", []) == row.tools


@pytest.mark.tool("verl")
@BOTH
def test_verl(config: Config, demo: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    export(demo, "verl", out=tmp_path / "out", config=config)
    spec = importlib.util.spec_from_file_location("verl_dataset", tmp_path / "out" / "verl_dataset.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings = {"pad_mode": "no_padding", "max_length": 100_000, "ignore_input_ids_mismatch": True}
    data = module.ExportedDataset(str(tmp_path / "out" / "train.parquet"), tokenizer, settings)
    rows = read_rows(demo, config)
    assert len(data) == len(rows)
    for row, index in islice(zip(rows, range(len(data)), strict=True), ROWS):
        tokens = data[index]
        labels = [1 if one else -100 for one in tokens["loss_mask"].tolist()]
        learnt = decode_learnt(tokens["input_ids"].tolist(), labels, tokenizer)
        answers = [message for message in row.messages if message["role"] == "assistant"]
        assert learnt.count("<|im_end|>") == (1 if config == "samples" else len(answers))
        assert answers[-1]["content"] in learnt
        for call in answers[-1].get("tool_calls", ()):
            assert json.dumps(call["function"]["arguments"], ensure_ascii=False) in learnt
